"""The SQL of the organizations' projection."""

from __future__ import annotations

from datetime import datetime

from shared.db import Connection


async def keep_name(
    connection: Connection, org_id: str, name: str, slug: str, said_at: datetime
) -> None:
    """Write the name unless one said later is there."""
    await connection.execute(
        """
        INSERT INTO learnings.organization AS o (org_id, name, slug, named_at)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (org_id) DO UPDATE
           SET name = excluded.name, slug = excluded.slug, named_at = excluded.named_at
         WHERE o.named_at IS NULL OR o.named_at < excluded.named_at
        """,
        org_id,
        name,
        slug,
        said_at,
    )


async def is_forgotten(connection: Connection, org_id: str) -> bool:
    """Tell whether what stays of a forgotten organization is there: no name can be newer."""
    found: bool | None = await connection.fetchval(
        "SELECT named_at = 'infinity' FROM learnings.organization WHERE org_id = $1", org_id
    )
    return found is True
