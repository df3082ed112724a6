"""The SQL of learnings.

Answers are built as JSON by the database: decoding 25 columns of 50 rows into Python would cost
more than everything else in a request.
"""

from __future__ import annotations

import json
from typing import Any, Final

from pydantic_core import to_json

from services.learnings.learnings.models import Author, Content, LearningQuery, Stored
from shared.bus import Event, outbox
from shared.db import Connection, Record
from shared.pagination import TOTAL_CAP

LANDMARK_SPACING: Final = 256
"""Learnings from one landmark to the next: the most that a deep page walks past."""

_TIME: Final = """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""

# The organization's node in vector clocks is 16 hex digits that nobody else uses (section 6.1).
_NODE: Final = "left(encode(sha256(l.org_id::bytea), 'hex'), 16)"

_ITEM: Final = f"""(jsonb_build_object(
    'id', l.id, 'summary', l.summary, 'detail', l.detail, 'tags', l.tags, 'impact', l.impact,
    'status', l.status, 'type', l.type, 'tier', l.tier, 'source_project', l.source_project,
    'source_learning_id', l.source_learning_id, 'origin_project', l.origin_project,
    'client_id', l.client_id, 'metadata', l.metadata, 'sync_hash', l.sync_hash,
    'vector_clock', l.vector_clock || jsonb_build_object({_NODE}, l.server_clock),
    'sync_seq', l.sync_seq, 'duplicate_of', l.duplicate_of, 'similar_to', l.similar_to,
    'superseded_by', l.superseded_by, 'version', l.version,
    'created_at', {_TIME.format("l.created_at")},
    'updated_at', {_TIME.format("l.updated_at")}) || l.extra)::text"""

_CONTENT: Final = (
    "summary, detail, tags, impact, status, type, source_project, origin_project, client_id,"
    " vector_clock, metadata, sync_hash, extra"
)


async def insert(
    connection: Connection,
    author: Author,
    learning_id: str,
    origin: str,
    source_id: str | None,
    content: Content,
    said: Event,
) -> str | None:
    """Write a learning, the counters and the event; None, and nothing, if its key is taken.

    One statement, because five round trips would cost three times as much. The organization's row
    stays locked until the commit, so that numbers become visible in their order (section 6.1).
    ``created_at`` is taken under that lock and rises strictly, so that the place of a learning in
    the list is the count at its insertion, which landmarks rely on.

    Raises:
        UniqueViolation: the natural key was taken while this statement waited for the lock.
    """
    says, event_values = outbox.part(said, 20, "counted")
    written: str | None = await connection.fetchval(
        f"""
        WITH counted AS (
            INSERT INTO learnings.organization AS o
                   (org_id, learning_count, sequence, newest_at)
            SELECT $1, 1, 1, clock_timestamp()
             WHERE NOT EXISTS (SELECT FROM learnings.learning AS k
                    WHERE k.org_id = $1 AND k.origin = $3 AND k.source_learning_id = $4)
            ON CONFLICT (org_id) DO UPDATE
               SET learning_count = o.learning_count + 1, sequence = o.sequence + 1,
                   newest_at = greatest(clock_timestamp(), o.newest_at + interval '1 us')
            RETURNING o.learning_count, o.sequence, o.newest_at
        ), marked AS (
            INSERT INTO learnings.landmark (org_id, place, created_at, id)
            SELECT $1, learning_count, newest_at, $2 FROM counted
             WHERE learning_count % {LANDMARK_SPACING} = 0
        ), said AS ({says})
        INSERT INTO learnings.learning AS l (org_id, id, origin, source_learning_id, recorded_by,
               account_id, feed_id, sync_seq, created_at, updated_at, {_CONTENT})
        SELECT $1, $2, $3, $4, $5, $6, $2, sequence, newest_at, newest_at,
               $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19
          FROM counted
        RETURNING {_ITEM}
        """,  # noqa: S608 - constants of this module
        author.org_id,
        learning_id,
        origin,
        source_id,
        author.subject,
        author.account_id,
        *_values(content),
        *event_values,
    )
    return written


async def update(connection: Connection, org_id: str, learning_id: str, content: Content) -> str:
    """Replace the content of a locked learning, under new numbers; give it as JSON.

    The organization's row is locked last and until the commit, for the order of the numbers.
    """
    names = [name.strip() for name in _CONTENT.split(",")]
    assignments = ", ".join(f"{name} = ${at}" for at, name in enumerate(names, 3))
    written: str = await connection.fetchval(
        f"""
        WITH counted AS (
            UPDATE learnings.organization SET sequence = sequence + 1 WHERE org_id = $1
            RETURNING sequence
        )
        UPDATE learnings.learning AS l
           SET {assignments}, version = l.version + 1, server_clock = l.server_clock + 1,
               sync_seq = counted.sequence, updated_at = clock_timestamp()
          FROM counted WHERE l.org_id = $1 AND l.id = $2
        RETURNING {_ITEM}
        """,  # noqa: S608 - constants of this module
        org_id,
        learning_id,
        *_values(content),
    )
    return written


def _values(content: Content) -> list[Any]:
    """Give a content's values in the order of ``_CONTENT``."""
    return [
        content.summary,
        content.detail,
        content.tags,
        content.impact,
        content.status,
        content.type,
        content.source_project,
        content.origin_project,
        content.client_id,
        _json(content.vector_clock),
        _json(content.metadata),
        content.sync_hash,
        _json(content.extra),
    ]


