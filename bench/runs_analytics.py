"""What analytics cost: ``make bench-runs-analytics``.

Starts PostgreSQL and the runs service as a process, fills the real tables with the history of an
organization, of 1,000 runs and of many, and asks for its figures directly with the gateway's
assertion, one question after the other. Measures too what counting a run at its end costs, and
shows by which index the trend is read. Measures, judges nothing: machines differ, ratios hold.
Writes its part of docs/benchmarks/runs.md with ``--page``.

    python -m bench.runs_analytics [--runs 100000] [--requests 200] [--page]
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import asyncpg
import uvloop

from bench.figures import with_blocks
from bench.machine import describe
from bench.service import ask, database_server, head, loop_ns, make_database, running, say
from bench.table import Table, number, ratio
from guildhall.embedded.server import EmbeddedPostgres
from services.runs.analytics import operations
from services.runs.analytics.models import AnalyticsQuery
from shared.db import Database
from shared.principal import Kind, Principal, Role

FEW: Final = 1_000
SUITES: Final = 50
CASES: Final = 10
"""Of a suite, each run of it."""

LARGE: Final = 500
"""Cases of the largest suite that may be."""

DAYS: Final = 365
RECORDED: Final = 100
PAGE: Final = Path(__file__).parent.parent / "docs/benchmarks/runs.md"

CALLER: Final = Principal(
    Kind.USER, "usr_bench", "org_bench", Role.MEMBER, ("*",), "ses_bench", "usr_bench"
)

QUESTIONS: Final = (
    ("all there is", ""),
    ("50 of each list", "limit=50"),
    ("one suite", "suite_id=suite-7"),
    ("30 days", "days=30"),
    ("365 days", "days=365"),
    ("one suite, 30 days", "suite_id=suite-7&days=30"),
)

TREND: Final = """
    SELECT run_id, ended_at, file, outcomes, passed FROM runs.analytics_run
     WHERE org_id = 'org_bench' ORDER BY ended_at DESC, run_id DESC LIMIT 500
"""


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.runs_analytics")
    parser.add_argument("--runs", type=int, default=100_000, help="in the large database")
    parser.add_argument("--requests", type=int, default=200, help="per question")
    parser.add_argument("--page", action="store_true", help="write docs/benchmarks/…")
    arguments = parser.parse_args()
    with database_server() as server:
        uvloop.run(_measure(server, arguments))


async def _measure(server: EmbeddedPostgres, arguments: argparse.Namespace) -> None:
    asked: dict[tuple[str, int], list[float]] = {}
    recorded: dict[tuple[str, int], list[float]] = {}
    plan = ""
    for runs in (FEW, arguments.runs):
        urls = await make_database(server, f"bench{runs}", "runs")
        await _fill(urls["runs"], runs)
        quiet = {"GUILDHALL_SERVE_BACKGROUND": "0"}
        async with running("runs", urls, _request(""), **quiet) as (port, _):
            for what, query in QUESTIONS:
                asked[what, runs] = await _times(port, query, arguments.requests)
        for what, cases in ((f"a run of {CASES} cases", CASES), (f"a run of {LARGE}", LARGE)):
            recorded[what, runs] = await _record(urls["runs"], cases)
        plan = await _plan(urls["runs"])
    _report(asked, recorded, plan, arguments)


def _request(query: str) -> bytes:
    return head("runs", CALLER, "GET", f"/api/v1/analytics?{query}") + b"\r\n"


async def _times(port: int, query: str, count: int) -> list[float]:
    """Ask one question after the other; give the milliseconds of each, shortest first."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    times = []
    for turn in range(count + 10):
        request = _request(query)
        started = time.perf_counter()
        await ask(reader, writer, request)
        if turn >= 10:
            times.append((time.perf_counter() - started) * 1000)
    writer.close()
    return sorted(times)


# Filling.

_RUNS: Final = """
    INSERT INTO runs.analytics_run (org_id, run_id, suite_id, file, ended_at, outcomes, passed)
    SELECT org, 'run_' || lpad(n::text, 16, '0'), 'suite-' || n % $3::int,
           'suite-' || n % $3::int || '.tripwire.yaml',
           now() - (n * $4::float8 / $2::int) * interval '1 day', $5::int, 0
      FROM generate_series(1, $2::int) AS n, LATERAL (SELECT $1::text) AS o (org)
"""

_OUTCOMES: Final = """
    INSERT INTO runs.analytics_outcome
           (org_id, run_id, suite_id, case_id, ended_at, verdict, is_flaky, duration_ms)
    SELECT r.org_id, r.run_id, r.suite_id, 'case-' || c, r.ended_at,
           CASE WHEN random() < 0.02 * c THEN 'failed' ELSE 'passed' END, random() < 0.01,
           (1000 * c * (0.5 + random()))::bigint
      FROM runs.analytics_run r, generate_series(1, $1::int) AS c
"""

