"""SQL of second factors. They belong to a person, not to a tenant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from services.auth.two_factor.models import Factor
from shared.db import Connection, Record


async def find_email(connection: Connection, account_id: str) -> str | None:
    """Find the address of an account."""
    email: str | None = await connection.fetchval(
        "SELECT email FROM auth.account WHERE id = $1", account_id
    )
    return email


async def find(connection: Connection, account_id: str) -> Factor | None:
    """Find an account's second factor, pending or confirmed."""
    row = await connection.fetchrow(_FACTOR + " WHERE f.account_id = $1", account_id)
    return _factor(row)


async def put_pending(connection: Connection, account_id: str, sealed_secret: bytes) -> bool:
    """Give an account a secret that waits for its first code; False when one is confirmed."""
    put = await connection.fetchval(
        """
        INSERT INTO auth.two_factor AS f (account_id, sealed_secret) VALUES ($1, $2)
        ON CONFLICT (account_id) DO UPDATE
           SET sealed_secret = excluded.sealed_secret, created_at = now(), last_step = 0
         WHERE f.confirmed_at IS NULL
        RETURNING true
        """,
        account_id,
        sealed_secret,
    )
    return bool(put)


async def confirm(connection: Connection, factor: Factor, step: int) -> bool:
    """Confirm a pending secret and use its first step up; False when it is not that one any more.

    One statement decides, so that of many at once exactly one confirms.
    """
    confirmed = await connection.fetchval(
        """
        UPDATE auth.two_factor SET confirmed_at = now(), last_step = $3
         WHERE account_id = $1 AND sealed_secret = $2 AND confirmed_at IS NULL
        RETURNING true
        """,
        factor.account_id,
        factor.sealed_secret,
        step,
    )
    return bool(confirmed)


async def use_step(connection: Connection, factor: Factor, step: int) -> bool:
    """Use a time step up; False when it, or a newer one, was used.

    One statement decides, so that of many at once, on any replica, exactly one uses it.
    """
    used = await connection.fetchval(
        """
        UPDATE auth.two_factor SET last_step = $3
         WHERE account_id = $1 AND sealed_secret = $2 AND confirmed_at IS NOT NULL
           AND last_step < $3
        RETURNING true
        """,
        factor.account_id,
        factor.sealed_secret,
        step,
    )
    return bool(used)


async def delete(connection: Connection, account_id: str) -> bool:
    """Take an account's confirmed second factor away, with its recovery codes and challenges."""
    deleted = await connection.fetchval(
        """
        WITH codes AS (DELETE FROM auth.recovery_code WHERE account_id = $1),
             challenges AS (DELETE FROM auth.login_challenge WHERE account_id = $1)
        DELETE FROM auth.two_factor WHERE account_id = $1 AND confirmed_at IS NOT NULL
        RETURNING true
        """,
        account_id,
    )
    return bool(deleted)


async def delete_any(connection: Connection, account_id: str) -> bool:
    """Take an account's second factor away, a pending one too; tell whether one was confirmed."""
    await delete_challenges(connection, account_id)
    await connection.execute("DELETE FROM auth.recovery_code WHERE account_id = $1", account_id)
    confirmed = await connection.fetchval(
        "DELETE FROM auth.two_factor WHERE account_id = $1 RETURNING confirmed_at IS NOT NULL",
        account_id,
    )
    return bool(confirmed)


async def lock_confirmed(connection: Connection, account_id: str) -> bool:
    """Hold an account's confirmed second factor until the transaction ends; False without one."""
    held = await connection.fetchval(
        """
        SELECT true FROM auth.two_factor
         WHERE account_id = $1 AND confirmed_at IS NOT NULL FOR NO KEY UPDATE
        """,
        account_id,
    )
    return bool(held)


async def replace_codes(connection: Connection, account_id: str, digests: Sequence[bytes]) -> None:
    """Give an account new recovery codes; all older ones are void."""
    await connection.execute("DELETE FROM auth.recovery_code WHERE account_id = $1", account_id)
    await connection.execute(
        "INSERT INTO auth.recovery_code (account_id, digest) SELECT $1, unnest($2::bytea[])",
        account_id,
        digests,
    )


async def use_code(connection: Connection, account_id: str, digest: bytes) -> bool:
    """Use a recovery code up; False when there is no such one, or it was used."""
    used = await connection.fetchval(
        """
        UPDATE auth.recovery_code SET used_at = now()
         WHERE account_id = $1 AND digest = $2 AND used_at IS NULL RETURNING true
        """,
        account_id,
        digest,
    )
    return bool(used)


async def count_codes(connection: Connection, account_id: str) -> int:
    """Count an account's recovery codes that are not used."""
    count: int = await connection.fetchval(
        "SELECT count(*) FROM auth.recovery_code WHERE account_id = $1 AND used_at IS NULL",
        account_id,
    )
    return count


async def insert_challenge(
    connection: Connection, digest: bytes, account_id: str, life: timedelta, most: int
) -> None:
    """Add a challenge; of an account's older ones the newest few stay."""
    await connection.execute(
        """
        DELETE FROM auth.login_challenge WHERE account_id = $1 AND digest IN (
            SELECT digest FROM auth.login_challenge WHERE account_id = $1
             ORDER BY expires_at DESC OFFSET $2)
        """,
        account_id,
        most - 1,
    )
    await connection.execute(
        """
        INSERT INTO auth.login_challenge (digest, account_id, expires_at)
        VALUES ($1, $2, now() + $3)
        """,
        digest,
        account_id,
        life,
    )


async def find_challenged(connection: Connection, digest: bytes) -> Factor | None:
    """Find the second factor that a live challenge asks for."""
    row = await connection.fetchrow(
        _FACTOR
        + """
          JOIN auth.login_challenge c ON c.account_id = f.account_id
         WHERE c.digest = $1 AND c.expires_at > now() AND f.confirmed_at IS NOT NULL
        """,
        digest,
    )
    return _factor(row)


async def use_challenge(connection: Connection, digest: bytes) -> bool:
    """Use a challenge up; False when it has gone."""
    used = await connection.fetchval(
        """
        DELETE FROM auth.login_challenge WHERE digest = $1 AND expires_at > now() RETURNING true
        """,
        digest,
    )
    return bool(used)


async def delete_challenges(connection: Connection, account_id: str) -> None:
    """Void every challenge of an account."""
    await connection.execute("DELETE FROM auth.login_challenge WHERE account_id = $1", account_id)


async def delete_expired_challenges(connection: Connection, limit: int) -> int:
    """Drop challenges that expired, and tell how many."""
    rows = await connection.fetch(
        """
        DELETE FROM auth.login_challenge WHERE ctid IN (
            SELECT ctid FROM auth.login_challenge WHERE expires_at < now() LIMIT $1)
        RETURNING true
        """,
        limit,
    )
    return len(rows)


_FACTOR = """
    SELECT f.account_id, a.email, f.sealed_secret, f.confirmed_at IS NOT NULL AS is_confirmed,
           f.last_step
      FROM auth.two_factor f JOIN auth.account a ON a.id = f.account_id
"""


def _factor(row: Record | None) -> Factor | None:
    return None if row is None else Factor(**row)
