"""The statements that find and rank.

Candidates are found by keys of bounded lists, read once each, ranked three ways, and the ranks
fused. No statement's work grows with the organization.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from services.learnings.search.models import Filters, Found, Plan, Query, Term, Wanted
from shared.db import Connection

WINDOW: Final = 1000
"""Newest learnings that are read where keys give too little."""

LIKENESS: Final = 0.3
"""Part of a query's trigrams that a learning must have to be found by them alone."""

K: Final = 60
"""Of the sum of reciprocal ranks."""


async def read_terms(connection: Connection, org_id: str, query: str) -> tuple[list[Term], int]:
    """Read a query's words as full text search does, and count the organization's learnings."""
    rows = await connection.fetch(
        """
        SELECT w.lexeme, hashtextextended(w.lexeme, hashtextextended($1, 0)) AS key,
               (SELECT learning_count FROM learnings.organization WHERE org_id = $1) AS total
          FROM unnest(to_tsvector('english', learnings.parted($2))) AS w
         UNION ALL
        SELECT NULL, 0, (SELECT learning_count FROM learnings.organization WHERE org_id = $1)
        """,
        org_id,
        query,
    )
    total: int = rows[-1]["total"] or 0
    return [Term(row["lexeme"], row["key"]) for row in rows[:-1]], total


FITS: Final = """
    l.org_id = $1
    AND ($2::text[] = '{}' OR l.status = ANY($2))
    AND ($3::text[] = '{}' OR l.tags @> $3)
    AND ($4::float8 IS NULL OR l.impact >= $4)
    AND ($5::text IS NULL OR l.type = $5)
    AND ($6::text IS NULL OR l.source_project = $6)
    AND ($7::text IS NULL OR l.origin_project = $7)
    AND ($8::timestamptz IS NULL OR l.updated_at >= $8)
    AND ($9 OR NOT coalesce(l.extra->>'expires' ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}'
        AND left(l.extra->>'expires', 10) < to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD'), false))
"""
"""What holds of every learning that is found; its parameters are 1 to 9."""


def filter_values(filters: Filters) -> list[Any]:
    """Give the parameters of ``FITS`` after the tenant."""
    return [
        list(filters.statuses),
        list(filters.tags),
        filters.min_impact,
        filters.type,
        filters.source_project,
        filters.origin_project,
        filters.updated_since,
        filters.expired,
    ]


# The filter that leads into the window, in the order of how few rows each is likely to leave.
_LEADS: Final = (
    ("source_project", "AND l.source_project = $6"),
    ("origin_project", "AND l.origin_project = $7"),
    ("type", "AND l.type = $5"),
)


def lead_of(filters: Filters) -> str:
    """Give the filter that has an index of its own, as a condition; empty if none has."""
    for name, sql in _LEADS:
        if getattr(filters, name) is not None:
            return sql
    return "AND l.status = ($2::text[])[1]" if len(filters.statuses) == 1 else ""


_ORDERS: Final = {
    "score": "score DESC, impact DESC, updated_at DESC, id",
    "impact": "impact DESC, created_at DESC, id DESC",
    "-created_at": "created_at DESC, id DESC",
}


# Words that few of the candidates have tell more. What outcomes say moves a score from 0.95 to 1.05
# of itself, and not at all where nobody has said anything yet.
_RANKED: Final = f"""
        ), weight AS (
            SELECT ARRAY(SELECT ln(1 + count(*)::float8 / (1 + count(*) FILTER (WHERE rank > 0)))
                           FROM read, unnest(ranks) WITH ORDINALITY AS u (rank, n)
                          GROUP BY n ORDER BY n) AS each
        ), matched AS (
            SELECT r.*, (SELECT sum(rank * each) FROM unnest(r.ranks, (SELECT each FROM weight))
                             AS u (rank, each)) AS words,
                   CASE WHEN shared >= {LIKENESS}
                        THEN shared + 0.1 * cardinality($15) / (cardinality($15) + size)
                        ELSE 0 END AS likeness, array_position($20::text[], r.id) AS nearness
              FROM read AS r OFFSET 0
        ), fused AS MATERIALIZED (
            SELECT m.id, m.impact, m.created_at, m.updated_at,
                   (CASE WHEN words > 0
                         THEN 1.0::float8 / ({K} + rank() OVER (ORDER BY words DESC)) ELSE 0 END
                  + CASE WHEN likeness > 0
                         THEN 1.0::float8 / ({K} + rank() OVER (ORDER BY likeness DESC)) ELSE 0 END
                  + coalesce(1.0::float8 / ({K} + nearness), 0))
                  * (0.95 + 0.1 * coalesce((
                        SELECT (s.helped + 2) / (s.helped + s.not_helped + 4)
                          FROM learnings.learning_score AS s
                         WHERE s.org_id = $1 AND s.learning_id = m.id), 0.5)) AS score
              FROM matched AS m WHERE words > 0 OR likeness > 0 OR nearness > 0
"""  # noqa: S608 - constants of this module


