"""Invitations used at once, again, and while auth is away (teams contract, sections 2.1 and 14)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import httpx
import pytest

from services.teams import consumers
from services.teams.app import SERVICE
from services.teams.people import operations as people
from shared.contracts.auth import MachineRevoked
from shared.db import Database
from tests.services.teams.conftest import FakeAuth, Machine, teams_settings
from tests.services.teams.sharing_support import (
    AWAY,
    NO_INVITE,
    USED,
    Sql,
    invited,
    join,
    settled,
    twin_of,
)
from tests.support.postgres import DatabaseUrls
from tests.support.service import client_of


@pytest.fixture(scope="module")
async def replica(urls: DatabaseUrls, auth_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A second process' worth of the service, on the same database."""
    async with client_of(SERVICE, teams_settings(urls, auth_url)) as client:
        yield client


async def members(sql: Sql, team_id: str) -> int:
    counted: int = await sql.fetchval(
        "SELECT count(*) FROM teams.membership WHERE team_id = $1", team_id
    )
    return counted


@pytest.mark.parametrize("uses", [1, 7])
async def test_of_fifty_machines_as_many_come_in_as_may(
    machine: Machine, replica: httpx.AsyncClient, sql: Sql, uses: int
) -> None:
    made = await machine.make()
    code = await invited(machine, max_uses=uses)
    crowd = [Machine(client) for _ in range(25) for client in (machine.client, replica)]
    answers = await asyncio.gather(*(settled(partial(join, each, code)) for each in crowd))
    assert sum(answer.status_code == 200 for answer in answers) == uses
    refused = [answer for answer in answers if answer.status_code != 200]
    assert all((each.status_code, each.json()) == (404, NO_INVITE) for each in refused)
    assert await members(sql, made["id"]) == 1 + uses
    assert (
        await sql.fetchval(
            "SELECT count(*) FROM teams.invite_use u JOIN teams.invite i ON i.id = u.invite_id"
            " WHERE i.team_id = $1",
            made["id"],
        )
        == uses
    )


async def test_one_machine_at_once_is_one_use(
    machine: Machine, stranger: Machine, replica: httpx.AsyncClient, sql: Sql
) -> None:
    made = await machine.make()
    code = await invited(machine, max_uses=1)
    twin = twin_of(stranger, replica)
    answers = await asyncio.gather(
        *(settled(partial(join, each, code)) for each in (stranger, twin) * 10)
    )
    assert {answer.status_code for answer in answers} == {200}
    assert await members(sql, made["id"]) == 2


async def test_a_team_that_is_deleted_meanwhile_takes_nobody_in(
    machine: Machine, stranger: Machine, sql: Sql
) -> None:
    made = await machine.make()
    code = await invited(machine)
    async with sql.transaction():
        await sql.execute("SELECT FROM teams.team WHERE id = $1 FOR UPDATE", made["id"])
        joining = asyncio.create_task(join(stranger, code))
        async with asyncio.timeout(10):
            while not await sql.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND datname = current_database()"
            ):
                await asyncio.sleep(0.01)
        await sql.execute("UPDATE teams.team SET deleted_at = now() WHERE id = $1", made["id"])
    refused = await joining
    assert (refused.status_code, refused.json()) == (404, NO_INVITE)
    assert await members(sql, made["id"]) == 1


