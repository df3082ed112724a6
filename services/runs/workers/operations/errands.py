"""The worker of errands: takes those that wait, does as many at once as may be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final
from uuid import uuid4

from services.runs.errands import operations as errands
from services.runs.errands.models import ErrandLost, HeldErrand, Look, Outcome, Taken
from services.runs.settings import RunsSettings
from services.runs.workers.models import Claim, Limits, Place
from services.runs.workers.operations import processes
from services.runs.workers.operations.errand import STOPPED, ErrandInHand
from services.runs.workers.operations.scratch import Folders
from shared.bus import BroadcastSubscription, Listener, Transport
from shared.bus.tasks import Owned, cancel, wait
from shared.contracts.runs import ErrandEnded, ErrandQueued
from shared.db import Database
from shared.errors import Unavailable
from shared.log import get_logger
from shared.service import Resources
from shared.vault import Vault

POLL: Final = 1.0
"""Seconds after which is looked for errands without a bell."""

REST: Final = 0.02
"""Seconds between two looks, however often the bell rings."""

LOOK: Final = 0.4
"""Seconds between two looks at errands in hand: who wants them, who watches."""

OFTEN: Final = 0.06
"""Seconds between two looks for what is said to an errand that somebody watches."""

MARGIN: Final = 0.05
"""Share of a lease by which a process must stop before others may think it dead."""

SWEEP: Final = 30.0
"""Seconds between two looks for what dead workers left on this machine."""

ENDING: Final = 8.0
"""Seconds in which errands end when the worker is to stop."""

LOST: Final = "The worker that had it in hand is gone."

log = get_logger()


@asynccontextmanager
async def doing_errands(
    resources: Resources, database: Database, place: Place, limits: Limits
) -> AsyncIterator[None]:
    """Do errands until the context is left; none where the settings say so.

    Args:
        resources: of the service.
        database: the service's.
        place: where runs are executed; errands are done beside it.
        limits: of this worker.
    """
    settings: RunsSettings = resources[RunsSettings]
    if not settings.max_errands:
        yield
        return
    beside = replace(place, folder=place.folder.with_name("errands"))
    worker = ErrandWorker(database, resources[Vault], settings, beside, limits)

    async def on_queued(_: ErrandQueued) -> None:
        worker.bell.set()

    async def on_ended(_: ErrandEnded) -> None:
        worker.hurried.set()

    heard = (
        BroadcastSubscription(ErrandQueued, on_queued),
        BroadcastSubscription(ErrandEnded, on_ended),
    )
    listener = Listener(resources[Transport], "runs.errand_workers", heard, on_gap=worker.bell.set)
    async with worker, listener:
        yield


class ErrandWorker(Owned):
    """Does errands.

    Args:
        database: the service's.
        vault: opens what they are told.
        settings: of this process; among them how many errands.
        place: where and how processes are started.
        limits: of this worker.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        settings: RunsSettings,
        place: Place,
        limits: Limits,
    ) -> None:
        self.name = f"wrk_{uuid4().hex}"
        self.bell = asyncio.Event()
        self.hurried = asyncio.Event()
        self._database = database
        self._vault = vault
        self._settings = settings
        self._place = place
        self._limits = limits
        self._in_hand: dict[asyncio.Task[None], ErrandInHand] = {}
        self._folders = Folders(place.folder, self.name[4:14])
        self._is_stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Take errands and hold on to them, in owned tasks."""
        await asyncio.to_thread(self._folders.open)
        self._tasks = [
            asyncio.create_task(self._take(), name="errands"),
            asyncio.create_task(self._keep(), name="leases of errands"),
            asyncio.create_task(self._attend(), name="words to errands"),
            asyncio.create_task(self._sweep(), name="orphans of errands"),
        ]

    async def stop(self) -> None:
        """Take nothing new, and end what is in hand."""
        self._is_stopping = True
        taking, *others = self._tasks
        self.bell.set()
        await asyncio.wait([taking], timeout=ENDING)
        for errand in self._in_hand.values():
            errand.interrupt(STOPPED)
        if self._in_hand:
            await asyncio.wait(list(self._in_hand), timeout=ENDING)
        await cancel(*self._in_hand, taking, *others)
        await asyncio.to_thread(self._folders.close)

    # Taking.

    async def _take(self) -> None:
        while not self._is_stopping:
            self.bell.clear()
            try:
                await errands.reconcile(self._database)
                await self._claim()
            except Unavailable:
                log.info("errands postponed", reason="database unavailable")
            except Exception:
                # One bad statement must not end the work of everybody.
                log.exception("claiming errands failed")
            await asyncio.sleep(REST)
            await wait(self.bell, POLL)

    async def _claim(self) -> None:
        room = self._settings.max_errands - len(self._in_hand)
        if room <= 0 or self._is_stopping:
            return
        lease_s = self._limits.lease_s
        # Counted from before it was asked for: the database's own count begins later.
        until = time.monotonic() + lease_s * (1 - MARGIN)
        of_one = self._settings.max_errands_per_organization
        for taken in await errands.claim(
            self._database, self._vault, self.name, room, of_one, lease_s
        ):
            self._begin(taken, until)

    def _begin(self, taken: Taken, until: float) -> None:
        errand = ErrandInHand(
            taken,
            until,
            self._database,
            self._vault,
            self._settings,
            self._place,
            self._limits,
        )
        task = asyncio.create_task(errand.run(self._folders), name="errand")
        self._in_hand[task] = errand
        task.add_done_callback(self._done)
        self.hurried.set()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._in_hand.pop(task, None)
        self.bell.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("errand not done", error=type(error).__name__, exc_info=error)

    # Holding on, and passing words.

    def _held(self) -> dict[HeldErrand, ErrandInHand]:
        return {each.held: each for each in self._in_hand.values()}

    async def _keep(self) -> None:
        """Renew every third of a lease, more often while the database does not answer."""
        lease_s = self._limits.lease_s
        while True:
            pause = lease_s / 3
            try:
                async with asyncio.timeout(lease_s / 2):
                    await self._renew()
            except (Unavailable, TimeoutError):
                pause = lease_s / 20
            except Exception:
                # One bad renewal must not be the last.
                log.exception("leases of errands not renewed")
                pause = lease_s / 20
            now = time.monotonic()
            for each in tuple(self._in_hand.values()):
                if each.until <= now:
                    each.lose()
            await asyncio.sleep(pause)

    async def _renew(self) -> None:
        asked = self._held()
        if not asked:
            return
        lease_s = self._limits.lease_s
        until = time.monotonic() + lease_s * (1 - MARGIN)
        looks = await errands.renew(self._database, list(asked), lease_s)
        for look in looks:
            if look.is_kept:
                asked[look.held].extend(until)
        self._heed(asked, looks)

    def _heed(self, asked: dict[HeldErrand, ErrandInHand], looks: Sequence[Look]) -> None:
        for look in looks:
            errand = asked[look.held]
            errand.is_watched = look.is_watched
            if not look.is_kept and errand in self._in_hand.values():
                errand.lose()
            elif look.is_ending:
                errand.cancel()

    async def _attend(self) -> None:
        """See who wants what is in hand, and pass on what is said to it while it is watched."""
        looked = 0.0
        while True:
            asked = self._held()
            if not asked:
                await wait(self.hurried, POLL)
                self.hurried.clear()
                continue
            try:
                if self.hurried.is_set() or time.monotonic() - looked >= LOOK:
                    self.hurried.clear()
                    looked = time.monotonic()
                    self._heed(asked, await errands.look(self._database, list(asked)))
                await self._pass_on(asked)
            except Unavailable:
                pass  # the leases say whether that lasts too long
            except Exception:
                log.exception("errands not attended to")
            is_watched = any(each.is_watched for each in asked.values())
            await wait(self.hurried, OFTEN if is_watched else LOOK)

    async def _pass_on(self, asked: dict[HeldErrand, ErrandInHand]) -> None:
        watched = [held for held, each in asked.items() if each.is_watched]
        if not watched:
            return
        by_id = {(held.org_id, held.id): each for held, each in asked.items()}
        for wished in await errands.take_wishes(self._database, self._vault, watched):
            await by_id[wished.org_id, wished.errand_id].wish(wished.content)

    # What dead workers left.

    async def _sweep(self) -> None:
        while True:
            try:
                await self._folders.sweep(self._bury)
            except Exception:
                log.exception("folders of errands not swept")
            await asyncio.sleep(SWEEP)

    async def _bury(self, claim: Claim) -> None:
        left = await processes.end_all(claim.token, claim.pid, claim.started)
        log.info("errand of a dead worker found", errand_id=claim.run_id, left=left)
        if left:
            return  # its lease ends by itself; until then it may still act
        held = HeldErrand(claim.org_id, claim.run_id, claim.worker, claim.fence)
        try:
            await errands.finish(self._database, self._vault, held, Outcome("failed", reason=LOST))
        except (ErrandLost, Unavailable):
            return
