"""Writing down what a run's process says: gathered for a tenth of a second, in one statement."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from services.runs.runs import operations as runs
from services.runs.runs.models import Held
from shared.db import Database
from shared.errors import Unavailable

BATCH: Final = 0.1
"""Seconds that events are gathered before they are written down."""

MOST_WAITING: Final = 500
"""Events that wait to be written, before nothing more is heard."""

PAUSE: Final = 0.3
"""Seconds before a write is tried again because the database was away."""

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Grip:
    """How firmly a run is in hand.

    Attributes:
        held: the claim.
        until: when its lease has ended for certain, by the loop's clock.
        is_lost: whether it is known to be somebody else's.
    """

    held: Held
    until: float
    is_lost: bool = False

    async def insist(self, transact: Callable[[], Awaitable[T]]) -> T:
        """Try for as long as the lease may hold: a database may be away for a moment.

        Raises:
            LeaseLost: it does not hold any more.
        """
        loop = asyncio.get_running_loop()
        while loop.time() < self.until and not self.is_lost:
            try:
                async with asyncio.timeout_at(self.until):
                    return await transact()
            except (Unavailable, TimeoutError):
                await asyncio.sleep(PAUSE)
        raise runs.LeaseLost


@dataclass(frozen=True, slots=True)
class Batch:
    """What is written down in one statement."""

    events: Sequence[Mapping[str, Any]]
    report: Mapping[str, Any] | None


class Recorder:
    """Events and reports of one run on their way into the database.

    Args:
        database: the service's.
        grip: on the run.
        seq: the number of its newest event.

    Attributes:
        report: the newest that was said.
    """

    def __init__(self, database: Database, grip: Grip, seq: int) -> None:
        self.report: Mapping[str, Any] | None = None
        self._database = database
        self._grip = grip
        self._seq = seq
        self._events: list[Mapping[str, Any]] = []
        self._has_report = False
        self._batch: Batch | None = None
        self._changed = asyncio.Event()
        self._written = asyncio.Event()

    async def note(self, event: Mapping[str, Any]) -> None:
        """Take an event; waits while too many are not written yet."""
        if not isinstance(event.get("kind"), str) or event["kind"] == "done":
            return  # the last event is ours to give
        self._events.append(event)
        self._changed.set()
        while len(self._events) >= MOST_WAITING:
            self._written.clear()
            await self._written.wait()

    def replace(self, report: Mapping[str, Any]) -> None:
        """Take the report as far as it goes."""
        self.report, self._has_report = report, True
        self._changed.set()

    async def write(self) -> None:
        """Write down what comes, for as long as the task lives.

        Raises:
            LeaseLost: the run is somebody else's.
        """
        while True:
            await self._changed.wait()
            await asyncio.sleep(BATCH)
            await self.flush()

    async def flush(self) -> None:
        """Write down what there is.

        A batch stays the same until it is known to be written: so it may be sent again by whoever
        does not know, and is written once.

        Raises:
            LeaseLost: the run is somebody else's.
        """
        while self._next() is not None:
            await self._grip.insist(self._record)
            assert self._batch is not None  # nobody else flushes
            self._seq += len(self._batch.events)
            self._batch = None
        self._written.set()

    def _next(self) -> Batch | None:
        if self._batch is None and (self._events or self._has_report):
            self._changed.clear()
            report = self.report if self._has_report else None
            self._batch, self._events, self._has_report = Batch(self._events, report), [], False
        return self._batch

    async def _record(self) -> None:
        batch = self._batch
        assert batch is not None  # flush saw to it
        held = self._grip.held
        await runs.record(self._database, held, self._seq, batch.events, batch.report)
