"""SQL of cache entries and refused targets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from services.runs.resolutions.models import Entry, Refused, Spot, Target, hash_of
from shared.db import Connection


async def lock(connection: Connection, org_id: str, suite_id: str) -> None:
    """Let one change of a suite's cache happen at a time, until the transaction ends."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('runs.resolution:' || $1, 0))",
        f"{org_id}:{suite_id}",
    )


async def find_suite(connection: Connection, org_id: str, names: Sequence[str]) -> str | None:
    """Find the id of the suite in a file; of a deleted one, what it was when it ran last."""
    found: str | None = await connection.fetchval(
        """
        SELECT coalesce(
            (SELECT suite_id FROM runs.suite WHERE org_id = $1 AND file = ANY ($2::text[])
              ORDER BY array_position($2::text[], file) LIMIT 1),
            (SELECT suite_id FROM runs.run WHERE org_id = $1 AND file = ANY ($2::text[])
              ORDER BY queued_at DESC, id DESC LIMIT 1))
        """,
        org_id,
        names,
    )
    return found


async def list_entries(
    connection: Connection, org_id: str, suite_id: str, case_id: str | None, most: int
) -> list[dict[str, Any]]:
    """Give a suite's entries as the engine reads them, newest first."""
    rows = await connection.fetch(
        """
        SELECT case_id, step_id, part, template, path, target::text, action::text
          FROM runs.resolution
         WHERE org_id = $1 AND suite_id = $2 AND ($3::text IS NULL OR case_id = $3)
         ORDER BY updated_at DESC LIMIT $4
        """,
        org_id,
        suite_id,
        case_id,
        most,
    )
    return [
        dict(row) | {"target": json.loads(row["target"]), "action": json.loads(row["action"])}
        for row in rows
    ]


async def list_refused(
    connection: Connection, org_id: str, suite_id: str, case_id: str | None
) -> list[dict[str, Any]]:
    """Give what people refused of a suite, as the engine reads it."""
    rows = await connection.fetch(
        """
        SELECT case_id, step_id, part, target::text FROM runs.refused_target
         WHERE org_id = $1 AND suite_id = $2 AND ($3::text IS NULL OR case_id = $3)
         ORDER BY case_id, step_id, part, refused_at
        """,
        org_id,
        suite_id,
        case_id,
    )
    return [dict(row) | {"target": json.loads(row["target"])} for row in rows]


async def put_entries(
    connection: Connection,
    org_id: str,
    suite_id: str,
    run_id: str | None,
    entries: Sequence[Entry],
) -> int:
    """Write entries, each once, unless their target is refused; give how many were."""
    count: int = await connection.fetchval(
        """
        WITH written AS (
            INSERT INTO runs.resolution AS r
                   (org_id, suite_id, case_id, step_id, part, template_hash, path_hash, template,
                    path, target, action, run_id)
            SELECT $1, $2, n.case_id, n.step_id, n.part, n.template_hash, n.path_hash, n.template,
                   n.path, n.target::jsonb, n.action::jsonb, $3
              FROM unnest($4::text[], $5::text[], $6::integer[], $7::bytea[], $8::bytea[],
                          $9::text[], $10::text[], $11::text[], $12::text[], $13::bytea[])
                   AS n (case_id, step_id, part, template_hash, path_hash, template, path,
                         target, action, target_hash)
             WHERE NOT EXISTS (
                   SELECT FROM runs.refused_target AS f
                    WHERE f.org_id = $1 AND f.suite_id = $2 AND f.case_id = n.case_id
                      AND f.step_id = n.step_id AND f.part = n.part
                      AND f.target_hash = n.target_hash)
            ON CONFLICT (org_id, suite_id, case_id, step_id, part, template_hash, path_hash)
            DO UPDATE SET target = excluded.target, action = excluded.action,
                          run_id = excluded.run_id, updated_at = excluded.updated_at
            RETURNING 1)
        SELECT count(*)::integer FROM written
        """,
        org_id,
        suite_id,
        run_id,
        [one.case_id for one in entries],
        [one.step_id for one in entries],
        [one.part for one in entries],
        [hash_of(one.template) for one in entries],
        [hash_of(one.path) for one in entries],
        [one.template for one in entries],
        [one.path for one in entries],
        [one.target.model_dump_json() for one in entries],
        [json.dumps(one.action) for one in entries],
        [one.target.hash for one in entries],
    )
    return count


async def put_refused(
    connection: Connection, org_id: str, suite_id: str, refused: Sequence[Refused]
) -> None:
    """Refuse targets for steps, and remove the entries that lead there."""
    await connection.execute(
        """
        WITH n AS (
            SELECT * FROM unnest($3::text[], $4::text[], $5::integer[], $6::bytea[], $7::text[])
                       AS n (case_id, step_id, part, target_hash, target)
        ), written AS (
            INSERT INTO runs.refused_target
                   (org_id, suite_id, case_id, step_id, part, target_hash, target)
            SELECT $1, $2, case_id, step_id, part, target_hash, target::jsonb FROM n
            ON CONFLICT (org_id, suite_id, case_id, step_id, part, target_hash) DO NOTHING
        )
        DELETE FROM runs.resolution AS r USING n
         WHERE r.org_id = $1 AND r.suite_id = $2 AND r.case_id = n.case_id
           AND r.step_id = n.step_id AND r.part = n.part
           AND r.target ->> 'role' = n.target::jsonb ->> 'role'
           AND r.target ->> 'name' = n.target::jsonb ->> 'name'
        """,
        org_id,
        suite_id,
        [one.case_id for one in refused],
        [one.step_id for one in refused],
        [one.part for one in refused],
        [one.target.hash for one in refused],
        [one.target.model_dump_json() for one in refused],
    )


async def allow(
    connection: Connection, org_id: str, suite_id: str, spot: Spot, target: Target
) -> None:
    """Refuse a target no longer."""
    await connection.execute(
        """
        DELETE FROM runs.refused_target
         WHERE org_id = $1 AND suite_id = $2 AND case_id = $3 AND step_id = $4 AND part = $5
           AND target_hash = $6
        """,
        org_id,
        suite_id,
        spot.case_id,
        spot.step_id,
        spot.part,
        target.hash,
    )


async def trim(connection: Connection, org_id: str, suite_id: str, most: int) -> None:
    """Remove a suite's oldest entries, so that no more than ``most`` are left."""
    await connection.execute(
        """
        DELETE FROM runs.resolution
         WHERE org_id = $1 AND suite_id = $2 AND ctid IN (
               SELECT ctid FROM runs.resolution WHERE org_id = $1 AND suite_id = $2
                ORDER BY updated_at DESC OFFSET $3)
        """,
        org_id,
        suite_id,
        most,
    )


async def delete(
    connection: Connection,
    org_id: str,
    suite_id: str,
    case_id: str | None,
    step_id: str | None,
    with_refused: bool,
) -> None:
    """Delete entries of a suite, a case or a step; with them what was refused, if wanted."""
    tables = ("resolution", "refused_target") if with_refused else ("resolution",)
    for table in tables:
        await connection.execute(
            f"""
            DELETE FROM runs.{table}
             WHERE org_id = $1 AND suite_id = $2 AND ($3::text IS NULL OR case_id = $3)
               AND ($4::text IS NULL OR step_id = $4)
            """,  # noqa: S608 - of the two constants above
            org_id,
            suite_id,
            case_id,
            step_id,
        )
