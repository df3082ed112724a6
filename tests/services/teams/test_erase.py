"""A machine that goes (teams contract, sections 1.1, 4.3, 14 and 15)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.teams import consumers
from services.teams.app import SERVICE
from services.teams.memberships import operations
from services.teams.people import operations as people
from shared.contracts.auth import MachineRevoked
from shared.db import Database
from tests.services.teams.conftest import FakeAuth, Machine, teams_settings
from tests.services.teams.sharing_support import (
    AWAY,
    UNKNOWN_TEAM,
    USED,
    Sql,
    invited,
    join,
    member_of,
    said,
    twin_of,
)
from tests.support.postgres import DatabaseUrls
from tests.support.service import client_of


@pytest.fixture(scope="module")
async def replica(urls: DatabaseUrls, auth_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A second process' worth of the service, on the same database."""
    async with client_of(SERVICE, teams_settings(urls, auth_url)) as client:
        yield client


async def erase(machine: Machine, **options: Any) -> httpx.Response:
    return await machine.send("DELETE", f"/api/token/{machine.token}/erase", **options)


def removed(count: int) -> dict[str, Any]:
    return {"status": "disconnected", "teams_removed": count}


def revocations(auth: FakeAuth, machine: Machine) -> int:
    return auth.asked.count(("/internal/machines/revoke", {"token": machine.token}))


async def test_all_teams_are_left_and_stand(machine: Machine, auth: FakeAuth, sql: Sql) -> None:
    one, two = await machine.make("One"), await machine.make("Two")
    member = await member_of(machine, team_id=one["id"])
    code = await invited(machine, team_id=two["id"])
    auth.link(machine.token, "usr_ada")
    answer = await erase(machine)
    assert (answer.status_code, answer.json()) == (200, removed(2))
    gone = await machine.send("GET", f"/api/teams/{machine.token}")
    assert (gone.status_code, gone.json()) == (404, {"error": "not_found"})
    assert revocations(auth, machine) == 1
    assert not auth.owners[machine.token]["linked"]
    left = await said(sql, "team.left.v1", token=machine.token)
    assert {event["team_id"] for event in left} == {one["id"], two["id"]}
    # Teams, members, invitations and knowledge survive.
    assert (await member.team())["id"] == one["id"]
    assert (await join(member, code)).status_code == 200


async def test_one_team_is_left_and_the_other_kept(
    machine: Machine, auth: FakeAuth, sql: Sql
) -> None:
    one, two = await machine.make("One"), await machine.make("Two")
    auth.link(machine.token, "usr_ada")
    answer = await erase(machine, params={"team_id": one["id"]})
    assert answer.json() == removed(1)
    assert (await machine.team())["id"] == two["id"]
    assert revocations(auth, machine) == 0
    assert auth.owners[machine.token]["linked"]
    left = await said(sql, "team.left.v1", token=machine.token)
    assert [event["team_id"] for event in left] == [one["id"]]


@pytest.mark.parametrize("team_id", [UNKNOWN_TEAM, "nonsense", "", "x" * 5_000, "'--", "\u202e"])
async def test_another_team_is_not_left(
    machine: Machine, stranger: Machine, sql: Sql, team_id: str
) -> None:
    await machine.make()
    other = await stranger.make()
    for asked in (team_id, other["id"]):
        answer = await erase(machine, params={"team_id": asked})
        assert (answer.status_code, answer.json()) == (200, removed(0))
    assert (await machine.team())["id"]
    assert (await stranger.team())["id"] == other["id"]


async def test_a_machine_without_teams_may_go(machine: Machine) -> None:
    assert (await erase(machine)).json() == removed(0)
    assert (await erase(machine)).json() == removed(0)


async def test_it_is_who_signs_that_goes(machine: Machine, stranger: Machine) -> None:
    await machine.make()
    await stranger.make()
    # The gateway would not let it through; here, at least nobody else is touched.
    await stranger.send("DELETE", f"/api/token/{machine.token}/erase")
    assert (await machine.team())["id"]


