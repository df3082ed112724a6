"""Turning what happened to learnings into messages to webhooks."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Final
from uuid import UUID

from services.learnings.learnings import operations as learnings
from services.learnings.learnings.models import Shown
from services.learnings.webhooks import rules
from services.learnings.webhooks.models import EventType
from services.learnings.webhooks.operations.ringing import note_work
from services.learnings.webhooks.store import deliveries, hooks, news
from shared.db import Connection, Database
from shared.ids import new_id

BACKLOG: Final = 10_000
"""Deliveries of an organization that may wait; beyond, the oldest are given up."""

BACKLOG_CHECKED: Final = 16
"""Of so many messages one looks at the backlog, which costs more the longer it is."""

NEWS: Final = 50
"""Of one organization that are told in one transaction."""


async def tell_news(database: Database) -> bool:
    """Queue the messages about what an organization was noted for; tell whether there was any."""
    # Not Database.transaction: its bell would have the courier look again for ever.
    async with database.connection() as connection, connection.transaction():
        taken = await news.take(connection, NEWS)
        for one in taken:
            await tell(
                connection,
                EventType(one["type"]),
                one["org_id"],
                one["learning_id"],
                one["said_at"],
                one["event_id"],
            )
    return bool(taken)


async def tell(
    connection: Connection,
    kind: EventType,
    org_id: str,
    learning_id: str,
    said_at: datetime,
    event_id: UUID,
) -> None:
    """Queue a message about a learning, as it is now, for each webhook that listens.

    Duplicates of other learnings are not told of, but that a learning has become one is: it is
    retired, and ``duplicate_of`` says why.

    Args:
        connection: of that transaction.
        kind: what happened.
        org_id: to whose learning.
        learning_id: to which.
        said_at: when.
        event_id: of the event that says so; a message is queued once for each.
    """
    listening = await hooks.lock_listening(connection, org_id, kind)
    if not listening:
        return
    shown = await learnings.find(connection, org_id, learning_id)
    if shown is None or (kind is not EventType.RETIRED and _is_duplicate(shown)):
        return
    body = rules.body_of(kind, said_at, shown.json)
    delivery_ids = [new_id("dlv_") for _ in listening]
    await deliveries.insert(
        connection, org_id, f"msg_{event_id.hex}", kind, body, listening, delivery_ids
    )
    await hooks.wake(connection, org_id, listening)
    if event_id.int % BACKLOG_CHECKED == 0:
        await deliveries.drop_backlog(connection, org_id, BACKLOG)
    note_work()


def _is_duplicate(shown: Shown) -> bool:
    return json.loads(shown.json)["duplicate_of"] is not None
