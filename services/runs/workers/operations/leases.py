"""Holding on to runs in hand, and seeing which of them are to end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from services.runs.runs import operations as runs
from services.runs.runs.models import Held
from shared.bus.tasks import wait
from shared.db import Database
from shared.errors import Unavailable
from shared.log import get_logger

RENEWALS: Final = 3
"""In the life of a lease."""

MARGIN: Final = 0.05
"""Share of a lease by which a run's process must stop before others may think it dead."""

log = get_logger()


class InHand(Protocol):
    """A run that is executed here."""

    @property
    def held(self) -> Held:
        """The claim."""

    @property
    def until(self) -> float:
        """When its lease has ended for certain, by the loop's clock."""

    def extend(self, until: float) -> None:
        """The lease goes on until then, by the loop's clock."""

    def cancel(self) -> None:
        """Somebody wants it to end."""

    def lose(self) -> None:
        """It is not ours any more."""


class Leases:
    """Renews what is in hand, for as long as the task of ``keep`` lives.

    Args:
        database: the service's.
        worker: the process' name for itself.
        lease_s: seconds that a lease holds.
        in_hand: gives the runs that are executed.
    """

    def __init__(
        self,
        database: Database,
        worker: str,
        lease_s: float,
        in_hand: Callable[[], Sequence[InHand]],
    ) -> None:
        self._database = database
        self._worker = worker
        self._lease_s = lease_s
        self._in_hand = in_hand
        self._hurried = asyncio.Event()

    def hurry(self) -> None:
        """Look at once: somebody wants a run to end."""
        self._hurried.set()

    async def keep(self) -> None:
        """Renew every third of a lease, more often while the database does not answer."""
        while True:
            self._hurried.clear()
            try:
                async with asyncio.timeout(self._lease_s / 2):
                    await self._renew()
                pause = self._lease_s / RENEWALS
            except (Unavailable, TimeoutError):
                pause = self._lease_s / 20
            except Exception:
                # One bad renewal must not be the last.
                log.exception("leases not renewed")
                pause = self._lease_s / 20
            self._let_go()
            await wait(self._hurried, pause)

    async def _renew(self) -> None:
        asked = {each.held: each for each in self._in_hand()}
        if not asked:
            return
        # Counted from before it was sent: the database's own count begins later.
        until = asyncio.get_running_loop().time() + self._lease_s * (1 - MARGIN)
        found = await runs.renew(self._database, self._worker, list(asked), self._lease_s)
        for each in found:
            run = asked[each.held]
            if not each.is_kept:
                run.lose()
                continue
            run.extend(until)
            if each.is_cancelling:
                run.cancel()

    def _let_go(self) -> None:
        """Lose what could not be renewed in time, whatever the database says by now."""
        now = asyncio.get_running_loop().time()
        for each in self._in_hand():
            if each.until <= now:
                each.lose()
