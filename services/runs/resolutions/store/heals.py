"""SQL of heal records, and of forgetting."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from services.runs.resolutions.models import Decision, Heal, Healed
from shared.db import Connection, Record

TIMEOUT: Final = 280.0
"""Seconds that one statement of forgetting may take."""

_SHOWN: Final = """
    SELECT id, suite_id, case_id, step_id, part, template, path, run_id, before::text, after::text,
           score, confidence, status, created_at, decided_by, decided_at
      FROM runs.heal
"""


def _heal(row: Record) -> Heal:
    read = {"before": json.loads(row["before"]), "after": json.loads(row["after"])}
    return Heal.model_validate(dict(row) | read)


async def put(
    connection: Connection,
    org_id: str,
    suite_id: str,
    run_id: str,
    heals: Mapping[str, Healed],
) -> dict[bytes, str]:
    """Add heals by their new ids; give the ids of all of them, by what a run heals only once.

    One that the run told before keeps its id, and whatever was decided about it.
    """
    healed = list(heals.values())
    places = [one.place for one in healed]
    await connection.execute(
        """
        INSERT INTO runs.heal (org_id, suite_id, run_id, id, case_id, step_id, part, template, path,
                               place_hash, before, after, score, confidence)
        SELECT $1, $2, $3, n.id, n.case_id, n.step_id, n.part, n.template, n.path, n.place_hash,
               n.before::jsonb, n.after::jsonb, n.score, n.confidence
          FROM unnest($4::text[], $5::text[], $6::text[], $7::integer[], $8::text[], $9::text[],
                      $10::bytea[], $11::text[], $12::text[], $13::float8[], $14::float8[])
               AS n (id, case_id, step_id, part, template, path, place_hash, before, after, score,
                     confidence)
        ON CONFLICT (org_id, run_id, place_hash) DO NOTHING
        """,
        org_id,
        suite_id,
        run_id,
        list(heals),
        [one.case_id for one in healed],
        [one.step_id for one in healed],
        [one.part for one in healed],
        [one.template for one in healed],
        [one.path for one in healed],
        places,
        [one.before.model_dump_json() for one in healed],
        [one.after.model_dump_json() for one in healed],
        [one.score for one in healed],
        [one.confidence for one in healed],
    )
    rows = await connection.fetch(
        """
        SELECT place_hash, id FROM runs.heal
         WHERE org_id = $1 AND run_id = $2 AND place_hash = ANY ($3::bytea[])
        """,
        org_id,
        run_id,
        places,
    )
    return {row["place_hash"]: row["id"] for row in rows}


async def find(connection: Connection, org_id: str, heal_id: str) -> Heal | None:
    """Find a heal record."""
    row = await connection.fetchrow(_SHOWN + " WHERE org_id = $1 AND id = $2", org_id, heal_id)
    return None if row is None else _heal(row)


_FILTER: Final = """
     WHERE org_id = $1 AND ($2::text IS NULL OR status = $2)
       AND ($3::text IS NULL OR suite_id = $3)
"""


async def page(
    connection: Connection,
    org_id: str,
    status: str | None,
    suite_id: str | None,
    limit: int,
    offset: int,
) -> list[Heal]:
    """Give a page of heal records, newest first."""
    rows = await connection.fetch(
        f"{_SHOWN}{_FILTER} ORDER BY created_at DESC, id DESC LIMIT $4 OFFSET $5",
        org_id,
        status,
        suite_id,
        limit,
        offset,
    )
    return [_heal(row) for row in rows]


async def count(
    connection: Connection, org_id: str, status: str | None, suite_id: str | None, cap: int
) -> int:
    """Count heal records, up to a cap."""
    found: int = await connection.fetchval(
        f"SELECT count(*) FROM (SELECT FROM runs.heal {_FILTER} LIMIT $4) AS capped",  # noqa: S608
        org_id,
        status,
        suite_id,
        cap,
    )
    return found


async def decide(
    connection: Connection, org_id: str, heal_id: str, decision: Decision, account_id: str
) -> None:
    """Write down what somebody decided."""
    await connection.execute(
        """
        UPDATE runs.heal SET status = $3, decided_by = $4, decided_at = clock_timestamp()
         WHERE org_id = $1 AND id = $2
        """,
        org_id,
        heal_id,
        decision,
        account_id,
    )


OWN_TABLES: Final[Sequence[str]] = ("resolution", "refused_target", "heal")


async def delete_all(connection: Connection, org_id: str) -> None:
    """Delete all that an organization has of resolutions and heals."""
    for table in OWN_TABLES:
        await connection.execute(
            f"DELETE FROM runs.{table} WHERE org_id = $1",  # noqa: S608 - of the table above
            org_id,
            timeout=TIMEOUT,
        )


async def forget_decider(connection: Connection, account_id: str) -> None:
    """Take a person's name off their decisions; all tenants: they may have decided in several."""
    await connection.execute(
        "UPDATE runs.heal SET decided_by = '' WHERE decided_by = $1 AND decided_by <> ''",
        account_id,
        timeout=TIMEOUT,
    )
