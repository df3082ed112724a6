"""Whether the service can work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Final

from services.runs.artifacts.operations import Store
from services.runs.health import store
from shared.bus import Transport
from shared.db import Database
from shared.errors import ServiceError

PATIENCE: Final = 3.0
"""Seconds for each part to answer."""


async def checks(database: Database, transport: Transport, files: Store) -> dict[str, bool]:
    """Try the database, the bus and where artifacts are kept."""
    names = ("database", "broker", "artifacts")
    found = await asyncio.gather(
        _answers(_can_write(database)),
        _answers(_done(transport.ping())),
        _answers(_done(files.ping())),
    )
    return dict(zip(names, found, strict=True))


async def _can_write(database: Database) -> bool:
    async with database.connection() as connection:
        return await store.can_write(connection)


async def _done(ping: Awaitable[None]) -> bool:
    await ping
    return True


async def _answers(probe: Awaitable[bool]) -> bool:
    try:
        async with asyncio.timeout(PATIENCE):
            return await probe
    except (ServiceError, TimeoutError, OSError):
        return False
