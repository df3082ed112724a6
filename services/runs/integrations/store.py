"""SQL of settings: one row for each key that an organization has stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared.db import Connection


async def read(connection: Connection, org_id: str) -> dict[str, bytes]:
    """Give the sealed values of an organization by key."""
    rows = await connection.fetch("SELECT key, value FROM runs.setting WHERE org_id = $1", org_id)
    return {row["key"]: row["value"] for row in rows}


async def write(connection: Connection, org_id: str, sealed: Mapping[str, bytes]) -> None:
    """Store sealed values; in order of their keys, so that two writers never wait crosswise."""
    names = sorted(sealed)
    await connection.execute(
        """
        INSERT INTO runs.setting (org_id, key, value)
        SELECT $1, each.key, each.value
          FROM unnest($2::text[], $3::bytea[]) AS each (key, value) ORDER BY each.key
        ON CONFLICT (org_id, key)
        DO UPDATE SET value = excluded.value, updated_at = clock_timestamp()
        """,
        org_id,
        names,
        [sealed[name] for name in names],
    )


async def clear(connection: Connection, org_id: str, names: Sequence[str]) -> None:
    """Remove stored values."""
    await connection.execute(
        "DELETE FROM runs.setting WHERE org_id = $1 AND key = ANY($2)", org_id, names
    )


async def lock(connection: Connection, org_id: str) -> None:
    """Let one writer of an organization after the other in, until the transaction ends."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('runs.setting:' || $1, 0))", org_id
    )


async def forget(connection: Connection, org_id: str) -> None:
    """Delete all that an organization has stored."""
    await connection.execute("DELETE FROM runs.setting WHERE org_id = $1", org_id)
