"""SQL of login sessions."""

from __future__ import annotations

from services.auth.sessions.models import Membership, NewSession
from shared.db import Connection, Record


async def find_active_membership(connection: Connection, account_id: str) -> Membership | None:
    """Find where a person acts: the organization they chose, else the first they joined.

    The organization is what is asked for, so org_id comes out and not in.
    """
    row = await connection.fetchrow(
        """
        SELECT m.org_id, m.role, a.platform_admin
          FROM auth.membership m JOIN auth.account a ON a.id = m.account_id
         WHERE m.account_id = $1 AND a.disabled_at IS NULL AND a.erasing_at IS NULL
         ORDER BY coalesce(m.org_id = a.active_org_id, false) DESC, m.created_at, m.org_id
         LIMIT 1
        """,
        account_id,
    )
    return None if row is None else Membership(**row)


async def insert(connection: Connection, session: NewSession) -> None:
    """Add a session; its org_id is the organization that the person acts in."""
    await connection.execute(
        """
        INSERT INTO auth.session (org_id, id, account_id, kind, expires_at, client, user_agent)
        VALUES ($1, $2, $3, $4, now() + $5, $6, $7)
        """,
        session.org_id,
        session.id,
        session.account_id,
        session.kind,
        session.life,
        session.origin.client,
        session.origin.user_agent,
    )


async def end(connection: Connection, account_id: str, session_id: str) -> bool:
    """End a person's session; False when it is over already.

    Reads all tenants: a session is its person's, whichever organization they acted in.
    """
    ended = await connection.fetchval(
        """
        UPDATE auth.session SET ended_at = now(), expires_at = now()
         WHERE account_id = $1 AND id = $2 AND ended_at IS NULL AND expires_at > now()
        RETURNING true
        """,
        account_id,
        session_id,
    )
    return bool(ended)


async def end_all(connection: Connection, account_id: str, except_session: str) -> list[str]:
    """End every session of a person but one, and give their ids.

    Locked in one order, so that two who end the same sessions never wait for each other. Reads
    all tenants: a session is its person's, whichever organization they acted in.
    """
    rows = await connection.fetch(
        """
        UPDATE auth.session SET ended_at = now(), expires_at = now()
         WHERE account_id = $1
           AND id IN (SELECT id FROM auth.session
                       WHERE account_id = $1 AND id <> $2
                         AND ended_at IS NULL AND expires_at > now()
                       ORDER BY id FOR NO KEY UPDATE)
        RETURNING id
        """,
        account_id,
        except_session,
    )
    return [row["id"] for row in rows]


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
