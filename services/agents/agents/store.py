"""SQL of agents."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic_core import from_json

from services.agents.agents.models import (
    Agent,
    AgentEdit,
    Filters,
    Named,
    NewAgent,
    Row,
    Stored,
)
from shared.db import Connection, Record

ERASURE_TIMEOUT: Final = 280.0
"""Seconds that the agents of a whole namespace may take."""

_TIME: Final = """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
_JSON_FIELDS: Final = ("tools", "routes", "guardrails", "knowledge_bases")

# As the wire shows it (``AgentItem``), written by the database: nothing large is read and written
# once more on the way, and JSON stays as it was given. Without blanks, because clients' tests cut
# it with grep.
_ITEM: Final = f"""
    (SELECT row_to_json(item)::text FROM (
        SELECT id, name, namespace, namespace AS workspace, description, instructions, model, tools,
               routes, guardrails, knowledge_bases, active,
               {_TIME.format("created_at")} AS created_at,
               {_TIME.format("updated_at")} AS updated_at) AS item)"""  # noqa: S608 - constants
_STORED: Final = f"id, namespace, name, active, version, {_ITEM} AS item"
_AGENT: Final = """
    SELECT id, name, namespace, description, instructions, model, tools, routes, guardrails,
           knowledge_bases, active, created_at, updated_at
      FROM agents.agent"""


async def insert(connection: Connection, agent_id: UUID, wanted: NewAgent) -> Stored | None:
    """Add an agent; None when the name is taken in its namespace, by a deleted one too."""
    row = await connection.fetchrow(
        f"""
        INSERT INTO agents.agent (id, namespace, name, description, instructions, model, tools,
                                  routes, guardrails, knowledge_bases, created_at, updated_at)
        SELECT $1, $2, $3, $4, $5, $6, $7::text::json, $8::text::json, $9::text::json,
               $10::text::json, at, at FROM clock_timestamp() AS at
        ON CONFLICT DO NOTHING RETURNING {_STORED}
        """,  # noqa: S608 - a constant
        agent_id,
        wanted.namespace,
        wanted.name,
        wanted.description,
        wanted.instructions,
        wanted.model,
        wanted.tools,
        wanted.routes,
        wanted.guardrails,
        wanted.knowledge_bases,
    )
    return _stored(row)


async def find(connection: Connection, agent_id: UUID) -> Stored | None:
    """Find an agent of whatever state; all tenants: the id says which namespace decides."""
    query = f"SELECT {_STORED} FROM agents.agent WHERE id = $1"  # noqa: S608 - a constant
    return _stored(await connection.fetchrow(query, agent_id))


async def lock(connection: Connection, agent_id: UUID) -> Stored | None:
    """Find an agent and keep others from changing it, though not from naming it in a session.

    Covers all tenants: the id says which namespace decides.
    """
    query = f"SELECT {_STORED} FROM agents.agent WHERE id = $1 FOR NO KEY UPDATE"  # noqa: S608
    return _stored(await connection.fetchrow(query, agent_id))