def _candidates(filters: Filters) -> str:
    """Write the part that finds and reads."""
    shown = "" if filters.duplicates else "AND l.duplicate_of IS NULL"
    return f"""
        WITH grouped AS MATERIALIZED (
            -- The keys are the organization's own. Saying so again would have its whole index read.
            SELECT one.at FROM unnest($10::text[], $11::int[]) AS g (keys, most),
                   LATERAL (SELECT l.ctid AS at FROM learnings.learning AS l
                             WHERE learnings.word_keys(l.org_id, l.search) @> g.keys::bigint[]
                             LIMIT g.most) AS one
             UNION ALL
            SELECT one.at FROM unnest($12::text[], $13::int[]) AS g (keys, most),
                   LATERAL (SELECT l.ctid AS at FROM learnings.learning AS l
                             WHERE l.grams @> g.keys::int[] LIMIT g.most) AS one
        ), newest AS (
            SELECT l.ctid AS at FROM learnings.learning AS l
             WHERE l.org_id = $1 {shown} {lead_of(filters)}
             ORDER BY l.created_at DESC, l.id DESC
             LIMIT (SELECT CASE WHEN count(*) < $14 THEN {WINDOW} ELSE 0 END FROM grouped)
        ), place AS (
            SELECT at FROM grouped UNION ALL SELECT at FROM newest
             UNION ALL
            SELECT l.ctid FROM learnings.learning AS l WHERE l.org_id = $1 AND l.id = ANY($20)
        ), read AS MATERIALIZED (
            SELECT l.id, l.impact, l.created_at, l.updated_at, cardinality(l.grams) AS size,
                   ARRAY(SELECT ts_rank(l.vector, term)
                           FROM unnest((SELECT $16::text[]::tsquery[])) AS term) AS ranks,
                   (SELECT sum(weight) FROM unnest($15::int[], $19::float8[]) AS g (k, weight)
                     WHERE k = ANY(l.grams)) AS shared
              -- Joined to an empty one, a vector is unpacked once and not for every word.
              FROM (SELECT l.*, l.search || ''::tsvector AS vector FROM learnings.learning AS l
                     WHERE l.ctid = ANY(ARRAY(SELECT at FROM place))
                       AND {FITS} {shown} OFFSET 0) AS l
        """  # noqa: S608 - constants of this module


def finding_sql(wanted: Wanted) -> str:
    """Write the statement of a search for words; ``finding_values`` gives its parameters."""
    return f"""
        {_candidates(wanted.filters)}
        {_RANKED}
        ), page AS (
            SELECT id, score, row_number() OVER (ORDER BY {_ORDERS[wanted.order]}) AS place
              FROM fused ORDER BY place OFFSET $17 LIMIT $18
        )
        SELECT coalesce(array_agg(id ORDER BY place), '{{}}'),
               coalesce(array_agg(score ORDER BY place), '{{}}'),
               (SELECT count(*) FROM fused) FROM page
        """  # noqa: S608 - constants of this module


def finding_values(wanted: Wanted, query: Query, plan: Plan) -> list[Any]:
    """Give the parameters of ``finding_sql`` after the tenant.

    Args:
        wanted: the search.
        query: what is ranked by.
        plan: where candidates come from.
    """
    enough = WINDOW if plan.wide else min(WINDOW, wanted.offset + wanted.limit)
    return [
        *filter_values(wanted.filters),
        [_array(group.keys) for group in plan.words],
        [group.most for group in plan.words],
        [_array(group.keys) for group in plan.grams],
        [group.most for group in plan.grams],
        enough,
        list(query.grams),
        [_quoted(term.lexeme) for term in query.terms],
        wanted.offset,
        wanted.limit,
        list(query.weights),
        list(query.near),
    ]


def _array(keys: Sequence[int]) -> str:
    return "{" + ",".join(map(str, keys)) + "}"


def _quoted(lexeme: str) -> str:
    inner = lexeme.replace("\\", "\\\\").replace("'", "''")
    return f"'{inner}'"


async def find(
    connection: Connection, org_id: str, wanted: Wanted, query: Query, plan: Plan
) -> Found:
    """Find and rank."""
    values = finding_values(wanted, query, plan)
    row = await connection.fetchrow(finding_sql(wanted), org_id, *values)
    assert row is not None  # an aggregate always gives a row
    return Found(row[0], row[1], row[2])