async def test_without_auth_nothing_changes(machine: Machine, auth: FakeAuth, sql: Sql) -> None:
    made = await machine.make()
    two = await machine.make("Two")
    auth.link(machine.token, "usr_ada")
    signature = machine.signature()
    auth.is_away = True
    try:
        refused = await erase(machine, signature=signature)
        assert (refused.status_code, refused.json()) == (503, AWAY)
        assert (await machine.team(made["id"]))["id"] == made["id"]
        # One team is left without a question.
        scoped = await erase(machine, params={"team_id": two["id"]})
        assert scoped.json() == removed(1)
    finally:
        auth.is_away = False
    assert not await said(sql, "team.left.v1", token=machine.token, team_id=made["id"])
    assert (await erase(machine, signature=signature)).json() == removed(1)


async def test_what_auth_ended_is_counted(
    machine: Machine, auth: FakeAuth, urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Auth's own event may end the memberships before this request comes to it."""
    made = await machine.make()
    auth.link(machine.token, "usr_ada")
    database = await Database.connect(urls.url("teams"), size=2)
    revoke = people.revoke

    async def revoked_and_heard(siblings: Any, token: str) -> None:
        await revoke(siblings, token)
        async with database.transaction() as connection:
            await operations.leave(connection, token, None)

    monkeypatch.setattr(people, "revoke", revoked_and_heard)
    try:
        assert (await erase(machine)).json() == removed(1)
    finally:
        await database.close()
    gone = await machine.send("GET", f"/api/teams/{machine.token}", params={"team_id": made["id"]})
    assert gone.status_code == 404


async def test_a_process_that_stops_half_way_is_completed(machine: Machine, auth: FakeAuth) -> None:
    """Auth has ended the link, but the memberships stand: the repeat ends them."""
    await machine.make()
    auth.link(machine.token, "usr_ada")
    auth.owners[machine.token]["linked"] = False
    assert (await erase(machine)).json() == removed(1)


async def test_a_repeat_is_answered_the_same(
    machine: Machine, auth: FakeAuth, replica: httpx.AsyncClient, urls: DatabaseUrls
) -> None:
    await machine.make()
    auth.link(machine.token, "usr_ada")
    signature = machine.signature()
    first = await erase(machine, signature=signature)
    # Also after auth's event, which has nothing left to end.
    version = auth.owners[machine.token]["version"]
    revoked = MachineRevoked(token=machine.token, account_id="usr_ada", version=version)
    database = await Database.connect(urls.url("teams"), size=2)
    try:
        async with database.transaction() as connection:
            await consumers.on_machine_revoked(connection, revoked)
    finally:
        await database.close()
    for each in (machine, twin_of(machine, replica)):
        again = await erase(each, signature=signature)
        assert again.headers["idempotent-replay"] == "true"
        assert again.content == first.content
    other = await erase(machine, signature=signature, params={"team_id": UNKNOWN_TEAM})
    assert (other.status_code, other.json()) == (401, USED)


async def test_many_at_once_end_each_membership_once(
    machine: Machine, replica: httpx.AsyncClient, sql: Sql
) -> None:
    made = await machine.make()
    twin = twin_of(machine, replica)
    answers = await asyncio.gather(
        *(erase(each, params={"team_id": made["id"]}) for each in (machine, twin) * 10)
    )
    assert sorted(answer.json()["teams_removed"] for answer in answers) == [0] * 19 + [1]
    assert len(await said(sql, "team.left.v1", token=machine.token)) == 1


async def test_a_body_is_not_read(machine: Machine) -> None:
    for body in (b"\xff", b"{", json.dumps({"team_id": UNKNOWN_TEAM}).encode()):
        await machine.make()
        answer = await erase(machine, content=body)
        assert answer.json() == removed(1)
    assert (await erase(machine, content=b"x" * 256_001)).status_code == 413
