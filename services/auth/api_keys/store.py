"""SQL of API keys."""

from __future__ import annotations

from datetime import timedelta

from services.auth.api_keys.models import (
    ApiKeyItem,
    KeyStanding,
    NewKey,
    PersonalTokenItem,
    RefusedKey,
    Rotatable,
    Written,
)
from shared.db import Connection, Record


async def insert(connection: Connection, key_id: str, new: NewKey, written: Written) -> Record:
    """Add a key, and give ``created_at`` and ``expires_at``."""
    row = await connection.fetchrow(
        """
        INSERT INTO auth.api_key
               (org_id, id, account_id, kind, name, prefix, digest, scopes, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, coalesce($9, now() + $10::interval))
        RETURNING created_at, expires_at
        """,
        new.org_id,
        key_id,
        new.account_id,
        new.kind,
        new.name,
        written.prefix,
        written.digest,
        new.scopes,
        new.expires_at,
        new.life,
    )
    assert row is not None  # what was inserted comes back
    return row


async def list_shown(
    connection: Connection, org_id: str, limit: int, offset: int
) -> list[ApiKeyItem]:
    """Give a page of an organization's keys, newest first: those not revoked, and those refused."""
    rows = await connection.fetch(
        """
        SELECT id, kind, name, prefix, scopes, created_at, expires_at, last_used_at, replaced_by,
               revoked_at, last_refused_at, refused_count
          FROM ((SELECT * FROM auth.api_key WHERE org_id = $1 AND revoked_at IS NULL
                  ORDER BY created_at DESC, id DESC LIMIT $2::bigint + $3::bigint)
                UNION ALL
                SELECT * FROM auth.api_key
                 WHERE org_id = $1 AND last_refused_at > now() - interval '30 days'
                   AND revoked_at IS NOT NULL) AS shown
         ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3
        """,
        org_id,
        limit,
        offset,
    )
    return [ApiKeyItem(**row) for row in rows]


async def count_shown(connection: Connection, org_id: str, cap: int) -> int:
    """Count the keys that are listed of an organization, up to a cap."""
    total: int = await connection.fetchval(
        """
        SELECT count(*)
          FROM ((SELECT FROM auth.api_key WHERE org_id = $1 AND revoked_at IS NULL LIMIT $2)
                UNION ALL
                (SELECT FROM auth.api_key
                  WHERE org_id = $1 AND last_refused_at > now() - interval '30 days'
                    AND revoked_at IS NOT NULL LIMIT $2)) AS shown
        """,
        org_id,
        cap,
    )
    return min(total, cap)


async def list_refused(connection: Connection, org_id: str, limit: int) -> list[RefusedKey]:
    """Give the keys of an organization that were refused within 30 days, the last one first.

    A key that holds again, because its maker came back, is none of them.
    """
    rows = await connection.fetch(
        """
        SELECT name, prefix, last_refused_at,
               CASE WHEN revoked_at IS NOT NULL THEN 'revoked'
                    WHEN expires_at <= now() THEN 'expired'
                    ELSE 'its maker may not' END AS why
          FROM auth.api_key
         WHERE org_id = $1 AND last_refused_at > now() - interval '30 days'
           AND (last_used_at IS NULL OR last_used_at < last_refused_at)
         ORDER BY last_refused_at DESC LIMIT $2
        """,
        org_id,
        limit,
    )
    return [RefusedKey(**row) for row in rows]


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


async def lock_rotatable(connection: Connection, org_id: str, key_id: str) -> Rotatable | None:
    """Lock a key that is not revoked."""
    row = await connection.fetchrow(
        """
        SELECT kind, name, scopes, expires_at - created_at AS life, replaced_by
          FROM auth.api_key WHERE org_id = $1 AND id = $2 AND revoked_at IS NULL
           FOR NO KEY UPDATE
        """,
        org_id,
        key_id,
    )
    return None if row is None else Rotatable(**row)


