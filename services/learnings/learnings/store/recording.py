"""The SQL of recording and changing."""

from __future__ import annotations

import json
from typing import Any, Final

from pydantic_core import to_json

from services.learnings.learnings.models import Author, Content, Stored
from services.learnings.learnings.store.listing import LANDMARK_SPACING
from services.learnings.learnings.store.rows import ITEM
from shared.bus import Event, outbox
from shared.db import Connection, Record

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
        RETURNING {ITEM}
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
        RETURNING {ITEM}
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
