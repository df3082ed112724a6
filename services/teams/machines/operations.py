"""Use cases of machines: their turn, their allowance, and when they were seen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

from services.teams.machines import store
from services.teams.machines.store import delete as forget
from services.teams.machines.store import lock, lock_all, take_revocation
from shared.bus import outbox
from shared.contracts.teams import MachineSeen
from shared.db import Connection, Database
from shared.errors import RateLimited, Unavailable
from shared.log import get_logger

PUSH_INTERVAL: Final = 1.0
"""Seconds between two pushes of a machine over all its sockets (teams contract, section 9)."""

SAID_EVERY: Final = 60.0
"""Seconds between two sayings that a machine was seen (section 1.1)."""

FLUSH: Final = 1.0
"""Seconds for which those that were seen are gathered."""

MOST_KNOWN: Final = 50_000

__all__ = ["Sightings", "forget", "lock", "lock_all", "take_push", "take_revocation"]

log = get_logger()


async def take_push(connection: Connection, token: str) -> None:
    """Use a machine's allowance of one push a second; locks its row.

    Raises:
        RateLimited: the last one is younger than that.
    """
    if not await store.use_push(connection, token, PUSH_INTERVAL):
        raise RateLimited(1, "rate_limited")


class Sightings:
    """Tells auth which machines were heard of. Open it with ``opened``.

    What is gathered for a second may be lost with the process: the next request says it again.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._said: dict[str, float] = {}
        self._waiting: dict[str, datetime] = {}
        self._bell = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def opened(cls, database: Database) -> AsyncIterator[Sightings]:
        """Tell until the context is left, then what is still waiting."""
        sightings = cls(database)
        task = asyncio.create_task(sightings._run(), name="machine sightings")
        try:
            yield sightings
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await sightings._tell()

    def note(self, token: str) -> None:
        """Note that a machine was heard of now; cheap, and silent most of the time."""
        now = time.monotonic()
        if now - self._said.get(token, -SAID_EVERY) < SAID_EVERY:
            return
        if len(self._said) >= MOST_KNOWN:
            self._said.clear()
        self._said[token] = now
        self._waiting[token] = datetime.now(UTC)
        self._bell.set()

    async def _run(self) -> None:
        while True:
            await self._bell.wait()
            self._bell.clear()
            await asyncio.sleep(FLUSH)
            await self._tell()

    async def _tell(self) -> None:
        seen, self._waiting = self._waiting, {}
        if not seen:
            return
        events = [MachineSeen(token=token, at=at) for token, at in seen.items()]
        try:
            async with self._database.transaction() as connection:
                await outbox.add_all(connection, events)
        except Unavailable:
            log.info("sightings lost", machines=len(events), reason="database unavailable")
        except Exception:
            # One that fails must not end the task.
            log.exception("sightings lost", machines=len(events))
