"""The SQL of forgetting."""

from __future__ import annotations

from typing import Final

from shared.db import Connection

TIMEOUT: Final = 280.0
"""Seconds that one statement may take: somebody may have written for years."""


async def lock_organizations_of(connection: Connection, account_id: str) -> None:
    """Lock the rows that all writers of learnings take first, so that nobody waits crosswise.

    Reads all tenants: a person may have written in several.
    """
    await connection.execute(
        """
        SELECT FROM learnings.organization
         WHERE org_id IN (SELECT org_id FROM learnings.learning
                           WHERE account_id = $1 AND account_id <> '')
         ORDER BY org_id FOR UPDATE
        """,
        account_id,
        timeout=TIMEOUT,
    )


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


OWN_TABLES: Final = (
    "landmark",
    "learning",
    "key_policy",
    "key_usage",
    "installation",
    "submission",
    "outcome_learning",
    "outcome",
    "learning_score",
    "webhook",
    "webhook_news",
    "webhook_message",
)
"""What is one organization's, row by row; what hangs on a row goes with it."""


async def delete_own(connection: Connection, org_id: str) -> None:
    """Delete an organization's rows from every table that needs no more than that."""
    for table in OWN_TABLES:
        await connection.execute(
            f"DELETE FROM learnings.{table} WHERE org_id = $1",  # noqa: S608 - of the table above
            org_id,
            timeout=TIMEOUT,
        )


async def delete_submissions_of(connection: Connection, account_id: str) -> None:
    """Delete what a person wrote to the platform's people.

    Reads all tenants: a person may have written in several.
    """
    await connection.execute(
        "DELETE FROM learnings.submission WHERE account_id = $1 AND account_id <> ''",
        account_id,
        timeout=TIMEOUT,
    )


async def delete_answers(connection: Connection, org_id: str) -> None:
    """Delete the answers that are kept for a day in case a request comes again.

    Reads all tenants: the table is a day's, and its principals name the organization inside.
    """
    await connection.execute(
        """
        DELETE FROM learnings.idempotency_key
         WHERE split_part(split_part(principal, ':', 2), '/', 1) = $1
        """,
        org_id,
        timeout=TIMEOUT,
    )


async def delete_answers_to(connection: Connection, account_id: str) -> None:
    """Delete the answers that are kept for a day for a person.

    Reads all tenants: the table is a day's, and a person may act in several.
    """
    await connection.execute(
        "DELETE FROM learnings.idempotency_key WHERE split_part(principal, '/', 2) = $1",
        account_id,
        timeout=TIMEOUT,
    )
