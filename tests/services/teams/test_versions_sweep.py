"""Which versions are kept, and what goes with those that are not (teams contract, section 5.1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.teams.app import SERVICE
from services.teams.settings import TeamsSettings
from services.teams.versions import operations
from shared.db import Database
from tests.services.teams.conftest import Machine, teams_settings
from tests.services.teams.tasks_support import WAITING, Sql
from tests.services.teams.versions_support import age, grow, roll_back, update, version, versions
from tests.support.postgres import DatabaseUrls

ORPHANS = """
    SELECT count(*) FROM teams.part p WHERE p.team_id = $1
       AND NOT EXISTS (
           SELECT FROM teams.version v WHERE v.team_id = p.team_id
              AND p.digest IN (v.members_part, v.skills_part, v.knowledge_part))
       AND NOT EXISTS (
           SELECT FROM teams.team t WHERE t.id = p.team_id
              AND p.digest IN (t.members_part, t.skills_part, t.knowledge_part))
"""
BACK = """
    WITH again AS (
        UPDATE teams.team AS t SET version = 103, knowledge_part = v.knowledge_part
          FROM teams.version v WHERE t.id = $1 AND v.team_id = $1 AND v.number = 1
        RETURNING v.*
    )
    INSERT INTO teams.version (team_id, number, name, platforms, members_part, skills_part,
                               knowledge_part, hash, actor, summary)
    SELECT team_id, 103, name, platforms, members_part, skills_part, knowledge_part, hash, '', ''
      FROM again
"""


@pytest.fixture
async def database(urls: DatabaseUrls) -> AsyncIterator[Database]:
    database = await Database.connect(urls.url("teams"))
    yield database
    await database.close()


async def kept(sql: Sql, team_id: str) -> list[int]:
    rows = await sql.fetch(
        "SELECT number FROM teams.version WHERE team_id = $1 ORDER BY number", team_id
    )
    return [row["number"] for row in rows]


async def sweep(database: Database) -> None:
    await operations.sweep(database, newest=100, days=90)


async def test_the_newest_are_kept_at_any_age(
    machine: Machine, sql: Sql, database: Database
) -> None:
    team = await machine.make(knowledge="first")
    await grow(sql, team["id"], 100)
    await age(sql, team["id"], 5_000)
    await sweep(database)
    assert await kept(sql, team["id"]) == list(range(1, 101))
    await grow(sql, team["id"], 101)
    await sweep(database)
    assert await kept(sql, team["id"]) == list(range(2, 102))
    assert await sql.fetchval(ORPHANS, team["id"]) == 0
    assert (await version(machine, 1)).status_code == 404
    assert (await roll_back(machine, 1)).status_code == 404
    assert (await roll_back(machine, 2)).json()["team"]["knowledge"] == "knowledge 2"


async def test_older_ones_are_kept_for_some_days(
    machine: Machine, sql: Sql, database: Database
) -> None:
    team = await machine.make()
    await grow(sql, team["id"], 450)
    await age(sql, team["id"], 89)
    await sweep(database)
    assert len(await kept(sql, team["id"])) == 450
    await age(sql, team["id"], 91, most=200)
    await sweep(database)
    assert await kept(sql, team["id"]) == list(range(201, 451))
    await age(sql, team["id"], 91)
    await sweep(database)
    assert await kept(sql, team["id"]) == list(range(351, 451))
    parts = await sql.fetchval("SELECT count(*) FROM teams.part WHERE team_id = $1", team["id"])
    # Members and skills are the same text in all of them; an empty list of skills is its own.
    assert parts == 100 + 2
    assert await sql.fetchval(ORPHANS, team["id"]) == 0
    for one in await versions(machine, limit=100):
        assert (await version(machine, one["version"])).status_code == 200


async def test_ten_times_as_many_are_kept_at_most(
    machine: Machine, sql: Sql, database: Database
) -> None:
    team = await machine.make()
    await grow(sql, team["id"], 1_000)
    await sweep(database)
    assert len(await kept(sql, team["id"])) == 1_000
    await grow(sql, team["id"], 1_234)
    await sweep(database)
    assert await kept(sql, team["id"]) == list(range(235, 1_235))
    assert await sql.fetchval(ORPHANS, team["id"]) == 0


async def test_a_sweep_leaves_others_and_runs_beside_itself(
    machine: Machine, stranger: Machine, sql: Sql, database: Database
) -> None:
    mine, theirs = await machine.make(), await stranger.make()
    await grow(sql, mine["id"], 150)
    await age(sql, mine["id"], 91)
    await update(stranger, knowledge="x")
    await age(sql, theirs["id"], 91)
    await asyncio.gather(*(sweep(database) for _ in range(3)))
    assert len(await kept(sql, mine["id"])) == 100
    assert await kept(sql, theirs["id"]) == [1, 2]


async def test_what_a_change_brings_back_is_not_swept_away(
    machine: Machine, sql: Sql, database: Database
) -> None:
    """A part that only the oldest version names is named again while the sweep wants to drop it."""
    team = await machine.make(knowledge="again")
    await grow(sql, team["id"], 102)
    await age(sql, team["id"], 91)
    async with sql.transaction():
        await sql.execute(BACK, team["id"])
        sweeping = asyncio.create_task(sweep(database))
        async with asyncio.timeout(10):
            while not await sql.fetchval(WAITING):
                await sql.execute("SELECT pg_stat_clear_snapshot()")
    await sweeping
    assert await kept(sql, team["id"]) == list(range(4, 104))
    assert (await version(machine, 103)).json()["team"]["knowledge"] == "again"


async def test_the_service_sweeps_by_its_settings(
    urls: DatabaseUrls, auth_url: str, machine: Machine, sql: Sql, database: Database
) -> None:
    team = await machine.make()
    await grow(sql, team["id"], 300)
    settings = teams_settings(
        urls, auth_url, GUILDHALL_TEAMS_VERSIONS=200, GUILDHALL_TEAMS_VERSIONS_DAYS=7
    )
    await age(sql, team["id"], 8)
    for one in SERVICE.sweeps({TeamsSettings: settings}):
        await one(database)
    assert len(await kept(sql, team["id"])) == 200
