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


async def delete_key_policies(connection: Connection, org_id: str) -> None:
    """Delete what an organization's keys may pull and record."""
    await connection.execute(
        "DELETE FROM learnings.key_policy WHERE org_id = $1", org_id, timeout=TIMEOUT
    )


async def delete_key_usage(connection: Connection, org_id: str) -> None:
    """Delete what an organization's keys have recorded in number."""
    await connection.execute(
        "DELETE FROM learnings.key_usage WHERE org_id = $1", org_id, timeout=TIMEOUT
    )


async def delete_installations(connection: Connection, org_id: str) -> None:
    """Delete the clients that were seen in an organization."""
    await connection.execute(
        "DELETE FROM learnings.installation WHERE org_id = $1", org_id, timeout=TIMEOUT
    )


async def delete_submissions(connection: Connection, org_id: str) -> None:
    """Delete what an organization's people wrote to the platform's."""
    await connection.execute(
        "DELETE FROM learnings.submission WHERE org_id = $1", org_id, timeout=TIMEOUT
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


async def delete_outcome_learnings(connection: Connection, org_id: str) -> None:
    """Delete which learnings an organization's work used."""
    await connection.execute(
        "DELETE FROM learnings.outcome_learning WHERE org_id = $1", org_id, timeout=TIMEOUT
    )


async def delete_outcomes(connection: Connection, org_id: str) -> None:
    """Delete what came of an organization's work."""
    await connection.execute(
        "DELETE FROM learnings.outcome WHERE org_id = $1", org_id, timeout=TIMEOUT
    )


async def delete_scores(connection: Connection, org_id: str) -> None:
    """Delete how much an organization's learnings helped."""
    await connection.execute(
        "DELETE FROM learnings.learning_score WHERE org_id = $1", org_id, timeout=TIMEOUT
    )


async def delete_webhooks(connection: Connection, org_id: str) -> None:
    """Delete the addresses that an organization is told at, and what waits for them."""
    await connection.execute(
        "DELETE FROM learnings.webhook WHERE org_id = $1", org_id, timeout=TIMEOUT
    )


async def delete_webhook_news(connection: Connection, org_id: str) -> None:
    """Delete what an organization's webhooks were still to be told of."""
    await connection.execute(
        "DELETE FROM learnings.webhook_news WHERE org_id = $1", org_id, timeout=TIMEOUT
    )


async def delete_webhook_messages(connection: Connection, org_id: str) -> None:
    """Delete what an organization's addresses were told."""
    await connection.execute(
        "DELETE FROM learnings.webhook_message WHERE org_id = $1", org_id, timeout=TIMEOUT
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
