"""SQL of outcomes and scores."""

from __future__ import annotations

import json
from collections.abc import Sequence

from services.learnings.outcomes.models import Evidence, Outcome, Read
from shared.db import Connection


async def insert(
    connection: Connection, org_id: str, client_id: str, outcomes: Sequence[Read]
) -> set[str]:
    """Add outcomes, and give the keys of those that were not known."""
    rows = await connection.fetch(
        """
        INSERT INTO learnings.outcome (org_id, client_id, id, idempotency_key, session_id,
               learning_ids, build_passed, rework_rate, tasks_completed, files_changed,
               propensity_data)
        SELECT $1, $2, n.id, n.key, n.session_id,
               ARRAY(SELECT jsonb_array_elements_text(n.learning_ids::jsonb)),
               n.build_passed, n.rework_rate, n.tasks_completed, n.files_changed, n.data::jsonb
          FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[],
                      $8::float8[], $9::bigint[], $10::bigint[], $11::text[])
               AS n (id, key, session_id, learning_ids, build_passed, rework_rate,
                     tasks_completed, files_changed, data)
         ORDER BY n.key
        ON CONFLICT (org_id, idempotency_key) DO NOTHING
        RETURNING idempotency_key
        """,
        org_id,
        client_id,
        [one.id for one in outcomes],
        [one.key for one in outcomes],
        [one.session_id for one in outcomes],
        [json.dumps(one.learning_ids) for one in outcomes],
        [one.build_passed for one in outcomes],
        [one.rework_rate for one in outcomes],
        [one.tasks_completed for one in outcomes],
        [one.files_changed for one in outcomes],
        [json.dumps(one.propensity_data) for one in outcomes],
    )
    return {row[0] for row in rows}


async def resolve(
    connection: Connection,
    org_id: str,
    origins: Sequence[str],
    names: Sequence[str],
    shared: Sequence[str],
) -> dict[str, str]:
    """Find the learnings that a client names: its own first, then those of the feed, then by id.

    Args:
        connection: to ask on.
        org_id: the client's organization.
        origins: under which the client's own learnings may be known.
        names: as the client sent them.
        shared: the same without what marks a pulled one.
    """
    rows = await connection.fetch(
        """
        SELECT n.name, coalesce(found.duplicate_of, found.id)
          FROM unnest($3::text[], $4::text[]) AS n (name, shared)
         CROSS JOIN LATERAL (
               SELECT 1 AS place, l.id, l.duplicate_of FROM learnings.learning AS l
                WHERE l.org_id = $1 AND l.origin = ANY ($2::text[])
                  AND l.source_learning_id = n.name
               UNION ALL
               SELECT 2, l.id, l.duplicate_of FROM learnings.learning AS l
                WHERE l.org_id = $1 AND l.feed_id = n.shared
               UNION ALL
               SELECT 3, l.id, l.duplicate_of FROM learnings.learning AS l
                WHERE l.org_id = $1 AND l.id = n.shared
               ORDER BY 1 LIMIT 1) AS found
        """,
        org_id,
        origins,
        names,
        shared,
    )
    return {row[0]: row[1] for row in rows}


async def add_evidence(connection: Connection, org_id: str, evidence: Sequence[Evidence]) -> None:
    """Attach outcomes to learnings, and add to the learnings' scores.

    The scores are locked in one order, so that no two batches wait for each other.
    """
    await connection.execute(
        """
        WITH attached AS (
            INSERT INTO learnings.outcome_learning
                   (org_id, learning_id, outcome_id, helped, not_helped)
            SELECT $1, * FROM unnest($2::text[], $3::text[], $4::float8[], $5::float8[])
            ON CONFLICT (org_id, learning_id, outcome_id) DO NOTHING
            RETURNING learning_id, helped, not_helped)
        INSERT INTO learnings.learning_score AS s (org_id, learning_id, helped, not_helped)
        SELECT $1, learning_id, sum(helped), sum(not_helped) FROM attached
         WHERE helped + not_helped > 0 GROUP BY learning_id ORDER BY learning_id
        ON CONFLICT (org_id, learning_id) DO UPDATE
           SET helped = s.helped + EXCLUDED.helped,
               not_helped = s.not_helped + EXCLUDED.not_helped, updated_at = now()
        """,
        org_id,
        [one.learning_id for one in evidence],
        [one.outcome_id for one in evidence],
        [one.helped for one in evidence],
        [one.not_helped for one in evidence],
    )


_SHOWN = """
    SELECT o.id, o.client_id, o.session_id, o.learning_ids, o.build_passed, o.rework_rate,
           o.tasks_completed, o.files_changed, o.propensity_data::text, o.created_at
"""


async def list_all(connection: Connection, org_id: str, limit: int, offset: int) -> list[Outcome]:
    """Give a page of an organization's outcomes, newest first."""
    rows = await connection.fetch(
        f"""{_SHOWN} FROM learnings.outcome AS o WHERE o.org_id = $1
        ORDER BY o.created_at DESC, o.id DESC LIMIT $2 OFFSET $3
        """,
        org_id,
        limit,
        offset,
    )
    return [_outcome(dict(row)) for row in rows]


async def count_all(connection: Connection, org_id: str, cap: int) -> int:
    """Count an organization's outcomes, up to a cap."""
    total: int = await connection.fetchval(
        """
        SELECT count(*) FROM (SELECT FROM learnings.outcome WHERE org_id = $1 LIMIT $2) AS capped
        """,
        org_id,
        cap,
    )
    return total


async def list_of(
    connection: Connection, org_id: str, learning_id: str, limit: int, offset: int
) -> list[Outcome]:
    """Give a page of the outcomes of work that a learning was used in, newest first."""
    rows = await connection.fetch(
        f"""{_SHOWN}
          FROM (SELECT outcome_id, created_at FROM learnings.outcome_learning
                 WHERE org_id = $1 AND learning_id = $2
                 ORDER BY created_at DESC, outcome_id DESC LIMIT $3 OFFSET $4) AS used
          JOIN learnings.outcome AS o ON o.org_id = $1 AND o.id = used.outcome_id
         ORDER BY used.created_at DESC, used.outcome_id DESC
        """,  # noqa: S608 - a constant
        org_id,
        learning_id,
        limit,
        offset,
    )
    return [_outcome(dict(row)) for row in rows]


async def count_of(connection: Connection, org_id: str, learning_id: str, cap: int) -> int:
    """Count the outcomes of a learning, up to a cap."""
    total: int = await connection.fetchval(
        """
        SELECT count(*) FROM (SELECT FROM learnings.outcome_learning
                               WHERE org_id = $1 AND learning_id = $2 LIMIT $3) AS capped
        """,
        org_id,
        learning_id,
        cap,
    )
    return total


async def score_of(
    connection: Connection, org_id: str, learning_id: str
) -> tuple[float, float] | None:
    """Give the evidence for and against a learning of the organization; None for a stranger's."""
    row = await connection.fetchrow(
        """
        SELECT coalesce(s.helped, 0), coalesce(s.not_helped, 0)
          FROM learnings.learning AS l
          LEFT JOIN learnings.learning_score AS s ON s.org_id = $1 AND s.learning_id = l.id
         WHERE l.org_id = $1 AND l.id = $2
        """,
        org_id,
        learning_id,
    )
    return None if row is None else (row[0], row[1])


def _outcome(row: dict[str, object]) -> Outcome:
    data = json.loads(str(row.pop("propensity_data")))
    return Outcome.model_validate(row | {"propensity_data": data})
