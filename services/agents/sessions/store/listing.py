"""SQL: sessions with their agents, alone and in lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from services.agents.sessions.models import (
    Chosen,
    Filters,
    Row,
    SessionUsage,
    Shown,
    State,
)
from services.agents.sessions.store.reading import COLUMNS, session_of
from shared.db import Connection, Record

_AGENTS: Final = """
    coalesce((SELECT json_agg(json_build_object('id', a.id, 'name', a.name, 'model', a.model)
                              ORDER BY c.position)
                FROM agents.session_agent c JOIN agents.agent a ON a.id = c.agent_id
               WHERE c.session_id = s.id), '[]')::text AS agents"""

_HELD: Final = "s.busy_until > statement_timestamp()"
_BRANCHES: Final = {
    State.READY: (
        "s.state = 'READY' AND (s.busy_until IS NULL OR s.busy_until <= statement_timestamp())",
    ),
    State.BUSY: ("s.state = 'BUSY'", f"s.state = 'READY' AND {_HELD}"),
}
"""The rows whose shown state is one, where that is not simply the stored one.

Each is found by an index in the order of the list, but those held back: they are few at any time,
and found by their time.
"""


async def list_page(
    connection: Connection, filters: Filters, limit: int, offset: int, budget: int
) -> list[Row]:
    """Give a page, newest first, with as many sessions as fit into a number of bytes.

    Reads what ``filters`` say: of an owner, by ``owner_id``, or of namespaces; of all tenants: for
    whoever may list everywhere.
    """
    values: list[Any] = [limit, offset]
    branches = _branches(
        filters,
        values,
        "s.id, s.created_at, s.size",
        "ORDER BY s.created_at DESC, s.id DESC LIMIT $1::bigint + $2::bigint",
    )
    values.append(budget)
    rows = await connection.fetch(
        f"""
        WITH page AS MATERIALIZED (
            SELECT found.id AS page_id, found.created_at AS made_at, found.size AS page_size
              FROM ({branches}) AS found
             ORDER BY found.created_at DESC, found.id DESC LIMIT $1 OFFSET $2
        ), measured AS (
            SELECT *, row_number() OVER newest AS position, sum(page_size) OVER newest AS upto
              FROM page WINDOW newest AS (ORDER BY made_at DESC, page_id DESC)
        )
        SELECT page_id, page_size, s.id IS NOT NULL AS is_read, {COLUMNS}, {_AGENTS}
          FROM measured LEFT JOIN agents.session s
            ON s.id = page_id AND (upto <= ${len(values)} OR position = 1)
         ORDER BY position
        """,  # noqa: S608 - constants; values are parameters
        *values,
    )
    return [
        Row(row["page_id"], row["page_size"], _shown(row) if row["is_read"] else None)
        for row in rows
    ]


async def count(connection: Connection, filters: Filters, cap: int) -> int:
    """Count the sessions that a list shows over all its pages, up to a cap.

    Covers what ``list_page`` does, be it all tenants: it is the same list.
    """
    values: list[Any] = [cap]
    branches = _branches(filters, values, "1 AS one", "LIMIT $1::bigint")
    total: int = await connection.fetchval(
        f"SELECT count(*) FROM (SELECT FROM ({branches}) AS found LIMIT $1) AS capped",  # noqa: S608 - constants; values are parameters
        *values,
    )
    return total


def _branches(filters: Filters, values: list[Any], columns: str, tail: str) -> str:
    """Write one look for each state, in each namespace that is asked for.

    Only the conditions that are asked for are written, so that each look finds its index.
    """
    conditions = ["s.deleted_at IS NULL"]
    if filters.owner is not None:
        values.extend(filters.owner)
        conditions += [f"s.owner_type = ${len(values) - 1}", f"s.owner_id = ${len(values)}"]
    if filters.created_by is not None:
        values.append(filters.created_by)
        conditions.append(f"s.created_by = ${len(values)}")
    outer, close = "", ""
    if filters.namespaces is not None and len(filters.namespaces) == 1:
        # Said plainly, it is planned once; of many, PostgreSQL plans each time anew.
        values.append(filters.namespaces[0])
        conditions.append(f"s.namespace = ${len(values)}")
    elif filters.namespaces is not None:
        values.append(list(filters.namespaces))
        conditions.append("s.namespace = asked.namespace")
        asked = f"unnest(${len(values)}::text[]) AS asked(namespace)"
        outer, close = f"SELECT one.* FROM {asked} CROSS JOIN LATERAL (", ") AS one"  # noqa: S608 - constants
    everywhere = " AND ".join(conditions)
    looks = [
        f"({outer}SELECT {columns} FROM agents.session s"  # noqa: S608 - constants
        f" WHERE {look} AND {everywhere} {tail}{close})"
        for look in _looks(filters.state)
    ]
    return " UNION ALL ".join(looks)


def _looks(state: State | None) -> Sequence[str]:
    if state is None:
        return [f"s.state = '{one}'" for one in State]
    return _BRANCHES.get(state, (f"s.state = '{state}'",))


async def find_shown(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Shown]:
    """Find sessions that are not deleted, with their agents; all tenants: a page has chosen them,
    or rights were judged."""
    rows = await connection.fetch(
        f"""
        SELECT {COLUMNS}, {_AGENTS} FROM agents.session s
         WHERE s.id = ANY($1::uuid[]) AND s.deleted_at IS NULL
        """,  # noqa: S608 - constants
        ids,
    )
    return {row["id"]: _shown(row) for row in rows}


async def find_agents(connection: Connection, session_id: UUID) -> str:
    """Give the agents of a session as ``Shown.agents``."""
    agents: str = await connection.fetchval(
        f"SELECT {_AGENTS} FROM (SELECT $1::uuid AS id) AS s",  # noqa: S608 - a constant
        session_id,
    )
    return agents


async def find_chosen(connection: Connection, session_id: UUID) -> list[Chosen]:
    """Give the agents of a session in its order, those that were deleted too."""
    rows = await connection.fetch(
        """
        SELECT a.id, a.name, a.model, a.active
          FROM agents.session_agent c JOIN agents.agent a ON a.id = c.agent_id
         WHERE c.session_id = $1 ORDER BY c.position
        """,
        session_id,
    )
    return [Chosen(**row) for row in rows]


async def find_usage(connection: Connection, session_id: UUID) -> SessionUsage | None:
    """Give what a session's turns have taken; None if it is not there."""
    row = await connection.fetchrow(
        """
        SELECT turns, input_tokens, output_tokens, cost_micros FROM agents.session
         WHERE id = $1 AND deleted_at IS NULL
        """,
        session_id,
    )
    if row is None:
        return None
    values = dict(row)
    cost = values.pop("cost_micros") / 1_000_000
    return SessionUsage(session_id=session_id, cost_usd=cost, **values)


def _shown(row: Record) -> Shown:
    return Shown(session_of(row), row["agents"])
