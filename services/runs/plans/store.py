"""The SQL of plans."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from pydantic_core import from_json

from services.runs.plans.models import Draft, Due, PlanRow
from shared.db import Connection, Record

COLUMNS: Final = """
    p.org_id, p.id, p.name, p.description, p.items::text AS items, p.parallel, p.schedule,
    p.schedule_error, p.next_run, p.last_run, p.last_run_ids, p.login, p.created_at, p.updated_at,
    p.updated_by"""

WANTED: Final = """
    p.org_id = $1
      AND ($2 = '' OR strpos(lower(p.name), lower($2)) > 0 OR strpos(lower(p.id), lower($2)) > 0
           OR EXISTS (SELECT FROM json_array_elements(p.items) AS item
                       WHERE strpos(lower(item ->> 'suite'), lower($2)) > 0))"""


def _row(row: Record) -> PlanRow:
    values = {name: row[name] for name in PlanRow.__slots__}
    values["items"] = [(item["suite"], item["cases"]) for item in from_json(row["items"])]
    return PlanRow(**values)


async def now(connection: Connection) -> datetime:
    """Give the database's clock, the only one that all agree on."""
    found: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return found


async def take_turn(connection: Connection, org_id: str) -> None:
    """Let nobody else make a plan of an organization until the transaction ends."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('runs.plan:' || $1, 0))", org_id
    )


async def page(
    connection: Connection, org_id: str, q: str, limit: int, offset: int
) -> list[PlanRow]:
    """Give a page of plans, newest first."""
    rows = await connection.fetch(
        f"""
        SELECT {COLUMNS} FROM runs.plan AS p WHERE {WANTED}
         ORDER BY p.created_at DESC, p.id DESC LIMIT $3 OFFSET $4
        """,  # noqa: S608 - constants
        org_id,
        q,
        limit,
        offset,
    )
    return [_row(row) for row in rows]


async def count(connection: Connection, org_id: str, q: str = "") -> int:
    """Count plans; an organization has a thousand at most."""
    found: int = await connection.fetchval(
        f"SELECT count(*) FROM runs.plan AS p WHERE {WANTED}",  # noqa: S608 - constants
        org_id,
        q,
    )
    return found


async def find(connection: Connection, org_id: str, plan_id: str) -> PlanRow | None:
    """Find a plan."""
    row = await connection.fetchrow(
        f"SELECT {COLUMNS} FROM runs.plan AS p WHERE p.org_id = $1 AND p.id = $2",  # noqa: S608
        org_id,
        plan_id,
    )
    return None if row is None else _row(row)


async def lock(connection: Connection, org_id: str, plan_id: str) -> PlanRow | None:
    """Find a plan and hold it until the transaction ends."""
    row = await connection.fetchrow(
        f"""
        SELECT {COLUMNS} FROM runs.plan AS p WHERE p.org_id = $1 AND p.id = $2 FOR UPDATE
        """,  # noqa: S608 - constants
        org_id,
        plan_id,
    )
    return None if row is None else _row(row)


async def insert(
    connection: Connection, org_id: str, plan_id: str, draft: Draft, account: str
) -> None:
    """Keep a new plan."""
    await connection.execute(
        """
        INSERT INTO runs.plan (org_id, id, name, description, items, parallel, schedule,
                               schedule_error, next_run, login, updated_by)
        VALUES ($1, $2, $3, $4, $5::text::json, $6, $7, $8, $9, $10, $11)
        """,
        org_id,
        plan_id,
        draft.name,
        draft.description,
        draft.items,
        draft.parallel,
        draft.timing.schedule,
        draft.timing.error,
        draft.timing.next_run,
        draft.login,
        account,
    )


async def update(
    connection: Connection, org_id: str, plan_id: str, draft: Draft, account: str
) -> None:
    """Change a plan that the caller has locked."""
    await connection.execute(
        """
        UPDATE runs.plan
           SET name = $3, description = $4, items = $5::text::json, parallel = $6, schedule = $7,
               schedule_error = $8, next_run = $9, login = $10, updated_by = $11,
               updated_at = clock_timestamp()
         WHERE org_id = $1 AND id = $2
        """,
        org_id,
        plan_id,
        draft.name,
        draft.description,
        draft.items,
        draft.parallel,
        draft.timing.schedule,
        draft.timing.error,
        draft.timing.next_run,
        draft.login,
        account,
    )


async def delete(connection: Connection, org_id: str, plan_id: str) -> bool:
    """Delete a plan; tell whether there was one."""
    found = await connection.fetchval(
        "DELETE FROM runs.plan WHERE org_id = $1 AND id = $2 RETURNING id", org_id, plan_id
    )
    return found is not None


async def stamp(connection: Connection, org_id: str, plan_id: str, run_ids: Sequence[str]) -> None:
    """Note that a locked plan was run just now."""
    await connection.execute(
        """
        UPDATE runs.plan SET last_run = clock_timestamp(), last_run_ids = $3
         WHERE org_id = $1 AND id = $2
        """,
        org_id,
        plan_id,
        list(run_ids),
    )


async def due(connection: Connection, limit: int) -> list[Due]:
    """Give plans whose boundary has come, the earliest first.

    all tenants: schedulers look after everybody's plans.
    """
    rows = await connection.fetch(
        f"""
        SELECT {COLUMNS}, extract(epoch FROM clock_timestamp() - p.next_run)::float8 AS late_s
          FROM runs.plan AS p
         WHERE p.next_run <= clock_timestamp() ORDER BY p.next_run LIMIT $1
        """,  # noqa: S608 - constants
        limit,
    )
    return [Due(_row(row), row["late_s"]) for row in rows]


async def seconds_to_next(connection: Connection) -> float | None:
    """Give the seconds until the next boundary of any plan; None where none is armed.

    all tenants: schedulers look after everybody's plans.
    """
    found: float | None = await connection.fetchval(
        "SELECT extract(epoch FROM min(next_run) - clock_timestamp())::float8 FROM runs.plan"
        " WHERE next_run IS NOT NULL"
    )
    return found


async def lock_due(connection: Connection, plan: PlanRow) -> bool:
    """Hold a due plan until the transaction ends, unless somebody has fired, held or changed it.

    The plan is found by its org_id and id.
    """
    found = await connection.fetchval(
        """
        SELECT true FROM runs.plan
         WHERE org_id = $1 AND id = $2 AND next_run = $3 AND updated_at = $4
           FOR UPDATE SKIP LOCKED
        """,
        plan.org_id,
        plan.id,
        plan.next_run,
        plan.updated_at,
    )
    return found is True


async def arm(
    connection: Connection, plan: PlanRow, next_run: datetime | None, error: str | None
) -> None:
    """Set the next boundary of a locked plan, which is found by its org_id and id."""
    await connection.execute(
        """
        UPDATE runs.plan SET next_run = $3, schedule_error = $4 WHERE org_id = $1 AND id = $2
        """,
        plan.org_id,
        plan.id,
        next_run,
        error,
    )


async def forget_organization(connection: Connection, org_id: str) -> None:
    """Delete all plans of an organization."""
    await connection.execute("DELETE FROM runs.plan WHERE org_id = $1", org_id)


async def forget_account(connection: Connection, account_id: str) -> None:
    """Let no plan name an account.

    all tenants: a person may have acted in several.
    """
    await connection.execute(
        "UPDATE runs.plan SET updated_by = '' WHERE updated_by = $1 AND updated_by <> ''",
        account_id,
    )
