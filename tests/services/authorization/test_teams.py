"""Every door of teams against the written matrix; a door that is not in it fails the build.

``python -m tests.services.authorization.test_teams`` prints what is seen, to be read line by line.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

import pytest

from services.teams.app import SERVICE
from tests.services.authorization import matrix
from tests.services.authorization.doors import Doors, opened, print_matrix
from tests.services.authorization.teams_world import (
    SECRET,
    TEAM,
    TEAMS_CALLERS,
    world,
)
from tests.support.postgres import DatabaseServer

MATRIX = matrix.read("teams", TEAMS_CALLERS)
ROWS: Final = {(row.method, row.path): row for row in SERVICE.operations}
SIGNED: Final = [door for door, row in ROWS.items() if row.authenticated]
PAGES: Final = [door for door, row in ROWS.items() if row.page]


@pytest.fixture(scope="module")
async def doors(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Doors]:
    folder = tmp_path_factory.mktemp("data")
    async with (
        world() as entered,
        database_server.clone() as urls,
        opened(entered, urls, folder) as doors,
    ):
        yield doors


def test_every_door_stands_in_the_matrix_and_nothing_else() -> None:
    assert set(MATRIX) == set(ROWS)


@pytest.mark.parametrize("door", MATRIX, ids=" ".join)
async def test_a_door_opens_to_whom_the_matrix_says(doors: Doors, door: matrix.Door) -> None:
    assert await doors.seen(ROWS[door]) == MATRIX[door]


async def state_of_team(doors: Doors) -> dict[str, str]:
    """Give everything that any table holds of the team."""
    columns = await doors.sql.fetch(
        "SELECT table_name FROM information_schema.columns"
        " WHERE table_schema = 'teams' AND column_name = 'team_id'"
    )
    tables = {row["table_name"]: "team_id" for row in columns} | {"team": "id"}
    assert {"membership", "version", "task", "invite", "news"} <= tables.keys()
    found = {}
    for table, key in tables.items():
        # When it was put there is another time before each knock.
        query = f"""
            SELECT jsonb_agg(row ORDER BY row) FROM (
                SELECT to_jsonb(t) - ARRAY['created_at', 'updated_at', 'inserted_at', 'joined_at',
                                           'expires_at'] AS row
                  FROM teams."{table}" t WHERE {key} = $1) AS rows
            """  # noqa: S608 - names of tables
        found[table] = await doors.sql.fetchval(query, TEAM)
    return found


@pytest.mark.parametrize("door", SIGNED, ids=" ".join)
async def test_a_strange_machine_reads_and_changes_nothing(doors: Doors, door: matrix.Door) -> None:
    """Whatever it signs, the team's id and its member's token in every place."""
    await doors.sql.execute(doors.world.reset)
    before = await state_of_team(doors)
    answer = await doors.knock(ROWS[door], TEAMS_CALLERS["stranger"])
    assert SECRET not in answer.text
    assert await state_of_team(doors) == before
    # Neither does it by leaving out whose team it means.
    bodies = {
        one: {name: value for name, value in body.items() if name != "team_id"}
        for one, body in doors.world.bodies.items()
    }
    own = replace(doors, world=replace(doors.world, bodies=bodies, query={}))
    answer = await own.knock(ROWS[door], TEAMS_CALLERS["stranger"])
    assert SECRET not in answer.text
    assert await state_of_team(doors) == before


@pytest.mark.parametrize("door", PAGES, ids=" ".join)
async def test_a_strangers_browser_reads_and_changes_nothing(
    doors: Doors, door: matrix.Door
) -> None:
    """Somebody who is signed in, and owns another team."""
    await doors.sql.execute(doors.world.reset)
    before = await state_of_team(doors)
    answer = await doors.knock(ROWS[door], TEAMS_CALLERS["other"])
    assert answer.status_code < 500, answer.text
    assert SECRET not in answer.text
    assert await state_of_team(doors) == before


if __name__ == "__main__":
    print_matrix(world())
