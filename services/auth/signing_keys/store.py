"""SQL of the signing keys' history; the keys themselves are settings, never stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from shared.db import Connection


async def remember(connection: Connection, kids: Sequence[str]) -> None:
    """Note keys that were not seen before as first seen now."""
    await connection.execute(
        "INSERT INTO auth.signing_key (kid) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING",
        kids,
    )


async def ages(connection: Connection, kids: Sequence[str]) -> dict[str, timedelta]:
    """Tell how long ago each key was first seen, by the database's clock."""
    rows = await connection.fetch(
        "SELECT kid, now() - first_seen_at AS age FROM auth.signing_key WHERE kid = ANY($1)",
        kids,
    )
    return {row["kid"]: row["age"] for row in rows}
