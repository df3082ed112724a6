"""Cancelling and deleting runs (runs contract, section 3.4)."""

from __future__ import annotations

import asyncio
from typing import Final

from services.runs.analytics import operations as analytics
from services.runs.artifacts import operations as artifacts
from services.runs.artifacts.operations import Store
from services.runs.issues import operations as issues
from services.runs.runs import rules
from services.runs.runs.models import CancelledRun, RunItem, RunRow, Status
from services.runs.runs.operations import moving, reading
from services.runs.runs.operations.ending import NOTHING_ELSE, Endings
from services.runs.runs.store import moving as store
from shared.bus import outbox
from shared.db import Connection, Database
from shared.errors import BadRequest, NotFound, ServiceError
from shared.log import get_logger
from shared.principal import Principal

CLEARING: Final = 10.0
"""Seconds to delete artifacts at once; what is left then, the sweep deletes."""

RUNNING: Final = "The run is being executed: cancel it first"

log = get_logger()


async def cancel(
    database: Database, principal: Principal, run_id: str, ended: Endings = NOTHING_ELSE
) -> CancelledRun:
    """End a run that waits, or tell the worker of one that is executed; others stay as they are.

    Raises:
        NotFound: there is no such run.
    """
    async with database.transaction() as connection:
        run = await _lock(connection, principal.org, run_id)
        if run.status is Status.QUEUED:
            report = await reading.report_of(connection, run.org_id, run.id)
            moved = await moving.end(connection, run, Status.CANCELLED, rules.summary_of(report))
            assert moved is not None  # its row is locked
            run = moved
            await ended(connection, run, report)
        elif run.status is Status.RUNNING:
            await store.wish_end(connection, run.org_id, run.id)
            await outbox.add(connection, moving.progressed(run, is_cancelling=True))
    log.info("run cancelled", run_id=run.id, status=run.status)
    return CancelledRun(**RunItem.of(run).__dict__)


async def delete(database: Database, files: Store, principal: Principal, run_id: str) -> None:
    """Delete a run, with what happened in it, its report and its artifacts.

    Raises:
        NotFound: there is no such run.
        BadRequest: it is being executed.
    """
    async with database.transaction() as connection:
        run = await _lock(connection, principal.org, run_id)
        if run.status is Status.RUNNING:
            raise BadRequest(RUNNING)
        await issues.forget_run(connection, run.org_id, run.id)
        await analytics.forget_run(connection, run.org_id, run.id)
        await artifacts.drop(connection, run.org_id, run.id)
        await store.delete(connection, run.org_id, run.id)
        await outbox.add(connection, moving.progressed(run))
    try:
        async with asyncio.timeout(CLEARING):
            await files.delete_run(run.org_id, run.id)
    except (ServiceError, TimeoutError, OSError):
        log.info("artifacts are left to the sweep", run_id=run.id)
    log.info("run deleted", run_id=run.id)


async def _lock(connection: Connection, org_id: str, run_id: str) -> RunRow:
    run = await store.lock(connection, org_id, run_id)
    if run is None:
        raise NotFound("There is no such run")
    return run
