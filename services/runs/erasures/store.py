"""The SQL of erasures."""

from __future__ import annotations

from typing import Final

from shared.db import Connection

TIMEOUT: Final = 280.0
"""Seconds that one statement may take: somebody may have run suites for years."""


async def take_turn(connection: Connection) -> None:
    """Wait until no other erasure is under way, so that none waits crosswise for another."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('runs.erasure', 0))", timeout=TIMEOUT
    )
