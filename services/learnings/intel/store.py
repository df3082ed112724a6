"""The SQL of the feed: what clients pull and what streams replay, in commit order.

Rows are built as JSON by the database, as in the list. The numbers of an organization are given
under its row's lock, so no smaller number becomes visible after a larger one.
"""

from __future__ import annotations

from typing import Final

from services.learnings.intel.models import FeedPage, Known, Reader, Scanned
from shared.db import Connection

# A stranger's row must not pass for a company row: it would not move the client's cursor.
_METADATA: Final = """CASE WHEN l.metadata ->> 'source' = 'company_sync'
    THEN l.metadata - 'source' ELSE l.metadata END"""

# The organization's node in vector clocks is 16 hex digits that nobody else uses (section 6.1).
_CLOCK: Final = """l.vector_clock || jsonb_build_object(
    left(encode(sha256(l.org_id::bytea), 'hex'), 16), l.server_clock)"""

# Clients were given it, so that it must be taken back when another says the same.
_STATUS: Final = "CASE WHEN l.duplicate_of IS NULL THEN l.status ELSE 'obsolete' END"

_FIELDS: Final = f"""'summary', l.summary, 'detail', l.detail, 'tags', l.tags,
    'impact', l.impact, 'status', {_STATUS}, 'type', l.type, 'metadata', {_METADATA},
    'source_learning_id', l.feed_id, 'vector_clock', {_CLOCK}, 'sync_seq', l.sync_seq"""

_PASSES: Final = """(p.origin_projects IS NULL OR l.origin_project = ANY (p.origin_projects))
    AND (p.tags IS NULL OR l.tags && p.tags) AND l.impact >= p.min_impact"""

# An empty list of the policy lets anything pass, as does a key without a policy.
_POLICY: Final = """
    SELECT nullif(p.origin_projects, '{}') AS origin_projects, nullif(p.tags, '{}') AS tags,
           coalesce(p.min_impact, 0) AS min_impact,
           coalesce(extract(epoch FROM p.updated_at) * 1000000, 0)::bigint AS revision
      FROM (SELECT) AS always
      LEFT JOIN learnings.key_policy AS p ON p.org_id = $1 AND p.key_id = $2"""

_COMPANY_NODE: Final = "left(encode(sha256('company'), 'hex'), 16)"

# Walked in the index's order whatever the filters: the planner takes them for rarer than they are,
# and would sort all rows of the organization. (OFFSET 0 keeps the two apart.)
PAGE: Final = f"""
    WITH p AS ({_POLICY}), state AS (
        SELECT coalesce((SELECT o.sequence FROM learnings.organization AS o
                          WHERE o.org_id = $1), 0) AS high,
               (SELECT c.sequence FROM learnings.company_counter AS c) AS company_high,
               p.revision FROM p
    ), known AS (
        SELECT state.* FROM state
         WHERE (high, company_high, revision) IS DISTINCT FROM ($8::bigint, $9::bigint, $10::bigint)
    ), team AS (
        SELECT l.sync_seq AS seq, false AS is_company,
               octet_length(l.summary) + octet_length(l.detail) + pg_column_size(l.metadata)
                   + pg_column_size(l.extra) AS size,
               (l.extra || jsonb_build_object({_FIELDS}))::text AS item
          FROM known CROSS JOIN p CROSS JOIN LATERAL (
            SELECT l.* FROM (
                SELECT l.* FROM learnings.learning AS l
                 WHERE l.org_id = $1 AND l.served
                   AND l.sync_seq > CASE WHEN p.revision = $12::bigint
                                         THEN greatest($4::bigint, $11::bigint)
                                         ELSE $4::bigint END
                 ORDER BY l.sync_seq OFFSET 0) AS l
             WHERE l.origin <> $3 AND {_PASSES}
             LIMIT $6::bigint + 1) AS l
    ), company AS (
        SELECT l.company_seq AS seq, true AS is_company,
               octet_length(l.summary) + octet_length(l.detail) AS size,
               jsonb_build_object('summary', l.summary, 'detail', l.detail, 'tags', l.tags,
                   'impact', l.impact, 'status', l.status, 'type', l.type,
                   'metadata', '{{"source": "company_sync"}}'::jsonb,
                   'source_learning_id', l.feed_id, 'sync_seq', l.company_seq,
                   'vector_clock', jsonb_build_object({_COMPANY_NODE}, l.server_clock)
                   )::text AS item
          FROM known CROSS JOIN p CROSS JOIN LATERAL (
            SELECT l.* FROM learnings.company_learning AS l
             WHERE l.company_seq > $5::bigint AND l.org_id <> $1
               AND (l.withdrawn
                    OR (p.tags IS NULL OR l.tags && p.tags) AND l.impact >= p.min_impact)
             ORDER BY l.company_seq LIMIT $6::bigint + 1) AS l
    ), numbered AS (
        SELECT found.*, row_number() OVER up AS place, sum(size) OVER up - size AS before
          FROM (SELECT * FROM team UNION ALL SELECT * FROM company) AS found
        WINDOW up AS (ORDER BY is_company, seq)
    ), page AS (
        SELECT *, place <= $6::bigint AND before < $7::bigint AS is_in FROM numbered
    )
    SELECT state.high, state.company_high, state.revision,
           '[' || coalesce(string_agg(page.item, ',' ORDER BY page.place)
                           FILTER (WHERE page.is_in), '') || ']' AS rows,
           max(page.seq) FILTER (WHERE page.is_in AND NOT page.is_company) AS last,
           max(page.seq) FILTER (WHERE page.is_in AND page.is_company) AS company_last,
           coalesce(bool_or(NOT page.is_in), false) AS waits
      FROM state LEFT JOIN page ON true
     GROUP BY state.high, state.company_high, state.revision
    """  # noqa: S608 - constants of this module


async def page(
    connection: Connection,
    reader: Reader,
    known: Known | None,
    scanned: Scanned | None,
    size: int,
    most_bytes: int,
) -> FeedPage:
    """Give what waits for a reader, at most ``size`` rows, team rows before company rows.

    One statement sees counters and rows of one moment. Where the reader has everything up to the
    counters, no row is looked for.
    """
    row = await connection.fetchrow(PAGE, *page_values(reader, known, scanned, size, most_bytes))
    assert row is not None  # an aggregate over one row always gives one
    return FeedPage(**row)


def page_values(
    reader: Reader, known: Known | None, scanned: Scanned | None, size: int, most_bytes: int
) -> list[object]:
    """Give the parameters of ``PAGE``."""
    return [
        reader.org_id,
        reader.key_id,
        reader.own,
        reader.since,
        reader.company_since,
        size,
        most_bytes,
        None if known is None else known.high,
        None if known is None else known.company_high,
        None if known is None else known.revision,
        reader.since if scanned is None else scanned.to,
        None if scanned is None else scanned.revision,
    ]
