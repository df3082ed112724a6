"""What can happen to the projection of organizations."""

from __future__ import annotations

from datetime import datetime

from services.learnings.organizations import store
from shared.db import Connection


async def note_created(
    connection: Connection, *, org_id: str, name: str, slug: str, said_at: datetime
) -> None:
    """Note an organization's name; of two tellings the one said later holds.

    Runs in the transaction of the inbox. The organization's row may be there already, because its
    first learning can come before the event.
    """
    await store.keep_name(connection, org_id, name, slug, said_at)


async def is_forgotten(connection: Connection, org_id: str) -> bool:
    """Tell whether the organization was deleted, so that late news of it are dropped."""
    return await store.is_forgotten(connection, org_id)
