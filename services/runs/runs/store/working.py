"""SQL: what a run brings along, and forgetting."""

from __future__ import annotations

from typing import Final

from shared.db import Connection

TIMEOUT: Final = 280.0
"""Seconds that one statement may take: somebody may have run suites for years."""


async def sealed_of(
    connection: Connection, org_id: str, run_id: str
) -> tuple[bytes | None, bytes | None]:
    """Give the variables that were given with a run, and its test account, both sealed."""
    row = await connection.fetchrow(
        "SELECT variables, login FROM runs.run WHERE org_id = $1 AND id = $2", org_id, run_id
    )
    return (None, None) if row is None else (row["variables"], row["login"])


async def count_unfinished(connection: Connection, org_id: str, plan_id: str) -> int:
    """Count the runs of a plan that have not ended."""
    found: int = await connection.fetchval(
        """
        SELECT count(*) FROM runs.run
         WHERE org_id = $1 AND plan_id = $2 AND status IN ('queued', 'running')
        """,
        org_id,
        plan_id,
    )
    return found


async def forget_starter(connection: Connection, account_id: str) -> None:
    """Take a person's name off the runs that they asked for.

    all tenants: a person may have acted in several.
    """
    await connection.execute(
        "UPDATE runs.run SET created_by = '' WHERE created_by = $1 AND created_by <> ''",
        account_id,
        timeout=TIMEOUT,
    )


async def delete_some(connection: Connection, org_id: str, limit: int) -> list[str]:
    """Delete some runs of an organization with all that hangs on them; none when all are gone."""
    rows = await connection.fetch(
        """
        DELETE FROM runs.run WHERE org_id = $1 AND id IN (
            SELECT id FROM runs.run WHERE org_id = $1 ORDER BY id LIMIT $2 FOR UPDATE)
        RETURNING id
        """,
        org_id,
        limit,
        timeout=TIMEOUT,
    )
    return [row["id"] for row in rows]


async def delete_answers_in(connection: Connection, org_id: str) -> None:
    """Delete the answers that are kept for a day in case a request comes again.

    all tenants: the table is a day's, and its principals name the organization inside.
    """
    await connection.execute(
        """
        DELETE FROM runs.idempotency_key
         WHERE split_part(split_part(principal, ':', 2), '/', 1) = $1
        """,
        org_id,
        timeout=TIMEOUT,
    )


async def delete_answers_to(connection: Connection, account_id: str) -> None:
    """Delete the answers that are kept for a day for a person.

    all tenants: the table is a day's, and a person may act in several.
    """
    await connection.execute(
        "DELETE FROM runs.idempotency_key WHERE split_part(principal, '/', 2) = $1",
        account_id,
        timeout=TIMEOUT,
    )
