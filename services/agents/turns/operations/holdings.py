"""The sessions that a process has in hand, and keeping them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from services.agents.turns.models import Lease
from services.agents.turns.store import leases
from shared.db import Database
from shared.errors import Unavailable
from shared.log import get_logger

log = get_logger()


@dataclass(slots=True, eq=False)
class Held:
    """A session in hand.

    Attributes:
        until: by the loop's clock, when the lease has ended for certain.
        task: works on it.
    """

    lease: Lease
    until: float
    task: asyncio.Task[None] | None = None

    def drop(self) -> None:
        """Stop working on it."""
        if self.task is not None:
            self.task.cancel()


@dataclass(slots=True)
class Holdings:
    """All sessions that this process has in hand, by id.

    Args:
        worker: the process' name for itself.
        lease_s: seconds that a lease holds.
    """

    worker: str
    lease_s: float
    held: dict[UUID, Held] = field(default_factory=dict)
    doubted: set[UUID] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.held)

    def by_namespace(self) -> Counter[str]:
        """Count the sessions of each namespace."""
        return Counter(each.lease.namespace for each in self.held.values())

    def doubt(self, session_id: UUID) -> bool:
        """Note that a session in hand may be somebody else's; tell whether it is in hand."""
        if session_id not in self.held:
            return False
        self.doubted.add(session_id)
        return True

    async def check(self, database: Database) -> None:
        """Drop those that were doubted and are lost indeed.

        Raises:
            Unavailable: the database is away.
        """
        asked = [self.held[each] for each in self.doubted if each in self.held]
        self.doubted.clear()
        if asked:
            async with database.connection() as connection:
                lost = await leases.lost(connection, self.worker, [each.lease for each in asked])
            self._drop(each for each in asked if each.lease.session_id in lost)

    async def renew(self, database: Database) -> None:
        """Keep all for longer, and drop those that are lost.

        Raises:
            Unavailable: the database is away.
        """
        asked = list(self.held.values())
        if not asked:
            return
        until = asyncio.get_running_loop().time() + self.lease_s
        async with database.connection() as connection:
            kept, lost = await leases.renew(
                connection, self.worker, [each.lease for each in asked], self.lease_s
            )
        for each in asked:
            if each.lease.session_id in kept:
                each.until = until
        self._drop(each for each in asked if each.lease.session_id in lost)

    async def keep(self, database: Database) -> None:
        """Renew four times in the life of a lease, for as long as the task lives."""
        while True:
            try:
                async with asyncio.timeout(self.lease_s / 2):
                    await self.renew(database)
                pause = self.lease_s / 4
            except (Unavailable, TimeoutError):
                pause = self.lease_s / 20
            except Exception:
                # One bad renewal must not be the last.
                log.exception("leases not renewed")
                pause = self.lease_s / 20
            now = asyncio.get_running_loop().time()
            self._drop(each for each in list(self.held.values()) if each.until < now)
            await asyncio.sleep(pause)

    def _drop(self, lost: Iterable[Held]) -> None:
        for each in lost:
            # Nothing is in hand under this lease once its task has ended.
            if self.held.get(each.lease.session_id) is each:
                each.drop()
