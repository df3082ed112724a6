"""SQL of browsers' cookies. A cookie belongs to a person, who acts in one organization."""

from __future__ import annotations

from datetime import timedelta

from shared.db import Connection, Record


async def insert(
    connection: Connection, digest: bytes, account_id: str, session_id: str, remembered: bool
) -> None:
    """Add a cookie for a session."""
    await connection.execute(
        """
        INSERT INTO auth.web_session (digest, account_id, session_id, remembered)
        VALUES ($1, $2, $3, $4)
        """,
        digest,
        account_id,
        session_id,
        remembered,
    )


async def find(connection: Connection, digest: bytes) -> Record | None:
    """Find the person whom a cookie signs in, with the organization they act in.

    Reads all tenants: the cookie is what tells which one; org_id comes out, not in.
    """
    return await connection.fetchrow(
        """
        SELECT s.id AS session_id, s.org_id, s.account_id, a.email, a.name, m.role,
               a.platform_admin, w.remembered, w.created_at,
               s.last_used_at < now() - interval '1 minute' AS use_unnoted
          FROM auth.web_session w
          JOIN auth.session s ON s.account_id = w.account_id AND s.id = w.session_id
          JOIN auth.account a ON a.id = s.account_id
          JOIN auth.membership m ON m.org_id = s.org_id AND m.account_id = s.account_id
         WHERE w.digest = $1 AND s.ended_at IS NULL AND s.expires_at > now()
           AND (w.replaced_at IS NULL OR w.replaced_at > now() - interval '1 minute')
           AND a.disabled_at IS NULL AND a.verified_at IS NOT NULL
        """,
        digest,
    )


async def note_use(connection: Connection, org_id: str, account_id: str, session_id: str) -> None:
    """Note that a session was used, unless another request just did."""
    await connection.execute(
        """
        UPDATE auth.session SET last_used_at = now()
         WHERE org_id = $1 AND account_id = $2 AND id = $3
           AND last_used_at < now() - interval '1 minute'
        """,
        org_id,
        account_id,
        session_id,
    )


async def replace(connection: Connection, digest: bytes) -> bool:
    """Note that a newer cookie takes a cookie's place; False when one has already, or it ended."""
    replaced = await connection.fetchval(
        """
        UPDATE auth.web_session SET replaced_at = now()
         WHERE digest = $1 AND replaced_at IS NULL RETURNING true
        """,
        digest,
    )
    return bool(replaced)


async def prolong(
    connection: Connection,
    org_id: str,
    account_id: str,
    session_id: str,
    life: timedelta,
    longest: timedelta,
) -> None:
    """Let a session live on from now, but no longer than ``longest`` after it was opened."""
    await connection.execute(
        """
        UPDATE auth.session
           SET expires_at = greatest(expires_at, least(now() + $4, created_at + $5))
         WHERE org_id = $1 AND account_id = $2 AND id = $3 AND ended_at IS NULL
        """,
        org_id,
        account_id,
        session_id,
        life,
        longest,
    )
