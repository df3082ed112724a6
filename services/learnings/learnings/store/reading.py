"""The SQL of reading single learnings."""

from __future__ import annotations

from services.learnings.learnings.store.rows import ITEM
from shared.db import Connection


async def read(connection: Connection, org_id: str, learning_id: str) -> str | None:
    """Give a learning as JSON."""
    found: str | None = await connection.fetchval(
        f"SELECT {ITEM} FROM learnings.learning AS l WHERE l.org_id = $1 AND l.id = $2",  # noqa: S608 - constants of this module
        org_id,
        learning_id,
    )
    return found
