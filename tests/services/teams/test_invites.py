"""Invitations, and coming in by them (teams contract, sections 4, 4.3, 14 and 15)."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.teams.invites import operations, rules
from services.teams.invites.models import Invite
from shared.db import Database
from shared.errors import NotFound
from tests.services.teams.conftest import FakeAuth, Machine
from tests.services.teams.sharing_support import (
    MANY,
    NO_INVITE,
    NO_MEMBER,
    NOT_OBJECTS,
    ODD_VALUES,
    UNKNOWN_TEAM,
    Sql,
    delete_softly,
    invited,
    join,
    member_of,
    said,
)
from tests.support.postgres import DatabaseUrls

TEAM: dict[str, Any] = {
    "members": [
        {"name": "alice", "role": "dev", "soul": "meticulous", "description": "writes"},
        {"name": "Bob", "role": "qa", "soul": "patient"},
    ],
    "skills": [{"id": "lint", "body": "Run the linter."}],
    "knowledge": "what only members know",
    "platforms": ["cursor"],
}


def around(hours: int) -> tuple[datetime, datetime]:
    now = datetime.now(UTC) + timedelta(hours=hours)
    return now - timedelta(minutes=1), now + timedelta(minutes=1)


async def test_an_invitation_is_told_as_the_contract_has_it(machine: Machine, sql: Sql) -> None:
    made = await machine.make()
    answer = await machine.post("/api/teams/invite", {"token": machine.token, "ttl_hours": 24})
    told = answer.json()
    assert (answer.status_code, set(told)) == (200, {"invite_code", "expires_at"})
    assert answer.headers["cache-control"] == "no-store"
    assert re.fullmatch(r"trc_inv_[A-Za-z0-9_-]{24}", told["invite_code"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", told["expires_at"])
    first, last = around(24)
    assert first < datetime.fromisoformat(told["expires_at"]) < last
    row = await sql.fetchrow("SELECT * FROM teams.invite WHERE team_id = $1", made["id"])
    assert row is not None
    assert row["digest"] == rules.digest(told["invite_code"])
    assert told["invite_code"] not in "".join(str(value) for value in row.values())
    assert (row["hint"], row["made_by"]) == (told["invite_code"][:12], machine.token[:12])


@pytest.mark.parametrize(
    ("ttl", "hours"),
    [
        (1, 1),
        (168, 168),
        (169, 168),
        (0, 1),
        (-5, 1),
        (10**400, 168),
        ("48", 48),
        ("+7", 7),
        ("-3", 1),
        ("0", 1),
        ("9" * 5_000, 168),
        ("0" * 5_000 + "5", 5),
        ("24h", 24),
        (" 12", 24),
        ("", 24),
        ("\u0665", 24),
        ("1.5", 24),
        (2.0, 24),
        (True, 24),
        (None, 24),
        ([5], 24),
        ({}, 24),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_hours_are_read_kindly(ttl: Any, hours: int) -> None:
    assert rules.read_ttl_hours(ttl) == hours


async def test_hours_count_in_the_answer(machine: Machine) -> None:
    await machine.make()
    for ttl, hours in (({"ttl_hours": 500}, 168), ({"ttl_hours": "soon"}, 24), ({}, 24)):
        answer = await machine.post("/api/teams/invite", {"token": machine.token, **ttl})
        first, last = around(hours)
        assert first < datetime.fromisoformat(answer.json()["expires_at"]) < last


@pytest.mark.parametrize("uses", [0, -1, 1.0, "2", True, [], {}])
async def test_a_wrong_number_of_uses_is_refused(machine: Machine, uses: Any) -> None:
    await machine.make()
    answer = await machine.post("/api/teams/invite", {"max_uses": uses})
    assert (answer.status_code, answer.json()) == (
        400,
        {"error": "max_uses must be a positive integer"},
    )


async def test_any_larger_number_of_uses_is_taken(machine: Machine, stranger: Machine) -> None:
    await machine.make()
    assert (await join(stranger, await invited(machine, max_uses=10**400))).status_code == 200


async def test_only_members_invite(machine: Machine, stranger: Machine, sql: Sql) -> None:
    made = await machine.make()
    bodies: list[dict[str, Any]] = [{}, {"team_id": made["id"]}, {"team_id": UNKNOWN_TEAM}]
    for body in bodies:
        refused = await stranger.post("/api/teams/invite", body)
        assert (refused.status_code, refused.json()) == (403, NO_MEMBER)
    assert not await sql.fetchval(
        "SELECT count(*) FROM teams.invite WHERE team_id = $1", made["id"]
    )


@pytest.mark.parametrize("team_id", ["nonsense", "", 7, True, ["x"], {}, "x" * 36])
async def test_what_is_no_id_is_no_team(machine: Machine, team_id: Any) -> None:
    await machine.make()
    refused = await machine.post("/api/teams/invite", {"team_id": team_id})
    assert (refused.status_code, refused.json()) == (404, {"error": "not_found"})


async def test_of_several_teams_one_must_be_named(machine: Machine, stranger: Machine) -> None:
    await machine.make("One")
    two = await machine.make("Two")
    refused = await machine.post("/api/teams/invite", {})
    assert (refused.status_code, refused.json()) == (409, MANY)
    answer = await join(stranger, await invited(machine, team_id=two["id"]))
    assert answer.json()["team"]["id"] == two["id"]


async def test_joining_answers_the_whole_team(
    machine: Machine, stranger: Machine, sql: Sql
) -> None:
    made = await machine.make(**TEAM)
    answer = await join(stranger, await invited(machine))
    del made["owner_claim_secret"]
    assert (answer.status_code, answer.json()) == (200, {"team": made, "token": stranger.token})
    assert await stranger.team() == made
    assert await said(sql, "team.joined.v1", team_id=made["id"], token=stranger.token)


async def test_the_token_need_not_stand_in_the_body(machine: Machine, stranger: Machine) -> None:
    await machine.make()
    answer = await stranger.post("/api/join", {"invite_code": await invited(machine)})
    assert answer.json()["token"] == stranger.token


async def test_joining_twice_changes_and_uses_nothing(
    machine: Machine, stranger: Machine, sql: Sql
) -> None:
    made = await machine.make()
    code = await invited(machine, max_uses=1)
    for _ in range(3):
        assert (await join(stranger, code)).json()["team"]["id"] == made["id"]
    # Neither does the machine that made the team use one, nor a member that has another code.
    assert (await join(machine, await invited(machine, max_uses=1))).status_code == 200
    events = await said(sql, "team.joined.v1", team_id=made["id"])
    assert [event["token"] for event in events] == [machine.token, stranger.token]
    assert await sql.fetchval("SELECT count(*) FROM teams.invite_use") >= 1
    third = Machine(machine.client)
    assert (await join(third, code)).json() == NO_INVITE


async def test_uses_count_machines(machine: Machine, sql: Sql) -> None:
    await machine.make()
    code = await invited(machine, max_uses=2)
    one, two, three = (Machine(machine.client) for _ in range(3))
    assert (await join(one, code)).status_code == 200
    assert (await join(two, code)).status_code == 200
    refused = await join(three, code)
    assert (refused.status_code, refused.json()) == (404, NO_INVITE)
    # Leaving gives no use back, but whoever had one may return.
    await one.send("DELETE", f"/api/token/{one.token}/erase")
    assert (await join(three, code)).json() == NO_INVITE
    assert (await join(one, code)).status_code == 200


async def test_an_invitation_is_for_many_until_it_ends(machine: Machine) -> None:
    await machine.make()
    code = await invited(machine)
    for _ in range(5):
        assert (await join(Machine(machine.client), code)).status_code == 200


ENDINGS = {
    "expired": "UPDATE teams.invite SET expires_at = now() - interval '1 s' WHERE team_id = $1",
    "revoked": "UPDATE teams.invite SET revoked_at = now() WHERE team_id = $1",
    "used up": "UPDATE teams.invite SET max_uses = 1 WHERE team_id = $1",
    "deleted team": "UPDATE teams.team SET deleted_at = now() WHERE id = $1",
    "removed": "DELETE FROM teams.invite WHERE team_id = $1",
}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS.keys())
async def test_an_invitation_that_ended_opens_nothing(
    machine: Machine, stranger: Machine, sql: Sql, ending: str
) -> None:
    made = await machine.make(**TEAM)
    code = await invited(machine)
    await join(Machine(machine.client), code)
    assert (await stranger.post("/api/teams/preview", {"invite_code": code})).status_code == 200
    await sql.execute(ending, made["id"])
    for path in ("/api/join", "/api/teams/preview"):
        refused = await stranger.post(path, {"invite_code": code})
        assert (refused.status_code, refused.json()) == (404, NO_INVITE)
    assert not await sql.fetchval(
        "SELECT count(*) FROM teams.membership WHERE token = $1", stranger.token
    )


@pytest.mark.parametrize("path", ["/api/join", "/api/teams/preview"])
async def test_what_is_no_code_opens_nothing(machine: Machine, path: str) -> None:
    missing = await machine.post(path, {"token": machine.token})
    assert (missing.status_code, missing.json()) == (400, {"error": "invite_code is required"})
    for value in ODD_VALUES:
        refused = await machine.post(path, {"invite_code": value})
        if isinstance(value, str):
            assert (refused.status_code, refused.json()) == (404, NO_INVITE)
        else:
            assert refused.status_code == 400
            assert "invite_code" in refused.json()["error"]
    code = "trc_inv_" + "c" * 24
    for text in (code, code + "\n", code[:-1], code.upper(), "trc_cl_" + "c" * 24):
        assert (await machine.post(path, {"invite_code": text})).json() == NO_INVITE


@pytest.mark.parametrize("path", ["/api/join", "/api/teams/preview", "/api/teams/invite"])
@pytest.mark.parametrize("body", NOT_OBJECTS, ids=lambda body: repr(body[:12]))
async def test_what_is_no_object_is_refused(machine: Machine, path: str, body: bytes) -> None:
    answer = await machine.send("POST", path, content=body)
    assert answer.status_code == 400
    assert isinstance(answer.json()["error"], str)


async def test_a_preview_has_neither_souls_nor_knowledge(
    machine: Machine, stranger: Machine
) -> None:
    made = await machine.make(**TEAM)
    code = await invited(machine)
    answer = await stranger.post("/api/teams/preview", {"invite_code": code})
    assert answer.status_code == 200
    shown = answer.json()["team"]
    assert "knowledge" not in shown
    assert shown["members"] == [
        {"name": "alice", "role": "dev", "description": "writes"},
        {"name": "Bob", "role": "qa"},
    ]
    assert shown["skills"] == made["skills"]
    assert {key: shown[key] for key in ("id", "name", "hash", "platforms")} == {
        key: made[key] for key in ("id", "name", "hash", "platforms")
    }
    assert "meticulous" not in answer.text
    assert "what only members know" not in answer.text
    assert (await stranger.send("GET", f"/api/teams/{stranger.token}")).status_code == 404


async def test_previews_are_not_tracked(machine: Machine, stranger: Machine, sql: Sql) -> None:
    await machine.make()
    code, signature = await invited(machine), stranger.signature()
    for _ in range(2):
        answer = await stranger.post(
            "/api/teams/preview", {"invite_code": code}, signature=signature
        )
        assert answer.status_code == 200
        assert "idempotent-replay" not in answer.headers
    assert not await sql.fetchval(
        "SELECT count(*) FROM teams.replay WHERE token = $1", stranger.token
    )


async def test_a_machine_that_was_taken_away_stays_out(
    machine: Machine, stranger: Machine, auth: FakeAuth
) -> None:
    await machine.make()
    code = await invited(machine)
    auth.owners[stranger.token] = {"linked": False, "barred": True}
    refused = await join(stranger, code)
    assert (refused.status_code, refused.json()) == (404, NO_INVITE)
    # Once its owner has linked it again, it may.
    auth.link(stranger.token, "usr_eve")
    assert (await join(stranger, code)).status_code == 200


async def test_a_machine_that_erased_itself_may_return(machine: Machine, auth: FakeAuth) -> None:
    await machine.make()
    member = await member_of(machine)
    auth.link(member.token, "usr_bob")
    erased = await member.send("DELETE", f"/api/token/{member.token}/erase")
    assert erased.json() == {"status": "disconnected", "teams_removed": 1}
    assert (await join(member, await invited(machine))).status_code == 200


async def test_pages_list_and_end_invitations(
    machine: Machine, stranger: Machine, sql: Sql, urls: DatabaseUrls
) -> None:
    made = await machine.make(**TEAM)
    other = await stranger.make()
    code, second = await invited(machine, max_uses=3), await invited(machine)
    await join(Machine(machine.client), code)
    database = await Database.connect(urls.url("teams"), size=2)
    try:
        assert (await operations.look(database, code)).team.id == made["id"]
        listed = await operations.list_of(database, made["id"])
        assert [each.hint for each in listed] == [second[:12], code[:12]]
        first = listed[-1]
        assert (first.max_uses, first.uses, first.made_by) == (3, 1, machine.token[:12])
        assert isinstance(first, Invite)
        async with database.transaction() as connection:
            assert not await operations.revoke(connection, other["id"], first.id)
            assert await operations.revoke(connection, made["id"], first.id)
            assert not await operations.revoke(connection, made["id"], first.id)
            minted = await operations.mint(connection, made["id"], "web", 2)
        left = await operations.list_of(database, made["id"])
        assert [each.made_by for each in left] == ["web", machine.token[:12]]
        with pytest.raises(NotFound, match="invalid_invite"):
            await operations.look(database, code)
        assert (await join(stranger, code)).json() == NO_INVITE
        assert (await join(stranger, minted.code)).status_code == 200
        await delete_softly(sql, made["id"])
        with pytest.raises(NotFound, match="invalid_invite"):
            await operations.look(database, minted.code)
    finally:
        await database.close()


async def test_old_invitations_are_dropped(machine: Machine, sql: Sql, urls: DatabaseUrls) -> None:
    made = await machine.make()
    await invited(machine)
    await member_of(machine)
    await sql.execute(
        "UPDATE teams.invite SET expires_at = now() - interval '8 days' WHERE team_id = $1"
        " AND id IN (SELECT invite_id FROM teams.invite_use)",
        made["id"],
    )
    database = await Database.connect(urls.url("teams"), size=2)
    try:
        await operations.sweep(database)
    finally:
        await database.close()
    left = await sql.fetchval("SELECT count(*) FROM teams.invite WHERE team_id = $1", made["id"])
    assert left == 1
    # The membership that came by it stands.
    members = await sql.fetchval(
        "SELECT count(*) FROM teams.membership WHERE team_id = $1", made["id"]
    )
    assert members == 2


async def test_bodies_are_limited(machine: Machine) -> None:
    await machine.make()
    body = json.dumps({"padding": "x" * 256_000}).encode()
    for path in ("/api/join", "/api/teams/preview", "/api/teams/invite"):
        assert (await machine.send("POST", path, content=body)).status_code == 413
