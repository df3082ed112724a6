"""SQL of recording outcomes, and of taking a run's out again.

Whoever changes figures of a suite holds its row of sums first, so changes of one suite come one
after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

from services.runs.analytics.models import DURATIONS, WINDOW, Aggregate, Outcome, RunOutcome
from shared.db import Connection

TIMEOUT: Final = 280.0
"""Seconds that one statement of forgetting may take."""


async def insert_run(connection: Connection, org_id: str, run: RunOutcome) -> bool:
    """Note a run; tell whether it is new."""
    made = await connection.fetchval(
        """
        INSERT INTO runs.analytics_run (org_id, run_id, suite_id, file, ended_at, outcomes, passed)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (org_id, run_id) DO NOTHING RETURNING true
        """,
        org_id,
        run.run_id,
        run.suite_id,
        run.file,
        run.ended_at,
        len(run.outcomes),
        run.passed,
    )
    return bool(made)


async def add_to_suite(
    connection: Connection,
    org_id: str,
    suite_id: str,
    day: date,
    runs: int,
    outcomes: int,
    passed: int,
) -> None:
    """Add to the sums of a suite, and to what they were at the end of a day and of later ones.

    The suite's row is held from then on. Negative numbers take away.
    """
    await connection.execute(
        """
        INSERT INTO runs.analytics_suite AS s (org_id, suite_id, runs, outcomes, passed)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (org_id, suite_id) DO UPDATE
           SET runs = s.runs + excluded.runs, outcomes = s.outcomes + excluded.outcomes,
               passed = s.passed + excluded.passed
        """,
        org_id,
        suite_id,
        runs,
        outcomes,
        passed,
    )
    await connection.execute(
        """
        WITH later AS (
            UPDATE runs.analytics_suite_day
               SET runs = runs + $4, outcomes = outcomes + $5, passed = passed + $6
             WHERE org_id = $1 AND suite_id = $2 AND day >= $3 RETURNING day)
        INSERT INTO runs.analytics_suite_day (org_id, suite_id, day, runs, outcomes, passed)
        SELECT $1, $2, $3, coalesce(p.runs, 0) + $4, coalesce(p.outcomes, 0) + $5,
               coalesce(p.passed, 0) + $6
          FROM (VALUES (true)) AS one
          LEFT JOIN LATERAL (
               SELECT runs, outcomes, passed FROM runs.analytics_suite_day
                WHERE org_id = $1 AND suite_id = $2 AND day < $3
                ORDER BY day DESC LIMIT 1) AS p ON true
         WHERE NOT EXISTS (SELECT FROM later WHERE day = $3)
        """,
        org_id,
        suite_id,
        day,
        runs,
        outcomes,
        passed,
    )


async def hold_suite(connection: Connection, org_id: str, suite_id: str) -> None:
    """Keep others from changing figures of a suite."""
    await connection.execute(
        "SELECT FROM runs.analytics_suite WHERE org_id = $1 AND suite_id = $2 FOR UPDATE",
        org_id,
        suite_id,
    )


async def insert_outcomes(connection: Connection, org_id: str, run: RunOutcome) -> None:
    """Add a run's outcomes."""
    await connection.execute(
        """
        INSERT INTO runs.analytics_outcome
               (org_id, run_id, suite_id, ended_at, case_id, verdict, is_flaky, duration_ms)
        SELECT $1, $2, $3, $4, * FROM unnest($5::text[], $6::text[], $7::boolean[], $8::bigint[])
        """,
        org_id,
        run.run_id,
        run.suite_id,
        run.ended_at,
        [one.case_id for one in run.outcomes],
        [one.verdict for one in run.outcomes],
        [one.is_flaky for one in run.outcomes],
        [one.duration_ms for one in run.outcomes],
    )


