"""The one way in which a run's state changes (runs contract, section 7.1).

Whoever moves a run holds its row: so of two who want to move it at once the second sees what the
first has done. A run that ends says so once, with its last event ``done``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from services.runs.runs import rules
from services.runs.runs.models import NewRun, Order, RunRow, Status, Summary
from services.runs.runs.store import moving as store
from shared.bus import outbox
from shared.contracts.runs import RunFinished, RunProgressed, RunQueued, RunStarted
from shared.db import Connection

INTERRUPTED_AGAIN = "The run was interrupted; it waits to be tried once more."


async def enqueue(connection: Connection, org_id: str, runs: Sequence[NewRun]) -> None:
    """Put new runs into the queue, in their order. Says run.queued of each.

    Args:
        connection: in a transaction.
        org_id: whose.
        runs: to be run.
    """
    await store.insert(connection, org_id, runs)
    await outbox.add_all(
        connection,
        [
            RunQueued(
                org_id=org_id,
                run_id=run.id,
                suite=run.file,
                suite_id=run.suite_id,
                trigger=run.trigger,
                plan_id=run.plan_id,
                attempt=1,
            )
            for run in runs
        ],
    )


async def claim(connection: Connection, worker: str, most: int, lease_s: float) -> list[Order]:
    """Take runs that wait into a worker's hands. Says run.started of each.

    Args:
        connection: in a transaction.
        worker: the process' name for itself.
        most: runs to take.
        lease_s: seconds after which they count as interrupted unless they are renewed.
    """
    orders = await store.claim(connection, worker, most, lease_s)
    await outbox.add_all(
        connection,
        [
            RunStarted(
                org_id=order.run.org_id,
                run_id=order.run.id,
                suite=order.run.file,
                suite_id=order.run.suite_id,
                trigger=order.run.trigger,
                plan_id=order.run.plan_id,
                attempt=order.run.attempt,
            )
            for order in orders
        ],
    )
    return orders


async def end(
    connection: Connection, run: RunRow, to: Status, summary: Summary, reason: str = ""
) -> RunRow | None:
    """End a run that the caller has locked, with its event ``done``. Says run.finished.

    Args:
        connection: in a transaction.
        run: as it was locked.
        to: a final state.
        summary: of its cases.
        reason: told before ``done``, where there is something to tell.

    Returns:
        The run as it is now; None where there is no such move.
    """
    if to not in rules.FINAL or not rules.may_move(run.status, to):
        return None
    now = datetime.now(UTC)
    said = [rules.log_event(reason, now)] if reason else []
    kinds, texts = rules.event_texts([*said, rules.done_event(to, summary, now)])
    events = list(zip(kinds, texts, strict=True))
    ended = await store.end(connection, run, to, rules.as_dict(summary), events)
    if ended is None:
        return None
    await outbox.add_all(
        connection,
        [
            RunFinished(
                org_id=ended.org_id,
                run_id=ended.id,
                suite=ended.file,
                suite_id=ended.suite_id,
                trigger=ended.trigger,
                plan_id=ended.plan_id,
                attempt=ended.attempt,
                status=to.value,
                total=summary.total,
                passed=summary.passed,
                failed=summary.failed,
                broken=summary.broken,
                skipped=summary.skipped,
            ),
            progressed(ended),
        ],
    )
    return ended


async def requeue(connection: Connection, run: RunRow) -> RunRow | None:
    """Let an interrupted run that the caller has locked be tried once more. Says run.queued."""
    if not rules.may_move(run.status, Status.QUEUED):
        return None
    kinds, texts = rules.event_texts([rules.log_event(INTERRUPTED_AGAIN, datetime.now(UTC))])
    moved = await store.requeue(connection, run, list(zip(kinds, texts, strict=True)))
    if moved is None:
        return None
    await outbox.add_all(
        connection,
        [
            RunQueued(
                org_id=moved.org_id,
                run_id=moved.id,
                suite=moved.file,
                suite_id=moved.suite_id,
                trigger=moved.trigger,
                plan_id=moved.plan_id,
                attempt=moved.attempt,
            ),
            progressed(moved),
        ],
    )
    return moved


def progressed(run: RunRow, *, is_cancelling: bool = False) -> RunProgressed:
    """Tell those who follow a run that there is something new."""
    return RunProgressed(org_id=run.org_id, run_id=run.id, is_cancelling=is_cancelling)
