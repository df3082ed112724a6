"""SQL of the counters. They read all tenants: platform administrators alone see them."""

from __future__ import annotations

import json
from typing import Final

from services.auth.stats.models import Count
from shared.db import Connection

CAP: Final = 10_000
"""Rows that are read to count; a larger table is estimated."""

COUNTERS: Final[dict[str, tuple[str, str]]] = {
    "accounts": ("auth.account", "true"),
    "verified_accounts": ("auth.account", "verified_at IS NOT NULL"),
    "organizations": ("auth.organization", "true"),
    "active_sessions": ("auth.session", "ended_at IS NULL AND expires_at > now()"),
    "active_api_keys": (
        "auth.api_key",
        "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())",
    ),
    "machines": ("auth.machine", "revoked_at IS NULL"),
    "waiting": ("auth.waiting_person", "converted_at IS NULL"),
    "open_erasures": ("auth.erasure", "closed_at IS NULL"),
}
"""The table of each, and which of its rows count."""


async def count(connection: Connection, name: str) -> Count:
    """Count the rows of one counter, reading at most ``CAP`` rows.

    Reads all tenants: the counters are of the installation.
    """
    table, condition = COUNTERS[name]
    row = await connection.fetchrow(
        f"""
        SELECT count(*) AS seen, count(*) FILTER (WHERE {condition}) AS counted
          FROM (SELECT * FROM {table} LIMIT $1) AS first
        """,  # noqa: S608 - our own constants
        CAP + 1,
    )
    assert row is not None  # an aggregate without GROUP BY gives a row
    if row["seen"] <= CAP:
        return Count(row["counted"], False)
    # What the planner expects from the statistics of the last ANALYZE, without reading the table.
    plan = json.loads(
        await connection.fetchval(f"EXPLAIN (FORMAT JSON) SELECT FROM {table} WHERE {condition}")
    )
    return Count(max(round(plan[0]["Plan"]["Plan Rows"]), row["counted"]), True)