async def replace(
    connection: Connection, org_id: str, key_id: str, successor: str, overlap: timedelta
) -> None:
    """Note a key's successor, and let the key hold no longer than the overlap."""
    await connection.execute(
        """
        UPDATE auth.api_key
           SET replaced_by = $3, expires_at = least(expires_at, now() + $4::interval),
               revoked_at = CASE WHEN $4::interval = interval '0' THEN now() END
         WHERE org_id = $1 AND id = $2
        """,
        org_id,
        key_id,
        successor,
        overlap,
    )


async def list_personal(
    connection: Connection, account_id: str, limit: int, offset: int
) -> list[PersonalTokenItem]:
    """Give a page of a person's tokens that are not revoked, newest first.

    Reads all tenants: the tokens are the person's own, whichever organization they are for.
    """
    rows = await connection.fetch(
        """
        SELECT id, name, prefix, created_at, last_used_at, expires_at, scopes
          FROM auth.api_key
         WHERE account_id = $1 AND kind = 'personal' AND revoked_at IS NULL
         ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3
        """,
        account_id,
        limit,
        offset,
    )
    return [PersonalTokenItem(**row) for row in rows]


async def revoke_personal(connection: Connection, account_id: str, key_id: str) -> str | None:
    """Revoke a person's own token, and give its organization; None when there is no such one.

    The token is what tells which organization is meant, so org_id comes out and not in.
    """
    org_id: str | None = await connection.fetchval(
        """
        UPDATE auth.api_key SET revoked_at = now()
         WHERE account_id = $1 AND id = $2 AND kind = 'personal' AND revoked_at IS NULL
        RETURNING org_id
        """,
        account_id,
        key_id,
    )
    return org_id


async def revoke_all(connection: Connection, account_id: str) -> list[Record]:
    """Revoke all keys of a person, and give ``org_id`` and ``id`` of each.

    Reads all tenants: it is the person who is not to be acted for any more.
    """
    return await connection.fetch(
        """
        UPDATE auth.api_key SET revoked_at = now()
         WHERE account_id = $1 AND revoked_at IS NULL RETURNING org_id, id
        """,
        account_id,
    )


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
    """Note that a key was used, unless another process just did.

    Without waiting for the disk: the gateway waits for this, and a crash loses a minute at most.
    """
    await connection.execute(
        """
        UPDATE auth.api_key SET last_used_at = now()
          FROM (SELECT set_config('synchronous_commit', 'off', true)) AS disk (waits)
         WHERE disk.waits = 'off' AND org_id = $1 AND id = $2
           AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
        """,
        org_id,
        key_id,
    )


async def note_refusal(connection: Connection, org_id: str, key_id: str) -> None:
    """Note that a key was shown which does not hold, unless another process just did.

    Without waiting for the disk, as in ``note_use``.
    """
    await connection.execute(
        """
        UPDATE auth.api_key SET last_refused_at = now(), refused_count = refused_count + 1
          FROM (SELECT set_config('synchronous_commit', 'off', true)) AS disk (waits)
         WHERE disk.waits = 'off' AND org_id = $1 AND id = $2
           AND (last_refused_at IS NULL OR last_refused_at < now() - interval '1 minute')
        """,
        org_id,
        key_id,
    )


_STANDING = """
    SELECT k.id, k.account_id, k.org_id, k.scopes, k.expires_at, m.role, a.platform_admin,
           k.revoked_at IS NULL AND a.disabled_at IS NULL
               AND (k.expires_at IS NULL OR k.expires_at > now()) AS holds,
           coalesce(k.last_used_at > now() - interval '1 minute', false) AS is_use_noted,
           coalesce(k.last_refused_at > now() - interval '1 minute', false) AS is_refusal_noted
      FROM auth.api_key k
      JOIN auth.account a ON a.id = k.account_id
      LEFT JOIN auth.membership m ON m.org_id = k.org_id AND m.account_id = k.account_id
"""


def _standing(row: Record | None) -> KeyStanding | None:
    return None if row is None else KeyStanding(**row)
