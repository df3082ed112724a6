"""SQL of machines. A machine belongs to a person, who may act in several organizations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.auth.machines.models import Machine, Owner
from shared.db import Connection


async def upsert(
    connection: Connection, machine_id: str, token: str, account_id: str, name: str
) -> int | None:
    """Link a token to an account, again if it was before, and give the machine's version.

    None when the token is linked to another account.
    """
    version: int | None = await connection.fetchval(
        """
        INSERT INTO auth.machine AS m (token, id, account_id, machine_name)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (token) DO UPDATE
           SET machine_name = excluded.machine_name, revoked_at = NULL, barred = false,
               version = nextval('auth.machine_version')
         WHERE m.account_id = excluded.account_id
        RETURNING version
        """,
        token,
        machine_id,
        account_id,
        name,
    )
    return version


async def list_of(connection: Connection, account_id: str) -> list[Machine]:
    """Give an account's machines, revoked ones too, the newest first."""
    rows = await connection.fetch(
        """
        SELECT id, token, machine_name, created_at, last_seen_at, revoked_at, version
          FROM auth.machine WHERE account_id = $1 ORDER BY created_at DESC, id DESC
        """,
        account_id,
    )
    return [Machine(**row) for row in rows]


async def find_owners(connection: Connection, tokens: Sequence[str]) -> dict[str, Owner]:
    """Find whose machines some tokens are, as far as they were ever linked."""
    rows = await connection.fetch(
        """
        SELECT m.token, m.account_id, a.email, m.machine_name, m.barred, m.version,
               m.revoked_at IS NULL AND a.disabled_at IS NULL AS linked
          FROM auth.machine m JOIN auth.account a ON a.id = m.account_id
         WHERE m.token = ANY($1::text[])
        """,
        tokens,
    )
    found = [dict(row) for row in rows]
    return {row.pop("token"): Owner(**row) for row in found}


async def is_of(connection: Connection, token: str, account_id: str) -> bool:
    """Tell whether a token was linked to an account, revoked or not."""
    found = await connection.fetchval(
        "SELECT true FROM auth.machine WHERE token = $1 AND account_id = $2", token, account_id
    )
    return bool(found)


async def revoke(
    connection: Connection, token: str, account_id: str, *, barred: bool
) -> int | None:
    """Revoke an account's machine and give its version; None when there is no link to revoke."""
    version: int | None = await connection.fetchval(
        """
        UPDATE auth.machine
           SET revoked_at = now(), barred = $3, version = nextval('auth.machine_version')
         WHERE token = $1 AND account_id = $2 AND revoked_at IS NULL RETURNING version
        """,
        token,
        account_id,
        barred,
    )
    return version


async def revoke_all(connection: Connection, account_id: str) -> dict[str, int]:
    """Revoke all machines of an account; give the version of each, by token."""
    rows = await connection.fetch(
        """
        UPDATE auth.machine
           SET revoked_at = now(), barred = true, version = nextval('auth.machine_version')
         WHERE account_id = $1 AND revoked_at IS NULL RETURNING token, version
        """,
        account_id,
    )
    return {row["token"]: row["version"] for row in rows}


async def note_seen(connection: Connection, token: str, at: datetime) -> None:
    """Note when a machine was seen; an older time than the one known changes nothing."""
    await connection.execute(
        """
        UPDATE auth.machine SET last_seen_at = $2
         WHERE token = $1 AND (last_seen_at IS NULL OR last_seen_at < $2)
        """,
        token,
        at,
    )
