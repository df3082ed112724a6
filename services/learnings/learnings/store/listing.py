"""The SQL of the list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from services.learnings.learnings.models import LearningQuery
from services.learnings.learnings.store.rows import ITEM
from shared.db import Connection
from shared.pagination import TOTAL_CAP

LANDMARK_SPACING: Final = 256
"""Learnings from one landmark to the next: the most that a deep page walks past."""

# A page's place from the oldest end does not move when learnings are added. So a page starts at
# the nearest landmark above it, and any page of any length of list costs about the same.
NEWEST: Final = f"""
    WITH whole AS (
        SELECT learning_count AS total FROM learnings.organization WHERE org_id = $1
    ), mark AS (
        SELECT m.place - (SELECT total FROM whole) + $2 AS ahead, m.created_at, m.id
          FROM learnings.landmark AS m
         WHERE m.org_id = $1 AND m.place >= (SELECT total FROM whole) - $2
         ORDER BY m.place LIMIT 1
    )
    SELECT '[' || coalesce(string_agg(item, ',' ORDER BY created_at DESC, id DESC), '') || ']',
           coalesce((SELECT total FROM whole), 0)
      FROM (SELECT {ITEM} AS item, l.created_at, l.id FROM learnings.learning AS l
             WHERE l.org_id = $1 AND l.duplicate_of IS NULL
               AND (l.created_at, l.id) <= (
                   coalesce((SELECT created_at FROM mark), 'infinity'),
                   coalesce((SELECT id FROM mark), ''))
             ORDER BY l.created_at DESC, l.id DESC
            OFFSET coalesce((SELECT ahead FROM mark), $2) LIMIT $3) AS rows
    """  # noqa: S608 - constants of this module


async def newest(connection: Connection, org_id: str, offset: int, limit: int) -> tuple[str, int]:
    """Give one page of the unfiltered list, newest first, and the exact total."""
    row = await connection.fetchrow(NEWEST, org_id, offset, limit)
    assert row is not None  # an aggregate always gives a row
    return row[0], row[1]


_FILTERS: Final = {
    "status": "l.status = ${}",
    "type": "l.type = ${}",
    "source_project": "l.source_project = ${}",
    "origin_project": "l.origin_project = ${}",
    "tag": "l.tags @> ${}",
    "tag_keys": "l.grams @> ${}::int[]",
    "min_impact": "l.impact >= ${}",
    "updated_since": "l.updated_at >= ${}",
}
_ORDERS: Final = {
    "-created_at": "{0}.created_at DESC, {0}.id DESC",
    "impact": "{0}.impact DESC, {0}.created_at DESC, {0}.id DESC",
}


def is_plain(query: LearningQuery) -> bool:
    """Tell whether a query asks for the unfiltered list in its natural order."""
    is_filtered = query.include_duplicates or _conditions(query, ())
    return query.sort == "-created_at" and not is_filtered


def _conditions(query: LearningQuery, tag_keys: Sequence[int]) -> dict[str, Any]:
    """Give the filters that are set, with their values."""
    values = {name: getattr(query, name, None) for name in _FILTERS}
    # The tags' keys have the index; the tags themselves decide.
    values["tag_keys"] = list(tag_keys)
    return {name: value for name, value in values.items() if value not in (None, "", [])}


def filtered_sql(query: LearningQuery, tag_keys: Sequence[int]) -> tuple[str, list[Any]]:
    """Write the statement of a filtered or differently ordered page, without its tenant.

    The page is found by keys alone and joined to its rows afterwards, so that what an index can
    skip is never read. The total is counted only up to the cap, in the order that every filter's
    index has, so that neither ever reads the whole table. The first three parameters are tenant,
    offset and limit. Words (``q``) are not its business but the search's.
    """
    conditions = _conditions(query, tag_keys)
    shown = "" if query.include_duplicates else " AND l.duplicate_of IS NULL"
    where = f"l.org_id = $1{shown}" + "".join(
        " AND " + _FILTERS[name].format(at) for at, name in enumerate(conditions, 4)
    )
    order = _ORDERS[query.sort]
    total = (
        f"SELECT count(*) FROM (SELECT FROM learnings.learning AS l WHERE {where}"  # noqa: S608
        f" ORDER BY l.created_at DESC, l.id DESC LIMIT {TOTAL_CAP}) AS counted"
        if conditions or query.include_duplicates
        else "SELECT learning_count FROM learnings.organization WHERE org_id = $1"
    )
    sql = f"""
        SELECT '[' || coalesce(string_agg(
                   {ITEM}, ',' ORDER BY {order.format("l")}), '') || ']',
               coalesce(({total}), 0)
          FROM (SELECT l.id FROM learnings.learning AS l WHERE {where}
                 ORDER BY {order.format("l")} OFFSET $2 LIMIT $3) AS page
          JOIN learnings.learning AS l ON l.org_id = $1 AND l.id = page.id
        """  # noqa: S608 - constants of this module
    return sql, [query.offset, query.page_size, *conditions.values()]


async def filtered(
    connection: Connection, org_id: str, query: LearningQuery, tag_keys: Sequence[int]
) -> tuple[str, int]:
    """Give one page of a filtered or differently ordered list, and the total up to the cap.

    Args:
        connection: to ask.
        org_id: the tenant.
        query: the filters.
        tag_keys: of ``query.tag``, as they stand in ``grams``; none where a tag is common.
    """
    sql, values = filtered_sql(query, tag_keys)
    row = await connection.fetchrow(sql, org_id, *values)
    assert row is not None  # an aggregate always gives a row
    return row[0], row[1]


async def ranked(connection: Connection, org_id: str, ids: Sequence[str]) -> str:
    """Give the learnings of these ids as a JSON array in this order."""
    written: str = await connection.fetchval(
        f"""
        SELECT '[' || coalesce(string_agg({ITEM}, ',' ORDER BY f.place), '') || ']'
          FROM unnest($2::text[]) WITH ORDINALITY AS f (id, place)
          JOIN learnings.learning AS l ON l.org_id = $1 AND l.id = f.id
        """,  # noqa: S608 - constants of this module
        org_id,
        list(ids),
    )
    return written
