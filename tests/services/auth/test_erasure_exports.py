from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from services.auth.erasures.operations import teams_export
from shared.errors import Unavailable
from shared.principal import Kind, Principal
from tests.services.auth.conftest import PASSWORD, Auth, Person, running
from tests.services.auth.device_support import browser_of, linked_machine
from tests.services.auth.fake_teams import TEAMS_KEY, fake_teams
from tests.services.auth.two_factor_support import enrol
from tests.support.postgres import DatabaseServer

TEAMS = [
    {
        "id": "team_1",
        "name": "one",
        "members": [{"name": "reviewer", "role": "r", "soul": "s", "skills": ["x"]}],
        "skills": [],
        "platforms": ["claude"],
        "knowledge": "k",
        "visibility": "private",
        "participants": ["anonymous"],
        "your_machines": [
            {
                "token": "trc_ak_AAAAA...",
                "machine_name": "m",
                "scope": "project",
                "project_name": None,
            }
        ],
    }
]


async def test_a_person_takes_everything_along_but_no_secret(auth: Auth) -> None:
    device = await enrol(auth, await auth.person("Ada, Countess"))
    ada = device.person
    path = f"/v1/admin/organizations/{ada.claims.org}/api-keys"
    key = (await auth.post(path, ada.principal, name="of mine")).json()
    machine = await linked_machine(auth, ada)
    await auth.sql.execute(
        "INSERT INTO auth.external_identity (issuer, subject, account_id) VALUES ($1, $2, $3)",
        "https://issuer.example",
        f"sub-{ada.claims.sub}",
        ada.claims.sub,
    )
    answer = await auth.send("GET", "/v1/auth/me/export", ada.principal)
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == 'attachment; filename="guildhall-export.json"'
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body["account"]["id"] == ada.claims.sub
    assert body["account"]["email"] == ada.email
    assert body["account"]["created_at"].endswith("Z")
    (organization,) = body["organizations"]
    assert (organization["id"], organization["role"]) == (ada.claims.org, "owner")
    assert [one["id"] for one in body["sessions"]] == [ada.claims.sid]
    (shown,) = body["api_keys"]
    assert (shown["id"], shown["name"], shown["scopes"]) == (key["id"], "of mine", ["*"])
    assert [one["token"] for one in body["machines"]] == [machine.subject]
    assert [one["issuer"] for one in body["external_identities"]] == ["https://issuer.example"]
    assert body["two_factor"] is True
    actions = {event["action"] for event in body["audit_events"]}
    assert {"account.verified", "session.opened"} <= actions
    assert body["audit_events_total"] == len(body["audit_events"])
    row = await auth.sql.fetchrow(
        "SELECT password_hash FROM auth.account WHERE id = $1", ada.claims.sub
    )
    assert row is not None
    for secret in (row["password_hash"], key["key"], PASSWORD, *device.recovery_codes, "digest"):
        assert secret not in answer.text


async def test_nobody_gets_the_export_of_another(auth: Auth, grace: Person) -> None:
    ada = await auth.person()
    body = (await auth.send("GET", "/v1/auth/me/export", ada.principal)).text
    for secret in (grace.email, grace.claims.sub, grace.claims.org):
        assert secret not in body
    key = Principal(Kind.API_KEY, "key_x", ada.claims.org, "owner", ("*",), "key_x", ada.claims.sub)
    assert (await auth.send("GET", "/v1/auth/me/export", key)).status_code == 403
    assert (await auth.send("GET", "/v1/auth/me/export")).status_code == 401


