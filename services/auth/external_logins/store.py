"""SQL of external logins. An identity belongs to no tenant: it is a person's, as the account is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from services.auth.external_logins.models import Identity, Linked, PendingLogin
from shared.db import Connection


async def insert_login(
    connection: Connection,
    digest: bytes,
    browser: bytes,
    provider: str,
    pending: PendingLogin,
    life: timedelta,
) -> None:
    """Note a sign-in that leaves for an issuer."""
    await connection.execute(
        """
        INSERT INTO auth.external_login
               (digest, browser, provider, nonce, sealed_verifier, return_to, account_id,
                expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, now() + $8)
        """,
        digest,
        browser,
        provider,
        pending.nonce,
        pending.sealed_verifier,
        pending.return_to,
        pending.account_id,
        life,
    )


async def take_login(
    connection: Connection, digest: bytes, browser: bytes, provider: str
) -> PendingLogin | None:
    """Use up a sign-in that comes back, to the browser that began it and to no other."""
    row = await connection.fetchrow(
        """
        DELETE FROM auth.external_login
         WHERE digest = $1 AND browser = $2 AND provider = $3 AND expires_at > now()
        RETURNING nonce, sealed_verifier, return_to, account_id
        """,
        digest,
        browser,
        provider,
    )
    return None if row is None else PendingLogin(**row)


async def delete_expired(connection: Connection, limit: int) -> int:
    """Drop sign-ins that never came back, and tell how many."""
    rows = await connection.fetch(
        """
        DELETE FROM auth.external_login WHERE ctid IN (
            SELECT ctid FROM auth.external_login WHERE expires_at < now() LIMIT $1)
        RETURNING provider
        """,
        limit,
    )
    return len(rows)


async def find_linked(connection: Connection, issuer: str, subject: str) -> Linked | None:
    """Find the account behind an identity."""
    row = await connection.fetchrow(
        """
        SELECT a.id, a.disabled_at IS NOT NULL
                     OR a.verified_at IS NULL AS is_barred
          FROM auth.external_identity i JOIN auth.account a ON a.id = i.account_id
         WHERE i.issuer = $1 AND i.subject = $2
        """,
        issuer,
        subject,
    )
    return None if row is None else Linked(row["id"], row["is_barred"])


async def insert_identity(
    connection: Connection, issuer: str, subject: str, account_id: str
) -> bool:
    """Link an identity to an account; False when it is linked already, to whomever."""
    inserted = await connection.fetchval(
        """
        INSERT INTO auth.external_identity (issuer, subject, account_id) VALUES ($1, $2, $3)
        ON CONFLICT (issuer, subject) DO NOTHING RETURNING true
        """,
        issuer,
        subject,
        account_id,
    )
    return bool(inserted)


async def touch_identity(connection: Connection, issuer: str, subject: str) -> None:
    """Note that an identity was signed in with."""
    await connection.execute(
        """
        UPDATE auth.external_identity SET last_login_at = now()
         WHERE issuer = $1 AND subject = $2
        """,
        issuer,
        subject,
    )


async def list_identities(connection: Connection, account_id: str) -> list[Identity]:
    """Give the identities of an account, the oldest first; there are a handful at most."""
    rows = await connection.fetch(
        """
        SELECT issuer, subject, created_at, last_login_at FROM auth.external_identity
         WHERE account_id = $1 ORDER BY created_at, issuer, subject LIMIT 100
        """,
        account_id,
    )
    return [Identity(**row) for row in rows]


async def has_other_way(connection: Connection, account_id: str, issuer: str) -> bool:
    """Tell whether a person can still sign in without an issuer; locks the account for that.

    Two issuers unlinked at once would otherwise each count on the other.
    """
    other = await connection.fetchval(
        """
        SELECT a.password_hash IS NOT NULL
               OR EXISTS (SELECT FROM auth.external_identity i
                           WHERE i.account_id = a.id AND i.issuer <> $2)
          FROM auth.account a WHERE a.id = $1 FOR NO KEY UPDATE
        """,
        account_id,
        issuer,
    )
    return bool(other)


async def delete_identities(connection: Connection, account_id: str, issuer: str) -> Sequence[str]:
    """Unlink an issuer from an account, and give the subjects that were linked."""
    rows = await connection.fetch(
        """
        DELETE FROM auth.external_identity WHERE account_id = $1 AND issuer = $2
        RETURNING subject
        """,
        account_id,
        issuer,
    )
    return [row["subject"] for row in rows]


async def delete_all_identities(connection: Connection, account_id: str) -> list[str]:
    """Unlink every issuer from an account, drop links under way, and give the issuers."""
    await connection.execute("DELETE FROM auth.external_login WHERE account_id = $1", account_id)
    rows = await connection.fetch(
        "DELETE FROM auth.external_identity WHERE account_id = $1 RETURNING issuer", account_id
    )
    return [row["issuer"] for row in rows]