_SUMS: Final = (
    """
    UPDATE runs.analytics_run r SET passed = o.passed
      FROM (SELECT org_id, run_id, count(*) FILTER (WHERE verdict = 'passed') AS passed
              FROM runs.analytics_outcome GROUP BY org_id, run_id) AS o
     WHERE r.org_id = o.org_id AND r.run_id = o.run_id
    """,
    """
    INSERT INTO runs.analytics_suite
    SELECT org_id, suite_id, count(*), sum(outcomes), sum(passed)
      FROM runs.analytics_run GROUP BY org_id, suite_id
    """,
    """
    INSERT INTO runs.analytics_suite_day
    SELECT org_id, suite_id, day, sum(runs) OVER w, sum(outcomes) OVER w, sum(passed) OVER w
      FROM (SELECT org_id, suite_id, (ended_at AT TIME ZONE 'UTC')::date AS day, count(*) AS runs,
                   sum(outcomes) AS outcomes, sum(passed) AS passed
              FROM runs.analytics_run GROUP BY 1, 2, 3) AS days
    WINDOW w AS (PARTITION BY org_id, suite_id ORDER BY day)
    """,
    """
    INSERT INTO runs.analytics_case_day
    SELECT org_id, suite_id, case_id, day, sum(runs) OVER w, sum(passed) OVER w, sum(ms) OVER w
      FROM (SELECT org_id, suite_id, case_id, (ended_at AT TIME ZONE 'UTC')::date AS day,
                   count(*) AS runs, count(*) FILTER (WHERE verdict = 'passed') AS passed,
                   sum(duration_ms) AS ms
              FROM runs.analytics_outcome GROUP BY 1, 2, 3, 4) AS days
    WINDOW w AS (PARTITION BY org_id, suite_id, case_id ORDER BY day)
    """,
    """
    INSERT INTO runs.analytics_case
    SELECT org_id, suite_id, case_id, 'Case ' || case_id, count(*),
           count(*) FILTER (WHERE verdict = 'passed'), sum(duration_ms),
           (array_agg(ended_at ORDER BY ended_at DESC))[1:10],
           (array_agg(verdict ORDER BY ended_at DESC))[1:10],
           (array_agg(is_flaky ORDER BY ended_at DESC))[1:10],
           (array_agg(duration_ms ORDER BY ended_at DESC))[1:100], 0, NULL
      FROM runs.analytics_outcome GROUP BY 1, 2, 3
    """,
)


async def _fill(url: str, runs: int) -> None:
    started = time.monotonic()
    connection = await asyncpg.connect(url)
    try:
        for org, count in (("org_bench", runs), ("org_other", runs)):
            await connection.execute(_RUNS, org, count, SUITES, DAYS, CASES, timeout=600)
        await connection.execute(_OUTCOMES, CASES, timeout=1200)
        for statement in _SUMS:
            await connection.execute(statement, timeout=1200)
        await connection.execute("VACUUM ANALYZE", timeout=600)
    finally:
        await connection.close()
    seconds = time.monotonic() - started
    say(f"filled {runs:,} runs and as many of another organization in {seconds:.0f} s")


# Counting.


def _report_of(turn: int, cases: int) -> dict[str, Any]:
    return {
        "run_id": f"run_new_{cases}_{turn}",
        "suite_id": "suite-7" if cases == CASES else "large",
        "file": "suite-7.tripwire.yaml",
        "status": "failed",
        "finished_at": datetime.now(UTC).isoformat(),
        "cases": [
            {
                "id": f"case-{number}",
                "title": f"Case {number}",
                "verdict": "failed" if (number + turn) % 9 == 0 else "passed",
                "duration_ms": 1000 + number,
            }
            for number in range(1, cases + 1)
        ],
    }


async def _record(url: str, cases: int) -> list[float]:
    """Count runs one after the other; give the milliseconds of each, shortest first."""
    database = await Database.connect(url)
    times = []
    try:
        for turn in range(RECORDED):
            report = _report_of(turn, cases)
            started = time.perf_counter()
            async with database.transaction() as connection:
                await operations.record(connection, "org_bench", report=report)
            times.append((time.perf_counter() - started) * 1000)
        found = await operations.read(database, CALLER, AnalyticsQuery(suite_id="suite-7"))
        assert found.total_runs > RECORDED
    finally:
        await database.close()
    return sorted(times)


async def _plan(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF)" + TREND)
    finally:
        await connection.close()
    return "\n".join(row[0] for row in rows)


# Telling.


def _at(times: Sequence[float], share: int) -> float:
    return times[min(len(times) - 1, len(times) * share // 100)]


def _table(what: str, measured: dict[tuple[str, int], list[float]]) -> Table:
    table = Table((what, "runs", "p50 ms", "p95 ms", "of few"))
    for (name, runs), times in measured.items():
        base = _at(measured[name, FEW], 50)
        middle = _at(times, 50)
        figures = (number(middle, 1), number(_at(times, 95), 1), ratio(middle, base))
        table.rows.append((name, number(runs), *figures))
    return table


def _report(
    asked: dict[tuple[str, int], list[float]],
    recorded: dict[tuple[str, int], list[float]],
    plan: str,
    arguments: argparse.Namespace,
) -> None:
    tables = _table("GET /analytics", asked), _table("counting", recorded)
    lines = (
        f"{SUITES} suites of {CASES} cases over {DAYS} days, and as much of another organization; "
        "target 200 ms at 100,000 runs",
        f"a turn of an empty loop: {loop_ns():.0f} ns (30 to 40 on an idle machine of today)",
    )
    say("\n" + "\n\n".join(table.text() for table in tables) + "\n\n" + plan + "\n")
    for line in lines:
        say(line)
    if arguments.page:
        bullets = "\n".join(f"- {line}" for line in lines)
        shown = "\n\n".join(table.markdown() for table in tables)
        block = (
            f"`make bench-runs-analytics` on {describe()}.\n\n{shown}\n\n"
            f"How the trend is read:\n\n```text\n{plan}\n```\n\n{bullets}\n"
        )
        PAGE.write_text(with_blocks(PAGE.read_text(), {"analytics": block}))


if __name__ == "__main__":
    main()
