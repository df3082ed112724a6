"""SQL of sign-in links. A link belongs to a person, who may act in several organizations."""

from __future__ import annotations

from datetime import timedelta

from shared.db import Connection


async def replace(
    connection: Connection, email_key: str, digest: bytes, life: timedelta, pause: timedelta
) -> str | None:
    """Give a person a new link, the one before dies; give the address to write to.

    None when nobody who may act has the address, or the last link is younger than the pause.
    """
    email: str | None = await connection.fetchval(
        """
        WITH made AS (
            INSERT INTO auth.sign_in_link AS l (account_id, digest, expires_at)
            SELECT id, $2, now() + $3::interval FROM auth.account
             WHERE email_key = $1 AND verified_at IS NOT NULL AND disabled_at IS NULL
            ON CONFLICT (account_id) DO UPDATE
               SET digest = excluded.digest, expires_at = excluded.expires_at, created_at = now()
             WHERE l.created_at < now() - $4::interval
            RETURNING account_id)
        SELECT a.email FROM made JOIN auth.account a ON a.id = made.account_id
        """,
        email_key,
        digest,
        life,
        pause,
    )
    return email


async def take(connection: Connection, digest: bytes) -> str | None:
    """Use a live link up, and give whose it was: of many at once, one gets it."""
    account_id: str | None = await connection.fetchval(
        """
        DELETE FROM auth.sign_in_link WHERE digest = $1 AND expires_at > now() RETURNING account_id
        """,
        digest,
    )
    return account_id
