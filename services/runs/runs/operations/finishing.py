"""The end of a run: its report, what it taught, what it filed, its last event, all at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from services.runs.analytics import operations as analytics
from services.runs.engine.host.models import Kept
from services.runs.issues import operations as issues
from services.runs.resolutions import operations as resolutions
from services.runs.runs import rules
from services.runs.runs.models import Finished, Held, RunRow, Status
from services.runs.runs.operations import moving, reading
from services.runs.runs.operations.ending import NOTHING_ELSE, Endings
from services.runs.runs.operations.holding import LeaseLost, written
from services.runs.runs.store import moving as store
from shared.db import Connection, Database

GONE: Final = "The worker that executed the run is gone."

Report = Mapping[str, Any]


async def finish(
    database: Database,
    held: Held,
    finished: Finished,
    installed: str,
    *,
    requeues: bool = False,
    ended: Endings = NOTHING_ELSE,
) -> tuple[RunRow, Report | None]:
    """End a run in a worker's hands. Says run.finished, or run.queued if it is tried once more.

    May be repeated when nobody knows whether it was done.

    Args:
        database: the service's.
        held: the claim.
        finished: how it ended.
        installed: where failures are filed if the run does not say.
        requeues: whether an interrupted run is tried once more.
        ended: what else happens in the transaction if the run has ended.

    Returns:
        The run as it is now, and its report.

    Raises:
        LeaseLost: the run is somebody else's, or its lease has ended.
        Unavailable: the database is away.
    """
    async with database.transaction() as connection:
        run = await store.lock_held(connection, held)
        if run is None:
            raise LeaseLost
        if run.status in rules.FINAL:
            return run, await reading.report_of(connection, run.org_id, run.id)
        if not await store.is_leased(connection, held):
            raise LeaseLost
        return await _end(connection, run, finished, installed, requeues, ended)


async def reconcile(
    database: Database, *, requeues: bool, ended: Endings = NOTHING_ELSE
) -> tuple[RunRow, Report | None] | None:
    """End the run whose lease ended longest ago, if there is one that nobody else looks at.

    Of several workers one does it. Says run.finished, or run.queued if it is tried once more.

    Raises:
        Unavailable: the database is away.
    """
    async with database.transaction() as connection:
        run = await store.lock_lost(connection)
        if run is None:
            return None
        finished = Finished(Status.INTERRUPTED, reason=GONE)
        return await _end(connection, run, finished, "", requeues, ended)


async def give_up(
    database: Database, held: Held, *, requeues: bool, ended: Endings = NOTHING_ELSE
) -> tuple[RunRow, Report | None] | None:
    """End a run whose worker is known to be dead, before its lease ends; None if it has moved on.

    Raises:
        Unavailable: the database is away.
    """
    async with database.transaction() as connection:
        run = await store.lock_held(connection, held)
        if run is None or run.status is not Status.RUNNING:
            return None
        finished = Finished(Status.INTERRUPTED, reason=GONE)
        return await _end(connection, run, finished, "", requeues, ended)


async def _end(
    connection: Connection,
    run: RunRow,
    finished: Finished,
    installed: str,
    requeues: bool,
    endings: Endings,
) -> tuple[RunRow, Report | None]:
    to = finished.status
    if to is Status.INTERRUPTED:
        if run.is_cancelling:
            to = Status.CANCELLED
        elif rules.may_try_again(run.attempt, requeues=requeues):
            moved = await moving.requeue(connection, run)
            assert moved is not None  # its row is locked
            return moved, None
    said = finished.report
    if said is None:
        said = await reading.report_of(connection, run.org_id, run.id)
    report: dict[str, Any] | None = None
    if said is not None:
        report = rules.ended_report(said, to, datetime.now(UTC))
        await _learn(connection, run, report, finished.kept)
        if to in rules.COUNTED:
            await _count(connection, run, report, installed)
    ended = await moving.end(connection, run, to, rules.summary_of(report), finished.reason)
    assert ended is not None  # its row is locked
    if (text := written(report)) is not None:
        await store.store_report(connection, run.org_id, run.id, text)
    await endings(connection, ended, report)
    return ended, report


async def _learn(
    connection: Connection, run: RunRow, report: dict[str, Any], kept: Sequence[Kept]
) -> None:
    """Keep what cases that passed have taught, and name the heal records in the report."""
    if kept:
        heals = await resolutions.keep(connection, run.org_id, run.suite_id, run.id, kept)
        report["cases"] = rules.with_heals(report, heals)


async def _count(
    connection: Connection, run: RunRow, report: dict[str, Any], installed: str
) -> None:
    """File what failed, and count how cases came out."""
    words = rules.places(run.file_issues, installed)
    if words:
        filed = await issues.file(connection, run.org_id, report=report, run_id=run.id, words=words)
        report["issues_filed"] = filed.issues_filed
        report["cases"] = rules.with_issues(report, filed.by_case)
    await analytics.record(connection, run.org_id, report=report)