async def test_a_machine_taken_away_while_it_joins_stays_out(
    machine: Machine,
    stranger: Machine,
    auth: FakeAuth,
    sql: Sql,
    urls: DatabaseUrls,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its memberships were ended before this one would come to be, so nothing else would end it."""
    made = await machine.make()
    code = await invited(machine)
    auth.link(stranger.token, "usr_eve")
    owner_of = people.owner_of
    database = await Database.connect(urls.url("teams"), size=2)

    async def taken_away_after_the_question(siblings: Any, token: str) -> Any:
        owner = await owner_of(siblings, token)
        if owner.linked:
            revoked = MachineRevoked(
                token=token, account_id="usr_eve", version=auth.revoke(token, barred=True)
            )
            async with database.transaction() as connection:
                await consumers.on_machine_revoked(connection, revoked)
        return owner

    monkeypatch.setattr(people, "owner_of", taken_away_after_the_question)
    try:
        refused = await join(stranger, code)
    finally:
        await database.close()
    assert (refused.status_code, refused.json()) == (503, AWAY)
    assert await members(sql, made["id"]) == 1
    refused = await join(stranger, code)
    assert (refused.status_code, refused.json()) == (404, NO_INVITE)


async def test_a_machine_whose_account_is_gone_may_join(
    machine: Machine, stranger: Machine, auth: FakeAuth, urls: DatabaseUrls
) -> None:
    """Auth has forgotten it with the account, and so says no version of its link any more."""
    await machine.make()
    code = await invited(machine)
    auth.link(stranger.token, "usr_eve")
    version = auth.revoke(stranger.token, barred=True)
    revoked = MachineRevoked(token=stranger.token, account_id="usr_eve", version=version)
    database = await Database.connect(urls.url("teams"), size=1)
    async with database.transaction() as connection:
        await consumers.on_machine_revoked(connection, revoked)
    await database.close()
    del auth.owners[stranger.token]
    assert (await join(stranger, code)).status_code == 200


async def test_a_repeated_join_is_answered_the_same(
    machine: Machine, stranger: Machine, replica: httpx.AsyncClient
) -> None:
    await machine.make(knowledge="known")
    code, signature = await invited(machine, max_uses=1), stranger.signature()
    first = await join(stranger, code, signature=signature)
    for each in (stranger, twin_of(stranger, replica)):
        again = await join(each, code, signature=signature)
        assert again.headers["idempotent-replay"] == "true"
        assert (again.status_code, again.content) == (200, first.content)
    assert "idempotent-replay" not in first.headers


async def test_join_erase_and_join_within_a_second(machine: Machine, stranger: Machine) -> None:
    made = await machine.make()
    code, signature, leaving = await invited(machine), stranger.signature(), stranger.signature()
    path = f"/api/token/{stranger.token}/erase"
    for _ in range(3):
        joined = await join(stranger, code, signature=signature)
        assert (joined.status_code, joined.json()["team"]["id"]) == (200, made["id"])
        assert "idempotent-replay" not in joined.headers
        assert (await stranger.team())["id"] == made["id"]
        erased = await stranger.send("DELETE", path, signature=leaving)
        assert erased.json() == {"status": "disconnected", "teams_removed": 1}
        assert (await stranger.send("GET", f"/api/teams/{stranger.token}")).status_code == 404


async def test_a_repeated_invitation_is_one(
    machine: Machine, replica: httpx.AsyncClient, sql: Sql
) -> None:
    made = await machine.make()
    signature, body = machine.signature(), {"token": machine.token, "ttl_hours": 24}
    path = "/api/teams/invite"
    first = await machine.post(path, body, signature=signature)
    # Also after the team has changed: nobody wants two invitations.
    await machine.post("/api/teams/knowledge", {"token": machine.token, "content": "new"})
    again = await twin_of(machine, replica).post(path, body, signature=signature)
    assert again.headers["idempotent-replay"] == "true"
    assert again.content == first.content
    counted = await sql.fetchval("SELECT count(*) FROM teams.invite WHERE team_id = $1", made["id"])
    assert counted == 1


async def test_a_captured_request_opens_no_other_door(
    machine: Machine, stranger: Machine, sql: Sql
) -> None:
    made = await machine.make()
    signature, body = machine.signature(), {"token": machine.token, "ttl_hours": 24}
    await machine.post("/api/teams/view-token", body, signature=signature)
    stolen = await machine.post("/api/teams/invite", body, signature=signature)
    assert (stolen.status_code, stolen.json()) == (401, USED)
    counted = await sql.fetchval("SELECT count(*) FROM teams.invite WHERE team_id = $1", made["id"])
    assert counted == 0
    # Nor does one that was refused.
    signature, body = stranger.signature(), {"token": stranger.token, "ttl_hours": 24}
    assert (await stranger.post("/api/teams/invite", body, signature=signature)).status_code == 403
    await stranger.make()
    stolen = await stranger.post("/api/teams/view-token", body, signature=signature)
    assert (stolen.status_code, stolen.json()) == (401, USED)


async def test_without_auth_nobody_joins(
    machine: Machine, stranger: Machine, auth: FakeAuth, sql: Sql
) -> None:
    made = await machine.make()
    code = await invited(machine)
    signature = stranger.signature()
    auth.is_away = True
    try:
        refused = await join(stranger, code, signature=signature)
    finally:
        auth.is_away = False
    assert (refused.status_code, refused.json()) == (503, AWAY)
    assert int(refused.headers["retry-after"]) >= 1
    assert await members(sql, made["id"]) == 1
    again = await join(stranger, code, signature=signature)
    assert (again.status_code, "idempotent-replay" in again.headers) == (200, False)
