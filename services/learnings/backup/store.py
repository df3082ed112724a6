"""The SQL of backups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.learnings.backup.models import Announced, BackupItem, Kept, Old, Room
from shared.db import Connection

MOST_LISTED: Final = 1000
SWEEP_SIZE: Final = 1000
"""Rows that one statement of the sweep takes."""


async def take_turns(connection: Connection, org_id: str) -> None:
    """Let what counts an organization's backups come one after the other."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('learnings.backup/' || $1, 0))", org_id
    )


async def room(connection: Connection, org_id: str, client_id: str, kept: int) -> Room:
    """Say how full the store is, as if the client's next backup had come already."""
    row = await connection.fetchrow(
        """
        SELECT coalesce(sum(size_bytes), 0)::bigint
               - coalesce((SELECT sum(size_bytes) FROM (
                     SELECT size_bytes FROM learnings.backup
                      WHERE org_id = $1 AND client_id = $2 AND uploaded_at IS NOT NULL
                      ORDER BY uploaded_at DESC, key DESC OFFSET $3) AS oldest), 0)::bigint AS used,
               count(*) FILTER (WHERE uploaded_at IS NULL) AS waiting,
               count(*) FILTER (WHERE uploaded_at IS NOT NULL) AS kept,
               EXISTS (SELECT 1 FROM learnings.organization
                        WHERE org_id = $1 AND named_at = 'infinity') AS is_forgotten
          FROM learnings.backup
         WHERE org_id = $1 AND (uploaded_at IS NOT NULL OR expires_at > now())
        """,
        org_id,
        client_id,
        kept - 1,
    )
    assert row is not None  # an aggregate always has a row
    return Room(**row)


async def announce(
    connection: Connection, announced: Announced, client_id: str, seconds: int
) -> None:
    """Note a backup that may be uploaded for so long."""
    await connection.execute(
        """
        INSERT INTO learnings.backup (org_id, key, client_id, size_bytes, sha256, expires_at)
        VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6))
        """,
        announced.org_id,
        announced.key,
        client_id,
        announced.size,
        announced.sha256,
        seconds,
    )


async def is_waiting(connection: Connection, org_id: str, key: str) -> bool:
    """Tell whether a backup was announced and is not there yet."""
    found = await connection.fetchval(
        """
        SELECT true FROM learnings.backup
         WHERE org_id = $1 AND key = $2 AND uploaded_at IS NULL
        """,
        org_id,
        key,
    )
    return bool(found)


async def finish(
    connection: Connection, org_id: str, key: str, file: str, sealed_key: bytes
) -> str | None:
    """Note that a backup is there; give its client, or None when another upload was faster."""
    client: str | None = await connection.fetchval(
        """
        UPDATE learnings.backup
           SET uploaded_at = clock_timestamp(), file = $3, sealed_key = $4
         WHERE org_id = $1 AND key = $2 AND uploaded_at IS NULL
        RETURNING client_id
        """,
        org_id,
        key,
        file,
        sealed_key,
    )
    return client


async def delete_oldest(
    connection: Connection, org_id: str, client_id: str, kept: int
) -> list[str]:
    """Delete a client's backups but for the newest; give their objects."""
    rows = await connection.fetch(
        """
        DELETE FROM learnings.backup WHERE org_id = $1 AND key IN (
            SELECT key FROM learnings.backup
             WHERE org_id = $1 AND client_id = $2 AND uploaded_at IS NOT NULL
             ORDER BY uploaded_at DESC, key DESC OFFSET $3)
        RETURNING file
        """,
        org_id,
        client_id,
        kept,
    )
    return [row["file"] for row in rows]


async def find(connection: Connection, org_id: str, key: str) -> Kept | None:
    """Find a backup that is there."""
    row = await connection.fetchrow(
        """
        SELECT key, size_bytes, sha256, file, sealed_key FROM learnings.backup
         WHERE org_id = $1 AND key = $2 AND uploaded_at IS NOT NULL
        """,
        org_id,
        key,
    )
    return None if row is None else Kept(**row)


async def newest(
    connection: Connection, org_id: str, client_id: str | None
) -> Sequence[BackupItem]:
    """List what is there, newest first."""
    rows = await connection.fetch(
        """
        SELECT key, uploaded_at, size_bytes, sha256, client_id
          FROM learnings.backup
         WHERE org_id = $1 AND ($2::text IS NULL OR client_id = $2) AND uploaded_at IS NOT NULL
         ORDER BY uploaded_at DESC, key DESC LIMIT $3
        """,
        org_id,
        client_id,
        MOST_LISTED,
    )
    return [BackupItem(**row) for row in rows]


async def delete_expired(connection: Connection) -> None:
    """Delete announcements that nobody may follow any more.

    all tenants: time passes for everybody. An upload that began in time has an hour to end.
    """
    await connection.execute(
        """
        DELETE FROM learnings.backup WHERE ctid IN (
            SELECT ctid FROM learnings.backup
             WHERE uploaded_at IS NULL AND expires_at < now() - interval '1 hour' LIMIT $1)
        """,
        SWEEP_SIZE,
    )


async def delete_old(connection: Connection, days: int) -> list[Old]:
    """Delete backups that are older than they are kept; give their objects.

    all tenants: the number of days is the installation's.
    """
    rows = await connection.fetch(
        """
        DELETE FROM learnings.backup WHERE ctid IN (
            SELECT ctid FROM learnings.backup
             WHERE uploaded_at < now() - make_interval(days => $1)
             ORDER BY uploaded_at LIMIT $2)
        RETURNING org_id, file
        """,
        days,
        SWEEP_SIZE,
    )
    return [Old(**row) for row in rows]


async def delete_all(connection: Connection, org_id: str) -> None:
    """Delete what an organization has, and with it the keys that open the objects."""
    await connection.execute("DELETE FROM learnings.backup WHERE org_id = $1", org_id)
