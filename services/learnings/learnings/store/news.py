"""The SQL of noting what webhooks are to be told of.

Noted in the statement or transaction of the change, and only where an organization has a webhook:
hearing of every change over the bus would cost more than recording it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic_core import to_json

from shared.bus import Event
from shared.db import Connection


def part(event_id: int, said_at: int, source: str) -> str:
    """Give the note of a recorded learning as part of the statement that records it.

    Args:
        event_id: the number of the parameter with the event's id; 1 and 2 are tenant and learning.
        said_at: of the one with its time.
        source: a ``WITH`` part with a row if the learning was recorded.
    """
    return f"""
        INSERT INTO learnings.webhook_news (org_id, type, learning_id, event_id, said_at)
        SELECT $1, 'learning.recorded', $2, ${event_id}::uuid, ${said_at}::timestamptz
          FROM {source}
         WHERE EXISTS (SELECT FROM learnings.webhook AS w WHERE w.org_id = $1)
        """  # noqa: S608 - numbers, and the caller's constant


async def note(connection: Connection, org_id: str, events: Sequence[Event]) -> None:
    """Note what is said of learnings, in its order."""
    rows: list[dict[str, Any]] = [
        {
            "type": event.kind.rpartition(".")[0],
            "learning_id": event.learning_id,  # type: ignore[attr-defined]  # all of learnings'
            "event_id": event.event_id,
            "said_at": event.occurred_at,
        }
        for event in events
    ]
    await connection.execute(
        """
        INSERT INTO learnings.webhook_news (org_id, type, learning_id, event_id, said_at)
        SELECT $1, n.type, n.learning_id, n.event_id, n.said_at
          FROM json_to_recordset($2::json)
               AS n (type text, learning_id text, event_id uuid, said_at timestamptz)
         WHERE EXISTS (SELECT FROM learnings.webhook AS w WHERE w.org_id = $1)
        """,
        org_id,
        to_json(rows).decode(),
    )
