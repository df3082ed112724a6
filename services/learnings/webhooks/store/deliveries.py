"""The SQL of messages and their deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.learnings.webhooks.models import Delivery
from shared.db import Connection

_ITEM: Final = """
    d.id, d.message_id, m.type, d.status, d.attempts,
    CASE WHEN d.status = 'pending' THEN d.due_at END AS next_attempt_at, d.attempted_at,
    d.duration_ms, d.response_status, d.response_text, d.error, d.created_at, d.finished_at"""


def _with(status: str | None) -> str:
    """Filter by a status; two texts, so that each finds its own index."""
    return "AND $3::text IS NULL" if status is None else "AND status = $3"


async def insert(
    connection: Connection,
    org_id: str,
    message_id: str,
    kind: str,
    body: str,
    webhook_ids: Sequence[str],
    delivery_ids: Sequence[str],
) -> None:
    """Write a message, and a delivery of it to each webhook; nothing if it is there already."""
    await connection.execute(
        """
        WITH message AS (
            INSERT INTO learnings.webhook_message (org_id, id, type, body) VALUES ($1, $2, $3, $4)
            ON CONFLICT DO NOTHING RETURNING id
        )
        INSERT INTO learnings.webhook_delivery (org_id, id, webhook_id, message_id)
        SELECT $1, delivery_id, webhook_id, message.id
          FROM message, unnest($5::text[], $6::text[]) AS one (webhook_id, delivery_id)
        """,
        org_id,
        message_id,
        kind,
        body,
        webhook_ids,
        delivery_ids,
    )


async def page(
    connection: Connection,
    org_id: str,
    webhook_id: str,
    status: str | None,
    limit: int,
    offset: int,
) -> list[Delivery]:
    """Give a page of a webhook's deliveries, newest first."""
    rows = await connection.fetch(
        f"""
        SELECT {_ITEM}
          FROM (SELECT id FROM learnings.webhook_delivery
                 WHERE org_id = $1 AND webhook_id = $2 {_with(status)}
                 ORDER BY created_at DESC, id DESC LIMIT $4 OFFSET $5) AS page
          JOIN learnings.webhook_delivery AS d ON d.org_id = $1 AND d.id = page.id
          JOIN learnings.webhook_message AS m ON m.org_id = $1 AND m.id = d.message_id
         ORDER BY d.created_at DESC, d.id DESC
        """,  # noqa: S608 - a constant of this module
        org_id,
        webhook_id,
        status,
        limit,
        offset,
    )
    return [Delivery(**row) for row in rows]


async def count(
    connection: Connection, org_id: str, webhook_id: str, status: str | None, cap: int
) -> int:
    """Count a webhook's deliveries, up to a cap."""
    total: int = await connection.fetchval(
        f"""
        SELECT count(*) FROM (SELECT FROM learnings.webhook_delivery
                               WHERE org_id = $1 AND webhook_id = $2 {_with(status)}
                               LIMIT $4) AS capped
        """,  # noqa: S608 - constants of this module
        org_id,
        webhook_id,
        status,
        cap,
    )
    return total


async def read(
    connection: Connection, org_id: str, webhook_id: str, delivery_id: str
) -> Delivery | None:
    """Give one delivery."""
    row = await connection.fetchrow(
        f"""
        SELECT {_ITEM} FROM learnings.webhook_delivery AS d
          JOIN learnings.webhook_message AS m ON m.org_id = $1 AND m.id = d.message_id
         WHERE d.org_id = $1 AND d.webhook_id = $2 AND d.id = $3
        """,  # noqa: S608 - a constant of this module
        org_id,
        webhook_id,
        delivery_id,
    )
    return None if row is None else Delivery(**row)


async def begin_again(
    connection: Connection, org_id: str, webhook_id: str, delivery_id: str
) -> bool:
    """Let a delivery be tried now, with all its attempts anew unless it is pending anyway."""
    status = await connection.execute(
        """
        UPDATE learnings.webhook_delivery
           SET earlier = CASE WHEN status = 'pending' THEN earlier ELSE attempts END,
               status = 'pending', due_at = now(), finished_at = NULL
         WHERE org_id = $1 AND webhook_id = $2 AND id = $3
        """,
        org_id,
        webhook_id,
        delivery_id,
    )
    return status == "UPDATE 1"


async def drop_backlog(connection: Connection, org_id: str, most: int) -> int:
    """Give up an organization's oldest deliveries that wait, beyond so many; tell how many.

    What somebody else is about to change is left to the next time.
    """
    status = await connection.execute(
        """
        UPDATE learnings.webhook_delivery
           SET status = 'failed', error = 'backlog', finished_at = now()
         WHERE org_id = $1 AND id = ANY(ARRAY(
                SELECT id FROM learnings.webhook_delivery
                 WHERE org_id = $1 AND status = 'pending' AND (created_at, id) <= (
                        SELECT created_at, id FROM learnings.webhook_delivery
                         WHERE org_id = $1 AND status = 'pending'
                         ORDER BY created_at DESC, id DESC OFFSET $2 LIMIT 1)
                   FOR UPDATE SKIP LOCKED))
        """,
        org_id,
        most,
    )
    return int(status.rpartition(" ")[2])


async def delete_old(connection: Connection, days: int, limit: int) -> int:
    """Delete one batch of old messages with their deliveries, and tell how many.

    Reads all tenants: age is what counts, whoever was told.
    """
    status = await connection.execute(
        """
        DELETE FROM learnings.webhook_message WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM learnings.webhook_message
             WHERE created_at < now() - make_interval(days => $1)
             ORDER BY created_at LIMIT $2))
        """,
        days,
        limit,
    )
    return int(status.rpartition(" ")[2])
