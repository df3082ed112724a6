"""Pages whose address is a secret: public teams and invitations (teams contract, sections 1, 4)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.services.teams.conftest import FakeAuth, Machine
from tests.services.teams.pages_support import HOME, Visitor, text_of
from tests.services.teams.sharing_support import Sql, delete_softly, invited, join, owned

TEAM: dict[str, Any] = {
    "name": "Payments",
    "members": [
        {
            "name": "reviewer",
            "role": "Reviews code",
            "description": "Use when a change is ready.",
            "soul": "You are careful.",
            "skills": ["lint"],
        }
    ],
    "skills": [{"id": "lint", "title": "Lint it", "description": "Of style", "body": "Run ruff."}],
    "knowledge": "The vault is in the cellar.",
    "platforms": ["cursor", "codex"],
}


@pytest.fixture
def anybody(client: httpx.AsyncClient) -> Visitor:
    """A browser without a cookie."""
    return Visitor(client)


async def share(machine: Machine, **settings: Any) -> str:
    body = {"token": machine.token, "visibility": "public", **settings}
    answer = await machine.post("/api/teams/visibility", body)
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["clone_token"]
    return token


async def test_a_public_team_shows_what_a_clone_would_hold(
    machine: Machine, auth: FakeAuth, anybody: Visitor
) -> None:
    await owned(machine, auth, **TEAM)
    token = await share(machine)
    page = text_of(await anybody.show(f"/t/{token}"))
    for shown in (
        "Payments",
        "reviewer",
        "Reviews code",
        "Use when a change is ready.",
        "You are careful.",
        "Lint it",
        "Of style",
        "cursor, codex",
        f"teamrc clone {token} --relay {HOME}",
    ):
        assert shown in page
    assert "Run ruff." not in page
    assert "cellar" not in page
    await share(machine, hide_souls=True)
    page = await anybody.show(f"/t/{token}")
    assert "reviewer" in page
    assert "careful" not in page


async def test_what_is_not_public_looks_alike_whatever_the_reason(
    machine: Machine, auth: FakeAuth, anybody: Visitor, sql: Sql
) -> None:
    made = await owned(machine, auth, **TEAM)
    token = await share(machine)
    unknown = await anybody.get("/t/trc_cl_" + "A" * 24)
    assert unknown.status_code == 404
    assert unknown.headers["content-type"] == "text/html; charset=utf-8"
    assert "There is no such page" in unknown.text
    await machine.post("/api/teams/visibility", {"visibility": "private"})
    seen = [await anybody.get(f"/t/{token}")]
    await share(machine)
    assert (await anybody.get(f"/t/{token}")).status_code == 200
    await delete_softly(sql, made["id"])
    odd = ("x", "trc_cl_", "trc_inv_" + "A" * 24, "é" * 40, "x" * 5000, "%2e%2e", "'--")
    seen += [await anybody.get(f"/t/{one if '%' in one else quote(one)}") for one in (token, *odd)]
    for answer in seen:
        assert (answer.status_code, answer.content) == (404, unknown.content)


async def test_an_invitation_shows_who_invites_to_what_and_uses_nothing(
    machine: Machine, stranger: Machine, anybody: Visitor, auth: FakeAuth
) -> None:
    await machine.make(**TEAM)
    code = await invited(machine, max_uses=1, ttl_hours=2)
    asked = len(auth.asked)
    for _ in range(3):
        page = text_of(await anybody.show(f"/invite/{code}"))
    assert len(auth.asked) == asked, "nobody needs to be signed in"
    for shown in (
        "Payments",
        "reviewer",
        "Reviews code",
        "Lint it",
        f"teamrc join {code} --relay {HOME}",
        machine.token[:12],
        "Holds until",
    ):
        assert shown in page
    assert machine.token[:20] not in page
    assert "careful" not in page
    assert "cellar" not in page
    assert (await join(stranger, code)).status_code == 200


async def test_an_invitation_that_opens_nothing_looks_alike_whatever_the_reason(
    machine: Machine, stranger: Machine, anybody: Visitor, sql: Sql
) -> None:
    made = await machine.make(**TEAM)
    unknown = await anybody.get("/invite/trc_inv_" + "A" * 24)
    assert unknown.status_code == 404
    used = await invited(machine, max_uses=1)
    assert (await join(stranger, used)).status_code == 200
    over, revoked, open_still = [await invited(machine) for _ in range(3)]
    await sql.execute(
        "UPDATE teams.invite SET expires_at = now() WHERE hint = $1 AND team_id = $2",
        over[:12],
        made["id"],
    )
    await sql.execute(
        "UPDATE teams.invite SET revoked_at = now() WHERE hint = $1 AND team_id = $2",
        revoked[:12],
        made["id"],
    )
    assert (await anybody.get(f"/invite/{open_still}")).status_code == 200
    seen = [await anybody.get(f"/invite/{code}") for code in (used, over, revoked, "x", "x" * 900)]
    await delete_softly(sql, made["id"])
    seen.append(await anybody.get(f"/invite/{open_still}"))
    for answer in seen:
        assert (answer.status_code, answer.content) == (404, unknown.content)


async def test_secret_addresses_are_told_nobody_and_nothing_is_loaded(
    machine: Machine, auth: FakeAuth, anybody: Visitor
) -> None:
    await owned(machine, auth, **TEAM)
    paths = [f"/t/{await share(machine)}", f"/invite/{await invited(machine)}", "/t/x", "/invite/x"]
    for path in paths:
        answer = await anybody.get(path)
        headers = answer.headers
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-robots-tag"] == "noindex, nofollow"
        assert headers["cache-control"] == "no-store"
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        for word in ("<script", "<img", "<link", "<form", "<iframe", " src=", " style="):
            assert word not in answer.text
        assert "set-cookie" not in headers
    found = await anybody.client.head(paths[0], headers=anybody._headers())
    assert (found.status_code, found.content) == (200, b"")