async def test_the_export_of_the_teams_surface(auth: Auth) -> None:
    auth.teams.export = {"teams": TEAMS}
    ada = await auth.person()
    machine, revoked = await linked_machine(auth, ada), await linked_machine(auth, ada)
    await auth.send("DELETE", f"/api/account/machines/{revoked.subject}", ada.principal)
    answer = await auth.send("GET", "/api/account/export", ada.principal)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"] == 'attachment; filename="teamrc-export.json"'
    assert answer.headers["x-pii-access"] == "true"
    body = answer.json()
    assert body.keys() == {"account", "machines", "teams"}
    assert body["account"].keys() == {"id", "email", "created_at", "updated_at"}
    assert (body["account"]["id"], body["account"]["email"]) == (ada.claims.sub, ada.email)
    assert {frozenset(one) for one in body["machines"]} == {
        frozenset(("token", "machine_name", "last_seen_at", "revoked_at", "created_at"))
    }
    tokens = {one["token"]: one["revoked_at"] is not None for one in body["machines"]}
    assert tokens == {
        machine.subject[:12] + "...": False,
        revoked.subject[:12] + "...": True,
    }
    assert body["teams"] == TEAMS
    asked = auth.teams.exported[-1]
    assert asked["account_id"] == ada.claims.sub
    assert [one["token"] for one in asked["machines"]] == [machine.subject]


@pytest.mark.parametrize(
    ("status", "body"),
    [(503, {"error": "x"}), (500, {}), (200, {"teams": 7}), (200, []), (404, {})],
)
async def test_a_part_is_never_given_for_the_whole(auth: Auth, status: int, body: Any) -> None:
    ada = await auth.person()
    auth.teams.status, auth.teams.export = status, body
    try:
        answer = await auth.send("GET", "/api/account/export", ada.principal)
    finally:
        auth.teams.status, auth.teams.export = 200, {"teams": TEAMS}
    assert answer.status_code == 503
    assert answer.json() == {"error": "service temporarily unavailable"}
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["x-pii-access"] == "true"
    assert "content-disposition" not in answer.headers


async def test_pages_of_teams_become_one_file(auth: Auth) -> None:
    ada, first, rest = await auth.person(), str(uuid4()), [{"id": "team_2"}, {"id": "team_3"}]
    auth.teams.export = {"teams": TEAMS, "next_after": first}
    auth.teams.exports[first] = {"teams": [], "next_after": "last"}
    auth.teams.exports["last"] = {"teams": rest}
    try:
        answer = await auth.send("GET", "/api/account/export", ada.principal)
    finally:
        auth.teams.export, auth.teams.exports = {"teams": TEAMS}, {}
    assert answer.json()["teams"] == [*TEAMS, *rest]
    assert [asked.get("after") for asked in auth.teams.exported[-3:]] == [None, first, "last"]


async def test_a_long_export_leaves_while_it_is_gathered(
    auth: Auth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teams_export, "AHEAD", 10)
    ada = await auth.person()
    auth.teams.export = {"teams": [], "next_after": "a"}
    auth.teams.exports = {"a": {"teams": TEAMS, "next_after": "b"}, "b": {"teams": TEAMS}}
    try:
        answer = await auth.send("GET", "/api/account/export", ada.principal)
        assert answer.json()["teams"] == [*TEAMS, *TEAMS]
        auth.teams.exports["b"] = {"teams": 7}
        # Half an answer is out by then: only a broken connection tells the client so.
        with pytest.raises(Unavailable):
            await auth.send("GET", "/api/account/export", ada.principal)
    finally:
        auth.teams.export, auth.teams.exports = {"teams": TEAMS}, {}


async def test_without_a_teams_service_there_is_no_export(
    database_server: DatabaseServer, tmp_path: Path
) -> None:
    async with fake_teams() as teams:
        url = teams.url
    settings = {"GUILDHALL_TEAMS_URL": url, "GUILDHALL_TEAMS_SIBLING_KEY": TEAMS_KEY}
    async with database_server.clone() as urls, running(urls, tmp_path, **settings) as auth:
        ada = await auth.person()
        answer = await auth.send("GET", "/api/account/export", ada.principal)
        assert answer.status_code == 503
        assert (await auth.send("GET", "/api/account", ada.principal)).status_code == 200


async def test_a_browser_gets_it_by_its_cookie(auth: Auth) -> None:
    ada = await auth.person()
    browser = await browser_of(auth, ada)
    answer = await browser.get("/api/account/export")
    assert answer.status_code == 200
    assert answer.json()["account"]["id"] == ada.claims.sub
