"""Making many learnings at once, as if each had been recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import asyncpg

from services.learnings.learnings import rules
from services.learnings.learnings.store import LANDMARK_SPACING
from services.learnings.search.operations import grams_of
from tests.services.learnings.vocabulary import Writer

BATCH: Final = 5_000

MANY: Final = 10_000
"""Learnings from which on it is quicker to build the indexes of words anew."""


async def fill(connection: asyncpg.Connection[Any], org_id: str, count: int) -> None:
    """Record ``count`` learnings in an organization that has none, one a second, until now.

    Statuses, types, tags, projects and words are spread from common to rare: every summary says
    "learning", one in a thousand "zebras".
    """
    indexes = await _without_words(connection) if count >= MANY else []
    writer = Writer()
    for start in range(1, count + 1, BATCH):
        await _fill_part(
            connection, org_id, range(start, min(start + BATCH, count + 1)), count, writer
        )
    for definition in indexes:
        await connection.execute(definition, timeout=1200)
    await connection.execute(
        """
        INSERT INTO learnings.organization (org_id, learning_count, sequence, newest_at)
        VALUES ($1, $2, $2, now())
        """,
        org_id,
        count,
    )
    await connection.execute(
        f"""
        INSERT INTO learnings.landmark (org_id, place, created_at, id)
        SELECT org_id, sync_seq, created_at, id FROM learnings.learning
         WHERE org_id = $1 AND sync_seq % {LANDMARK_SPACING} = 0
        """,  # noqa: S608 - a constant of the service
        org_id,
        timeout=600,
    )


async def _fill_part(
    connection: asyncpg.Connection[Any], org_id: str, part: range, count: int, writer: Writer
) -> None:
    summaries, details, grams, bands, hashes = [], [], [], [], []
    for n in part:
        zebras = " about zebras" if n % 1000 == 0 else ""
        summaries.append(f"Learning {n}{zebras}: {writer.sentence(5, 11)}")
        details.append(writer.sentence(12, 36))
        tags = ["all", f"tenth{n % 10}", f"thousandth{n % 1000}"]
        grams.append(_array(grams_of(org_id, summaries[-1], tags)))
        bands.append(_array(rules.bands(org_id, summaries[-1])))
        hashes.append(rules.text_hash(summaries[-1], details[-1]))
    await connection.execute(
        """
        INSERT INTO learnings.learning (org_id, id, feed_id, summary, detail, grams, bands,
               text_hash, tags, impact,
               status, type, origin, source_project, origin_project, recorded_by, account_id,
               sync_seq, created_at, updated_at)
        SELECT $1, 'L-' || substr(encode(sha256(($1 || n)::bytea), 'hex'), 1, 16), 'L-' || n,
               t.summary, t.detail, t.grams::int[], t.bands::int[], t.text_hash,
               ARRAY['all', 'tenth' || n % 10, 'thousandth' || n % 1000],
               (n % 101) / 100.0,
               (ARRAY['active', 'active', 'active', 'active', 'active', 'active', 'active',
                      'resolved', 'resolved', 'obsolete'])[1 + n % 10],
               CASE WHEN n % 5000 = 0 THEN 'decision' WHEN n % 3 = 0 THEN 'incident'
                    ELSE 'pattern' END,
               'filled', CASE WHEN n % 50 = 0 THEN lpad((n % 1000)::text, 16, '0') END,
               CASE WHEN n % 4 = 0 THEN 'git:' || lpad((n % 100)::text, 16, '0') END,
               'key_fill', 'usr_fill', n, at, at
          FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[])
               WITH ORDINALITY AS t (summary, detail, grams, bands, text_hash, place),
               LATERAL (SELECT t.place + $7 - 1 AS n) AS number,
               LATERAL (SELECT now() - ($8::int - n) * interval '1 s' AS at) AS clock
        """,
        org_id,
        summaries,
        details,
        grams,
        bands,
        hashes,
        part.start,
        count,
        timeout=1200,
    )


def _array(values: Sequence[int]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


async def _without_words(connection: asyncpg.Connection[Any]) -> list[str]:
    """Drop the inverted indexes; give the statements that make them again."""
    rows = await connection.fetch(
        "SELECT indexname, indexdef FROM pg_indexes"
        " WHERE schemaname = 'learnings' AND tablename = 'learning' AND indexdef LIKE '% gin %'"
    )
    for row in rows:
        await connection.execute(f"DROP INDEX learnings.{row['indexname']}")
    return [row["indexdef"] for row in rows]
