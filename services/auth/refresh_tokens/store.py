"""SQL of refresh tokens. They belong to a session, and so to a person."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.auth.refresh_tokens.models import Family, Use
from shared.db import Connection


async def insert(
    connection: Connection, digest: bytes, family: Family, expires_at: datetime
) -> None:
    """Add a token."""
    await connection.execute(
        """
        INSERT INTO auth.refresh_token (digest, account_id, session_id, expires_at)
        VALUES ($1, $2, $3, $4)
        """,
        digest,
        family.account_id,
        family.session_id,
        expires_at,
    )


async def find_family(connection: Connection, digest: bytes) -> Family | None:
    """Find the session that a token renews, whether or not it still does."""
    row = await connection.fetchrow(
        "SELECT account_id, session_id FROM auth.refresh_token WHERE digest = $1", digest
    )
    return None if row is None else Family(**row)


async def use(connection: Connection, digest: bytes, grace: timedelta) -> Use | None:
    """Use a token; the time of its first use stands. None when it has gone.

    One statement decides, so that of many at once exactly one is the first.
    """
    row = await connection.fetchrow(
        """
        UPDATE auth.refresh_token
           SET used_at = CASE WHEN expires_at > now() THEN coalesce(used_at, now())
                              ELSE used_at END
         WHERE digest = $1
        RETURNING expires_at > now() AS is_live,
                  coalesce(used_at < now() - $2::interval, false) AS was_used
        """,
        digest,
        grace,
    )
    if row is None:
        return None
    if row["was_used"]:
        return Use.REUSED
    return Use.GOOD if row["is_live"] else Use.EXPIRED


async def delete_expired(connection: Connection, limit: int) -> int:
    """Drop tokens that expired a day ago or longer, and tell how many."""
    rows = await connection.fetch(
        """
        DELETE FROM auth.refresh_token WHERE ctid IN (
            SELECT ctid FROM auth.refresh_token
             WHERE expires_at < now() - interval '1 day' LIMIT $1)
        RETURNING true
        """,
        limit,
    )
    return len(rows)
