"""The SQL of the stream: the organization's learnings in commit order."""

from __future__ import annotations

from typing import Final

from services.learnings.stream.models import EventPage, StreamEvent
from shared.db import Connection

# Walked in the index's order whatever the filters, which OFFSET 0 keeps apart: the planner takes
# them for rarer than they are.
AFTER: Final = """
    WITH p AS (
        SELECT nullif(p.origin_projects, '{}') AS origin_projects, nullif(p.tags, '{}') AS tags,
               coalesce(p.min_impact, 0) AS min_impact
          FROM (SELECT) AS always
          LEFT JOIN learnings.key_policy AS p ON p.org_id = $1 AND p.key_id = $2
    ), found AS (
        SELECT l.*, sum(octet_length(l.summary) + octet_length(l.detail)
                        + pg_column_size(l.metadata)) OVER (ORDER BY l.sync_seq) AS size
          FROM p CROSS JOIN LATERAL (
            SELECT l.* FROM (
                SELECT l.* FROM learnings.learning AS l
                 WHERE l.org_id = $1 AND l.sync_seq > $3 AND l.served
                 ORDER BY l.sync_seq OFFSET 0) AS l
             WHERE (p.origin_projects IS NULL OR l.origin_project = ANY (p.origin_projects))
               AND (p.tags IS NULL OR l.tags && p.tags) AND l.impact >= p.min_impact
             LIMIT $4) AS l
    )
    SELECT l.sync_seq, l.size, e.name,
           jsonb_build_object('type', e.name, 'id', l.id, 'source_learning_id', l.feed_id,
               'summary', l.summary, 'detail', l.detail, 'tags', l.tags, 'impact', l.impact,
               'status', CASE WHEN l.duplicate_of IS NULL THEN l.status ELSE 'obsolete' END,
               'learning_type', l.type, 'source_project', l.source_project,
               'origin_project', l.origin_project, 'metadata', l.metadata,
               'sync_seq', l.sync_seq)::text AS data
      FROM found AS l
     CROSS JOIN LATERAL (SELECT CASE
           WHEN l.duplicate_of IS NOT NULL OR l.status NOT IN ('active', 'resolved')
           THEN 'learning_retired'
           WHEN l.version = 1 THEN 'learning_published'
           ELSE 'learning_updated' END AS name) AS e
     ORDER BY l.sync_seq
    """


async def newest(connection: Connection, org_id: str) -> int:
    """Give the organization's newest number, 0 where nothing was ever recorded."""
    found: int | None = await connection.fetchval(
        "SELECT sequence FROM learnings.organization WHERE org_id = $1", org_id
    )
    return found or 0


async def after(
    connection: Connection, org_id: str, key_id: str, cursor: int, limit: int, most_bytes: int
) -> EventPage:
    """Give what follows a number, as the key's policy allows.

    Args:
        connection: the caller's.
        org_id: the tenant.
        key_id: whose policy filters; empty for people.
        cursor: after which number.
        limit: events at most.
        most_bytes: of text, after which the page ends; it holds one event at least.
    """
    high = await newest(connection, org_id)
    if high <= cursor:
        return EventPage([], cursor, waits=False)
    rows = await connection.fetch(AFTER, org_id, key_id, cursor, limit)
    fitting = [row for at, row in enumerate(rows) if at == 0 or row["size"] <= most_bytes]
    events = [StreamEvent(row["sync_seq"], row["name"], row["data"]) for row in fitting]
    if len(fitting) == limit or len(fitting) < len(rows):
        return EventPage(events, events[-1].sequence, waits=True)
    # Rows that were committed since the number was read stand behind it, or in the page.
    return EventPage(events, max([high, *(event.sequence for event in events)]), waits=False)
