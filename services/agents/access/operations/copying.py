"""Keeping the copy: a snapshot at start, now and then, and when an event seems to be lost."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import chain, repeat
from typing import Final

from pydantic_core import to_json

from services.agents.access import rules, store
from services.agents.access.models import (
    Asked,
    CopiedBinding,
    CopiedRole,
    CopiedServiceAccount,
    Difference,
)
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

BATCH: Final = 1_000
"""Rows that are read and written at once."""

_FORMS: Final[dict[Table, type[CopiedRole | CopiedBinding | CopiedServiceAccount]]] = {
    Table.ROLE: CopiedRole,
    Table.ROLE_BINDING: CopiedBinding,
    Table.SERVICE_ACCOUNT: CopiedServiceAccount,
}

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
    given = await siblings.fetch("auth", PATH, {}, within=WITHIN)
    await merge(database, given.decode(), asked)


async def merge(database: Database, snapshot: str, asked: Asked) -> None:
    """Make the copy what a snapshot says, but for what was heard since it was asked for.

    Args:
        database: the service's.
        snapshot: JSON as auth wrote it.
        asked: what was known then.
    """
    async with database.transaction() as connection:
        copied = await store.lock(connection)
        bearing = await store.read_bearing(connection, snapshot)
        version = bearing.version
        # Another process may have found out before that auth was restored.
        restored = rules.is_restored(version, asked.heard) and copied.newest >= asked.heard
        if rules.is_stale(version, copied.version, restored=restored):
            return
        if restored:
            log.warning("auth was restored from a backup; the copy of access is made anew")
        for table in Table:
            found = await store.find_differences(connection, table, snapshot, everything=restored)
            await _merge_table(connection, table, found, version, restored=restored)
        await store.merge_organizations(connection, snapshot, asked.at)
        standings = to_json(bearing.standings).decode()
        await store.finish(connection, version, standings, restored=restored)


async def _merge_table(
    connection: Connection,
    table: Table,
    found: Sequence[Difference],
    version: int,
    *,
    restored: bool,
) -> None:
    shown = {one.id: one.number for one in found if one.shown is not None}
    known = {one.id: one.known for one in found if one.known is not None}
    merged = rules.merge(shown, known, version, restored=restored)
    wanted = [one.shown for one in found if one.shown is not None and one.id in merged.take]
    for first in range(0, len(wanted), BATCH):
        batch = wanted[first : first + BATCH]
        rows = [_FORMS[table].model_validate_json(one) for one in batch]
        await store.put(connection, table, written(rows))
    if table is Table.SERVICE_ACCOUNT:
        await store.end_accounts(connection, [*merged.end], version)
        await store.remove_accounts(connection, [*merged.forget])
    elif merged.end or merged.forget:
        await store.remove(connection, table, [*merged.end, *merged.forget])
