"""How many sessions a list has, without counting ten thousand again and again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from services.agents.sessions.models import Filters
from services.agents.sessions.store import listing as store
from shared.db import Connection
from shared.pagination import TOTAL_CAP

REMEMBERED_S: Final = 30.0
"""Seconds for which a list that had as many as are counted is taken to have them still."""

MOST_REMEMBERED: Final = 1_000


class Totals:
    """Counts up to the cap, and remembers which lists had reached it: few of those ever shrink.

    So asking for a page costs the same among a million sessions as among a thousand.

    Args:
        clock: seconds that only rise; replaceable in tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._full: dict[str, float] = {}

    def forget(self) -> None:
        """Count everything anew."""
        self._full.clear()

    async def count(self, connection: Connection, filters: Filters) -> int:
        """Count the sessions of a list over all its pages, up to the cap."""
        key, now = repr(filters), self._clock()
        if self._full.get(key, now) > now:
            return TOTAL_CAP
        total = await store.count(connection, filters, TOTAL_CAP)
        if total >= TOTAL_CAP:
            if len(self._full) >= MOST_REMEMBERED:
                self.forget()
            self._full[key] = now + REMEMBERED_S
        return total
