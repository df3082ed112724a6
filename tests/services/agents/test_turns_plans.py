"""What the worker looks for is found by an index, however many sessions there are."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from services.agents.turns.store import leases, overdue
from tests.support.postgres import DatabaseUrls

MANY = 12_000
SEEN = 2_000
"""Rows that a statement may look at where it gives 500 at most."""


@pytest.fixture(scope="module")
async def filled(urls: DatabaseUrls) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """Sessions of all states, a fifth of them due, in a hundred namespaces."""
    connection = await asyncpg.connect(urls.url("agents"), timeout=10)
    await connection.execute(
        """
        INSERT INTO agents.session (id, namespace, name, owner_type, owner_id, created_by, state,
                                    number, started_at, last_activity_at, idle_at)
        SELECT gen_random_uuid(), 'ns-' || n % 100, 'm', 'User', 'usr_x', 'usr_x',
               (ARRAY['INIT', 'READY', 'IDLE', 'BUSY', 'IDLE'])[n % 5 + 1], 3,
               now() - interval '1 day', now() - n * interval '1 s',
               CASE WHEN n % 5 = 1 THEN now() + (n - 5000) * interval '1 s' END
          FROM generate_series(1, $1::int) AS n
        """,
        MANY,
    )
    await connection.execute(
        """
        INSERT INTO agents.work (session_id, namespace, due_at)
        SELECT id, namespace, CASE WHEN state = 'BUSY' THEN last_activity_at END FROM agents.session
        """
    )
    await connection.execute(
        """
        INSERT INTO agents.job (session_id, number, kind, state, message_number)
        SELECT id, 3, 'run_turn', 'pending', 2 FROM agents.session WHERE state = 'BUSY'
        """
    )
    for table in ("session", "work", "job"):
        await connection.execute(f"ANALYZE agents.{table}")
    yield connection
    await connection.close(timeout=5)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


HELD = [UUID(int=number) for number in range(1, 101)]
FENCES = list(range(100))

STATEMENTS = {
    "claim": (leases.CLAIM, "wrk_x", ["ns-3"], [700], 750, 32, 20.0),
    "elsewhere": (leases.CLAIM_ELSEWHERE, "wrk_x", ["ns-3"], [750], 750, 32, 20.0, ""),
    "renew": (leases.RENEW, "wrk_x", HELD, FENCES, 20.0),
    "idle": (overdue.LOCK_IDLE, 500),
    "unstarted": (overdue.UNSTARTED, overdue.FIRST, 60.0, 500, "create_session"),
    "abandoned": (overdue.ABANDONED, overdue.FIRST, 600.0, 500, "run_turn"),
    "standing": (overdue.STANDING, UUID(int=0), 30.0, 500),
}


@pytest.mark.parametrize("name", STATEMENTS)
async def test_no_statement_reads_more_than_it_looks_at(
    filled: asyncpg.Connection[asyncpg.Record], name: str
) -> None:
    sql, *values = STATEMENTS[name]
    async with filled.transaction():
        # Or a table as small as this one is read as a whole.
        await filled.execute("SET LOCAL enable_seqscan = off")
        row = await filled.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", *values)
    tables = [node for node in nodes(json.loads(row)[0]["Plan"]) if "Relation Name" in node]
    assert tables
    for node in tables:
        if node["Node Type"] == "ModifyTable":
            continue
        assert node["Node Type"] != "Seq Scan", node
        read = node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
        assert read <= SEEN, node
