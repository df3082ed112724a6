"""What a worker does with runs in hand: claiming, keeping, and writing down what happens in them.

Every write shows the claim's fence, and none is done once the lease has ended: so a worker that
slept too long changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic_core import to_json

from services.runs.runs import rules
from services.runs.runs.models import Held, Order, Renewed, Status
from services.runs.runs.operations import moving
from services.runs.runs.store import moving as store
from services.runs.runs.store import reading
from shared.bus import outbox
from shared.contracts.runs import RunProgressed
from shared.db import Connection, Database

LARGEST_REPORT: Final = 32_000_000
"""Bytes."""


class LeaseLost(Exception):
    """The run is not this worker's any more: nothing may be written."""


async def claim(database: Database, worker: str, most: int, lease_s: float) -> list[Order]:
    """Take runs that wait into a worker's hands. Says run.started of each.

    Raises:
        Unavailable: the database is away.
    """
    async with database.transaction() as connection:
        return await moving.claim(connection, worker, most, lease_s)


async def renew(
    database: Database, worker: str, held: Sequence[Held], lease_s: float
) -> list[Renewed]:
    """Hold on to runs for longer, and see which of them are to end.

    Raises:
        Unavailable: the database is away.
    """
    async with database.statement() as connection:
        return await store.renew(connection, worker, held, lease_s)


async def record(
    database: Database,
    held: Held,
    after: int,
    events: Sequence[Mapping[str, Any]],
    report: Mapping[str, Any] | None,
) -> None:
    """Write events down behind a number, and the report as far as it goes.

    May be repeated when nobody knows whether it was done.

    Args:
        database: the service's.
        held: the claim.
        after: the number of the newest event, as its worker knows it.
        events: masked, without ``seq``.
        report: None leaves the one that there is.

    Raises:
        LeaseLost: the run is somebody else's, or its lease has ended.
        Unavailable: the database is away.
    """
    kinds, texts = rules.event_texts(events)
    async with database.transaction() as connection:
        if not await store.append(connection, held, after, kinds, texts, written(report)):
            await _was_done(connection, held, after + len(kinds))
            return
        told = RunProgressed(org_id=held.org_id, run_id=held.run_id)
        await outbox.add(connection, told)


async def _was_done(connection: Connection, held: Held, seq: int) -> None:
    """See that a write that was refused had been done already."""
    run = await reading.find(connection, held.org_id, held.run_id)
    is_mine = run is not None and (run.worker, run.fence) == (held.worker, held.fence)
    if not is_mine or run is None or run.seq != seq or run.status is not Status.RUNNING:
        raise LeaseLost
    if not await store.is_leased(connection, held):
        raise LeaseLost


def written(report: Mapping[str, Any] | None) -> str | None:
    """Write a report as it is stored; one that is too large is not."""
    if report is None:
        return None
    text = to_json(report, inf_nan_mode="null")
    return text.decode() if len(text) <= LARGEST_REPORT else None
