"""The SQL of what is to be told."""

from __future__ import annotations

from collections.abc import Sequence

from shared.db import Connection, Record


async def any_webhook(connection: Connection) -> bool:
    """Tell whether anybody has a webhook. Reads all tenants: it is asked for the whole process."""
    found: bool = await connection.fetchval("SELECT EXISTS (SELECT FROM learnings.webhook)")
    return found


async def take(connection: Connection, most: int) -> Sequence[Record]:
    """Take the oldest news of the organization that has waited longest, in their order.

    Reads all tenants: whose turn it is decides their age. Others skip what is taken until the
    transaction ends.
    """
    return await connection.fetch(
        """
        WITH first AS (
            SELECT org_id FROM learnings.webhook_news ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
        ), taken AS (
            SELECT n.org_id, n.id FROM learnings.webhook_news AS n, first
             WHERE n.org_id = first.org_id ORDER BY n.id LIMIT $1 FOR UPDATE OF n SKIP LOCKED
        ), gone AS (
            DELETE FROM learnings.webhook_news AS n USING taken AS t
             WHERE n.org_id = t.org_id AND n.id = t.id
            RETURNING n.*
        )
        SELECT org_id, type, learning_id, event_id, said_at FROM gone ORDER BY id
        """,
        most,
    )
