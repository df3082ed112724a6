"""Machines that a team's owner removes (teams contract, section 14, point 12)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.teams.memberships import operations as memberships
from shared.db import Database
from tests.services.teams.conftest import Machine
from tests.support.postgres import DatabaseUrls


@pytest.fixture(scope="module")
async def database(urls: DatabaseUrls) -> AsyncIterator[Database]:
    """The service's own database."""
    opened = await Database.connect(urls.url("teams"))
    yield opened
    await opened.close()


async def invited(machine: Machine, guest: Machine) -> tuple[str, str]:
    """Make a team, let a guest join it, give its id and the code."""
    team_id = (await machine.make())["id"]
    code = (await machine.post("/api/teams/invite", {})).json()["invite_code"]
    assert (await guest.post("/api/join", {"invite_code": code})).status_code == 200
    return team_id, code


async def test_a_removed_machine_cannot_come_back_until_it_is_readmitted(
    machine: Machine, stranger: Machine, database: Database
) -> None:
    team_id, code = await invited(machine, stranger)
    async with database.transaction() as connection:
        assert await memberships.remove(connection, team_id, stranger.token)
    gone = await stranger.send("GET", f"/api/teams/{stranger.token}")
    assert (gone.status_code, gone.json()) == (404, {"error": "not_found"})
    fresh = (await machine.post("/api/teams/invite", {})).json()["invite_code"]
    for one in (code, fresh):
        refused = await stranger.post("/api/join", {"invite_code": one})
        assert (refused.status_code, refused.json()) == (404, {"error": "invalid_invite"})
    async with database.transaction() as connection:
        assert await memberships.readmit(connection, team_id, stranger.token)
    assert (await stranger.post("/api/join", {"invite_code": code})).status_code == 200


async def test_a_machine_that_left_by_itself_may_come_back(
    machine: Machine, stranger: Machine
) -> None:
    team_id, code = await invited(machine, stranger)
    path = f"/api/token/{stranger.token}/erase"
    left = await stranger.send("DELETE", path, params={"team_id": team_id})
    assert left.json()["teams_removed"] == 1
    assert (await stranger.post("/api/join", {"invite_code": code})).status_code == 200


async def test_who_is_no_member_is_not_removed(
    machine: Machine, stranger: Machine, database: Database
) -> None:
    team_id = (await machine.make())["id"]
    async with database.transaction() as connection:
        assert not await memberships.remove(connection, team_id, stranger.token)
        assert not await memberships.readmit(connection, team_id, stranger.token)


async def test_the_owner_sees_machines_and_removed_ones(
    machine: Machine, stranger: Machine, database: Database
) -> None:
    team_id, _ = await invited(machine, stranger)
    async with database.transaction() as connection:
        await memberships.remove(connection, team_id, stranger.token)
    async with database.connection() as connection:
        seen = await memberships.machines_of(connection, team_id)
    assert [(one.token, one.is_removed) for one in seen] == [
        (machine.token, False),
        (stranger.token, True),
    ]
    assert all(one.token not in one.mark and len(one.mark) == 32 for one in seen)
