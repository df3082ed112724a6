"""The SQL of forgetting."""

from __future__ import annotations

from typing import Final

from shared.db import Connection

TIMEOUT: Final = 280.0
"""Seconds that one statement may take: somebody may have written for years."""


async def forget_writer(connection: Connection, account_id: str) -> None:
    """Take a writer's name off their learnings.

    Reads all tenants: a person may have written in several. The origin, part of the natural key,
    becomes the learning's own id where it named the person or a key of theirs; an installation's
    hash names neither.
    """
    await connection.execute(
        """
        UPDATE learnings.learning
           SET account_id = '', recorded_by = '',
               origin = CASE WHEN origin = recorded_by THEN id ELSE origin END
         WHERE account_id = $1 AND account_id <> ''
        """,
        account_id,
        timeout=TIMEOUT,
    )


async def keep_forgotten(connection: Connection, org_id: str) -> None:
    """Keep of an organization only that it was forgotten: no later name will be newer."""
    await connection.execute(
        """
        INSERT INTO learnings.organization (org_id, named_at) VALUES ($1, 'infinity')
        ON CONFLICT (org_id) DO UPDATE
           SET name = '', slug = '', named_at = 'infinity', learning_count = 0
        """,
        org_id,
    )


async def delete_landmarks(connection: Connection, org_id: str) -> None:
    """Delete the landmarks of an organization's list."""
    await connection.execute(
        "DELETE FROM learnings.landmark WHERE org_id = $1", org_id, timeout=TIMEOUT
    )


async def delete_learnings(connection: Connection, org_id: str) -> None:
    """Delete an organization's learnings."""
    await connection.execute(
        "DELETE FROM learnings.learning WHERE org_id = $1", org_id, timeout=TIMEOUT
    )
