"""SQL of accounts. An account belongs to no tenant: it is a person, who belongs to several."""

from __future__ import annotations

from datetime import timedelta

from services.auth.accounts.models import Account, MembershipItem, PasswordHash
from shared.bus import outbox
from shared.contracts.auth import AccountRegistered
from shared.db import Connection, Record


async def upsert_unverified(
    connection: Connection,
    event: AccountRegistered,
    email: str,
    key: str,
    name: str,
    password_hash: str | None,
) -> str | None:
    """Add an account, or take an unverified one over; None when the address is verified.

    Until an address is verified, whoever registered it last decides the password: otherwise a
    stranger who registers it first would share the account once its owner verifies it. The event,
    which has the new account's id, is said by the same statement if the account is new.
    """
    said, event_values = outbox.part(event, 6, "added")
    found: str | None = await connection.fetchval(
        f"""
        WITH made AS (
            INSERT INTO auth.account AS a (id, email, email_key, name, password_hash)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (email_key) DO UPDATE
               SET email = excluded.email, name = excluded.name,
                   password_hash = excluded.password_hash, password_set_at = now(),
                   updated_at = now()
             WHERE a.verified_at IS NULL AND a.disabled_at IS NULL
            RETURNING a.id
        ), added AS (
            SELECT FROM made WHERE id = $1
        ), said AS ({said})
        SELECT id FROM made
        """,  # noqa: S608 - made of constants
        event.account_id,
        email,
        key,
        name,
        password_hash,
        *event_values,
    )
    return found


