"""SQL of the figures that are shown: from sums, whatever the number of runs."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Final

from services.runs.analytics.models import Aggregate, Scope, Totals
from shared.db import Connection, Record

FLAKIEST: Final = """
    (bad > 0 AND bad < outcomes OR marked) DESC, bad::float8 / greatest(outcomes, 1) DESC,
    runs DESC, suite_id, case_id
"""
SLOWEST: Final = "total_ms::float8 / greatest(runs, 1) DESC, suite_id, case_id"

_NONE: Final = "SELECT 0 AS runs, 0 AS passed, 0 AS total_ms WHERE $3::date IS NULL"

_BEFORE: Final = """
    SELECT runs, passed, total_ms FROM runs.analytics_case_day
     WHERE org_id = $1 AND suite_id = c.suite_id AND case_id = c.case_id AND day < $3::date
     ORDER BY day DESC LIMIT 1
"""


def start_of(day: date | None) -> datetime | None:
    """Give when a day begins in UTC."""
    return None if day is None else datetime.combine(day, time(), UTC)


async def totals(connection: Connection, scope: Scope) -> Totals:
    """Sum up an organization's runs, or a suite's."""
    row = await connection.fetchrow(
        f"""
        SELECT coalesce(sum(s.runs - coalesce(b.runs, 0)), 0)::bigint AS runs,
               coalesce(sum(s.outcomes - coalesce(b.outcomes, 0)), 0)::bigint AS outcomes,
               coalesce(sum(s.passed - coalesce(b.passed, 0)), 0)::bigint AS passed
          FROM runs.analytics_suite s
          LEFT JOIN LATERAL (
               SELECT runs, outcomes, passed FROM runs.analytics_suite_day
                WHERE org_id = $1 AND suite_id = s.suite_id AND day < $3::date
                ORDER BY day DESC LIMIT 1) AS b ON true
         WHERE s.org_id = $1 AND {_of(scope)}
        """,  # noqa: S608 - one of two constants
        scope.org_id,
        scope.suite_id,
        scope.since,
    )
    assert row is not None  # a sum gives one row
    return Totals(**row)


async def cases(
    connection: Connection, scope: Scope, order: str, limit: int
) -> list[tuple[str, Aggregate]]:
    """Give cases in an order of this module, each with the id of its suite."""
    rows = await connection.fetch(
        f"""
        WITH judged AS (
            SELECT c.suite_id, c.case_id, c.runs - coalesce(b.runs, 0) AS runs,
                   c.passed - coalesce(b.passed, 0) AS passed,
                   c.total_ms - coalesce(b.total_ms, 0) AS total_ms, w.outcomes, w.bad, w.marked
              FROM runs.analytics_case c
              LEFT JOIN LATERAL ({_NONE if scope.since is None else _BEFORE}) AS b ON true
             CROSS JOIN LATERAL (
                   SELECT count(*) AS outcomes,
                          count(*) FILTER (WHERE o.verdict <> 'passed') AS bad,
                          coalesce(bool_or(o.is_flaky), false) AS marked
                     FROM unnest(c.recent_at, c.recent_verdict, c.recent_flaky)
                          AS o (at, verdict, is_flaky)
                    WHERE $4::timestamptz IS NULL OR o.at >= $4) AS w
             WHERE c.org_id = $1 AND {_of(scope)}
        ), chosen AS (
            SELECT suite_id, case_id, runs, passed, total_ms,
                   row_number() OVER (ORDER BY {order}) AS place
              FROM judged WHERE runs > 0 ORDER BY place LIMIT $5)
        SELECT j.suite_id, j.case_id, c.title, j.runs, j.passed, j.total_ms, c.recent_at,
               c.recent_verdict, c.recent_flaky, c.durations, c.consecutive_failures,
               c.failing_since
          FROM chosen j
          JOIN runs.analytics_case c
            ON c.org_id = $1 AND c.suite_id = j.suite_id AND c.case_id = j.case_id
         ORDER BY j.place
        """,  # noqa: S608 - constants of this module
        scope.org_id,
        scope.suite_id,
        scope.since,
        start_of(scope.since),
        limit,
    )
    return [_case(row) for row in rows]


def _case(row: Record) -> tuple[str, Aggregate]:
    plain = dict(row)
    return plain.pop("suite_id"), Aggregate(**plain)


async def trend(
    connection: Connection, scope: Scope, limit: int
) -> list[tuple[str, datetime, str, int, int]]:
    """Give the newest runs, oldest first: id, end, file, cases, passes."""
    rows = await connection.fetch(
        f"""
        SELECT run_id, ended_at, file, outcomes, passed FROM runs.analytics_run
         WHERE org_id = $1 AND {_of(scope)} AND ($3::timestamptz IS NULL OR ended_at >= $3)
         ORDER BY ended_at DESC, run_id DESC LIMIT $4
        """,  # noqa: S608 - one of two constants
        scope.org_id,
        scope.suite_id,
        start_of(scope.since),
        limit,
    )
    return [tuple(row) for row in reversed(rows)]


def _of(scope: Scope) -> str:
    """Filter by suite; each form has its own index."""
    return "$2::text IS NULL" if scope.suite_id is None else "suite_id = $2"