def _json(value: Any) -> str:
    return to_json(value, inf_nan_mode="null").decode() if value else "{}"


async def lock(connection: Connection, org_id: str, learning_id: str) -> Stored | None:
    """Lock a learning until the transaction ends."""
    row = await connection.fetchrow(
        f"""
        SELECT id, version, {_CONTENT} FROM learnings.learning
         WHERE org_id = $1 AND id = $2 FOR UPDATE
        """,  # noqa: S608 - constants of this module
        org_id,
        learning_id,
    )
    return None if row is None else _stored(row)


async def lock_by_natural_key(
    connection: Connection, org_id: str, origin: str, source_id: str
) -> Stored | None:
    """Lock the learning that a writer knows under its own id."""
    row = await connection.fetchrow(
        f"""
        SELECT id, version, {_CONTENT} FROM learnings.learning
         WHERE org_id = $1 AND origin = $2 AND source_learning_id = $3 FOR UPDATE
        """,  # noqa: S608 - constants of this module
        org_id,
        origin,
        source_id,
    )
    return None if row is None else _stored(row)


def _stored(row: Record) -> Stored:
    fields = dict(row)
    learning_id, version = fields.pop("id"), fields.pop("version")
    for name in ("vector_clock", "metadata", "extra"):
        fields[name] = json.loads(fields[name])
    return Stored(learning_id, version, Content(**fields))


async def read(connection: Connection, org_id: str, learning_id: str) -> str | None:
    """Give a learning as JSON."""
    found: str | None = await connection.fetchval(
        f"SELECT {_ITEM} FROM learnings.learning AS l WHERE l.org_id = $1 AND l.id = $2",  # noqa: S608 - constants of this module
        org_id,
        learning_id,
    )
    return found


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
      FROM (SELECT {_ITEM} AS item, l.created_at, l.id FROM learnings.learning AS l
             WHERE l.org_id = $1
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
    "q": "l.search @@ websearch_to_tsquery('english', ${})",
    "min_impact": "l.impact >= ${}",
    "updated_since": "l.updated_at >= ${}",
}
_ORDERS: Final = {
    "-created_at": "{0}.created_at DESC, {0}.id DESC",
    "impact": "{0}.impact DESC, {0}.created_at DESC, {0}.id DESC",
}


def is_plain(query: LearningQuery) -> bool:
    """Tell whether a query asks for the unfiltered list in its natural order."""
    return query.sort == "-created_at" and not _conditions(query)


def _conditions(query: LearningQuery) -> dict[str, Any]:
    """Give the filters that are set, with their values."""
    values = {name: getattr(query, name) for name in _FILTERS}
    return {name: value for name, value in values.items() if value not in (None, "", [])}


def filtered_sql(query: LearningQuery) -> tuple[str, list[Any]]:
    """Write the statement of a filtered or differently ordered page, without its tenant.

    The page is found by keys alone and joined to its rows afterwards, so that what an index can
    skip is never read. The total is counted only up to the cap, in the order that every filter's
    index has, so that neither ever reads the whole table. The first three parameters are tenant,
    offset and limit.
    """
    conditions = _conditions(query)
    where = "l.org_id = $1" + "".join(
        " AND " + _FILTERS[name].format(at) for at, name in enumerate(conditions, 4)
    )
    order = _ORDERS[query.sort]
    total = (
        f"SELECT count(*) FROM (SELECT FROM learnings.learning AS l WHERE {where}"  # noqa: S608
        f" ORDER BY l.created_at DESC, l.id DESC LIMIT {TOTAL_CAP}) AS counted"
        if conditions
        else "SELECT learning_count FROM learnings.organization WHERE org_id = $1"
    )
    sql = f"""
        SELECT '[' || coalesce(string_agg(
                   {_ITEM}, ',' ORDER BY {order.format("l")}), '') || ']',
               coalesce(({total}), 0)
          FROM (SELECT l.id FROM learnings.learning AS l WHERE {where}
                 ORDER BY {order.format("l")} OFFSET $2 LIMIT $3) AS page
          JOIN learnings.learning AS l ON l.org_id = $1 AND l.id = page.id
        """  # noqa: S608 - constants of this module
    return sql, [query.offset, query.page_size, *conditions.values()]


async def filtered(connection: Connection, org_id: str, query: LearningQuery) -> tuple[str, int]:
    """Give one page of a filtered or differently ordered list, and the total up to the cap."""
    sql, values = filtered_sql(query)
    row = await connection.fetchrow(sql, org_id, *values)
    assert row is not None  # an aggregate always gives a row
    return row[0], row[1]
