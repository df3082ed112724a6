"""The statements that read without words: of a blank query, and of what was found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from services.learnings.search.models import Found, Wanted
from services.learnings.search.store.finding import FITS, filter_values, lead_of
from shared.db import Connection

MOST_BROWSED: Final = 5000
"""Learnings that a blank query reads, from the highest impact or from the newest that fit."""

LONGEST_SUMMARY: Final = 1000
LONGEST_DETAIL: Final = 4000
"""Characters that an excerpt shows."""

_TIME: Final = """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""

_ITEM: Final = f"""jsonb_build_object(
    'id', l.id, 'memory_id', l.id, 'remote_id', l.id, 'source_learning_id', l.source_learning_id,
    'summary', l.summary, 'content', l.summary, 'detail', l.detail, 'tags', l.tags,
    'impact', l.impact, 'score', f.score, 'source_project', l.source_project,
    'metadata', l.metadata, 'type', l.type, 'status', l.status, 'expires', l.extra->'expires',
    'valid_from', l.extra->'valid_from', 'invalid_from', l.extra->'invalid_from',
    'invalidated_by', l.extra->'invalidated_by',
    'created_at', {_TIME.format("l.created_at")},
    'updated_at', {_TIME.format("l.updated_at")})::text"""


def browsing_sql(wanted: Wanted, *, by_tags: bool) -> str:
    """Write the statement of a blank query.

    Its parameters are those of ``FITS``, a limit, and the keys of the tags if they lead. Without a
    filter that has an index, it goes down from the highest impact.

    Args:
        wanted: the search.
        by_tags: whether so few learnings have the tags that all of them are read.
    """
    if by_tags:
        among = "AND l.grams @> $11::int[]"
    elif lead := lead_of(wanted.filters):
        among = f"{lead} ORDER BY l.created_at DESC, l.id DESC LIMIT {MOST_BROWSED}"
    else:
        among = f"ORDER BY l.impact DESC, l.created_at DESC, l.id DESC LIMIT {MOST_BROWSED}"
    return f"""
        SELECT coalesce(array_agg(page.id ORDER BY impact DESC, created_at DESC, id DESC), '{{}}')
          FROM (SELECT l.id, l.impact, l.created_at
                  FROM (SELECT * FROM learnings.learning AS l
                         WHERE l.org_id = $1 AND l.duplicate_of IS NULL {among}) AS l
                 WHERE {FITS} AND l.duplicate_of IS NULL
                 ORDER BY l.impact DESC, l.created_at DESC, l.id DESC LIMIT $10) AS page
        """  # noqa: S608 - constants of this module


async def browse(
    connection: Connection, org_id: str, wanted: Wanted, tag_keys: Sequence[int] | None
) -> Found:
    """Give what stands highest where nothing is asked for in words."""
    values: list[Any] = [*filter_values(wanted.filters), wanted.limit]
    if tag_keys is not None:
        values.append(list(tag_keys))
    sql = browsing_sql(wanted, by_tags=tag_keys is not None)
    ids: list[str] = await connection.fetchval(sql, org_id, *values)
    return Found(ids, [0.0] * len(ids), len(ids))


async def items(connection: Connection, org_id: str, found: Found) -> str:
    """Give what was found as a JSON array, in its order."""
    written: str = await connection.fetchval(
        f"""
        SELECT '[' || coalesce(string_agg({_ITEM}, ',' ORDER BY f.place), '') || ']'
          FROM unnest($2::text[], $3::float8[]) WITH ORDINALITY AS f (id, score, place)
          JOIN learnings.learning AS l ON l.org_id = $1 AND l.id = f.id
        """,  # noqa: S608 - constants of this module
        org_id,
        list(found.ids),
        list(found.scores),
    )
    return written


async def excerpts(
    connection: Connection, org_id: str, found: Found, key_id: str, limit: int
) -> str:
    """Give the beginnings of what was found as a JSON array, in its order.

    Args:
        connection: to ask.
        org_id: the tenant.
        found: what to choose from.
        key_id: whose policy chooses; empty for people.
        limit: of the array.
    """
    written: str = await connection.fetchval(
        f"""
        WITH p AS (
            SELECT nullif(p.origin_projects, '{{}}') AS origin_projects,
                   nullif(p.tags, '{{}}') AS tags, coalesce(p.min_impact, 0) AS min_impact
              FROM (SELECT) AS always
              LEFT JOIN learnings.key_policy AS p ON p.org_id = $1 AND p.key_id = $3
        )
        SELECT '[' || coalesce(string_agg(jsonb_build_object(
                   'id', e.id, 'summary', left(e.summary, {LONGEST_SUMMARY}),
                   'detail', left(e.detail, {LONGEST_DETAIL}), 'tags', e.tags)::text,
                   ',' ORDER BY e.place), '') || ']'
          FROM (SELECT l.id, l.summary, l.detail, l.tags, f.place
                  FROM p CROSS JOIN unnest($2::text[]) WITH ORDINALITY AS f (id, place)
                  JOIN learnings.learning AS l ON l.org_id = $1 AND l.id = f.id
                 WHERE (p.origin_projects IS NULL OR l.origin_project = ANY (p.origin_projects))
                   AND (p.tags IS NULL OR l.tags && p.tags) AND l.impact >= p.min_impact
                 ORDER BY f.place LIMIT $4) AS e
        """,  # noqa: S608 - constants of this module
        org_id,
        list(found.ids),
        key_id,
        limit,
    )
    return written
