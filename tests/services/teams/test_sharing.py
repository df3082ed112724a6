"""Publishing a team, and copying it (teams contract, sections 4, 4.3, 14 and 15)."""

from __future__ import annotations

import asyncio
import re
from functools import partial
from typing import Any

import httpx
import pytest

from services.teams.sharing import operations
from services.teams.sharing.models import Sharing
from services.teams.teams import operations as teams
from shared.db import Database
from shared.errors import NotFound
from tests.services.teams.conftest import FakeAuth, Machine
from tests.services.teams.sharing_support import (
    AWAY,
    MANY,
    NO_MEMBER,
    NOT_OBJECTS,
    ODD_VALUES,
    UNKNOWN_TEAM,
    Sql,
    delete_softly,
    member_of,
    owned,
    said,
    settled,
)
from tests.support.postgres import DatabaseUrls
from tests.support.service import asserting

OWNER_ONLY = {
    "error": "only the team owner can change visibility. Link your account with `teamrc login`."
}
BAD = {"error": "visibility must be 'public' or 'private'"}
NO_CLONE = {"error": "invalid_clone_token"}
TEAM: dict[str, Any] = {
    "members": [{"name": "alice", "role": "dev", "soul": "meticulous", "skills": ["lint"]}],
    "skills": [{"id": "lint", "title": "Lint", "body": "Run the linter.", "alwaysApply": False}],
    "knowledge": "what only members know",
    "platforms": ["cursor"],
}


async def share(machine: Machine, visibility: Any = "public", **fields: Any) -> httpx.Response:
    body = {"visibility": visibility, "token": machine.token, **fields}
    return await machine.post("/api/teams/visibility", body)


async def shared(machine: Machine, visibility: str = "public", **fields: Any) -> str:
    answer = await share(machine, visibility, **fields)
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["clone_token"]
    return token


async def clone(
    machine: Machine, token: str, headers: dict[str, str] | None = None
) -> httpx.Response:
    """Ask without any signature, as nobody."""
    given = asserting("teams") | (headers or {})
    return await machine.client.get(f"/api/teams/clone/{token}", headers=given)


async def test_an_owner_publishes_and_anybody_copies(
    machine: Machine, auth: FakeAuth, sql: Sql
) -> None:
    made = await owned(machine, auth, **TEAM)
    answer = await share(machine)
    told = answer.json()
    assert (answer.status_code, set(told)) == (200, {"visibility", "clone_token"})
    assert told["visibility"] == "public"
    assert re.fullmatch(r"trc_cl_[A-Za-z0-9_-]{24}", told["clone_token"])
    copied = await clone(machine, told["clone_token"])
    assert copied.status_code == 200
    shown = copied.json()["team"]
    assert "knowledge" not in shown
    assert shown["skills"] == [{"id": "lint", "title": "Lint", "alwaysApply": False}]
    assert shown["members"] == made["members"]
    assert (shown["id"], shown["hash"], shown["platforms"]) == (
        made["id"],
        made["hash"],
        made["platforms"],
    )
    assert "Run the linter." not in copied.text
    assert len(await said(sql, "team.changed.v1", team_id=made["id"])) == 1


async def test_a_copy_always_has_skills(machine: Machine, auth: FakeAuth) -> None:
    await owned(machine, auth)
    shown = (await clone(machine, await shared(machine))).json()["team"]
    assert shown["skills"] == []


async def test_private_keeps_the_token_and_public_uses_it_again(
    machine: Machine, auth: FakeAuth
) -> None:
    await owned(machine, auth)
    never = await share(machine, "private")
    assert never.json() == {"visibility": "private", "clone_token": None}
    token = await shared(machine)
    back = await share(machine, "private")
    assert back.json() == {"visibility": "private", "clone_token": token}
    hidden = await clone(machine, token)
    assert (hidden.status_code, hidden.json()) == (404, NO_CLONE)
    assert await shared(machine) == token
    assert (await clone(machine, token)).status_code == 200


@pytest.mark.parametrize("visibility", ["Public", "", None, True, 1, [], {}, ["public"], 10**400])
async def test_another_visibility_is_refused(
    machine: Machine, auth: FakeAuth, visibility: Any
) -> None:
    await owned(machine, auth)
    refused = await share(machine, visibility)
    assert (refused.status_code, refused.json()) == (400, BAD)
    nothing = await machine.post("/api/teams/visibility", {"token": machine.token})
    assert (nothing.status_code, nothing.json()) == (400, BAD)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("hide_souls", "hide_souls must be true or false"),
        ("edit", "edit must be 'members' or 'owner'"),
    ],
)
async def test_other_settings_are_checked(
    machine: Machine, auth: FakeAuth, sql: Sql, field: str, text: str
) -> None:
    made = await owned(machine, auth)
    for value in (value for value in ODD_VALUES if not isinstance(value, bool)):
        refused = await share(machine, **{field: value})
        assert (refused.status_code, refused.json()) == (400, {"error": text})
    stored = await sql.fetchval("SELECT visibility FROM teams.team WHERE id = $1", made["id"])
    assert stored == "private"