async def replace_verification(
    connection: Connection, account_id: str, digest: bytes, life: timedelta
) -> None:
    """Give an account a new verification token, if there is one to verify; the one before dies."""
    await connection.execute(
        """
        INSERT INTO auth.email_verification (account_id, digest, expires_at)
        SELECT id, $2, now() + $3 FROM auth.account WHERE id = $1 AND verified_at IS NULL
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
        """
        UPDATE auth.account SET verified_at = now(), active_org_id = $2, updated_at = now()
         WHERE id = $1
        """,
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


async def set_password(
    connection: Connection, account_id: str, password_hash: str, instead_of: str | None
) -> bool:
    """Store the hash of a new password; False if the one it comes instead of is there no more."""
    changed = await connection.fetchval(
        """
        UPDATE auth.account
           SET password_hash = $2, password_set_at = now(), updated_at = now()
         WHERE id = $1 AND ($3::text IS NULL OR password_hash = $3) RETURNING true
        """,
        account_id,
        password_hash,
        instead_of,
    )
    return bool(changed)


async def lock_unchanged(connection: Connection, account: Account) -> bool:
    """Tell whether an account's password is the one it had; keep it so for this transaction."""
    found = await connection.fetchval(
        "SELECT true FROM auth.account WHERE id = $1 AND password_set_at = $2 FOR SHARE",
        account.id,
        account.password_set_at,
    )
    return bool(found)


async def set_proved(connection: Connection, account_id: str) -> bool:
    """Note that a letter has proved the address; False where nobody had vouched for it instead."""
    changed = await connection.fetchval(
        """
        UPDATE auth.account SET vouched_by = NULL
         WHERE id = $1 AND vouched_by IS NOT NULL RETURNING true
        """,
        account_id,
    )
    return bool(changed)


async def set_name(connection: Connection, account_id: str, name: str) -> None:
    """Change what a person is called."""
    await connection.execute(
        "UPDATE auth.account SET name = $2, updated_at = now() WHERE id = $1", account_id, name
    )


async def set_active_organization(connection: Connection, account_id: str, org_id: str) -> bool:
    """Note where a person acts from now on; False when they do not belong there."""
    changed = await connection.fetchval(
        """
        UPDATE auth.account a SET active_org_id = $2, updated_at = now()
          FROM auth.membership m
         WHERE a.id = $1 AND m.org_id = $2 AND m.account_id = a.id RETURNING true
        """,
        account_id,
        org_id,
    )
    return bool(changed)


async def disable(connection: Connection, account_id: str) -> bool:
    """Bar an account; False when it is, or there is none."""
    changed = await connection.fetchval(
        """
        UPDATE auth.account SET disabled_at = now(), updated_at = now()
         WHERE id = $1 AND disabled_at IS NULL RETURNING true
        """,
        account_id,
    )
    return bool(changed)


async def enable(connection: Connection, account_id: str) -> bool:
    """Let an account act again; False when nothing barred it."""
    changed = await connection.fetchval(
        """
        UPDATE auth.account SET disabled_at = NULL, updated_at = now()
         WHERE id = $1 AND disabled_at IS NOT NULL RETURNING true
        """,
        account_id,
    )
    return bool(changed)


async def delete(connection: Connection, account_id: str) -> None:
    """Delete an account, and by foreign keys what is its person's alone."""
    await connection.execute("DELETE FROM auth.account WHERE id = $1", account_id)


async def delete_unverified(connection: Connection, life: timedelta, limit: int) -> list[str]:
    """Delete accounts that nobody verified for so long, and give their ids.

    One that somebody registered again lately has a token that still works, and stays.
    """
    rows = await connection.fetch(
        """
        DELETE FROM auth.account WHERE id IN (
            SELECT a.id FROM auth.account a
             WHERE a.verified_at IS NULL AND a.created_at < now() - $1::interval
               AND NOT EXISTS (SELECT FROM auth.email_verification v
                                WHERE v.account_id = a.id AND v.expires_at > now())
             ORDER BY a.created_at LIMIT $2 FOR UPDATE SKIP LOCKED)
        RETURNING id
        """,
        life,
        limit,
    )
    return [row["id"] for row in rows]


async def delete_unverified_holder(connection: Connection, key: str, account_id: str) -> str | None:
    """Delete an unverified account that holds an address which somebody else has proved."""
    gone: str | None = await connection.fetchval(
        """
        DELETE FROM auth.account WHERE email_key = $1 AND id <> $2 AND verified_at IS NULL
        RETURNING id
        """,
        key,
        account_id,
    )
    return gone


async def replace_email_change(
    connection: Connection, account_id: str, email: str, key: str, digest: bytes, life: timedelta
) -> None:
    """Note which address an account is to move to; a wish before this one dies."""
    await connection.execute(
        """
        INSERT INTO auth.email_change (account_id, email, email_key, digest, expires_at)
        VALUES ($1, $2, $3, $4, now() + $5)
        ON CONFLICT (account_id) DO UPDATE
           SET email = excluded.email, email_key = excluded.email_key,
               digest = excluded.digest, expires_at = excluded.expires_at
        """,
        account_id,
        email,
        key,
        digest,
        life,
    )


async def take_email_change(
    connection: Connection, account_id: str, digest: bytes
) -> Record | None:
    """Use a token up, and give ``email`` and ``email_key`` that it was mailed to."""
    return await connection.fetchrow(
        """
        DELETE FROM auth.email_change
         WHERE account_id = $1 AND digest = $2 AND expires_at > now()
        RETURNING email, email_key
        """,
        account_id,
        digest,
    )


async def delete_expired_email_changes(connection: Connection) -> None:
    """Forget addresses that nobody confirmed in time; there is one an account at most."""
    await connection.execute("DELETE FROM auth.email_change WHERE expires_at < now()")


async def set_email(connection: Connection, account_id: str, email: str, key: str) -> None:
    """Move an account to an address that its person has proved.

    What was mailed to the old one opens nothing any more.
    """
    await connection.execute(
        """
        WITH reset AS (DELETE FROM auth.password_reset WHERE account_id = $1)
        UPDATE auth.account
           SET email = $2, email_key = $3, vouched_by = NULL, updated_at = now()
         WHERE id = $1
        """,
        account_id,
        email,
        key,
    )


async def find(connection: Connection, account_id: str) -> Account | None:
    """Find an account by its id."""
    return _account(await connection.fetchrow(_ACCOUNT + " WHERE a.id = $1", account_id))


async def lock(connection: Connection, account_id: str) -> Account | None:
    """Find an account by its id and take it for this transaction."""
    where = " WHERE a.id = $1 FOR NO KEY UPDATE OF a"
    return _account(await connection.fetchrow(_ACCOUNT + where, account_id))


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


async def list_memberships(
    connection: Connection, account_id: str, limit: int, offset: int
) -> list[MembershipItem]:
    """Give a page of the organizations that a person belongs to, the last joined first.

    Which org_id they are is what is asked.
    """
    rows = await connection.fetch(
        """
        SELECT o.id, o.name, o.slug, m.role, m.created_at AS joined_at,
               coalesce(o.id = a.active_org_id, false) AS active
          FROM auth.membership m
          JOIN auth.organization o ON o.id = m.org_id
          JOIN auth.account a ON a.id = m.account_id
         WHERE m.account_id = $1
         ORDER BY m.created_at DESC, m.org_id DESC LIMIT $2 OFFSET $3
        """,
        account_id,
        limit,
        offset,
    )
    return [MembershipItem(**row) for row in rows]


async def count_memberships(connection: Connection, account_id: str, cap: int) -> int:
    """Count the organizations that a person belongs to, up to a cap; no single org_id is meant."""
    total: int = await connection.fetchval(
        "SELECT count(*) FROM (SELECT FROM auth.membership WHERE account_id = $1 LIMIT $2) AS c",
        account_id,
        cap,
    )
    return total


_ACCOUNT = """
    SELECT a.id, a.email, a.name, a.platform_admin, a.active_org_id, a.password_hash,
           a.password_set_at,
           a.verified_at IS NOT NULL AS verified, a.disabled_at IS NOT NULL AS disabled
      FROM auth.account a
"""


def _account(row: Record | None) -> Account | None:
    if row is None:
        return None
    return Account(**{**row, "password_hash": PasswordHash(row["password_hash"])})
