"""The SQL of readiness."""

from __future__ import annotations

from shared.db import Connection


async def can_write(connection: Connection) -> bool:
    """Tell whether the server takes data: one that only follows another does not."""
    found: bool | None = await connection.fetchval(
        "SELECT current_setting('transaction_read_only') = 'off' AND NOT pg_is_in_recovery()"
    )
    return found is True
