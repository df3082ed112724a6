"""SQL of API keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.auth.api_keys.models import ApiKeyItem, KeyStanding
from shared.db import Connection, Record


async def insert(
    connection: Connection,
    org_id: str,
    key_id: str,
    account_id: str,
    name: str,
    prefix: str,
    digest: bytes,
    scopes: Sequence[str],
    expires_at: datetime | None,
) -> datetime:
    """Add a key and give when it was made."""
    created_at: datetime = await connection.fetchval(
        """
        INSERT INTO auth.api_key
               (org_id, id, account_id, name, prefix, digest, scopes, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING created_at
        """,
        org_id,
        key_id,
        account_id,
        name,
        prefix,
        digest,
        scopes,
        expires_at,
    )
    return created_at


async def list_live(
    connection: Connection, org_id: str, limit: int, offset: int
) -> list[ApiKeyItem]:
    """Give a page of an organization's keys that are not revoked, newest first."""
    rows = await connection.fetch(
        """
        SELECT id, name, prefix, scopes, created_at, expires_at, last_used_at
          FROM auth.api_key WHERE org_id = $1 AND revoked_at IS NULL
         ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3
        """,
        org_id,
        limit,
        offset,
    )
    return [ApiKeyItem(**row) for row in rows]


async def count_live(connection: Connection, org_id: str, cap: int) -> int:
    """Count an organization's keys that are not revoked, up to a cap."""
    total: int = await connection.fetchval(
        """
        SELECT count(*) FROM (SELECT FROM auth.api_key
                               WHERE org_id = $1 AND revoked_at IS NULL LIMIT $2) AS capped
        """,
        org_id,
        cap,
    )
    return total


async def revoke(connection: Connection, org_id: str, key_id: str) -> bool:
    """Revoke a key; False when there is none, or it was revoked before."""
    revoked = await connection.fetchval(
        """
        UPDATE auth.api_key SET revoked_at = now()
         WHERE org_id = $1 AND id = $2 AND revoked_at IS NULL RETURNING true
        """,
        org_id,
        key_id,
    )
    return bool(revoked)


async def find_by_digest(connection: Connection, digest: bytes) -> KeyStanding | None:
    """Find a key by its digest, with the standing of its maker.

    Reads all tenants: the key is what tells which one is meant; org_id comes out, not in.
    """
    return _standing(await connection.fetchrow(_STANDING + " WHERE k.digest = $1", digest))


async def find_by_id(connection: Connection, org_id: str, key_id: str) -> KeyStanding | None:
    """Find a key by its id, with the standing of its maker."""
    row = await connection.fetchrow(
        _STANDING + " WHERE k.org_id = $1 AND k.id = $2", org_id, key_id
    )
    return _standing(row)


async def note_use(connection: Connection, org_id: str, key_id: str) -> None:
    """Note that a key was used, unless another process just did."""
    await connection.execute(
        """
        UPDATE auth.api_key SET last_used_at = now()
         WHERE org_id = $1 AND id = $2
           AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
        """,
        org_id,
        key_id,
    )


_STANDING = """
    SELECT k.id, k.account_id, k.org_id, k.scopes, k.expires_at, m.role, a.platform_admin,
           k.revoked_at IS NULL AND a.disabled_at IS NULL
               AND (k.expires_at IS NULL OR k.expires_at > now()) AS holds,
           coalesce(k.last_used_at > now() - interval '1 minute', false) AS is_use_noted
      FROM auth.api_key k
      JOIN auth.account a ON a.id = k.account_id
      LEFT JOIN auth.membership m ON m.org_id = k.org_id AND m.account_id = k.account_id
"""


def _standing(row: Record | None) -> KeyStanding | None:
    return None if row is None else KeyStanding(**row)
