"""SQL of accounts. An account belongs to no tenant: it is a person, who belongs to several."""

from __future__ import annotations

from datetime import timedelta

from services.auth.accounts.models import Account, PasswordHash
from shared.db import Connection, Record


async def upsert_unverified(
    connection: Connection,
    account_id: str,
    email: str,
    key: str,
    name: str,
    password_hash: str | None,
) -> str | None:
    """Add an account, or take an unverified one over; None when the address is verified.

    Until an address is verified, whoever registered it last decides the password: otherwise a
    stranger who registers it first would share the account once its owner verifies it.
    """
    found: str | None = await connection.fetchval(
        """
        INSERT INTO auth.account AS a (id, email, email_key, name, password_hash)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (email_key) DO UPDATE
           SET email = excluded.email, name = excluded.name, password_hash = excluded.password_hash
         WHERE a.verified_at IS NULL AND a.disabled_at IS NULL
        RETURNING id
        """,
        account_id,
        email,
        key,
        name,
        password_hash,
    )
    return found


async def replace_verification(
    connection: Connection, account_id: str, digest: bytes, life: timedelta
) -> None:
    """Give an account a new verification token; the one before dies."""
    await connection.execute(
        """
        INSERT INTO auth.email_verification (account_id, digest, expires_at)
        VALUES ($1, $2, now() + $3)
        ON CONFLICT (account_id) DO UPDATE
           SET digest = excluded.digest, expires_at = excluded.expires_at
        """,
        account_id,
        digest,
        life,
    )


async def lock_by_verification(connection: Connection, digest: bytes) -> Account | None:
    """Find the account that a live token verifies, and lock it before its token is touched.

    Registering again locks in the same order, so that the two never wait for each other.
    """
    row = await connection.fetchrow(
        _ACCOUNT
        + """
          JOIN auth.email_verification v ON v.account_id = a.id
         WHERE v.digest = $1 AND v.expires_at > now() FOR NO KEY UPDATE OF a
        """,
        digest,
    )
    return _account(row)


async def delete_verification(connection: Connection, account_id: str, digest: bytes) -> bool:
    """Use a token up; False when somebody else did, or a newer one replaced it."""
    used = await connection.fetchval(
        """
        DELETE FROM auth.email_verification WHERE account_id = $1 AND digest = $2 RETURNING true
        """,
        account_id,
        digest,
    )
    return bool(used)


async def set_verified(connection: Connection, account_id: str, active_org_id: str) -> None:
    """Note that the address holds, and where the person acts from now on."""
    await connection.execute(
        "UPDATE auth.account SET verified_at = now(), active_org_id = $2 WHERE id = $1",
        account_id,
        active_org_id,
    )


async def set_platform_admin(connection: Connection, account_id: str) -> None:
    """Let a person act for the whole installation."""
    await connection.execute(
        "UPDATE auth.account SET platform_admin = true WHERE id = $1", account_id
    )


async def replace_password_hash(
    connection: Connection, account_id: str, old: str, fresh: str
) -> None:
    """Store another hash of the same password, unless the password was changed meanwhile."""
    await connection.execute(
        "UPDATE auth.account SET password_hash = $3 WHERE id = $1 AND password_hash = $2",
        account_id,
        old,
        fresh,
    )


async def find_by_email(connection: Connection, key: str) -> Account | None:
    """Find an account by its normal form of address."""
    return _account(await connection.fetchrow(_ACCOUNT + " WHERE a.email_key = $1", key))


async def find_proved(connection: Connection, key: str) -> Account | None:
    """Find an account by an address that its owner has proved, and nobody else for them."""
    where = " WHERE a.email_key = $1 AND a.verified_at IS NOT NULL AND a.vouched_by IS NULL"
    return _account(await connection.fetchrow(_ACCOUNT + where, key))


async def find_user(connection: Connection, account_id: str, org_id: str) -> Record | None:
    """Find a person as they act in an organization: the fields of ``User`` and the bare role."""
    return await connection.fetchrow(
        """
        SELECT a.id, a.email, a.name, a.created_at, a.verified_at IS NOT NULL AS verified,
               a.platform_admin, m.role, o.id AS org_id, o.name AS org_name
          FROM auth.account a
          LEFT JOIN auth.organization o ON o.id = $2
          LEFT JOIN auth.membership m ON m.org_id = o.id AND m.account_id = a.id
         WHERE a.id = $1 AND a.disabled_at IS NULL
        """,
        account_id,
        org_id,
    )


_ACCOUNT = """
    SELECT a.id, a.email, a.name, a.platform_admin, a.active_org_id, a.password_hash,
           a.verified_at IS NOT NULL AS verified, a.disabled_at IS NOT NULL AS disabled
      FROM auth.account a
"""


def _account(row: Record | None) -> Account | None:
    if row is None:
        return None
    return Account(**{**row, "password_hash": PasswordHash(row["password_hash"])})
