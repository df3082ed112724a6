"""Showing one learning, and the list."""

from __future__ import annotations

from services.learnings.learnings import store
from services.learnings.learnings.models import LearningQuery, Shown
from services.learnings.search.models import Filters, Wanted
from services.learnings.search.operations import Searcher
from shared.db import Connection, Database
from shared.errors import NotFound
from shared.pagination import TOTAL_CAP


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


async def page(
    database: Database, org_id: str, query: LearningQuery, searcher: Searcher
) -> tuple[str, int]:
    """Give one page as a JSON array, and the total.

    The total of an unfiltered list is exact; a filtered one is counted up to ``TOTAL_CAP``; with
    ``q`` it counts what the search ranked, which of a large organization is the best of it.
    """
    if query.q:
        found = await searcher.find(org_id, _wanted(query))
        async with database.connection() as connection:
            return await store.ranked(connection, org_id, found.ids), found.total
    async with database.connection() as connection:
        if store.is_plain(query):
            return await store.newest(connection, org_id, query.offset, query.page_size)
        keys = await searcher.leading_tags(connection, org_id, query.tag, TOTAL_CAP)
        return await store.filtered(connection, org_id, query, keys)


def _wanted(query: LearningQuery) -> Wanted:
    """Say a list with ``q`` as a search; by rank, unless an order was asked for."""
    filters = Filters(
        statuses=() if query.status is None else (query.status.value,),
        tags=query.tag,
        min_impact=query.min_impact,
        type=query.type or None,
        source_project=query.source_project or None,
        origin_project=query.origin_project or None,
        updated_since=query.updated_since,
        duplicates=query.include_duplicates,
    )
    order = query.sort if "sort" in query.model_fields_set else "score"
    return Wanted(query.q, filters, query.offset, query.page_size, order)