async def lock_names(connection: Connection, namespace: str) -> None:
    """Wait for one's turn to rename in a namespace: two that swap names wait for each other."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('agents.agent:' || $1, 0))", namespace
    )


async def find_named(
    connection: Connection, name: str, namespaces: Sequence[str] | None, limit: int
) -> list[Named]:
    """Find active agents of a name in some namespaces, or in all if None."""
    rows = await connection.fetch(
        """
        SELECT id, namespace, name FROM agents.agent
         WHERE active AND name = $1 AND ($2::text[] IS NULL OR namespace = ANY($2::text[]))
         ORDER BY namespace LIMIT $3
        """,
        name,
        namespaces,
        limit,
    )
    return [Named(**row) for row in rows]


async def update(connection: Connection, namespace: str, agent_id: UUID, edit: AgentEdit) -> Stored:
    """Change what an edit sets.

    Raises:
        UniqueViolation: another agent of the namespace has the name.
    """
    row = await connection.fetchrow(
        f"""
        UPDATE agents.agent
           SET name = coalesce($3, name),
               description = CASE WHEN $4 THEN $5 ELSE description END,
               instructions = coalesce($6, instructions),
               model = coalesce($7, model),
               tools = coalesce($8::text::json, tools),
               routes = coalesce($9::text::json, routes),
               guardrails = coalesce($10::text::json, guardrails),
               knowledge_bases = coalesce($11::text::json, knowledge_bases),
               active = coalesce($12, active),
               version = version + 1, updated_at = clock_timestamp()
         WHERE namespace = $1 AND id = $2
        RETURNING {_STORED}
        """,  # noqa: S608 - a constant
        namespace,
        agent_id,
        edit.name,
        "description" in edit.changed,
        edit.description,
        edit.instructions,
        edit.model,
        edit.tools,
        edit.routes,
        edit.guardrails,
        edit.knowledge_bases,
        edit.active,
    )
    assert row is not None  # it is locked
    return Stored(**row)


async def list_page(
    connection: Connection, filters: Filters, limit: int, offset: int, budget: int
) -> list[Row]:
    """Give a page by name, with as many agents as fit into a number of bytes.

    ``filters.namespaces`` of None reads all tenants: whoever may list everywhere.
    """
    page, values = _page(filters, limit, offset)
    # Each by its id: a join might read the whole table instead.
    rows = await connection.fetch(
        f"""
        WITH page AS ({page}),
             measured AS (SELECT page.id AS page_id, row_number() OVER by_name AS position,
                                 sum(page.size) OVER by_name AS upto
                            FROM page WINDOW by_name AS (ORDER BY page.name, page.namespace))
        SELECT one.id, one.size,
               CASE WHEN upto <= ${len(values) + 1} OR position = 1 THEN {_ITEM} END AS item
          FROM measured
         CROSS JOIN LATERAL (SELECT * FROM agents.agent WHERE id = page_id OFFSET 0) AS one
         ORDER BY position
        """,  # noqa: S608 - constants; values are parameters
        *values,
        budget,
    )
    return [Row(**row) for row in rows]


def _page(filters: Filters, limit: int, offset: int) -> tuple[str, list[Any]]:
    """Write the page so that its index gives it in order: for each namespace one look."""
    columns = "SELECT id, name, namespace, size FROM agents.agent"
    if filters.namespaces is None:
        condition, values = _condition(filters, 3)
        order = "ORDER BY name, namespace LIMIT $1 OFFSET $2"
        return f"{columns} WHERE {condition} {order}", [limit, offset, *values]
    condition, values = _condition(filters, 4)
    each = f"""
        {columns} WHERE namespace = wanted AND {condition}
         ORDER BY name LIMIT $1::bigint + $2::bigint"""
    page = f"""
        SELECT one.* FROM unnest($3::text[]) AS wanted CROSS JOIN LATERAL ({each}) AS one
         ORDER BY one.name, one.namespace LIMIT $1 OFFSET $2"""  # noqa: S608 - constants
    return page, [limit, offset, list(filters.namespaces), *values]


def _condition(filters: Filters, first: int) -> tuple[str, list[Any]]:
    """Write only the conditions that are asked for, so that each finds its index."""
    if filters.model is None:
        return f"active = ${first}", [filters.active]
    return f"active = ${first} AND model = ${first + 1}", [filters.active, filters.model]


async def count(connection: Connection, filters: Filters, cap: int) -> int:
    """Count the agents that a list shows over all its pages, up to a cap.

    In the order of an index, because else it may be thought that reading the table costs less.
    ``filters.namespaces`` of None reads all tenants: whoever may list everywhere.
    """
    condition, values = _condition(filters, 2)
    counted = f"""
        SELECT FROM agents.agent WHERE {condition} ORDER BY name, namespace LIMIT $1"""
    if filters.namespaces is not None:
        values.append(list(filters.namespaces))
        counted = f"""
            SELECT FROM unnest(${len(values) + 1}::text[]) AS wanted CROSS JOIN LATERAL (
                SELECT FROM agents.agent WHERE namespace = wanted AND {condition}
                 ORDER BY name LIMIT $1) AS one
             LIMIT $1"""  # noqa: S608 - constants; values are parameters
    query = f"SELECT count(*) FROM ({counted}) AS capped"  # noqa: S608 - as above
    total: int = await connection.fetchval(query, cap, *values)
    return total


async def find_items(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, str]:
    """Give agents as the wire shows them; all tenants: a page has chosen them."""
    query = f"SELECT id, {_ITEM} AS item FROM agents.agent WHERE id = ANY($1::uuid[])"  # noqa: S608
    return {row["id"]: row["item"] for row in await connection.fetch(query, ids)}


async def find_referred(
    connection: Connection, namespace: str, ids: Sequence[UUID], names: Sequence[str]
) -> list[Agent]:
    """Find the active agents of a namespace that have one of some ids or names."""
    rows = await connection.fetch(
        _AGENT
        + """
         WHERE namespace = $1 AND active AND (id = ANY($2::uuid[]) OR name = ANY($3::text[]))
        """,
        namespace,
        ids,
        names,
    )
    return [_agent(row) for row in rows]


async def find_by_ids(connection: Connection, ids: Sequence[UUID]) -> list[Agent]:
    """Find agents of whatever state; all tenants: whoever has an id was given it."""
    rows = await connection.fetch(_AGENT + " WHERE id = ANY($1::uuid[])", ids)
    return [_agent(row) for row in rows]


async def delete_namespace(connection: Connection, namespace: str, until: datetime) -> None:
    """Drop all agents of a namespace that were made until then, those that were deleted too."""
    await connection.execute(
        "DELETE FROM agents.agent WHERE namespace = $1 AND created_at <= $2",
        namespace,
        until,
        timeout=ERASURE_TIMEOUT,
    )


def _stored(row: Record | None) -> Stored | None:
    return None if row is None else Stored(**row)


def _agent(row: Record) -> Agent:
    data = {name: from_json(row[name]) for name in _JSON_FIELDS}
    return Agent(**{**row, **data})
