"""SQL of browsers' cookies. A cookie belongs to a person, who acts in one organization."""

from __future__ import annotations

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
               a.platform_admin, w.remembered, w.created_at
          FROM auth.web_session w
          JOIN auth.session s ON s.account_id = w.account_id AND s.id = w.session_id
          JOIN auth.account a ON a.id = s.account_id
          JOIN auth.membership m ON m.org_id = s.org_id AND m.account_id = s.account_id
         WHERE w.digest = $1 AND s.ended_at IS NULL AND s.expires_at > now()
           AND a.disabled_at IS NULL AND a.verified_at IS NOT NULL AND a.erasing_at IS NULL
        """,
        digest,
    )


async def replace(connection: Connection, digest: bytes, fresh: bytes) -> bool:
    """Give a session a new cookie in place of the old one; False when it has gone."""
    replaced = await connection.fetchval(
        "UPDATE auth.web_session SET digest = $2, created_at = now() WHERE digest = $1"
        " RETURNING true",
        digest,
        fresh,
    )
    return bool(replaced)
