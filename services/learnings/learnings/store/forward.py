"""The SQL of reading all learnings of an organization, oldest first."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from services.learnings.learnings.store.rows import ITEM
from shared.db import Connection

# How long texts are is known without reading them. The first learning always fits.
FORWARD: Final = f"""
    SELECT string_agg({ITEM}, E'\\n' ORDER BY l.created_at, l.id)
               FILTER (WHERE $4::timestamptz IS NULL OR l.updated_at >= $4) AS lines,
           (array_agg(l.created_at ORDER BY l.created_at DESC, l.id DESC))[1] AS created_at,
           (array_agg(l.id ORDER BY l.created_at DESC, l.id DESC))[1] AS id
      FROM (SELECT ahead.*, sum(octet_length(summary) + octet_length(detail))
                   OVER (ORDER BY created_at, id ROWS UNBOUNDED PRECEDING)
                   - octet_length(summary) - octet_length(detail) AS size_before
              FROM (SELECT * FROM learnings.learning
                     WHERE org_id = $1
                       AND (created_at, id) > (coalesce($2::timestamptz, '-infinity'), $3)
                     ORDER BY created_at, id LIMIT $5) AS ahead) AS l
     WHERE l.size_before < $6
    """  # noqa: S608 - constants of this module


async def stretch(
    connection: Connection,
    org_id: str,
    after: tuple[datetime, str] | None,
    updated_since: datetime | None,
    most: int,
    size: int,
) -> tuple[str, tuple[datetime, str]] | None:
    """Read on in an organization's learnings, by time of their making; None at their end.

    Args:
        connection: needs no transaction.
        org_id: whose.
        after: the place of the last one that was read.
        updated_since: what did not change since is passed over.
        most: learnings to look at.
        size: about how many bytes of text to give.

    Returns:
        A JSON text a line, without a last line feed and empty if all were passed over; and the
        place of the last one looked at.
    """
    since, learning_id = after or (None, "")
    row = await connection.fetchrow(FORWARD, org_id, since, learning_id, updated_since, most, size)
    if row is None or row["id"] is None:
        return None
    return row["lines"] or "", (row["created_at"], row["id"])
