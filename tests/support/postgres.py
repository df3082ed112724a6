"""One throw-away PostgreSQL per test run, and a database of its own for each test.

The first test that asks starts a keeper process; the workers of a parallel run share it through a
folder. The keeper makes the server, the roles and a template database with every migration
applied, and takes all of it away when the run's own process ends, however it ends.

    async def test_it(database_urls: DatabaseUrls) -> None:
        database = await Database.connect(database_urls.url("learnings"))

A database shared by a module comes from ``database_server.clone()`` in a module fixture.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import asyncpg

from guildhall.provision import role_url, with_database

TEMPLATE: Final = "template_guildhall"

_ROOT: Final = Path(__file__).resolve().parents[2]
_START_TIMEOUT: Final = 120.0


@dataclass(frozen=True)
class DatabaseUrls:
    """The addresses of one test's own database."""

    admin: str
    """As superuser."""

    passwords: dict[str, str]
    broken: dict[str, str]

    def url(self, schema: str) -> str:
        """As the role of a service, or of the ``bus``; may only touch its own schema.

        Raises:
            RuntimeError: that schema's migrations do not run.
        """
        if schema in self.broken:
            raise RuntimeError(f"the migrations of {schema} fail: {self.broken[schema]}")
        return role_url(self.admin, schema, self.passwords[schema])


class DatabaseServer:
    """The run's server, seen from one worker. Make it with ``connect``."""

    def __init__(self, info: dict[str, Any], connection: asyncpg.Connection) -> None:
        self._info = info
        self._connection = connection
        self._turn = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def connect(cls, folder: Path, owner: int) -> AsyncIterator[DatabaseServer]:
        """Use the server of the run, starting it if need be.

        Args:
            folder: shared by all workers of the run.
            owner: the process with which the run ends.
        """
        info = await asyncio.to_thread(_running_keeper, folder, owner)
        connection = await asyncpg.connect(info["admin"], timeout=10)
        try:
            yield cls(info, connection)
        finally:
            await connection.close(timeout=5)

    @property
    def admin(self) -> str:
        """The superuser's address of the database ``postgres``, for tests of the server itself."""
        return str(self._info["admin"])

    @asynccontextmanager
    async def clone(self, template: str = TEMPLATE) -> AsyncIterator[DatabaseUrls]:
        """Make a fresh database with all schemas migrated, and drop it afterwards.

        ``template0`` as template gives an empty one, without any schema.
        """
        name = f"test_{uuid4().hex[:16]}"
        await self._execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        try:
            yield DatabaseUrls(
                with_database(self.admin, name), self._info["passwords"], self._info["broken"]
            )
        finally:
            await self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def _execute(self, statement: str) -> None:
        async with self._turn:
            await self._connection.execute(statement, timeout=60)


def _running_keeper(folder: Path, owner: int) -> dict[str, Any]:
    """Give what the keeper says of its server, starting the keeper if this call is the first."""
    info, log = folder / "postgres.json", folder / "postgres-keeper.log"
    with (folder / "postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not info.exists():
            with log.open("w") as output:
                keeper = subprocess.Popen(
                    (sys.executable, "-m", "tests.support.postgres_keeper", str(info), str(owner)),
                    cwd=_ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            deadline = time.monotonic() + _START_TIMEOUT
            while not info.exists():
                if keeper.poll() is not None or time.monotonic() > deadline:
                    keeper.kill()
                    raise RuntimeError(f"the test server does not start:\n{log.read_text()}")
                time.sleep(0.02)
            keeper.returncode = 0  # it outlives us, and that is meant: no ResourceWarning
    loaded: dict[str, Any] = json.loads(info.read_text())
    return loaded
