"""SQL of login sessions."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.auth.sessions.models import Membership, NewSession, SessionItem
from shared.db import Connection, Record


async def find_active_membership(connection: Connection, account_id: str) -> Membership | None:
    """Find where a person acts: the organization they chose, else the first they joined.

    The organization is what is asked for, so org_id comes out and not in.
    """
    row = await connection.fetchrow(
        """
        SELECT m.org_id, m.role, a.platform_admin
          FROM auth.membership m JOIN auth.account a ON a.id = m.account_id
         WHERE m.account_id = $1 AND a.disabled_at IS NULL
         ORDER BY coalesce(m.org_id = a.active_org_id, false) DESC, m.created_at, m.org_id
         LIMIT 1
        """,
        account_id,
    )
    return None if row is None else Membership(**row)


async def insert(connection: Connection, session: NewSession) -> datetime:
    """Add a session, and give when it expires; its org_id is where the person acts."""
    expires_at: datetime = await connection.fetchval(
        """
        INSERT INTO auth.session (org_id, id, account_id, kind, expires_at, client, user_agent)
        VALUES ($1, $2, $3, $4, now() + $5, $6, $7) RETURNING expires_at
        """,
        session.org_id,
        session.id,
        session.account_id,
        session.kind,
        session.life,
        session.origin.client,
        session.origin.user_agent,
    )
    return expires_at


async def lock_renewable(
    connection: Connection, account_id: str, session_id: str
) -> Membership | None:
    """Lock a session that holds, and give where its person acts, and as what.

    The session is what tells the organization, so org_id comes out and not in.
    """
    row = await connection.fetchrow(
        """
        SELECT m.org_id, m.role, a.platform_admin
          FROM auth.session s
          JOIN auth.account a ON a.id = s.account_id
          JOIN auth.membership m ON m.org_id = s.org_id AND m.account_id = s.account_id
         WHERE s.account_id = $1 AND s.id = $2 AND s.ended_at IS NULL AND s.expires_at > now()
           AND a.disabled_at IS NULL AND a.verified_at IS NOT NULL
           FOR NO KEY UPDATE OF s
        """,
        account_id,
        session_id,
    )
    return None if row is None else Membership(**row)


async def prolong(
    connection: Connection, account_id: str, session_id: str, life: timedelta, longest: timedelta
) -> datetime:
    """Let a session begin its life anew, within the longest it may have; give when it expires.

    Reads all tenants: a session is its person's, whichever organization they acted in.
    """
    expires_at: datetime = await connection.fetchval(
        """
        UPDATE auth.session
           SET expires_at = least(now() + $3::interval, created_at + $4::interval),
               last_used_at = now()
         WHERE account_id = $1 AND id = $2 RETURNING expires_at
        """,
        account_id,
        session_id,
        life,
        longest,
    )
    return expires_at


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
    """Find ``role`` and ``platform_admin`` of a session that holds, with account and membership.

    ``is_use_noted`` is whether its use was written down within the last minute.
    """
    return await connection.fetchrow(
        """
        SELECT m.role, a.platform_admin,
               s.last_used_at > now() - interval '1 minute' AS is_use_noted
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


async def note_use(connection: Connection, org_id: str, session_id: str, account_id: str) -> None:
    """Note that a session was used, unless another process just did.

    Without waiting for the disk: the gateway waits for this, and a crash loses a minute at most.
    """
    await connection.execute(
        """
        UPDATE auth.session SET last_used_at = now()
          FROM (SELECT set_config('synchronous_commit', 'off', true)) AS disk (waits)
         WHERE disk.waits = 'off' AND org_id = $1 AND id = $2 AND account_id = $3
           AND last_used_at <= now() - interval '1 minute'
        """,
        org_id,
        session_id,
        account_id,
    )


async def list_live(
    connection: Connection, account_id: str, current: str, limit: int, offset: int
) -> list[SessionItem]:
    """Give a page of a person's sessions that hold, newest first.

    Reads all tenants: a session is its person's, whichever organization they acted in.
    """
    rows = await connection.fetch(
        """
        SELECT id, kind, created_at, last_used_at, expires_at, client, user_agent,
               id = $2 AS current
          FROM auth.session
         WHERE account_id = $1 AND ended_at IS NULL AND expires_at > now()
         ORDER BY created_at DESC, id DESC LIMIT $3 OFFSET $4
        """,
        account_id,
        current,
        limit,
        offset,
    )
    return [SessionItem(**row) for row in rows]


async def count_live(connection: Connection, account_id: str, cap: int) -> int:
    """Count a person's sessions that hold, up to a cap.

    Reads all tenants: a session is its person's, whichever organization they acted in.
    """
    total: int = await connection.fetchval(
        """
        SELECT count(*) FROM (
            SELECT FROM auth.session
             WHERE account_id = $1 AND ended_at IS NULL AND expires_at > now() LIMIT $2) AS capped
        """,
        account_id,
        cap,
    )
    return total


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