async def test_a_member_of_another_account_may_not(
    machine: Machine, stranger: Machine, auth: FakeAuth, sql: Sql
) -> None:
    made = await owned(machine, auth)
    member = await member_of(machine)
    for body in ({}, {"visibility": "nonsense"}):
        refused = await share(member, **body)
        assert (refused.status_code, refused.json()) == (403, OWNER_ONLY)
    auth.link(member.token, "usr_other")
    assert (await share(member)).json() == OWNER_ONLY
    for team_id in ({}, {"team_id": made["id"]}, {"team_id": UNKNOWN_TEAM}):
        refused = await share(stranger, **team_id)
        assert (refused.status_code, refused.json()) == (403, NO_MEMBER)
    # Another machine of the owner's may.
    auth.link(member.token, auth.owners[machine.token]["account_id"])
    assert (await share(member)).status_code == 200
    # A link that has ended, or another owner, may not.
    auth.owners[machine.token]["linked"] = False
    assert (await share(machine, "private")).json() == OWNER_ONLY
    await sql.execute("UPDATE teams.team SET owner = NULL WHERE id = $1", made["id"])
    assert (await share(member, "private")).json() == OWNER_ONLY


async def test_a_team_without_owner_stays_private(machine: Machine, auth: FakeAuth) -> None:
    await machine.make()
    assert (await share(machine)).json() == OWNER_ONLY
    auth.owners[machine.token] = {"linked": False, "account_id": ""}
    assert (await share(machine)).json() == OWNER_ONLY


async def test_which_team_is_meant(machine: Machine, auth: FakeAuth, sql: Sql) -> None:
    one, two = await owned(machine, auth, name="One"), await machine.make("Two")
    refused = await share(machine)
    assert (refused.status_code, refused.json()) == (409, MANY)
    odd: list[Any] = ["nonsense", "", 7, [], {}]
    for team_id in odd:
        refused = await share(machine, team_id=team_id)
        assert (refused.status_code, refused.json()) == (404, {"error": "not_found"})
    token = await shared(machine, team_id=two["id"])
    assert (await clone(machine, token)).json()["team"]["id"] == two["id"]
    await delete_softly(sql, one["id"])
    assert (await share(machine, team_id=one["id"])).json() == NO_MEMBER


async def test_souls_can_be_hidden(machine: Machine, auth: FakeAuth) -> None:
    await owned(machine, auth, **TEAM)
    token = await shared(machine, hide_souls=True)
    shown = await clone(machine, token)
    assert "meticulous" not in shown.text
    assert shown.json()["team"]["members"] == [{"name": "alice", "role": "dev", "skills": ["lint"]}]
    # Alone, a setting leaves the visibility; absent, it stays.
    await machine.post("/api/teams/visibility", {"hide_souls": False})
    assert "meticulous" in (await clone(machine, token)).text
    await machine.post("/api/teams/visibility", {"hide_souls": True})
    assert await shared(machine) == token
    assert "meticulous" not in (await clone(machine, token)).text


async def test_an_owner_may_keep_the_team_to_themselves(machine: Machine, auth: FakeAuth) -> None:
    await owned(machine, auth)
    member = await member_of(machine)
    answer = await machine.post("/api/teams/visibility", {"edit": "owner"})
    assert answer.json() == {"visibility": "private", "clone_token": None}
    body = {"token": member.token, "team": {"members": []}}
    refused = await member.post("/api/teams", body)
    assert (refused.status_code, refused.json()) == (
        403,
        {"error": "only the team owner can change the team"},
    )
    await machine.post("/api/teams/visibility", {"edit": "members"})
    assert (await member.post("/api/teams", body)).status_code == 201


async def test_only_real_changes_count(machine: Machine, auth: FakeAuth, sql: Sql) -> None:
    made = await owned(machine, auth)

    async def revision() -> int:
        found: int = await sql.fetchval("SELECT revision FROM teams.team WHERE id = $1", made["id"])
        return found

    before = await revision()
    for _ in range(3):
        await shared(machine, hide_souls=False, edit="members")
    assert await revision() == before + 1
    await shared(machine, "private", hide_souls=True, edit="owner")
    assert await revision() == before + 2
    events = await said(sql, "team.changed.v1", team_id=made["id"])
    assert [event["revision"] for event in events] == [before + 1, before + 2]
    assert {(event["version"], event["hash"]) for event in events} == {(1, made["hash"])}


