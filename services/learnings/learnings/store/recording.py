"""The SQL of recording one new learning in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from services.learnings.learnings.models import Author, Prepared
from services.learnings.learnings.store import news
from services.learnings.learnings.store.listing import LANDMARK_SPACING
from services.learnings.learnings.store.rows import ITEM, to_text
from shared.bus import Event, outbox
from shared.db import Connection

_UNLIMITED: Final = """
               AND NOT EXISTS (SELECT FROM learnings.key_policy AS p
                    WHERE p.org_id = $1 AND p.key_id = $5 AND p.quota IS NOT NULL)"""
_USED: Final = """, used AS (
            INSERT INTO learnings.key_usage AS u (org_id, key_id, recorded)
            SELECT $1, $5, 1 FROM counted
            ON CONFLICT (org_id, key_id) DO UPDATE SET recorded = u.recorded + 1)"""


async def insert(
    connection: Connection,
    author: Author,
    learning_id: str,
    new: Prepared,
    said: Event,
    *,
    by_key: bool,
) -> str | None:
    """Write a live learning, the counters and the event; None, and nothing, if it may not stand.

    It may not where the writer's own id is known in the organization, where a learning of the
    same text stands, where one could be nearly the same, or where the key has a quota. One
    statement, because five round trips would cost three times as much. The organization's row
    stays locked until the commit, so that numbers become visible in their order (section 6.1).
    ``created_at`` is taken under that lock and rises strictly, so that the place of a learning in
    the list is the count at its insertion, which landmarks rely on.

    The keys are looked up before the tenant is compared: salted as they are, hardly any other
    tenant's are met. All that are found are looked at, because a planner that may stop at the
    first expects it soon, and reads the whole table for a key that nobody has.

    Raises:
        UniqueViolation: a key was taken while this statement waited for the lock.
    """
    says, event_values = outbox.part(said, 26, "counted")
    written: str | None = await connection.fetchval(
        _statement(says, by_key=by_key),
        author.org_id,
        learning_id,
        new.entry.origin,
        new.entry.source_id,
        author.subject,
        author.account_id,
        *_values(new),
        *event_values,
    )
    return written


@lru_cache(maxsize=4)
def _statement(says: str, *, by_key: bool) -> str:
    """Write the statement around the part that says the event."""
    free, used = (_UNLIMITED, _USED) if by_key else ("", "")
    return f"""
    WITH counted AS (
        INSERT INTO learnings.organization AS o
               (org_id, learning_count, sequence, newest_at)
        SELECT $1, 1, 1, clock_timestamp()
         WHERE NOT EXISTS (SELECT FROM learnings.learning AS k
                WHERE k.org_id = $1 AND k.source_learning_id = $4)
           AND NOT EXISTS (SELECT FROM learnings.learning AS k
                WHERE k.org_id = $1 AND k.text_hash = $20 AND k.duplicate_of IS NULL
                  AND k.status IN ('active', 'resolved'))
           AND (SELECT bool_or(k.org_id = $1) FROM learnings.learning AS k
                 WHERE k.bands && $22::text::int[]) IS NOT TRUE
           {free}
        ON CONFLICT (org_id) DO UPDATE
           SET learning_count = o.learning_count + 1, sequence = o.sequence + 1,
               newest_at = greatest(clock_timestamp(), o.newest_at + interval '1 us')
        RETURNING o.learning_count, o.sequence, o.newest_at
    ), marked AS (
        INSERT INTO learnings.landmark (org_id, place, created_at, id)
        SELECT $1, learning_count, newest_at, $2 FROM counted
         WHERE learning_count % {LANDMARK_SPACING} = 0
    ), said AS ({says}), noted AS ({news.part(26, 28, "counted")})
    {used}
    INSERT INTO learnings.learning AS l (org_id, id, origin, source_learning_id, recorded_by,
           account_id, feed_id, sync_seq, created_at, updated_at,
           summary, detail, tags, impact, status, type, source_project, origin_project,
           client_id, vector_clock, metadata, sync_hash, extra,
           text_hash, grams, bands, server_clock, came_by, client_seq)
    SELECT $1, $2, $3, $4, $5, $6, coalesce($4, $2), sequence, newest_at, newest_at,
           $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
           $20, $21::text::int[], $22::text::int[], $23, $24, $25
      FROM counted
    RETURNING {ITEM}
    """  # noqa: S608 - constants of this module


def _values(new: Prepared) -> list[Any]:
    content = new.entry.content
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
        to_text(content.vector_clock),
        to_text(content.metadata),
        content.sync_hash,
        to_text(content.extra),
        new.text_hash,
        _array(new.grams),
        _array(new.bands),
        max(1, new.server_clock),
        new.entry.came_by,
        new.entry.client_seq,
    ]


def _array(numbers: Sequence[int]) -> str:
    """Write an array as text, because the driver asks each element whether it is one, too."""
    return f"{{{','.join(map(str, numbers))}}}"
