"""Keeping the copy: a snapshot at start, now and then, and when an event seems to be lost."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import chain, repeat
from typing import Any, Final

from pydantic_core import to_json

from services.agents.access import rules, store
from services.agents.access.models import Asked, Snapshot
from services.agents.access.operations.hearing import written
from services.agents.access.store import Table
from shared.bus.transport import backoff
from shared.db import Connection, Database
from shared.errors import Unavailable
from shared.log import get_logger
from shared.siblings import Siblings

PATH: Final = "/internal/access/snapshot"

WITHIN: Final = 20.0
"""Seconds that auth has for a snapshot; a large one takes some."""

AGAIN: Final = 10.0
"""Seconds until the second snapshot: what was said before our queues stood was not heard."""

EVERY: Final = 300.0
"""Seconds between two snapshots, about; they only repair what events left out."""

PATIENCE: Final = 3.0
"""Seconds that a gap in the numbers may stay open before a snapshot fills it."""

LONGEST_PAUSE: Final = 5.0
"""Seconds between two tries while auth is away."""

BATCH: Final = 5_000

log = get_logger()


class Keeper:
    """Takes snapshots, in one owned task.

    Args:
        database: the service's.
        siblings: auth among them.
        taken: called when the copy was compared with a snapshot.
    """

    def __init__(self, database: Database, siblings: Siblings, taken: Callable[[], None]) -> None:
        self._database = database
        self._siblings = siblings
        self._taken = taken
        self._stirred = asyncio.Event()

    def stir(self) -> None:
        """Look for gaps soon, because something was said."""
        self._stirred.set()

    async def run(self) -> None:
        """Go on until cancelled."""
        failures = 0
        pauses = chain((AGAIN,), repeat(EVERY))
        while True:
            try:
                await take(self._database, self._siblings)
            except Unavailable:
                failures += 1
            except Exception:
                failures += 1
                log.exception("snapshot of access failed")
            else:
                failures = 0
                self._taken()
                await self._until_due(next(pauses))
                continue
            await asyncio.sleep(backoff(failures, LONGEST_PAUSE))

    async def _until_due(self, seconds: float) -> None:
        """Wait for the next regular snapshot, or until a gap stays open."""
        due = time.monotonic() + seconds * random.uniform(0.9, 1.1)  # noqa: S311 - spreads load
        while (left := due - time.monotonic()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._stirred.wait()
            if not self._stirred.is_set():
                return
            self._stirred.clear()
            await asyncio.sleep(PATIENCE)
            if await self._has_gap():
                log.info("a change of access seems to be lost")
                return

    async def _has_gap(self) -> bool:
        try:
            async with self._database.transaction() as connection:
                return await store.has_gap(connection, PATIENCE)
        except Unavailable:
            return False


async def take(database: Database, siblings: Siblings) -> None:
    """Ask auth for a snapshot, and make the copy what it says.

    Raises:
        Unavailable: auth or the database is away.
    """
    async with database.connection() as connection:
        asked = await store.asked(connection)
    snapshot = await siblings.ask("auth", PATH, {}, Snapshot, within=WITHIN)
    await merge(database, snapshot, asked)


async def merge(database: Database, snapshot: Snapshot, asked: Asked) -> None:
    """Make the copy what a snapshot says, but for what was heard since it was asked for."""
    version = snapshot.version
    standings = to_json(snapshot.standings).decode()
    organizations = to_json(snapshot.organizations).decode()
    async with database.transaction() as connection:
        copied = await store.lock(connection)
        # Another process may have found out before that auth was restored.
        restored = rules.is_restored(version, asked.heard) and copied.newest >= asked.heard
        if rules.is_stale(version, copied.version, restored=restored):
            return
        if restored:
            log.warning("auth was restored from a backup; the copy of access is made anew")
        for table, shown in (
            (Table.ROLE, snapshot.roles),
            (Table.ROLE_BINDING, snapshot.bindings),
            (Table.SERVICE_ACCOUNT, snapshot.service_accounts),
        ):
            await _merge_table(connection, table, shown, version, restored=restored)
        await store.merge_organizations(connection, organizations, asked.at)
        await store.finish(connection, version, standings, restored=restored)


async def _merge_table(
    connection: Connection, table: Table, shown: Sequence[Any], version: int, *, restored: bool
) -> None:
    known = await store.find_known(connection, table)
    # In a thread, because it walks over all of a large installation.
    numbers = {one.id: one.version for one in shown}
    found = await asyncio.to_thread(rules.merge, numbers, known, version, restored=restored)
    wanted = [one for one in shown if one.id in found.take]
    for first in range(0, len(wanted), BATCH):
        await store.put(connection, table, written(wanted[first : first + BATCH]))
    if table is Table.SERVICE_ACCOUNT:
        await store.end_accounts(connection, [*found.end], version)
        await store.remove_accounts(connection, [*found.forget])
    elif found.end or found.forget:
        await store.remove(connection, table, [*found.end, *found.forget])
