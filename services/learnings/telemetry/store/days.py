"""The SQL of keeping: a partition for each day, and what is dropped or forgotten."""

from __future__ import annotations

from datetime import date
from typing import Final

from shared.db import Connection

TIMEOUT: Final = 280.0
"""Seconds that one statement of clean-up may take."""


async def make(connection: Connection, first: date, last: date) -> None:
    """Make the partitions of some days, where they are missing."""
    await connection.execute("SELECT learnings.make_telemetry_days($1, $2)", first, last)


async def drop(connection: Connection, kind: str, first_kept: date) -> int:
    """Drop the partitions of earlier days, unless somebody holds them for long.

    Args:
        connection: inside a transaction of its own.
        kind: ``telemetry_event`` or ``telemetry_seen``.
        first_kept: the first day that stays.
    """
    await connection.execute("SET LOCAL lock_timeout = '2s'")
    gone: int = await connection.fetchval(
        "SELECT learnings.drop_telemetry_days($1, $2)", kind, first_kept
    )
    return gone


async def drop_sessions(connection: Connection, first_kept: date) -> None:
    """Forget which sessions were seen. For all tenants: age is all that decides."""
    await connection.execute(
        "DELETE FROM learnings.telemetry_session WHERE day < $1", first_kept, timeout=TIMEOUT
    )


async def delete_organization(connection: Connection, org_id: str) -> None:
    """Delete all that an organization's clients told, and its figures."""
    # Nobody may be making figures of it meanwhile.
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('telemetry figures', 0))", timeout=TIMEOUT
    )
    for table in ("batch", "event", "seen", "tool", "day", "session"):
        await connection.execute(
            f"DELETE FROM learnings.telemetry_{table} WHERE org_id = $1",  # noqa: S608 - our own names
            org_id,
            timeout=TIMEOUT,
        )
