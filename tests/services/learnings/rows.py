"""Making many learnings at once, as if each had been recorded."""

from __future__ import annotations

from typing import Any

import asyncpg

from services.learnings.learnings.store import LANDMARK_SPACING


async def fill(connection: asyncpg.Connection[Any], org_id: str, count: int) -> None:
    """Record ``count`` learnings in an organization that has none, one a second, until now.

    Statuses, types, tags, projects and words are spread from common to rare.
    """
    await connection.execute(
        """
        INSERT INTO learnings.learning (org_id, id, feed_id, summary, detail, tags, impact, status,
               type, origin, source_project, origin_project, recorded_by, account_id, sync_seq,
               created_at, updated_at)
        SELECT $1, 'L-' || substr(encode(sha256(($1 || n)::bytea), 'hex'), 1, 16), 'L-' || n,
               'Learning ' || n || CASE WHEN n % 1000 = 0 THEN ' about zebras' ELSE '' END,
               'What was seen in ' || md5(n::text) || ' and done about it',
               ARRAY['all', 'tenth' || n % 10, 'thousandth' || n % 1000],
               (n % 101) / 100.0,
               (ARRAY['active', 'active', 'active', 'active', 'active', 'active', 'active',
                      'resolved', 'resolved', 'obsolete'])[1 + n % 10],
               CASE WHEN n % 5000 = 0 THEN 'decision' WHEN n % 3 = 0 THEN 'incident'
                    ELSE 'pattern' END,
               'filled', CASE WHEN n % 50 = 0 THEN lpad((n % 1000)::text, 16, '0') END,
               CASE WHEN n % 4 = 0 THEN 'git:' || lpad((n % 100)::text, 16, '0') END,
               'key_fill', 'usr_fill', n, at, at
          FROM generate_series(1, $2::int) AS n,
               LATERAL (SELECT now() - ($2::int - n) * interval '1 s' AS at) AS clock
        """,
        org_id,
        count,
        timeout=1200,
    )
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
