"""Every door of auth against the written matrix; a door that is not in it fails the build.

``python -m tests.services.authorization.test_auth`` prints what is seen, to be read line by line.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.services.authorization import matrix
from tests.services.authorization.auth_world import WORLD
from tests.services.authorization.doors import Doors, opened, print_matrix
from tests.support.postgres import DatabaseServer

MATRIX = matrix.read("auth")


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


if __name__ == "__main__":
    print_matrix(WORLD)
