"""Every door of runs against the written matrix; a door that is not in it fails the build.

``python -m tests.services.authorization.test_runs`` prints what is seen, to be read line by line.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from tests.services.authorization import matrix
from tests.services.authorization.doors import Doors, opened, print_matrix
from tests.services.authorization.runs_world import RUNS_CALLERS, SECRET, STRANGERS, WORLD
from tests.support.postgres import DatabaseServer

MATRIX = matrix.read("runs", RUNS_CALLERS)
LOCKED: Final = [door for door, row in WORLD.operations.items() if row.authenticated]
SCOPED: Final = [door for door, row in WORLD.operations.items() if row.scope is not None]


@pytest.fixture(scope="module")
async def doors(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Doors]:
    folder = tmp_path_factory.mktemp("data")
    async with database_server.clone() as urls, opened(WORLD, urls, folder) as doors:
        yield doors


def test_every_door_stands_in_the_matrix_and_nothing_else() -> None:
    assert set(MATRIX) == set(WORLD.operations)


@pytest.mark.parametrize("door", MATRIX, ids=" ".join)
async def test_a_door_opens_to_whom_the_matrix_says(doors: Doors, door: matrix.Door) -> None:
    assert await doors.seen(WORLD.operations[door]) == MATRIX[door]


def test_every_door_but_health_artifacts_and_live_pages_asks_for_a_scope() -> None:
    # Live pages of recordings show a ticket of their own.
    # Artifacts are open to whoever shows a token in the query, and look at scopes themselves.
    without = set(WORLD.operations) - set(SCOPED)
    assert without == {
        ("GET", "/api/v1/health"),
        ("GET", "/api/v1/health/ready"),
        ("GET", "/api/v1/artifacts/{path:key}"),
        ("GET", "/api/v1/record/live.js"),
        ("GET", "/api/v1/record/live.css"),
        ("GET", "/api/v1/record/sessions/{id}/live"),
        ("GET", "/api/v1/record/sessions/{id}/live/picture"),
        ("POST", "/api/v1/record/sessions/{id}/live/input"),
        ("POST", "/api/v1/record/sessions/{id}/live/stop"),
    }
    scopes = {WORLD.operations[door].scope for door in SCOPED}
    assert scopes == {"runs:read", "runs:write"}


@pytest.mark.parametrize("caller", ["narrow", "reader", "writer"])
async def test_a_key_that_lacks_the_scope_is_told_so_in_both_shapes(
    doors: Doors, caller: str
) -> None:
    principal = RUNS_CALLERS[caller]
    for door in SCOPED:
        operation = WORLD.operations[door]
        if operation.scope in principal.scopes:
            continue
        answer = await doors.knock(operation, principal)
        assert answer.status_code == 403, (door, answer.text)
        told = answer.json()
        assert told["type"] == told["error"]["type"] == "forbidden"
        assert told["detail"] == told["error"]["message"]
        assert str(operation.scope) in told["detail"]


async def state_of_organization(doors: Doors) -> dict[str, Any]:
    """Give everything that any table holds of ``org_one``."""
    tables = await doors.sql.fetch(
        "SELECT table_name FROM information_schema.columns"
        " WHERE table_schema = 'runs' AND column_name = 'org_id'"
    )
    assert {"run", "suite", "issue", "heal"} <= {row["table_name"] for row in tables}
    return {
        row["table_name"]: await doors.sql.fetchval(
            f"""
            SELECT jsonb_agg(to_jsonb(t) ORDER BY to_jsonb(t)) FROM runs."{row["table_name"]}" t
             WHERE org_id = 'org_one'
            """  # noqa: S608 - names of tables
        )
        for row in tables
    }


@pytest.mark.parametrize("caller", STRANGERS)
async def test_strangers_read_and_change_nothing_of_an_organization(
    doors: Doors, caller: str
) -> None:
    """Whatever they ask, the names of its things in every place."""
    await doors.sql.execute(doors.world.reset)
    before = await state_of_organization(doors)
    for door in WORLD.operations:
        doors.is_as_before = True  # nothing is put back between
        answer = await doors.knock(WORLD.operations[door], RUNS_CALLERS[caller])
        assert SECRET not in answer.text, door
        assert await state_of_organization(doors) == before, door
    doors.is_as_before = False


if __name__ == "__main__":
    print_matrix(WORLD)