async def add_days(
    connection: Connection,
    org_id: str,
    suite_id: str,
    day: date,
    outcomes: Sequence[Outcome],
    sign: int,
) -> None:
    """Add outcomes to what the sums of their cases were at the end of a day, and of later ones.

    With ``sign`` -1 they are taken away.
    """
    await connection.execute(
        """
        WITH n AS (
            SELECT case_id, $4::bigint AS runs, $4 * passed AS passed, $4 * ms AS ms
              FROM unnest($5::text[], $6::integer[], $7::bigint[]) AS n (case_id, passed, ms)
        ), later AS (
            UPDATE runs.analytics_case_day d
               SET runs = d.runs + n.runs, passed = d.passed + n.passed,
                   total_ms = d.total_ms + n.ms
              FROM n
             WHERE d.org_id = $1 AND d.suite_id = $2 AND d.case_id = n.case_id AND d.day >= $3
            RETURNING d.case_id, d.day)
        INSERT INTO runs.analytics_case_day
               (org_id, suite_id, case_id, day, runs, passed, total_ms)
        SELECT $1, $2, n.case_id, $3, coalesce(p.runs, 0) + n.runs,
               coalesce(p.passed, 0) + n.passed, coalesce(p.total_ms, 0) + n.ms
          FROM n
          LEFT JOIN LATERAL (
               SELECT runs, passed, total_ms FROM runs.analytics_case_day
                WHERE org_id = $1 AND suite_id = $2 AND case_id = n.case_id AND day < $3
                ORDER BY day DESC LIMIT 1) AS p ON true
         WHERE NOT EXISTS (
               SELECT FROM later WHERE later.case_id = n.case_id AND later.day = $3)
        """,
        org_id,
        suite_id,
        day,
        sign,
        [one.case_id for one in outcomes],
        [int(one.is_passed) for one in outcomes],
        [one.duration_ms for one in outcomes],
    )


async def list_cases(
    connection: Connection, org_id: str, suite_id: str, case_ids: Sequence[str]
) -> dict[str, Aggregate]:
    """Give what is kept of cases."""
    rows = await connection.fetch(
        """
        SELECT case_id, title, runs, passed, total_ms, recent_at, recent_verdict, recent_flaky,
               durations, consecutive_failures, failing_since
          FROM runs.analytics_case
         WHERE org_id = $1 AND suite_id = $2 AND case_id = ANY ($3::text[])
        """,
        org_id,
        suite_id,
        case_ids,
    )
    return {row["case_id"]: Aggregate(**row) for row in rows}


async def put_cases(
    connection: Connection, org_id: str, suite_id: str, cases: Sequence[Aggregate]
) -> None:
    """Write what is kept of cases."""
    await connection.executemany(
        """
        INSERT INTO runs.analytics_case
               (org_id, suite_id, case_id, title, runs, passed, total_ms, recent_at,
                recent_verdict, recent_flaky, durations, consecutive_failures, failing_since)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        ON CONFLICT (org_id, suite_id, case_id) DO UPDATE
           SET title = excluded.title, runs = excluded.runs, passed = excluded.passed,
               total_ms = excluded.total_ms, recent_at = excluded.recent_at,
               recent_verdict = excluded.recent_verdict, recent_flaky = excluded.recent_flaky,
               durations = excluded.durations,
               consecutive_failures = excluded.consecutive_failures,
               failing_since = excluded.failing_since
        """,
        [
            (
                org_id,
                suite_id,
                one.case_id,
                one.title,
                one.runs,
                one.passed,
                one.total_ms,
                one.recent_at,
                one.recent_verdict,
                one.recent_flaky,
                one.durations,
                one.consecutive_failures,
                one.failing_since,
            )
            for one in cases
        ],
    )


async def find_run(connection: Connection, org_id: str, run_id: str) -> RunOutcome | None:
    """Find what a run added, to take it away again; titles are not kept there."""
    run = await connection.fetchrow(
        """
        SELECT run_id, suite_id, file, ended_at FROM runs.analytics_run
         WHERE org_id = $1 AND run_id = $2
        """,
        org_id,
        run_id,
    )
    if run is None:
        return None
    rows = await connection.fetch(
        """
        SELECT case_id, '' AS title, verdict, is_flaky, duration_ms FROM runs.analytics_outcome
         WHERE org_id = $1 AND run_id = $2 ORDER BY case_id
        """,
        org_id,
        run_id,
    )
    return RunOutcome(**run, outcomes=[Outcome(**row) for row in rows])


async def delete_run(connection: Connection, org_id: str, run_id: str) -> bool:
    """Delete a run and its outcomes; tell whether it was there."""
    gone = await connection.fetchval(
        "DELETE FROM runs.analytics_run WHERE org_id = $1 AND run_id = $2 RETURNING true",
        org_id,
        run_id,
    )
    return bool(gone)


async def take_away(
    connection: Connection, org_id: str, suite_id: str, outcomes: Sequence[Outcome]
) -> None:
    """Take outcomes out of the sums of their cases."""
    await connection.execute(
        """
        UPDATE runs.analytics_case c
           SET runs = c.runs - 1, passed = c.passed - n.passed, total_ms = c.total_ms - n.ms
          FROM unnest($3::text[], $4::integer[], $5::bigint[]) AS n (case_id, passed, ms)
         WHERE c.org_id = $1 AND c.suite_id = $2 AND c.case_id = n.case_id
        """,
        org_id,
        suite_id,
        [one.case_id for one in outcomes],
        [int(one.is_passed) for one in outcomes],
        [one.duration_ms for one in outcomes],
    )


