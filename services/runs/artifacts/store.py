"""The SQL of artifacts: whose a run is, and which folders there are."""

from __future__ import annotations

from services.runs.artifacts.models import Folder
from shared.db import Connection

SWEEP_SIZE = 100
"""Folders that one statement takes."""


async def has_run(connection: Connection, org_id: str, run_id: str) -> bool:
    """Tell whether a run is there, and this organization's."""
    found = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM runs.run WHERE org_id = $1 AND id = $2)", org_id, run_id
    )
    return bool(found)


async def note(connection: Connection, org_id: str, run_id: str) -> int | None:
    """Note that a run's folder is written to; give its bytes so far, None if it has no run."""
    found: int | None = await connection.fetchval(
        """
        INSERT INTO runs.artifact_folder (org_id, run_id)
        SELECT org_id, id FROM runs.run WHERE org_id = $1 AND id = $2
            ON CONFLICT (org_id, run_id) DO UPDATE SET bytes = artifact_folder.bytes
         WHERE artifact_folder.dropped_at IS NULL
        RETURNING bytes
        """,
        org_id,
        run_id,
    )
    return found


async def grow(connection: Connection, org_id: str, run_id: str, size: int) -> None:
    """Count what was written."""
    await connection.execute(
        "UPDATE runs.artifact_folder SET bytes = bytes + $3 WHERE org_id = $1 AND run_id = $2",
        org_id,
        run_id,
        size,
    )


async def drop(connection: Connection, org_id: str, run_id: str) -> None:
    """Let a folder go."""
    await connection.execute(
        """
        UPDATE runs.artifact_folder SET dropped_at = clock_timestamp()
         WHERE org_id = $1 AND run_id = $2 AND dropped_at IS NULL
        """,
        org_id,
        run_id,
    )


async def drop_all(connection: Connection, org_id: str) -> None:
    """Let all folders of an organization go."""
    await connection.execute(
        """
        UPDATE runs.artifact_folder SET dropped_at = clock_timestamp()
         WHERE org_id = $1 AND dropped_at IS NULL
        """,
        org_id,
    )


async def old(connection: Connection, days: int) -> list[Folder]:
    """Give folders whose shots, traces and downloads have had their time.

    all tenants: the sweep clears whatever is old, whoever's it is.
    """
    rows = await connection.fetch(
        """
        SELECT org_id, run_id FROM runs.artifact_folder
         WHERE cleared_at IS NULL AND dropped_at IS NULL
           AND created_at < clock_timestamp() - make_interval(days => $1)
         ORDER BY created_at LIMIT $2
        """,
        days,
        SWEEP_SIZE,
    )
    return [Folder(**row) for row in rows]


async def set_cleared(connection: Connection, org_id: str, run_id: str) -> None:
    """Note that nothing but reports is left."""
    await connection.execute(
        """
        UPDATE runs.artifact_folder SET cleared_at = clock_timestamp()
         WHERE org_id = $1 AND run_id = $2
        """,
        org_id,
        run_id,
    )


async def dropped(connection: Connection, skipped: int) -> list[Folder]:
    """Give folders that were let go, after so many others.

    all tenants: the sweep deletes what nobody can reach, whoever's it was.
    """
    rows = await connection.fetch(
        """
        SELECT org_id, run_id FROM runs.artifact_folder WHERE dropped_at IS NOT NULL
         ORDER BY dropped_at, org_id, run_id LIMIT $1 OFFSET $2
        """,
        SWEEP_SIZE,
        skipped,
    )
    return [Folder(**row) for row in rows]


async def forget(connection: Connection, org_id: str, run_id: str, seconds: float) -> bool:
    """Forget a folder that was let go so long ago that nobody can still be writing to it."""
    gone = await connection.fetchval(
        """
        DELETE FROM runs.artifact_folder
         WHERE org_id = $1 AND run_id = $2
           AND dropped_at < clock_timestamp() - make_interval(secs => $3)
        RETURNING true
        """,
        org_id,
        run_id,
        seconds,
    )
    return bool(gone)
