"""Showing one learning, and the list."""

from __future__ import annotations

from services.learnings.learnings import store
from services.learnings.learnings.models import LearningQuery, Shown
from shared.db import Connection, Database
from shared.errors import NotFound


async def find(connection: Connection, org_id: str, learning_id: str) -> Shown | None:
    """Give one learning as it is shown, in the caller's transaction."""
    found = await store.read(connection, org_id, learning_id)
    return None if found is None else Shown(found)


async def show(database: Database, org_id: str, learning_id: str) -> Shown:
    """Give one learning.

    Raises:
        NotFound: there is none, or it is another tenant's.
    """
    async with database.connection() as connection:
        found = await store.read(connection, org_id, learning_id)
    if found is None:
        raise NotFound
    return Shown(found)


async def page(database: Database, org_id: str, query: LearningQuery) -> tuple[str, int]:
    """Give one page as a JSON array, and the total.

    The total of an unfiltered list is exact; a filtered one is counted up to ``TOTAL_CAP``.
    """
    async with database.connection() as connection:
        if store.is_plain(query):
            return await store.newest(connection, org_id, query.offset, query.page_size)
        return await store.filtered(connection, org_id, query)
