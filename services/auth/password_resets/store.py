"""SQL of tokens that set a new password. A token belongs to a person, not to a tenant."""

from __future__ import annotations

from datetime import timedelta

from shared.db import Connection


async def replace(connection: Connection, account_id: str, digest: bytes, life: timedelta) -> None:
    """Give an account a token, if there is such an account; the one before dies."""
    await connection.execute(
        """
        INSERT INTO auth.password_reset (account_id, digest, expires_at)
        SELECT id, $2, now() + $3 FROM auth.account WHERE id = $1 AND disabled_at IS NULL
        ON CONFLICT (account_id) DO UPDATE
           SET digest = excluded.digest, expires_at = excluded.expires_at
        """,
        account_id,
        digest,
        life,
    )


async def find(connection: Connection, digest: bytes) -> str | None:
    """Find the account whose password a live token sets."""
    account_id: str | None = await connection.fetchval(
        """
        SELECT r.account_id FROM auth.password_reset r JOIN auth.account a ON a.id = r.account_id
         WHERE r.digest = $1 AND r.expires_at > now() AND a.disabled_at IS NULL
        """,
        digest,
    )
    return account_id


async def use(connection: Connection, account_id: str, digest: bytes) -> bool:
    """Use a token up; False when somebody else did, or it has expired or was replaced."""
    used = await connection.fetchval(
        """
        DELETE FROM auth.password_reset
         WHERE account_id = $1 AND digest = $2 AND expires_at > now() RETURNING true
        """,
        account_id,
        digest,
    )
    return bool(used)


async def delete_for(connection: Connection, account_id: str) -> None:
    """Forget the token of an account."""
    await connection.execute("DELETE FROM auth.password_reset WHERE account_id = $1", account_id)


async def delete_expired(connection: Connection) -> None:
    """Drop tokens that nobody used in time; there is one an account at most."""
    await connection.execute("DELETE FROM auth.password_reset WHERE expires_at < now()")
