"""The scheduler: each boundary of a plan's schedule is fired once, or skipped if it was missed.

Every worker has one. They meet in the database only: whoever holds a due plan's row, still due for
the same boundary, fires it and arms the next in one transaction (ADR 30).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import tzinfo
from typing import Final

from services.runs.plans import rules, store
from services.runs.plans.models import Due
from services.runs.plans.operations import metrics
from services.runs.plans.operations.starting import queue_pass
from services.runs.runs import operations as runs
from services.runs.settings import RunsSettings
from shared.bus.tasks import Owned, cancel
from shared.db import Connection, Database
from shared.errors import LimitExceeded, Unavailable
from shared.log import get_logger
from shared.service import Resources
from shared.vault import Vault

POLL: Final = 2.0
"""Seconds after which is looked for plans that were saved meanwhile."""

REST: Final = 0.1
"""Seconds between two looks, while others see to what is due."""

AT_ONCE: Final = 50
"""Due plans that one look takes."""

log = get_logger()


@asynccontextmanager
async def scheduling(resources: Resources, database: Database) -> AsyncIterator[None]:
    """Run plans by their schedules until the context is left."""
    settings: RunsSettings = resources[RunsSettings]
    async with Scheduler(
        database,
        resources[Vault],
        resources[runs.Endings],
        settings.zone_of_plans(),
        settings.plan_grace_seconds,
    ):
        yield


class Scheduler(Owned):
    """Fires what is due.

    Args:
        database: the service's.
        vault: opens test accounts.
        ended: what else happens when a run ends.
        zone: in which schedules are read.
        grace_s: seconds after which a boundary counts as missed.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        ended: runs.Endings,
        zone: tzinfo,
        grace_s: float,
    ) -> None:
        self._database = database
        self._vault = vault
        self._ended = ended
        self._zone = zone
        self._grace_s = grace_s
        self._task: asyncio.Task[None]

    async def start(self) -> None:
        """Look for what is due, in an owned task."""
        self._task = asyncio.create_task(self._schedule(), name="plans")

    async def stop(self) -> None:
        """Look no more; what is under way is fired wholly or not at all."""
        await cancel(self._task)

    async def _schedule(self) -> None:
        while True:
            pause = POLL
            try:
                await self.look()
                async with self._database.connection() as connection:
                    seconds = await store.seconds_to_next(connection)
                if seconds is not None:
                    pause = min(POLL, max(REST, seconds))
            except Unavailable:
                log.info("plans postponed", reason="database unavailable")
            except Exception:
                # One bad statement must not end the scheduling of everybody's plans.
                log.exception("plans not looked at")
            await asyncio.sleep(pause)

    async def look(self) -> int:
        """Fire what is due by now; give how many boundaries were fired here.

        Raises:
            Unavailable: the database is away.
        """
        async with self._database.connection() as connection:
            found = await store.due(connection, AT_ONCE)
        fired = 0
        for due in found:
            try:
                fired += await self._see_to(due)
            except Unavailable:
                raise
            except Exception:
                # It is tried again until it counts as missed; others are fired meanwhile.
                metrics.BOUNDARIES.labels("failed").inc()
                log.exception("plan not started", plan_id=due.plan.id, org_id=due.plan.org_id)
        return fired

    async def _see_to(self, due: Due) -> bool:
        """Fire a boundary, or skip it if it was missed; tell whether it was fired here."""
        plan, run_ids, outcome = due.plan, [], "late"
        is_late = due.late_s > self._grace_s
        items = [] if is_late else await runs.prepare(self._database, plan.org_id, plan.items)
        async with self._database.transaction() as connection:
            if not await store.lock_due(connection, plan):
                return False
            if not is_late:
                try:
                    run_ids = await queue_pass(
                        connection, self._vault, self._ended, plan, items, plan.updated_by
                    )
                    outcome = "fired"
                except LimitExceeded:
                    outcome = "full"
            await self._arm(connection, due)
        metrics.BOUNDARIES.labels(outcome).inc()
        log.info(
            "plan boundary",
            outcome=outcome,
            plan_id=plan.id,
            org_id=plan.org_id,
            late_s=round(due.late_s, 1),
            runs=len(run_ids),
        )
        return outcome == "fired"

    async def _arm(self, connection: Connection, due: Due) -> None:
        """Arm the first boundary that is still to come: what was missed is never made up for."""
        now = await store.now(connection)
        timing = rules.timed(due.plan.schedule, now, self._zone)
        await store.arm(connection, due.plan, timing.next_run, timing.error)
