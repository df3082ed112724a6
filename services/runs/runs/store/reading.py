"""SQL: runs alone and in lists, and what happened in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

from pydantic_core import from_json

from services.runs.runs.models import Filters, QueuedRun, RunRow, Status, Tail, WaitingRun
from shared.db import Connection, Record

COLUMNS: Final = """
    r.org_id, r.id, r.file, r.suite_id, r.suite_name, r.version, r.cases, r.tags, r.status,
    r.summary::text AS summary, r.headed, r.sharded, r.file_issues, r.trigger, r.plan_id,
    r.rerun_of, r.git_sha, r.ci_url, r.created_by, r.attempt, r.queued_at, r.started_at,
    r.finished_at,
    r.worker, r.fence, r.seq, r.cancel_requested_at IS NOT NULL AS is_cancelling"""

_NAMES: Final = tuple(field.name for field in fields(RunRow))


def row_of(row: Record) -> RunRow:
    """Read a row that ``COLUMNS`` selected."""
    values: dict[str, Any] = {name: row[name] for name in _NAMES}
    values["status"] = Status(values["status"])
    if values["summary"] is not None:
        values["summary"] = from_json(values["summary"])
    return RunRow(**values)


async def find(connection: Connection, org_id: str, run_id: str) -> RunRow | None:
    """Find a run."""
    row = await connection.fetchrow(
        f"SELECT {COLUMNS} FROM runs.run AS r WHERE org_id = $1 AND id = $2",  # noqa: S608 - constants
        org_id,
        run_id,
    )
    return None if row is None else row_of(row)


async def list_page(
    connection: Connection, org_id: str, filters: Filters, limit: int, offset: int
) -> list[RunRow]:
    """Give a page, newest first."""
    where, values = _where(org_id, filters)
    rows = await connection.fetch(
        f"""
        SELECT {COLUMNS} FROM runs.run AS r WHERE {where}
         ORDER BY r.queued_at DESC, r.id DESC
         LIMIT ${len(values) + 1} OFFSET ${len(values) + 2}
        """,  # noqa: S608 - constants; values are parameters
        *values,
        limit,
        offset,
    )
    return [row_of(row) for row in rows]


async def count(connection: Connection, org_id: str, filters: Filters, cap: int) -> int:
    """Count the runs that a list shows over all its pages, up to a cap."""
    where, values = _where(org_id, filters)
    total: int = await connection.fetchval(
        f"""
        SELECT count(*) FROM (SELECT FROM runs.run AS r WHERE {where}
                               LIMIT ${len(values) + 1}) AS capped
        """,  # noqa: S608 - constants; values are parameters
        *values,
        cap,
    )
    return total


def _where(org_id: str, filters: Filters) -> tuple[str, list[Any]]:
    conditions, values = ["r.org_id = $1"], [org_id]
    asked: Mapping[str, Any] = {
        "r.status = ${}": filters.status,
        "r.file = ${}": filters.file,
        "r.plan_id = ${}": filters.plan_id,
        "r.trigger = ${}": filters.trigger,
        "r.tags @> ARRAY[${}::text]": filters.tag,
        "r.queued_at >= ${}": filters.since,
    }
    for condition, value in asked.items():
        if value is not None:
            values.append(value)
            conditions.append(condition.format(len(values)))
    return " AND ".join(conditions), values


async def queue(
    connection: Connection, org_id: str, most: int
) -> tuple[list[QueuedRun], list[WaitingRun]]:
    """Give what is executed and what waits, each in the order of the queue."""
    rows = await connection.fetch(
        """
        (SELECT id, file, cases, status, position FROM runs.run
          WHERE org_id = $1 AND status = 'running' ORDER BY position LIMIT $2)
        UNION ALL
        (SELECT id, file, cases, status, position FROM runs.run
          WHERE org_id = $1 AND status = 'queued' ORDER BY position LIMIT $2)
        ORDER BY position
        """,
        org_id,
        most,
    )
    running = [
        QueuedRun(id=row["id"], suite=row["file"]) for row in rows if row["status"] == "running"
    ]
    waiting = [
        WaitingRun(id=row["id"], suite=row["file"], cases=row["cases"])
        for row in rows
        if row["status"] == "queued"
    ]
    return running, waiting


async def report_of(connection: Connection, org_id: str, run_id: str) -> str | None:
    """Give a run's report as JSON text; None until there is one."""
    report: str | None = await connection.fetchval(
        "SELECT report FROM runs.run_report WHERE org_id = $1 AND run_id = $2", org_id, run_id
    )
    return report


async def lock_report(connection: Connection, org_id: str, run_id: str) -> str | None:
    """Give a run's report as JSON text, and keep others from changing it; None if there is none."""
    report: str | None = await connection.fetchval(
        "SELECT report FROM runs.run_report WHERE org_id = $1 AND run_id = $2 FOR UPDATE",
        org_id,
        run_id,
    )
    return report


async def tail(
    connection: Connection, org_id: str, run_id: str, after: int, limit: int, most_bytes: int
) -> Tail | None:
    """Give what follows a number; None if there is no such run.

    Numbers are given under the run's lock, so none becomes visible before a lower one.

    Args:
        connection: the caller's.
        org_id: whose.
        run_id: of the run.
        after: which number.
        limit: events at most.
        most_bytes: of text, after which the page ends; it holds one event at least.
    """
    rows = await connection.fetch(
        """
        SELECT r.status, r.seq AS newest, e.seq, e.kind, e.body FROM runs.run AS r
          LEFT JOIN LATERAL (
            SELECT seq, kind, body, sum(octet_length(body)) OVER (ORDER BY seq) AS upto
              FROM (SELECT seq, kind, body FROM runs.run_event
                     WHERE org_id = $1 AND run_id = $2 AND seq > $3::bigint
                     ORDER BY seq LIMIT $4) AS page) AS e
            ON e.upto <= $5 OR e.seq = $3::bigint + 1
         WHERE r.org_id = $1 AND r.id = $2
         ORDER BY e.seq
        """,
        org_id,
        run_id,
        after,
        limit,
        most_bytes,
    )
    if not rows:
        return None
    events: Sequence[tuple[int, str, str]] = [
        (row["seq"], row["kind"], row["body"]) for row in rows if row["seq"] is not None
    ]
    waits = bool(events) and events[-1][0] < rows[0]["newest"]
    return Tail(Status(rows[0]["status"]), events, waits)
