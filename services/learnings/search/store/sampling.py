"""How often words and trigrams occur in an organization, judged by a sample."""

from __future__ import annotations

from typing import Final

from services.learnings.search.models import Frequencies
from shared.db import Connection

SAMPLE: Final = 2000
"""Learnings in a sample: half of them the newest, half spread over the organization's age."""

SPREAD: Final = 1000

SEEN: Final = 3
"""Occurrences in the sample from which on a key is kept: what is rarer counts as unseen."""

SAMPLING: Final = f"""
    WITH spread AS (
        SELECT m.id FROM (
            SELECT l.id, row_number() OVER (ORDER BY l.place) AS n, count(*) OVER () AS total
              FROM learnings.landmark AS l WHERE l.org_id = $1) AS m
         WHERE m.n % greatest(1, m.total / {SPREAD}) = 0 LIMIT {SPREAD}
    ), newest AS (
        SELECT l.id FROM learnings.learning AS l
         WHERE l.org_id = $1 AND l.duplicate_of IS NULL
         ORDER BY l.created_at DESC, l.id DESC
         LIMIT {SAMPLE} - (SELECT count(*) FROM spread)
    ), sample AS MATERIALIZED (
        SELECT tsvector_to_array(l.search) AS words, l.grams
          FROM (SELECT id FROM spread UNION SELECT id FROM newest) AS s
          JOIN learnings.learning AS l ON l.org_id = $1 AND l.id = s.id
    ), word AS (
        SELECT hashtextextended(word, hashtextextended($1, 0)) AS key, count(*) AS times
          FROM sample, unnest(words) AS word GROUP BY word HAVING count(*) >= {SEEN}
    ), gram AS (
        SELECT key, count(*) AS times FROM sample, unnest(grams) AS key
         GROUP BY key HAVING count(*) >= {SEEN}
    )
    SELECT (SELECT count(*) FROM sample),
           ARRAY(SELECT key FROM word ORDER BY key), ARRAY(SELECT times FROM word ORDER BY key),
           ARRAY(SELECT key FROM gram ORDER BY key), ARRAY(SELECT times FROM gram ORDER BY key)
    """  # noqa: S608 - constants of this module


async def sample(connection: Connection, org_id: str, rows: int) -> Frequencies:
    """Draw a sample of an organization that has so many learnings."""
    row = await connection.fetchrow(SAMPLING, org_id)
    assert row is not None  # it has no FROM
    words = dict(zip(row[1], row[2], strict=True))
    grams = dict(zip(row[3], row[4], strict=True))
    return Frequencies(rows, row[0], words, grams)
