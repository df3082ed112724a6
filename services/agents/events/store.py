"""The SQL of a session's stream: what happened in it, in order."""

from __future__ import annotations

from uuid import UUID

from services.agents.events.models import Step, Steps
from shared.db import Connection


async def present(connection: Connection, session_id: UUID) -> Step | None:
    """Give the state of now under the session's newest number; None if there is no session.

    What was told of it long ago may be gone; the session's row has the state all the same.
    """
    row = await connection.fetchrow(
        """
        SELECT s.number, 0 AS size, coalesce(c.state, s.state) AS state, c.reason,
               coalesce(c.at, s.last_activity_at, s.created_at) AS at
          FROM agents.session s
          LEFT JOIN LATERAL (SELECT c.state, c.reason, c.at FROM agents.state_change c
                              WHERE c.session_id = s.id ORDER BY c.number DESC LIMIT 1) AS c ON true
         WHERE s.id = $1
        """,
        session_id,
    )
    return None if row is None else Step(**row)


async def after(
    connection: Connection, session_id: UUID, cursor: int, limit: int, most_bytes: int
) -> Steps | None:
    """Give what follows a number; None if the session is not there any more.

    Numbers are given under the session's lock, so none becomes visible before a lower one.

    Args:
        connection: the caller's.
        session_id: whose.
        cursor: after which number.
        limit: steps at most.
        most_bytes: of text, after which the page ends; it holds one step at least.
    """
    rows = await connection.fetch(
        """
        SELECT s.name, e.* FROM agents.session s
          LEFT JOIN LATERAL (
            (SELECT m.number, octet_length(m.content) + octet_length(m.metadata::text) AS size,
                    NULL::text AS state, NULL::text AS reason, NULL::timestamptz AS at
               FROM agents.message m WHERE m.session_id = $1 AND m.number > $2
              ORDER BY m.number LIMIT $3)
            UNION ALL
            (SELECT c.number, 0, c.state, c.reason, c.at
               FROM agents.state_change c WHERE c.session_id = $1 AND c.number > $2
              ORDER BY c.number LIMIT $3)
            ORDER BY number LIMIT $3) AS e ON true
         WHERE s.id = $1
         ORDER BY e.number
        """,
        session_id,
        cursor,
        limit,
    )
    if not rows:
        return None
    steps: list[Step] = []
    size = 0
    for row in rows:
        if row["number"] is None:
            break
        size += row["size"]
        if steps and size > most_bytes:
            return Steps(row["name"], steps, waits=True)
        steps.append(Step(*(row[name] for name in Step.__slots__)))
    return Steps(rows[0]["name"], steps, waits=len(steps) == limit)
