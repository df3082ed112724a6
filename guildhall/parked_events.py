"""``guildhall events``: the events that consumers gave up on, and handing them out again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg

from guildhall.databases import reach
from guildhall.failures import Failure
from guildhall.settings import CommandSettings
from shared.bus import Parked, list_parked, replay_parked
from shared.db import Connection

_TIMEOUT = 10.0


async def parked(
    settings: CommandSettings, services: Sequence[str], limit: int
) -> dict[str, list[Parked]]:
    """List the parked events of some services, oldest first, at most ``limit`` of each."""
    found = {}
    async with reach(settings) as urls:
        for service in services:
            async with _connect(urls[service]) as connection:
                found[service] = await list_parked(connection, service, limit)
    return found


async def replay(settings: CommandSettings, service: str, ids: Sequence[int] | None) -> int:
    """Give parked events of a service new attempts, all with ``ids`` None; returns how many."""
    async with reach(settings) as urls, _connect(urls[service]) as connection:
        return await replay_parked(connection, service, ids)


@asynccontextmanager
async def _connect(url: str) -> AsyncIterator[Connection]:
    try:
        connection = await asyncpg.connect(url, timeout=_TIMEOUT, command_timeout=_TIMEOUT)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise Failure(f"The database cannot be reached: {error}") from error
    try:
        yield connection
    except asyncpg.UndefinedTableError:
        raise Failure("The database is not up to date: run `guildhall migrate`.") from None
    finally:
        await connection.close(timeout=5)
