"""Every sort of caller at every door of a running service, its world put back before each knock."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
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
        callers: who knocks.
        strangers: those of them who may not read the secrets.
        query: parameters of queries, for operations that have them.
        headers: what a request carries beside the assertion.
    """

    service: Service
    settings: Callable[[DatabaseUrls, Path], ServiceSettings]
    reset: str
    parameters: Mapping[str, str]
    bodies: Mapping[matrix.Door, Mapping[str, Any]] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    callers: Mapping[str, Principal] = field(default_factory=lambda: CALLERS)
    strangers: tuple[str, ...] = ("other",)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Callable[[Operation, Principal], Mapping[str, str]] = lambda operation, caller: {}

    @property
    def operations(self) -> dict[matrix.Door, Operation]:
        return {(row.method, row.path): row for row in self.service.operations}


@dataclass
class Doors:
    """The running service, and its world."""

    world: World
    client: httpx.AsyncClient
    sql: asyncpg.Connection[asyncpg.Record]
    is_as_before: bool = False

    async def knock(self, operation: Operation, principal: Principal) -> httpx.Response:
        """Send a valid request; what has no end ends at once."""
        if not self.is_as_before:
            await self.sql.execute(self.world.reset)
        self.is_as_before = operation.method == "GET"
        options: dict[str, Any] = {}
        given = self.world.bodies.get((operation.method, operation.path), {})
        if operation.raw and given:
            options = {"json": given}
        elif operation.body is not None:
            body = samples.body_of(operation.body, dict(given))
            options = {"data": body} if operation.page else {"json": body}
        elif operation.raw:
            options = {"content": b"something"}
        path = samples.path_of(operation, dict(self.world.parameters))
        if operation.query is not None:
            fields = operation.query.model_fields.items()
            known = {field.alias or name for name, field in fields} & self.world.query.keys()
            options["params"] = {name: self.world.query[name] for name in known}
        headers = asserting(self.world.service.name, principal) | dict(
            self.world.headers(operation, principal)
        )
        return await self.client.request(operation.method, path, headers=headers, **options)

    async def seen(self, operation: Operation) -> dict[str, str]:
        """Let everybody knock, and give what each was told, in the words of the matrix."""
        found = {}
        for caller, principal in self.world.callers.items():
            answer = await self.knock(operation, principal)
            status = answer.status_code
            # What has to answer too may be away here.
            is_refused = status == 503 or "deletion_failed" in answer.text
            assert status < 500 or is_refused, f"{caller}: {answer.text}"
            found[caller] = str(status) if status in (401, 403, 404) else "yes"
            if caller in self.world.strangers:
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


def print_matrix(world: World | AbstractAsyncContextManager[World]) -> None:
    """Print what is seen, to be read line by line; a world may have to be opened first."""

    async def look() -> str:
        async with AsyncExitStack() as stack:
            entered = world if isinstance(world, World) else await stack.enter_async_context(world)
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            server = await stack.enter_async_context(DatabaseServer.connect(folder, os.getpid()))
            urls = await stack.enter_async_context(server.clone())
            doors = await stack.enter_async_context(opened(entered, urls, folder))
            rows = {door: await doors.seen(row) for door, row in entered.operations.items()}
            return matrix.written(rows, entered.callers)

    configure("doors", "critical")
    sys.stdout.write(asyncio.run(look()))
