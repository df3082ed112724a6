"""Executing runs: ``working`` is what goes on in the service's workers."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

from services.runs.artifacts.operations import Store
from services.runs.causes.operations import Explainer
from services.runs.deliveries import operations as deliveries
from services.runs.engine.browser import programs
from services.runs.engine.probes.pictures import Comparer
from services.runs.integrations import operations as integrations
from services.runs.plans import operations as plans
from services.runs.runs.models import RunRow
from services.runs.runs.operations import Endings
from services.runs.settings import RunsSettings
from services.runs.trackers import operations as trackers
from services.runs.workers.models import Limits, Place
from services.runs.workers.operations.answering import Answers, comparing
from services.runs.workers.operations.asking import Models
from services.runs.workers.operations.closing import Closing
from services.runs.workers.operations.errands import doing_errands
from services.runs.workers.operations.jobs import Jobs
from services.runs.workers.operations.worker import RunWorker
from shared.bus import BroadcastSubscription, Listener, Transport
from shared.contracts.runs import RunFinished, RunProgressed, RunQueued
from shared.db import Database
from shared.fetch import Fetcher
from shared.log import get_logger
from shared.service import Resources
from shared.vault import Vault

__all__ = ["Closing", "Limits", "Place", "RunWorker", "working"]

ROOT: Final = Path(__file__).resolve().parents[4]
"""Where our packages are."""

PROGRAM: Final = (sys.executable, "-P", "-m", "services.runs.engine")
"""What executes one run; ``-P``: nothing that a page has left in a folder is imported."""


log = get_logger()


@asynccontextmanager
async def working(resources: Resources, database: Database) -> AsyncIterator[None]:
    """Execute runs until the context is left."""
    settings: RunsSettings = resources[RunsSettings]
    limits = Limits(
        runs=settings.max_concurrent_runs,
        lease_s=settings.lease_seconds,
        grace_s=settings.stop_seconds,
        run_s=settings.run_seconds,
        requeues=settings.requeue_interrupted,
    )
    missing = programs.missing(settings.chromium, os.environ)
    if missing is not None and not settings.browser_endpoint:
        log.warning("runs have no browser", reason=missing, advice=programs.ADVICE)
    place = resources.get(Place) or Place(PROGRAM, settings.data_dir / "runs", ROOT)
    jobs = Jobs(database, settings, resources[Vault])
    async with AsyncExitStack() as stack:
        models = await stack.enter_async_context(
            Models.opened(database, settings, resources[Vault])
        )
        compare = comparing(database, resources[Store], resources[Comparer])

        def answering(run: RunRow) -> Answers:
            return Answers(run, None, compare, partial(models.of, run.org_id))

        explainer = Explainer(
            resources[Fetcher], jobs.values, integrations.of_environment(settings)
        )
        closing = resources[Endings]
        worker = RunWorker(
            database, jobs, resources[Store], answering, place, limits, explainer, closing
        )
        await stack.enter_async_context(worker)
        await stack.enter_async_context(deliveries.delivering(resources, database))
        await stack.enter_async_context(trackers.mirroring(resources, database))
        await stack.enter_async_context(_listener(resources[Transport], worker))
        await stack.enter_async_context(doing_errands(resources, database, place, limits))
        await stack.enter_async_context(plans.scheduling(resources, database))
        yield


def _listener(transport: Transport, worker: RunWorker) -> Listener:
    """Make what hears of runs that are queued, and of those that are to end."""

    async def on_queued(_: RunQueued) -> None:
        worker.bell.set()

    async def on_finished(event: RunFinished) -> None:
        if event.plan_id is not None:
            worker.bell.set()  # the next of its plan may be executed now

    async def on_progressed(event: RunProgressed) -> None:
        if event.is_cancelling:
            worker.hurry(event.run_id)

    heard = (
        BroadcastSubscription(RunQueued, on_queued),
        BroadcastSubscription(RunFinished, on_finished),
        BroadcastSubscription(RunProgressed, on_progressed),
    )
    return Listener(transport, "runs.workers", heard, on_gap=worker.bell.set)
