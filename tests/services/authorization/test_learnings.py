"""Every door of learnings against the written matrix; a door that is not in it fails the build.

``python -m tests.services.authorization.test_learnings`` prints what is seen, to be read line by
line.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from shared.principal import Kind, Principal, Role
from tests.services.authorization import matrix
from tests.services.authorization.doors import Doors, opened, print_matrix
from tests.services.authorization.learnings_world import WORLD
from tests.support.postgres import DatabaseServer

MATRIX = matrix.read("learnings")


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


SCOPES = sorted({row.scope for row in WORLD.operations.values() if row.scope is not None})


@pytest.mark.parametrize(
    "door", [door for door, row in WORLD.operations.items() if row.scope is not None], ids=" ".join
)
async def test_a_key_that_lacks_the_scope_is_told_which(doors: Doors, door: matrix.Door) -> None:
    operation = WORLD.operations[door]
    others = tuple(scope for scope in SCOPES if scope != operation.scope)
    key = Principal(Kind.API_KEY, "key_one", "org_one", Role.OWNER, others, "key_one", "usr_admin")
    answer = await doors.knock(operation, key)
    assert answer.status_code == 403, answer.text
    assert answer.json()["detail"] == f"Missing scope: {operation.scope}"


if __name__ == "__main__":
    print_matrix(WORLD)