async def test_a_copy_is_compared_by_its_tag(machine: Machine, auth: FakeAuth) -> None:
    await owned(machine, auth, **TEAM)
    token = await shared(machine)
    first = await clone(machine, token)
    tag = {"if-none-match": f'"other", W/{first.headers["etag"]}'}
    same = await clone(machine, token, tag)
    assert (same.status_code, same.content, same.headers["etag"]) == (
        304,
        b"",
        first.headers["etag"],
    )
    await machine.post("/api/teams/visibility", {"hide_souls": True})
    changed = await clone(machine, token, tag)
    assert changed.status_code == 200
    await share(machine, "private")
    assert (await clone(machine, token, tag)).status_code == 404


async def test_what_is_no_clone_token_opens_nothing(
    machine: Machine, auth: FakeAuth, sql: Sql
) -> None:
    made = await owned(machine, auth)
    token = await shared(machine)
    for text in (
        "trc_cl_" + "c" * 24,
        token[:-1],
        token + "x",
        token.lower() + "!",
        "x" * 10_000,
        "%F0%9F%A6%80",
        "%ff%fe",
        "%2e%2e",
        "'%20or%201=1--",
    ):
        refused = await clone(machine, text)
        assert (refused.status_code, refused.json()) == (404, NO_CLONE), text
    assert (await clone(machine, token + "%00")).status_code in (400, 404)
    await delete_softly(sql, made["id"])
    assert (await clone(machine, token)).json() == NO_CLONE


@pytest.mark.parametrize("body", NOT_OBJECTS, ids=lambda body: repr(body[:12]))
async def test_what_is_no_object_is_refused(machine: Machine, body: bytes) -> None:
    answer = await machine.send("POST", "/api/teams/visibility", content=body)
    assert answer.status_code == 400
    assert isinstance(answer.json()["error"], str)


async def test_without_auth_nothing_changes(machine: Machine, auth: FakeAuth, sql: Sql) -> None:
    made = await owned(machine, auth)
    auth.is_away = True
    try:
        refused = await share(machine)
    finally:
        auth.is_away = False
    assert (refused.status_code, refused.json()) == (503, AWAY)
    assert "retry-after" in refused.headers
    stored = await sql.fetchrow(
        "SELECT visibility, clone_token, revision FROM teams.team WHERE id = $1", made["id"]
    )
    assert tuple(stored or ()) == ("private", None, 1)


async def test_public_private_public_within_a_second(machine: Machine, auth: FakeAuth) -> None:
    await owned(machine, auth)
    opening, closing = machine.signature(), machine.signature()
    bodies = {opening: {"visibility": "public"}, closing: {"visibility": "private"}}
    token = await shared(machine)
    for signature in (closing, opening, closing, opening):
        body = bodies[signature]
        answer = await machine.post("/api/teams/visibility", body, signature=signature)
        assert answer.json() == {**body, "clone_token": token}
        assert "idempotent-replay" not in answer.headers
        is_there = (await clone(machine, token)).status_code == 200
        assert is_there == (body["visibility"] == "public")
    again = await machine.post("/api/teams/visibility", {"visibility": "public"}, signature=opening)
    assert again.headers["idempotent-replay"] == "true"


async def test_many_that_publish_at_once_give_one_token(machine: Machine, auth: FakeAuth) -> None:
    await owned(machine, auth)
    answers = await asyncio.gather(*(settled(partial(share, machine)) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["clone_token"] for answer in answers}) == 1


async def test_pages_read_and_change_it(
    machine: Machine, auth: FakeAuth, urls: DatabaseUrls
) -> None:
    made = await owned(machine, auth, **TEAM)
    database = await Database.connect(urls.url("teams"), size=2)
    try:
        async with database.transaction() as connection:
            team = await teams.lock_by_id(connection, made["id"])
            assert team is not None
            public = await operations.change(
                connection, team, Sharing(visibility="public", hide_souls=True)
            )
        assert public.clone_token is not None
        found = await operations.find_public(database, public.clone_token)
        assert found == public
        assert b"meticulous" not in operations.clone_bytes(found)
        with pytest.raises(NotFound, match="invalid_clone_token"):
            await operations.find_public(database, "trc_cl_" + "c" * 24)
    finally:
        await database.close()
