"""Exporting an organization's learnings as JSON lines, whatever their number."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import datetime
from typing import Final

from services.learnings.learnings import operations as learnings
from shared.db import Database
from shared.errors import RateLimited, Unavailable
from shared.streams import Draining

MOST_OF_ONE: Final = 3
"""Exports of one organization that a process makes at once."""

MOST: Final = 30
"""Exports that a process makes at once: each keeps a stretch of text in memory."""

PATIENCE: Final = 30
"""Seconds after which another export may be tried."""


class Exports:
    """The exports that are under way in this process."""

    def __init__(self) -> None:
        self._running: Counter[str] = Counter()

    def begin(self, org_id: str) -> None:
        """Count one more.

        Raises:
            RateLimited: the organization, or the process, has enough of them.
        """
        if self._running[org_id] >= MOST_OF_ONE or self._running.total() >= MOST:
            raise RateLimited(PATIENCE, "Too many exports at once; wait for one to end")
        self._running[org_id] += 1

    def end(self, org_id: str) -> None:
        """Count one less."""
        self._running[org_id] -= 1
        self._running += Counter()  # drops who has none


async def begin(
    database: Database,
    exports: Exports,
    draining: Draining,
    org_id: str,
    updated_since: datetime | None,
) -> AsyncIterator[bytes]:
    """Give all learnings of an organization, one a line, the first of them read already.

    An export that cannot be brought to its end breaks off, so that nobody takes a part for the
    whole: in HTTP the last chunk is missing then.

    Raises:
        Unavailable: the process is to stop, or the database is away.
        RateLimited: too many exports are under way.
    """
    pieces = _pieces(database, exports, draining, org_id, updated_since)
    return _joined(await anext(pieces, b""), pieces)


async def _pieces(
    database: Database,
    exports: Exports,
    draining: Draining,
    org_id: str,
    updated_since: datetime | None,
) -> AsyncGenerator[bytes, None]:
    exports.begin(org_id)
    try:
        async with aclosing(learnings.read_forward(database, org_id, updated_since)) as stretches:
            async for stretch in stretches:
                if draining.is_set:
                    raise Unavailable("The export was broken off, because the service restarts")
                yield stretch.encode()
    finally:
        exports.end(org_id)


async def _joined(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    async with aclosing(rest):
        if first:
            yield first
        async for piece in rest:
            yield piece
