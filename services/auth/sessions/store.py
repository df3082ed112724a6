"""SQL of login sessions."""

from __future__ import annotations

from datetime import timedelta

from services.auth.sessions.models import Membership
from shared.db import Connection, Record


async def find_active_membership(connection: Connection, account_id: str) -> Membership | None:
    """Find where a person acts: the organization they chose, else the first they joined.

    The organization is what is asked for, so org_id comes out and not in.
    """
    row = await connection.fetchrow(
        """
        SELECT m.org_id, m.role
          FROM auth.membership m JOIN auth.account a ON a.id = m.account_id
         WHERE m.account_id = $1
         ORDER BY coalesce(m.org_id = a.active_org_id, false) DESC, m.created_at, m.org_id
         LIMIT 1
        """,
        account_id,
    )
    return None if row is None else Membership(row["org_id"], row["role"])


async def insert(
    connection: Connection, org_id: str, session_id: str, account_id: str, life: timedelta
) -> None:
    """Add a session."""
    await connection.execute(
        """
        INSERT INTO auth.session (org_id, id, account_id, expires_at)
        VALUES ($1, $2, $3, now() + $4)
        """,
        org_id,
        session_id,
        account_id,
        life,
    )


async def end(connection: Connection, org_id: str, session_id: str, account_id: str) -> bool:
    """End a session; False when it is over already."""
    ended = await connection.fetchval(
        """
        UPDATE auth.session SET ended_at = now()
         WHERE org_id = $1 AND id = $2 AND account_id = $3
           AND ended_at IS NULL AND expires_at > now()
        RETURNING true
        """,
        org_id,
        session_id,
        account_id,
    )
    return bool(ended)


async def find_standing(
    connection: Connection, org_id: str, session_id: str, account_id: str
) -> Record | None:
    """Find ``role`` and ``platform_admin`` of a session that holds, with account and membership."""
    return await connection.fetchrow(
        """
        SELECT m.role, a.platform_admin
          FROM auth.session s
          JOIN auth.account a ON a.id = s.account_id
          JOIN auth.membership m ON m.org_id = s.org_id AND m.account_id = s.account_id
         WHERE s.org_id = $1 AND s.id = $2 AND s.account_id = $3
           AND s.ended_at IS NULL AND s.expires_at > now()
           AND a.disabled_at IS NULL AND a.verified_at IS NOT NULL
        """,
        org_id,
        session_id,
        account_id,
    )


async def delete_expired(connection: Connection, limit: int) -> int:
    """Drop sessions that expired a day ago or longer, and tell how many.

    Reads all tenants: expiry is the same for each.
    """
    rows = await connection.fetch(
        """
        DELETE FROM auth.session WHERE ctid IN (
            SELECT ctid FROM auth.session
             WHERE expires_at < now() - interval '1 day' LIMIT $1)
        RETURNING id
        """,
        limit,
    )
    return len(rows)
