"""The SQL of figures: made of what arrived, read together with what arrived since."""

from __future__ import annotations

from datetime import date
from typing import Final

from services.learnings.telemetry.models import STEPS
from shared.db import Connection

TIMEOUT: Final = 280.0
"""Seconds that making figures may take."""

TAIL: Final = 500
"""Requests that a summary reads beside the figures at most."""

_STEP: Final = f"""CASE WHEN e.duration_ms < 1 THEN 0
    ELSE least({STEPS - 1}, 1 + floor(2 * ln(e.duration_ms) / ln(2::double precision)))::integer
    END"""

_DAY: Final = "(e.time AT TIME ZONE 'UTC')::date"

_COUNTED: Final = f"""
    SELECT e.org_id, e.installation_id, {_DAY} AS day, coalesce(e.tool_name, '') AS tool_name,
           e.event_type, coalesce(e.status, '') AS outcome, {_STEP} AS step,
           count(*) AS count, count(e.duration_ms) AS timed,
           coalesce(sum(e.duration_ms), 0) AS duration_ms,
           coalesce(sum(e.input_tokens), 0)::bigint AS input_tokens,
           coalesce(sum(e.output_tokens), 0)::bigint AS output_tokens,
           coalesce(sum(e.cost_usd), 0) AS cost_usd
      FROM learnings.telemetry_event AS e
"""  # noqa: S608 - constants of this module
"""Events counted as finely as any figure needs; a condition and the grouping follow."""

_HISTOGRAM: Final = (
    "ARRAY["
    + ", ".join(
        f"coalesce(sum(c.count) FILTER (WHERE c.step = {step}), 0)::bigint" for step in range(STEPS)
    )
    + "]"
)


_FOLD: Final = f"""
WITH taken AS (
    DELETE FROM learnings.telemetry_batch WHERE id = ANY (ARRAY(
        SELECT id FROM learnings.telemetry_batch ORDER BY id LIMIT $1))
    RETURNING id, day
), counted AS MATERIALIZED (
    {_COUNTED}
     WHERE e.batch = ANY (ARRAY(SELECT id FROM taken))
       AND e.day = ANY (ARRAY(SELECT DISTINCT day FROM taken))
     GROUP BY 1, 2, 3, 4, 5, 6, 7
), tools AS (
    INSERT INTO learnings.telemetry_tool AS t (org_id, installation_id, day, tool_name,
           event_type, outcome, count, timed, duration_ms, input_tokens, output_tokens,
           cost_usd, histogram)
    SELECT c.org_id, coalesce(c.installation_id, ''), c.day, c.tool_name, c.event_type,
           c.outcome, sum(c.count), sum(c.timed), sum(c.duration_ms), sum(c.input_tokens),
           sum(c.output_tokens), sum(c.cost_usd),
           CASE WHEN sum(c.timed) > 0 THEN {_HISTOGRAM} ELSE '{{}}' END
      FROM counted AS c
     GROUP BY GROUPING SETS (
           (c.org_id, c.installation_id, c.day, c.tool_name, c.event_type, c.outcome),
           (c.org_id, c.day, c.tool_name, c.event_type, c.outcome))
    ON CONFLICT (org_id, installation_id, day, tool_name, event_type, outcome) DO UPDATE
       SET count = t.count + excluded.count, timed = t.timed + excluded.timed,
           duration_ms = t.duration_ms + excluded.duration_ms,
           input_tokens = t.input_tokens + excluded.input_tokens,
           output_tokens = t.output_tokens + excluded.output_tokens,
           cost_usd = t.cost_usd + excluded.cost_usd,
           histogram = CASE WHEN excluded.histogram = '{{}}' THEN t.histogram
                ELSE learnings.added(t.histogram, excluded.histogram) END
), begun AS (
    INSERT INTO learnings.telemetry_session (org_id, installation_id, session_id, day)
    SELECT DISTINCT ON (e.org_id, e.installation_id, e.session_id)
           e.org_id, e.installation_id, e.session_id, {_DAY} AS day
      FROM learnings.telemetry_event AS e
     WHERE e.batch = ANY (ARRAY(SELECT id FROM taken))
       AND e.day = ANY (ARRAY(SELECT DISTINCT day FROM taken))
       AND e.session_id IS NOT NULL
     ORDER BY e.org_id, e.installation_id, e.session_id, e.batch, {_DAY}
    ON CONFLICT (org_id, installation_id, session_id) DO NOTHING
    RETURNING org_id, installation_id, day
), present AS (
    SELECT org_id, installation_id, day, 1 AS sessions FROM begun
     UNION ALL SELECT DISTINCT org_id, installation_id, day, 0 FROM counted
), days AS (
    INSERT INTO learnings.telemetry_day AS d (org_id, installation_id, day, sessions)
    SELECT org_id, coalesce(installation_id, ''), day, sum(sessions) FROM present
     GROUP BY GROUPING SETS ((org_id, installation_id, day), (org_id, day))
    ON CONFLICT (org_id, installation_id, day) DO UPDATE
       SET sessions = d.sessions + excluded.sessions
)
SELECT count(*) FROM taken
"""  # noqa: S608 - constants of this module

