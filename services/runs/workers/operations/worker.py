"""The worker: takes runs that wait, executes as many at once as may be, and lets go of them.

A worker that dies loses its runs when their leases end. One that is told to stop gives them a
moment, and ends what is left then at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final
from uuid import uuid4

from services.runs.causes.operations import Explainer
from services.runs.runs import operations as runs
from services.runs.runs.models import Order, RunRow
from services.runs.workers.models import Keeper, Limits, Place
from services.runs.workers.operations import metrics
from services.runs.workers.operations.answering import Answers
from services.runs.workers.operations.executing import STOPPED, Execution
from services.runs.workers.operations.jobs import Jobs
from services.runs.workers.operations.leases import Leases
from services.runs.workers.operations.reconciling import Reconciler
from services.runs.workers.operations.scratch import Folders
from shared.bus.tasks import Owned, cancel, wait
from shared.db import Database
from shared.errors import Unavailable
from shared.log import get_logger

POLL: Final = 2.0
"""Seconds after which is looked without a bell."""

REST: Final = 0.02
"""Seconds between two looks, however often the bell rings."""

ENDING: Final = 6.0
"""Seconds in which what was interrupted is written down, before it is left to others."""

FOLDER_NAME: Final = 10
"""Characters of a worker's name that its folder has."""

log = get_logger()


class RunWorker(Owned):
    """Executes runs.

    Args:
        database: the service's.
        jobs: makes what a run's process is told.
        keeper: where files of runs are kept.
        answering: makes, for one run, what answers its questions.
        place: where and how processes are started.
        limits: of this worker.
        explainer: finds out why cases did not pass.
        ended: what else happens when a run ends.
    """

    def __init__(
        self,
        database: Database,
        jobs: Jobs,
        keeper: Keeper,
        answering: Callable[[RunRow], Answers],
        place: Place,
        limits: Limits,
        explainer: Explainer,
        ended: runs.Endings = runs.NOTHING_ELSE,
    ) -> None:
        self.name = f"wrk_{uuid4().hex}"
        self.bell = asyncio.Event()
        self._database = database
        self._jobs = jobs
        self._keeper = keeper
        self._answering = answering
        self._place = place
        self._limits = limits
        self._explainer = explainer
        self._ended = ended
        self._in_hand: dict[asyncio.Task[None], Execution] = {}
        self._folders = Folders(place.folder, self.name[4 : 4 + FOLDER_NAME])
        self._leases = Leases(
            database, self.name, limits.lease_s, lambda: tuple(self._in_hand.values())
        )
        self._reconciler = Reconciler(database, keeper, self._folders, limits, ended)
        self._is_stopping = False
        self._taking: asyncio.Task[None]
        self._keeping: asyncio.Task[None]

    def hurry(self, run_id: str) -> None:
        """Look at once whether a run that may be in hand is to end."""
        if any(each.held.run_id == run_id for each in self._in_hand.values()):
            self._leases.hurry()

    async def start(self) -> None:
        """Take runs and hold on to them, in owned tasks."""
        await asyncio.to_thread(self._folders.open)
        self._keeping = asyncio.create_task(self._leases.keep(), name="leases of runs")
        self._taking = asyncio.create_task(self._take_runs(), name="runs")
        await self._reconciler.start()

    async def stop(self) -> None:
        """Take nothing new, give runs a moment, and end those that are left."""
        self._is_stopping = True
        self.bell.set()
        await asyncio.wait([self._taking], timeout=ENDING)
        await cancel(self._taking)
        await self._reconciler.stop()
        if self._in_hand:
            log.info("runs get a moment to end", runs=len(self._in_hand))
            await asyncio.wait(list(self._in_hand), timeout=self._limits.grace_s)
            for execution in self._in_hand.values():
                execution.interrupt(STOPPED)
        if self._in_hand:
            await asyncio.wait(list(self._in_hand), timeout=ENDING)
        await cancel(*self._in_hand, self._keeping)
        await asyncio.to_thread(self._folders.close)

    async def _take_runs(self) -> None:
        while not self._is_stopping:
            self.bell.clear()
            try:
                await self._claim()
            except Unavailable:
                log.info("runs postponed", reason="database unavailable")
            except Exception:
                # One bad statement must not end the work of everybody.
                log.exception("claiming runs failed")
            await asyncio.sleep(REST)
            await wait(self.bell, POLL)

    async def _claim(self) -> None:
        """Take as many runs as there is room for."""
        room = self._limits.runs - len(self._in_hand)
        if room <= 0 or self._is_stopping:
            return
        lease_s = self._limits.lease_s
        # Counted from before it was asked for: the database's own count begins later.
        until = asyncio.get_running_loop().time() + lease_s
        for order in await runs.claim(self._database, self.name, room, lease_s):
            self._begin(order, until)

    def _begin(self, order: Order, until: float) -> None:
        execution = Execution(
            order,
            until,
            self._database,
            self._jobs,
            self._keeper,
            self._answering(order.run),
            self._place,
            self._limits,
            self._explainer,
            self._ended,
        )
        task = asyncio.create_task(self._execute(execution), name="run")
        self._in_hand[task] = execution
        metrics.HELD.set(len(self._in_hand))
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._in_hand.pop(task, None)
        metrics.HELD.set(len(self._in_hand))
        self.bell.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("run not executed", exc_info=error)

    async def _execute(self, execution: Execution) -> None:
        with metrics.SECONDS.time():
            status = await execution.run(self._folders)
        metrics.ENDED.labels("lost" if status is None else status.value).inc()
