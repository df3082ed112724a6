"""Every door of auth against the written matrix; a door that is not in it fails the build.

``python -m tests.services.authorization.test_auth`` prints what is seen, to be read line by line.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from services.auth.app import SERVICE
from shared.api import Operation
from tests.services.auth.conftest import auth_settings
from tests.services.authorization import auth_world, matrix, samples
from tests.services.authorization.callers import CALLERS
from tests.support.postgres import DatabaseServer, DatabaseUrls
from tests.support.service import asserting, client_of

OPERATIONS = {(row.method, row.path): row for row in SERVICE.operations}
MATRIX = matrix.read("auth")


@dataclass
class Doors:
    """The running service, and its world put back before each knock."""

    client: httpx.AsyncClient
    sql: asyncpg.Connection[asyncpg.Record]

    async def knock(self, operation: Operation, caller: str) -> httpx.Response:
        await self.sql.execute(auth_world.RESET)
        options: dict[str, Any] = {}
        if operation.body is not None:
            given = auth_world.BODIES.get((operation.method, operation.path), {})
            body = samples.body_of(operation.body, given)
            options = {"data": body} if operation.page else {"json": body}
        path = samples.path_of(operation, auth_world.PARAMETERS)
        headers = asserting("auth", CALLERS[caller])
        return await self.client.request(operation.method, path, headers=headers, **options)


@asynccontextmanager
async def opened(urls: DatabaseUrls, folder: Path) -> AsyncIterator[Doors]:
    sql = await asyncpg.connect(urls.url("auth"), timeout=10)
    try:
        async with client_of(SERVICE, auth_settings(urls, folder)) as client:
            yield Doors(client, sql)
    finally:
        await sql.close(timeout=5)


@pytest.fixture(scope="module")
async def doors(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Doors]:
    folder = tmp_path_factory.mktemp("data")
    async with database_server.clone() as urls, opened(urls, folder) as doors:
        yield doors


def test_every_door_stands_in_the_matrix_and_nothing_else() -> None:
    assert set(MATRIX) == set(OPERATIONS)


@pytest.mark.parametrize("door", MATRIX, ids=" ".join)
async def test_a_door_opens_to_whom_the_matrix_says(doors: Doors, door: matrix.Door) -> None:
    seen = await _seen(doors, OPERATIONS[door])
    assert seen == MATRIX[door]


async def _seen(doors: Doors, operation: Operation) -> dict[str, str]:
    found = {}
    for caller in CALLERS:
        answer = await doors.knock(operation, caller)
        # A sibling service that has to answer is away here.
        assert answer.status_code < 500 or answer.status_code == 503, f"{caller}: {answer.text}"
        found[caller] = str(answer.status_code) if answer.status_code in (401, 403, 404) else "yes"
        if caller == "other":
            for secret in auth_world.SECRETS_OF_ONE:
                assert secret not in answer.text, f"{secret} is shown to a stranger"
    return found


async def _print() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with (
            DatabaseServer.connect(Path(folder), os.getpid()) as server,
            server.clone() as urls,
            opened(urls, Path(folder)) as doors,
        ):
            rows = {door: await _seen(doors, row) for door, row in OPERATIONS.items()}
    sys.stdout.write(matrix.written(rows))


if __name__ == "__main__":
    asyncio.run(_print())