_SUMMARY: Final = f"""
WITH tail AS MATERIALIZED (
    SELECT id, day FROM learnings.telemetry_batch WHERE org_id = $1 ORDER BY id
     LIMIT {TAIL}
), fresh AS MATERIALIZED (
    {_COUNTED}
     WHERE e.org_id = $1 AND e.batch = ANY (ARRAY(SELECT id FROM tail))
       AND e.day = ANY (ARRAY(SELECT DISTINCT day FROM tail))
       AND ($5 = '' OR e.installation_id = $5) AND ($4::text IS NULL OR e.tool_name = $4)
     GROUP BY 1, 2, 3, 4, 5, 6, 7
), part AS MATERIALIZED (
    SELECT day, tool_name, event_type, outcome, count, timed, duration_ms, input_tokens,
           output_tokens, cost_usd, histogram, NULL::integer AS step
      FROM learnings.telemetry_tool
     WHERE org_id = $1 AND installation_id = $5 AND day BETWEEN $2 AND $3
       AND ($4::text IS NULL OR tool_name = $4)
    UNION ALL
    SELECT day, tool_name, event_type, outcome, count, timed, duration_ms, input_tokens,
           output_tokens, cost_usd, '{{}}', step
      FROM fresh WHERE day BETWEEN $2 AND $3
), top AS MATERIALIZED (
    SELECT tool_name, sum(count) AS calls,
           sum(count) FILTER (WHERE outcome = 'error') AS errors,
           sum(count) FILTER (WHERE outcome <> '') AS ended,
           sum(timed) AS timed, sum(duration_ms) AS duration_ms
      FROM part WHERE tool_name <> '' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 200
), steps AS (
    SELECT tool_name, step, sum(count) AS count FROM (
        SELECT p.tool_name, (h.place - 1)::integer AS step, h.count
          FROM part AS p JOIN top USING (tool_name),
               unnest(p.histogram) WITH ORDINALITY AS h (count, place)
         WHERE h.count > 0
         UNION ALL SELECT p.tool_name, p.step, p.timed
          FROM part AS p JOIN top USING (tool_name) WHERE p.step IS NOT NULL
    ) AS every GROUP BY 1, 2
), days AS (
    SELECT day, sum(count) AS events, sum(count) FILTER (WHERE tool_name <> '') AS calls,
           sum(count) FILTER (WHERE outcome = 'error') AS errors,
           sum(count) FILTER (WHERE outcome <> '') AS ended,
           sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
           sum(cost_usd) AS cost_usd
      FROM part GROUP BY 1
), seen AS MATERIALIZED (
    SELECT day, installation_id FROM learnings.telemetry_day
     WHERE org_id = $1 AND day BETWEEN $2 AND $3 AND installation_id <> ''
       AND ($5 = '' OR installation_id = $5)
    UNION SELECT {_DAY}, e.installation_id FROM learnings.telemetry_event AS e
     WHERE e.org_id = $1 AND e.batch = ANY (ARRAY(SELECT id FROM tail))
       AND e.day = ANY (ARRAY(SELECT DISTINCT day FROM tail))
       AND {_DAY} BETWEEN $2 AND $3 AND ($5 = '' OR e.installation_id = $5)
), begun AS (
    SELECT day, sessions FROM learnings.telemetry_day
     WHERE org_id = $1 AND day BETWEEN $2 AND $3 AND installation_id = $5
    UNION ALL
    SELECT first_day, count(*) FROM (
        SELECT DISTINCT ON (e.installation_id, e.session_id)
               e.installation_id, e.session_id, {_DAY} AS first_day
          FROM learnings.telemetry_event AS e
         WHERE e.org_id = $1 AND e.batch = ANY (ARRAY(SELECT id FROM tail))
           AND e.day = ANY (ARRAY(SELECT DISTINCT day FROM tail))
           AND e.session_id IS NOT NULL AND ($5 = '' OR e.installation_id = $5)
         ORDER BY 1, 2, e.batch, 3) AS f
     WHERE first_day BETWEEN $2 AND $3 AND NOT EXISTS (
           SELECT FROM learnings.telemetry_session AS s
            WHERE s.org_id = $1 AND s.installation_id = f.installation_id
              AND s.session_id = f.session_id)
     GROUP BY 1
)
SELECT json_build_object(
    'tools', (SELECT coalesce(json_agg(top ORDER BY calls DESC, tool_name), '[]')
                FROM top),
    'steps', (SELECT coalesce(json_agg(steps), '[]') FROM steps),
    'days', (SELECT coalesce(json_agg(days), '[]') FROM days),
    'installations', (SELECT count(DISTINCT installation_id) FROM seen),
    'present', (SELECT coalesce(json_object_agg(day, count), '{{}}')
                  FROM (SELECT day, count(*) FROM seen GROUP BY 1) AS p),
    'sessions', (SELECT coalesce(json_object_agg(day, count), '{{}}')
                   FROM (SELECT day, sum(sessions) AS count FROM begun GROUP BY 1) AS b)
)::text
"""  # noqa: S608 - constants of this module


async def fold(connection: Connection, most: int) -> int:
    """Add what came in some requests to the figures, once; give how many requests those were.

    Reads all tenants: whatever arrived, in the order of arrival. Zero as well while another
    process is at it, so that none waits for the rows of another.
    """
    if not await connection.fetchval(
        "SELECT pg_try_advisory_xact_lock(hashtextextended('telemetry figures', 0))"
    ):
        return 0
    folded: int = await connection.fetchval(_FOLD, most, timeout=TIMEOUT)
    return folded


async def summary(
    connection: Connection,
    org_id: str,
    first: date,
    last: date,
    tool: str | None,
    installation_id: str,
) -> str:
    """Give the figures of some days as JSON, see ``_SUMMARY``.

    Those made beforehand, and what arrived since. An empty installation is all of them.
    """
    found: str = await connection.fetchval(_SUMMARY, org_id, first, last, tool, installation_id)
    return found
