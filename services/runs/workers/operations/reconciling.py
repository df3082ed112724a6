"""Ending runs whose worker is gone, and what is left of their processes."""

from __future__ import annotations

import asyncio
from typing import Final

from services.runs.runs import operations as runs
from services.runs.runs.models import Held
from services.runs.workers.models import Claim, Keeper, Limits
from services.runs.workers.operations import artifacts, processes
from services.runs.workers.operations.scratch import Folders
from shared.bus.tasks import Owned, cancel
from shared.db import Database
from shared.errors import Unavailable
from shared.log import get_logger

SWEEP: Final = 30.0
"""Seconds between two looks for what dead workers left on this machine."""

AT_ONCE: Final = 100
"""Runs that are ended in one look."""

log = get_logger()


class Reconciler(Owned):
    """Looks after what other workers do not look after any more.

    Args:
        database: the service's.
        keeper: where reports are kept as files.
        folders: of this worker, beside those of others.
        limits: of this worker.
        ended: what else happens when a run ends.
    """

    def __init__(
        self,
        database: Database,
        keeper: Keeper,
        folders: Folders,
        limits: Limits,
        ended: runs.Endings = runs.NOTHING_ELSE,
    ) -> None:
        self._database = database
        self._keeper = keeper
        self._folders = folders
        self._limits = limits
        self._ended = ended
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Look now and then, in owned tasks."""
        self._tasks = [
            asyncio.create_task(self._sweep(), name="orphans of runs"),
            asyncio.create_task(self._reconcile(), name="lost runs"),
        ]

    async def stop(self) -> None:
        """Look no more."""
        await cancel(*self._tasks)

    async def _sweep(self) -> None:
        while True:
            try:
                await self._folders.sweep(self._bury)
            except Exception:
                log.exception("folders not swept")
            await asyncio.sleep(SWEEP)

    async def _bury(self, claim: Claim) -> None:
        """End what is left of a run whose worker died on this machine."""
        left = await processes.end_all(claim.token, claim.pid, claim.started)
        log.info("run of a dead worker found", run_id=claim.run_id, left=left)
        if left:
            return  # its lease ends by itself; until then it may still act
        held = Held(claim.org_id, claim.run_id, claim.worker, claim.fence)
        try:
            ended = await runs.give_up(
                self._database, held, requeues=self._limits.requeues, ended=self._ended
            )
        except Unavailable:
            return
        if ended is not None and ended[1] is not None:
            await artifacts.keep(self._keeper, held, ended[1], artifacts.Pictures())

    async def _reconcile(self) -> None:
        while True:
            try:
                await self._end_lost()
            except Unavailable:
                log.info("lost runs postponed", reason="database unavailable")
            except Exception:
                log.exception("lost runs not ended")
            await asyncio.sleep(self._limits.lease_s / 3)

    async def _end_lost(self) -> None:
        for _ in range(AT_ONCE):
            ended = await runs.reconcile(
                self._database, requeues=self._limits.requeues, ended=self._ended
            )
            if ended is None:
                return
            run, report = ended
            log.info("lost run ended", run_id=run.id, org_id=run.org_id, status=run.status)
            if report is not None:
                held = Held(run.org_id, run.id, run.worker or "", run.fence)
                await artifacts.keep(self._keeper, held, report, artifacts.Pictures())
