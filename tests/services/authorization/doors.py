"""Every sort of caller at every door of a running service, its world put back before each knock."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from shared.api import Operation
from shared.log import configure
from shared.principal import Principal
from shared.service import Service, create_app
from shared.settings import ServiceSettings
from shared.streams import Draining
from tests.services.authorization import matrix, samples
from tests.services.authorization.callers import CALLERS
from tests.support.postgres import DatabaseServer, DatabaseUrls
from tests.support.service import asserting, lifespan_of


@dataclass(frozen=True, kw_only=True)
class World:
    """What stands behind a service's doors.

    Attributes:
        service: whose doors.
        settings: of the running service.
        reset: SQL that puts everything back.
        parameters: path parameters of ``org_one``'s things, by ``path:name`` or name.
        bodies: fields of bodies that cannot be guessed from the models.
        secrets: what nobody outside of ``org_one`` may read, but for platform administrators.
    """

    service: Service
    settings: Callable[[DatabaseUrls, Path], ServiceSettings]
    reset: str
    parameters: Mapping[str, str]
    bodies: Mapping[matrix.Door, Mapping[str, Any]] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()

    @property
    def operations(self) -> dict[matrix.Door, Operation]:
        return {(row.method, row.path): row for row in self.service.operations}


@dataclass
class Doors:
    """The running service, and its world."""

    world: World
    client: httpx.AsyncClient
    sql: asyncpg.Connection[asyncpg.Record]

    async def knock(self, operation: Operation, principal: Principal) -> httpx.Response:
        """Send a valid request; what has no end ends at once."""
        await self.sql.execute(self.world.reset)
        options: dict[str, Any] = {}
        if operation.body is not None:
            given = self.world.bodies.get((operation.method, operation.path), {})
            body = samples.body_of(operation.body, dict(given))
            options = {"data": body} if operation.page else {"json": body}
        elif operation.raw:
            options = {"content": b"something"}
        path = samples.path_of(operation, dict(self.world.parameters))
        headers = asserting(self.world.service.name, principal)
        return await self.client.request(operation.method, path, headers=headers, **options)

    async def seen(self, operation: Operation) -> dict[str, str]:
        """Let everybody knock, and give what each was told, in the words of the matrix."""
        found = {}
        for caller, principal in CALLERS.items():
            answer = await self.knock(operation, principal)
            status = answer.status_code
            # What has to answer too may be away here.
            assert status < 500 or status == 503, f"{caller}: {answer.text}"
            found[caller] = str(status) if status in (401, 403, 404) else "yes"
            if caller == "other":
                for secret in self.world.secrets:
                    assert secret not in answer.text, f"{secret} is shown to a stranger"
        return found


@asynccontextmanager
async def opened(world: World, urls: DatabaseUrls, folder: Path) -> AsyncIterator[Doors]:
    """Run the service, about to stop, so that answers without an end are over soon."""
    draining = Draining()
    draining.begin()
    app = create_app(world.service, world.settings(urls, folder), draining)
    sql = await asyncpg.connect(urls.url(world.service.name), timeout=10)
    try:
        async with (
            lifespan_of(app),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://service", timeout=20
            ) as client,
        ):
            yield Doors(world, client, sql)
    finally:
        await sql.close(timeout=5)


def print_matrix(world: World) -> None:
    """Print what is seen, to be read line by line."""

    async def look() -> dict[matrix.Door, dict[str, str]]:
        with tempfile.TemporaryDirectory() as folder:
            async with (
                DatabaseServer.connect(Path(folder), os.getpid()) as server,
                server.clone() as urls,
                opened(world, urls, Path(folder)) as doors,
            ):
                return {door: await doors.seen(row) for door, row in world.operations.items()}

    configure("doors", "critical")
    sys.stdout.write(matrix.written(asyncio.run(look())))
