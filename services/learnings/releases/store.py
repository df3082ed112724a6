"""The SQL of releases, which belong to the installation and to no tenant."""

from __future__ import annotations

from typing import Final

from services.learnings.releases.models import NewRelease, Stored
from shared.db import Connection

_STORED: Final = """
    SELECT version, channel, posted_at, built_at,
           artifact_checksum, artifact_size_bytes, expected_installer, min_compatible_version,
           framework_version, changelog_url, changelog, artifact_file, installer_file,
           installer_checksum, installer_size_bytes, withdrawn_at IS NOT NULL AS is_withdrawn
      FROM learnings.release
"""


async def insert(connection: Connection, new: NewRelease) -> bool:
    """Write a release; False when the version is there."""
    made = await connection.fetchval(
        """
        INSERT INTO learnings.release
               (version, channel, built_at, artifact_checksum, artifact_size_bytes,
                expected_installer, min_compatible_version, framework_version, changelog_url,
                changelog)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (version) DO NOTHING
        RETURNING true
        """,
        new.version,
        new.channel,
        new.artifact_url,
        new.artifact_checksum,
        new.artifact_size_bytes,
        new.installer_checksum,
        new.min_compatible_version,
        new.framework_version,
        new.changelog_url or "",
        new.changelog,
    )
    return bool(made)


async def find(connection: Connection, version: str) -> Stored | None:
    """Find a release, a withdrawn one too."""
    row = await connection.fetchrow(_STORED + " WHERE version = $1", version)
    return None if row is None else Stored(**row)


async def lock(connection: Connection, version: str) -> Stored | None:
    """Find a release and keep others from changing it."""
    row = await connection.fetchrow(_STORED + " WHERE version = $1 FOR UPDATE", version)
    return None if row is None else Stored(**row)


async def newest(connection: Connection, channel: str) -> Stored | None:
    """Find the release of a channel that was posted last."""
    row = await connection.fetchrow(
        _STORED + " WHERE channel = $1 AND withdrawn_at IS NULL ORDER BY number DESC LIMIT 1",
        channel,
    )
    return None if row is None else Stored(**row)


async def page(
    connection: Connection, channel: str | None, limit: int, offset: int
) -> list[Stored]:
    """Give a page of releases, newest first."""
    rows = await connection.fetch(
        _STORED
        + """
         WHERE withdrawn_at IS NULL AND ($1::text IS NULL OR channel = $1)
         ORDER BY number DESC LIMIT $2 OFFSET $3
        """,
        channel,
        limit,
        offset,
    )
    return [Stored(**row) for row in rows]


async def count(connection: Connection, channel: str | None, cap: int) -> int:
    """Count releases, up to a cap."""
    found = await connection.fetchval(
        """
        SELECT count(*) FROM (
            SELECT 1 FROM learnings.release
             WHERE withdrawn_at IS NULL AND ($1::text IS NULL OR channel = $1) LIMIT $2) AS found
        """,
        channel,
        cap,
    )
    return int(found)


async def set_artifact(connection: Connection, version: str, key: str) -> None:
    """Say where the artifact is."""
    await connection.execute(
        "UPDATE learnings.release SET artifact_file = $2 WHERE version = $1", version, key
    )


async def set_installer(
    connection: Connection, version: str, key: str, sha256: str, size: int
) -> None:
    """Say where the installer is, and what it is."""
    await connection.execute(
        """
        UPDATE learnings.release
           SET installer_file = $2, installer_checksum = $3, installer_size_bytes = $4
         WHERE version = $1
        """,
        version,
        key,
        sha256,
        size,
    )


async def withdraw(connection: Connection, version: str) -> None:
    """Take a release back; its version stays taken."""
    await connection.execute(
        """
        UPDATE learnings.release
           SET withdrawn_at = now(), artifact_file = NULL, installer_file = NULL
         WHERE version = $1
        """,
        version,
    )
