"""No statement of telemetry reads rows of other tenants, or of days that are not asked for."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from services.learnings.telemetry.store import figures
from tests.services.learnings.telemetry_support import Sql
from tests.support.postgres import DatabaseUrls

DAYS = 4
PER_DAY = 5_000
OTHERS = 50


@pytest.fixture(scope="module")
async def filled(urls: DatabaseUrls) -> AsyncIterator[Sql]:
    """Fifty organizations over four days of receipt, and figures of each; ``org_1`` is small."""
    connection = await asyncpg.connect(urls.url("learnings"), timeout=10)
    today = datetime.now(UTC).date()
    first = today - timedelta(days=DAYS - 1)
    await connection.execute("SELECT learnings.make_telemetry_days($1, $2)", first, today)
    await connection.execute(
        """
        INSERT INTO learnings.telemetry_event (org_id, day, batch, received_at, time,
               installation_id, event_type, session_id, tool_name, duration_ms, status)
        SELECT 'org_' || n % $3, $1::date + d, n / 100 + 1000 * d, now(), now(), 'inst-' || n % 7,
               'tool_invocation', 'ses-' || n % 900, 'tool-' || n % 11, n, 'success'
          FROM generate_series(0, $2::int) AS d,
               generate_series(1, $4::int) AS n
        """,
        first,
        DAYS - 1,
        OTHERS,
        PER_DAY,
    )
    await connection.execute(
        """
        INSERT INTO learnings.telemetry_tool
        SELECT 'org_' || o, i, $1::date - d, 'tool-' || t, 'tool_invocation', 'success', 9, 9, 9.0,
               0, 0, 0, array_fill(1::bigint, ARRAY[40])
          FROM generate_series(1, $2::int) AS o, unnest(ARRAY['', 'inst-1', 'inst-2']) AS i,
               generate_series(0, 39) AS d, generate_series(1, 5) AS t
        """,
        today,
        OTHERS,
    )
    await connection.execute(
        """
        INSERT INTO learnings.telemetry_seen
        SELECT 'org_' || n % $2, sha256(n::text::bytea), $1, now(), n, true, now()
          FROM generate_series(1, $3::int) AS n
        """,
        today,
        OTHERS,
        PER_DAY * 4,
    )
    await connection.execute(
        "INSERT INTO learnings.telemetry_batch (org_id, day)"
        " SELECT 'org_' || n % $2, $1 FROM generate_series(1, 2000) AS n",
        today,
        OTHERS,
    )
    for table in ("event", "seen", "tool", "batch", "day"):
        await connection.execute(f"ANALYZE learnings.telemetry_{table}")
    yield connection
    await connection.close(timeout=5)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


async def read(sql: Sql, statement: str, *arguments: Any) -> dict[str, int]:
    """Run a statement and undo it; give the rows that were read of each table."""
    transaction = sql.transaction()
    await transaction.start()
    found = await sql.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *arguments)
    await transaction.rollback()
    counts: dict[str, int] = {}
    for node in nodes(json.loads(found)[0]["Plan"]):
        table = node.get("Relation Name", "")
        if table.startswith("telemetry") and node["Node Type"] != "ModifyTable":
            removed = node.get("Rows Removed by Filter", 0) + node.get(
                "Rows Removed by Index Recheck", 0
            )
            rows = round((node["Actual Rows"] + removed) * node["Actual Loops"])
            counts[table] = counts.get(table, 0) + rows
    return counts


async def test_a_summary_reads_its_own_days_and_what_waits(filled: Sql) -> None:
    today = datetime.now(UTC).date()
    first = today - timedelta(days=6)
    arguments = ("org_1", first, today, None, "")
    counts = await read(filled, figures._SUMMARY, *arguments)
    assert counts.pop("telemetry_tool") == 7 * 5
    assert counts.pop("telemetry_batch") <= 2_000 / OTHERS + 1
    # Forty waiting requests hold at most their own events, read three times.
    own = f"telemetry_event_{today:%Y%m%d}"
    assert counts.pop(own, 0) <= 3 * 40 * 100
    assert sum(counts.values()) <= 50, counts


async def test_figures_are_made_of_what_waits_alone(filled: Sql) -> None:
    counts = await read(filled, figures._FOLD, 20)
    assert counts.pop("telemetry_batch") <= 40
    events = sum(rows for table, rows in counts.items() if table.startswith("telemetry_event"))
    assert events <= 2 * 20 * 100, counts


async def test_repeats_are_looked_up_one_by_one(filled: Sql) -> None:
    today = datetime.now(UTC).date()
    looked_up = """
        SELECT k.digest FROM learnings.telemetry_seen AS k
         WHERE k.org_id = $1 AND k.pair = $2 AND k.day BETWEEN $3::date - 1 AND $3
           AND k.time BETWEEN now() - interval '2 s' AND now() + interval '2 s' LIMIT 20
    """
    assert sum((await read(filled, looked_up, "org_1", 51, today)).values()) <= 1
    known = """
        SELECT true FROM learnings.telemetry_seen AS s
         WHERE s.org_id = $1 AND s.digest = sha256('51') AND s.day = $2 LIMIT 1
    """
    assert await read(filled, known, "org_1", today) == {f"telemetry_seen_{today:%Y%m%d}": 1}