async def delete_empty(
    connection: Connection, org_id: str, suite_id: str, case_ids: Sequence[str], day: date
) -> None:
    """Delete sums over nothing, of a suite and of its cases, and a day on which none grew."""
    await connection.execute(
        """
        DELETE FROM runs.analytics_case
         WHERE org_id = $1 AND suite_id = $2 AND case_id = ANY ($3::text[]) AND runs = 0
        """,
        org_id,
        suite_id,
        case_ids,
    )
    await connection.execute(
        "DELETE FROM runs.analytics_suite WHERE org_id = $1 AND suite_id = $2 AND runs = 0",
        org_id,
        suite_id,
    )
    await connection.execute(
        """
        DELETE FROM runs.analytics_case_day d
         WHERE org_id = $1 AND suite_id = $2 AND case_id = ANY ($3::text[]) AND day = $4
           AND runs = coalesce((
               SELECT p.runs FROM runs.analytics_case_day p
                WHERE p.org_id = $1 AND p.suite_id = $2 AND p.case_id = d.case_id AND p.day < $4
                ORDER BY p.day DESC LIMIT 1), 0)
        """,
        org_id,
        suite_id,
        case_ids,
        day,
    )
    await connection.execute(
        """
        DELETE FROM runs.analytics_suite_day
         WHERE org_id = $1 AND suite_id = $2 AND day = $3
           AND runs = coalesce((
               SELECT p.runs FROM runs.analytics_suite_day p
                WHERE p.org_id = $1 AND p.suite_id = $2 AND p.day < $3
                ORDER BY p.day DESC LIMIT 1), 0)
        """,
        org_id,
        suite_id,
        day,
    )


async def rebuild(
    connection: Connection, org_id: str, suite_id: str, case_ids: Sequence[str]
) -> None:
    """Read anew from the outcomes what is recent of cases, in the order of time."""
    await connection.execute(
        """
        UPDATE runs.analytics_case c
           SET recent_at = w.at[1:$4], recent_verdict = w.verdicts[1:$4],
               recent_flaky = w.flaky[1:$4], durations = w.durations,
               consecutive_failures = f.number, failing_since = f.since
          FROM unnest($3::text[]) AS n (case_id)
         CROSS JOIN LATERAL (
               SELECT array_agg(o.ended_at ORDER BY o.ended_at DESC, o.run_id DESC) AS at,
                      array_agg(o.verdict ORDER BY o.ended_at DESC, o.run_id DESC) AS verdicts,
                      array_agg(o.is_flaky ORDER BY o.ended_at DESC, o.run_id DESC) AS flaky,
                      array_agg(o.duration_ms ORDER BY o.ended_at DESC, o.run_id DESC) AS durations
                 FROM (SELECT ended_at, run_id, verdict, is_flaky, duration_ms
                         FROM runs.analytics_outcome
                        WHERE org_id = $1 AND suite_id = $2 AND case_id = n.case_id
                        ORDER BY ended_at DESC, run_id DESC LIMIT $5) AS o) AS w
          LEFT JOIN LATERAL (
               SELECT ended_at, run_id FROM runs.analytics_outcome
                WHERE org_id = $1 AND suite_id = $2 AND case_id = n.case_id
                  AND verdict = 'passed'
                ORDER BY ended_at DESC, run_id DESC LIMIT 1) AS p ON true
         CROSS JOIN LATERAL (
               SELECT count(*) AS number, min(ended_at) AS since FROM runs.analytics_outcome
                WHERE org_id = $1 AND suite_id = $2 AND case_id = n.case_id
                  AND (p.run_id IS NULL OR (ended_at, run_id) > (p.ended_at, p.run_id))) AS f
         WHERE c.org_id = $1 AND c.suite_id = $2 AND c.case_id = n.case_id AND w.at IS NOT NULL
        """,
        org_id,
        suite_id,
        case_ids,
        WINDOW,
        DURATIONS,
    )


OWN_TABLES: Final = (
    "analytics_run",
    "analytics_suite",
    "analytics_suite_day",
    "analytics_case",
    "analytics_case_day",
)
"""What holds figures of an organization; outcomes go with their runs."""


async def delete_all(connection: Connection, org_id: str) -> None:
    """Delete all figures of an organization."""
    for table in OWN_TABLES:
        await connection.execute(
            f"DELETE FROM runs.{table} WHERE org_id = $1",  # noqa: S608 - of the table above
            org_id,
            timeout=TIMEOUT,
        )
