"""Every door of agents against the written matrix; a door that is not in it fails the build.

``python -m tests.services.authorization.test_agents`` prints what is seen, to be read line by line.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from services.agents.app import SERVICE
from tests.services.authorization import matrix
from tests.services.authorization.agents_world import (
    AGENTS_CALLERS,
    SECRET,
    STRANGERS,
    WORLD,
)
from tests.services.authorization.doors import Doors, opened, print_matrix
from tests.support.postgres import DatabaseServer

MATRIX = matrix.read("agents", AGENTS_CALLERS)
ROWS: Final = {(row.method, row.path): row for row in SERVICE.operations}
LOCKED: Final = [door for door, row in ROWS.items() if row.authenticated]


@pytest.fixture(scope="module")
async def doors(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Doors]:
    async with (
        database_server.clone() as urls,
        opened(WORLD, urls, tmp_path_factory.mktemp("data")) as doors,
    ):
        yield doors


def test_every_door_stands_in_the_matrix_and_nothing_else() -> None:
    assert set(MATRIX) == set(ROWS)


@pytest.mark.parametrize("door", MATRIX, ids=" ".join)
async def test_a_door_opens_to_whom_the_matrix_says(doors: Doors, door: matrix.Door) -> None:
    assert await doors.seen(ROWS[door]) == MATRIX[door]


async def state_of_namespace(doors: Doors) -> dict[str, Any]:
    """Give everything that any table holds of the namespace ``one``."""
    columns = await doors.sql.fetch(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'agents' AND column_name IN ('namespace', 'session_id')"
    )
    tables = {row["table_name"]: row["column_name"] for row in columns}
    assert {"agent", "session", "message", "job", "work", "audit_event"} <= tables.keys()
    # What is refused may be written down; what is done, too, but somewhere else.
    del tables["audit_event"], tables["role_binding"]
    found = {}
    for table, key in tables.items():
        place = "'one'" if key == "namespace" else f"'{WORLD.parameters['sid']}'"
        found[table] = await doors.sql.fetchval(
            f"""
            SELECT jsonb_agg(row ORDER BY row) FROM (
                SELECT to_jsonb(t) - ARRAY['created_at', 'updated_at', 'last_activity_at',
                                           'idle_at'] AS row
                  FROM agents."{table}" t WHERE {key} = {place}) AS rows
            """  # noqa: S608 - names of tables
        )
    return found


@pytest.mark.parametrize("caller", STRANGERS)
async def test_who_holds_nothing_in_a_namespace_reads_and_changes_nothing(
    doors: Doors, caller: str
) -> None:
    """Whatever they ask, the ids of its agent and its session in every place."""
    await doors.sql.execute(doors.world.reset)
    before = await state_of_namespace(doors)
    for door in LOCKED:
        answer = await doors.knock(ROWS[door], AGENTS_CALLERS[caller])
        assert SECRET not in answer.text, door
        assert await state_of_namespace(doors) == before, door


if __name__ == "__main__":
    print_matrix(WORLD)
