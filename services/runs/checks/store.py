"""The SQL of baselines and their pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.runs.checks.models import Outcome, Picture, Stored
from shared.db import Connection

_STORED: Final = """
    SELECT name, picture, latest, difference, sha256, latest_sha256, width, height, status,
           observed, created_at, approved_at, approved_by, compared_at
      FROM runs.baseline
"""


async def find(connection: Connection, org_id: str, name: str) -> Stored | None:
    """Find a baseline."""
    row = await connection.fetchrow(_STORED + " WHERE org_id = $1 AND name = $2", org_id, name)
    return None if row is None else Stored(**row)


async def lock(connection: Connection, org_id: str, name: str) -> Stored | None:
    """Find a baseline and keep others from changing it."""
    row = await connection.fetchrow(
        _STORED + " WHERE org_id = $1 AND name = $2 FOR UPDATE", org_id, name
    )
    return None if row is None else Stored(**row)


async def page(
    connection: Connection, org_id: str, q: str, limit: int, offset: int
) -> list[Stored]:
    """Give a page of baselines by name, those whose name contains ``q``."""
    rows = await connection.fetch(
        _STORED
        + """
         WHERE org_id = $1 AND ($2 = '' OR strpos(lower(name), lower($2)) > 0)
         ORDER BY name LIMIT $3 OFFSET $4
        """,
        org_id,
        q,
        limit,
        offset,
    )
    return [Stored(**row) for row in rows]


async def count(connection: Connection, org_id: str, q: str, cap: int) -> int:
    """Count baselines whose name contains ``q``, up to a cap."""
    found = await connection.fetchval(
        """
        SELECT count(*) FROM (
            SELECT 1 FROM runs.baseline
             WHERE org_id = $1 AND ($2 = '' OR strpos(lower(name), lower($2)) > 0)
             LIMIT $3) AS found
        """,
        org_id,
        q,
        cap,
    )
    return int(found)


async def insert(
    connection: Connection, org_id: str, name: str, picture: Picture, observed: str, by: str
) -> bool:
    """Write a baseline; False when the name has one."""
    made = await connection.fetchval(
        """
        INSERT INTO runs.baseline (org_id, name, picture, latest, sha256, latest_sha256, width,
                                   height, status, observed, created_by)
        VALUES ($1, $2, $3, $3, $4, $4, $5, $6, 'passed', $7, $8)
        ON CONFLICT (org_id, name) DO NOTHING
        RETURNING true
        """,
        org_id,
        name,
        picture.key,
        picture.sha256,
        picture.width,
        picture.height,
        observed,
        by,
    )
    return bool(made)


async def set_latest(
    connection: Connection,
    org_id: str,
    name: str,
    picture: Picture,
    outcome: Outcome,
    difference: str | None,
) -> None:
    """Say what was compared last, and what came of it."""
    await connection.execute(
        """
        UPDATE runs.baseline
           SET latest = $3, latest_sha256 = $4, status = $5, observed = $6, difference = $7,
               compared_at = clock_timestamp()
         WHERE org_id = $1 AND name = $2
        """,
        org_id,
        name,
        picture.key,
        picture.sha256,
        outcome.status,
        outcome.observed,
        difference,
    )


async def approve(
    connection: Connection, org_id: str, name: str, size: tuple[int, int], observed: str, by: str
) -> None:
    """Make what was compared last the baseline."""
    await connection.execute(
        """
        UPDATE runs.baseline
           SET picture = latest, sha256 = latest_sha256, width = $3, height = $4,
               status = 'passed', observed = $5, difference = NULL,
               approved_at = clock_timestamp(), approved_by = $6
         WHERE org_id = $1 AND name = $2
        """,
        org_id,
        name,
        *size,
        observed,
        by,
    )


async def delete(connection: Connection, org_id: str, name: str) -> None:
    """Delete a baseline."""
    await connection.execute(
        "DELETE FROM runs.baseline WHERE org_id = $1 AND name = $2", org_id, name
    )


async def delete_all(connection: Connection, org_id: str) -> None:
    """Delete an organization's baselines; their files are due at once."""
    await connection.execute("DELETE FROM runs.baseline WHERE org_id = $1", org_id)
    await connection.execute(
        "UPDATE runs.baseline_file SET due_at = clock_timestamp() WHERE org_id = $1", org_id
    )


async def forget_account(connection: Connection, account_id: str) -> None:
    """Let no baseline name an account.

    all tenants: an account may have approved in several organizations, and is forgotten in all.
    """
    await connection.execute(
        "UPDATE runs.baseline SET created_by = '' WHERE created_by = $1", account_id
    )
    await connection.execute(
        "UPDATE runs.baseline SET approved_by = '' WHERE approved_by = $1", account_id
    )


async def announce_file(connection: Connection, org_id: str, key: str) -> None:
    """Note a file before it is written, due in an hour unless it is kept."""
    await connection.execute(
        """
        INSERT INTO runs.baseline_file (org_id, key, due_at)
        VALUES ($1, $2, clock_timestamp() + interval '1 hour')
        """,
        org_id,
        key,
    )


async def keep_files(connection: Connection, org_id: str, keys: Sequence[str]) -> int:
    """Keep files; give how many of them are there to be kept."""
    done: str = await connection.execute(
        "UPDATE runs.baseline_file SET due_at = NULL WHERE org_id = $1 AND key = ANY($2::text[])",
        org_id,
        list(keys),
    )
    return int(done.split()[-1])


async def drop_files(connection: Connection, org_id: str, keys: Sequence[str]) -> None:
    """Say that files are needed no more; who reads one now still has a minute."""
    await connection.execute(
        """
        UPDATE runs.baseline_file SET due_at = clock_timestamp() + interval '1 minute'
         WHERE org_id = $1 AND key = ANY($2::text[])
        """,
        org_id,
        list(keys),
    )


async def due_files(connection: Connection, limit: int) -> list[tuple[str, str]]:
    """List files that are due, with their organizations.

    all tenants: the sweep deletes for everybody.
    """
    rows = await connection.fetch(
        """
        SELECT org_id, key FROM runs.baseline_file
         WHERE due_at < clock_timestamp() ORDER BY due_at LIMIT $1
        """,
        limit,
    )
    return [(row["org_id"], row["key"]) for row in rows]


async def forget_file(connection: Connection, org_id: str, key: str) -> None:
    """Forget a file that is deleted."""
    await connection.execute(
        "DELETE FROM runs.baseline_file WHERE org_id = $1 AND key = $2 AND due_at IS NOT NULL",
        org_id,
        key,
    )
