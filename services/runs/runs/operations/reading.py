"""Looking at runs: alone, in lists, in the queue, and beside each other (section 3.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic_core import from_json, to_json

from services.runs.runs import rules
from services.runs.runs.models import (
    Comparison,
    Filters,
    Queue,
    RunItem,
    RunQuery,
    RunRow,
)
from services.runs.runs.store import reading as store
from services.runs.suites.models import file_name
from shared.db import Connection, Database
from shared.errors import NotFound
from shared.pagination import TOTAL_CAP, OffsetPage
from shared.principal import Principal

MOST_WAITING: Final = 1000
"""Runs that the queue shows of those executed, and of those that wait."""

MOST_EVENTS: Final = 20_000
MOST_BYTES: Final = 16_000_000
"""Of one answer; what comes after is asked for with ``since``."""


async def require(connection: Connection, org_id: str, run_id: str) -> RunRow:
    """Find a run.

    Raises:
        NotFound: there is none, or it is another organization's.
    """
    run = await store.find(connection, org_id, run_id)
    if run is None:
        raise NotFound("There is no such run")
    return run


async def report_of(connection: Connection, org_id: str, run_id: str) -> Mapping[str, Any] | None:
    """Give a run's report; None until there is one."""
    text = await store.report_of(connection, org_id, run_id)
    report: Mapping[str, Any] | None = None if text is None else from_json(text)
    return report


async def list_page(
    database: Database, principal: Principal, query: RunQuery
) -> OffsetPage[RunItem]:
    """Give a page of runs, newest first; the total is counted up to 10,000."""
    async with database.connection() as connection:
        filters = Filters(
            status=query.status,
            file=query.suite and (file_name(query.suite) or query.suite),
            plan_id=query.plan_id,
            trigger=query.trigger,
            tag=query.tag,
            since=query.since,
        )
        rows = await store.list_page(connection, principal.org, filters, query.limit, query.offset)
        if len(rows) < query.limit and (rows or query.offset == 0):
            total = min(query.offset + len(rows), TOTAL_CAP)
        else:
            total = await store.count(connection, principal.org, filters, TOTAL_CAP)
    items = [RunItem.of(row) for row in rows]
    return OffsetPage[RunItem](items=items, total=total, limit=query.limit, offset=query.offset)


async def queue(database: Database, principal: Principal) -> Queue:
    """Give what is executed and what waits."""
    async with database.connection() as connection:
        running, waiting = await store.queue(connection, principal.org, MOST_WAITING)
    first = running[0] if running else None
    return Queue(
        active=first and first.id,
        active_suite=first and first.suite,
        running=running,
        running_suites=[run.suite for run in running],
        pending=waiting,
        busy=bool(running or waiting),
    )


async def read(database: Database, principal: Principal, run_id: str, since: int | None) -> bytes:
    """Give a run with its events and its report, as JSON: both are stored as that.

    Raises:
        NotFound: there is no such run.
    """
    async with database.connection() as connection:
        run = await require(connection, principal.org, run_id)
        tail = await store.tail(
            connection, principal.org, run_id, since or 0, MOST_EVENTS, MOST_BYTES
        )
        report = await store.report_of(connection, principal.org, run_id)
    events = ",".join(body for _, _, body in tail.events) if tail else ""
    head = to_json(RunItem.of(run)).decode()[:-1]
    return f'{head},"events":[{events}],"report":{report or "null"}}}'.encode()


async def compare(
    database: Database, principal: Principal, run_id: str, other_id: str
) -> Comparison:
    """Give the cases that went otherwise than in another run.

    Raises:
        NotFound: there is no such run, or no such other run.
    """
    async with database.connection() as connection:
        run = await require(connection, principal.org, run_id)
        other = await require(connection, principal.org, other_id)
        after = await report_of(connection, principal.org, run.id)
        before = await report_of(connection, principal.org, other.id)
    changes, same = rules.compare(after, before)
    return Comparison(run_id=run.id, other=other.id, same=same, cases=changes)
