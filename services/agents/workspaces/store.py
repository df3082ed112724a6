"""SQL of workspaces: namespaces that somebody made, and those in which something is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.agents.workspaces.models import Content, Workspace
from shared.db import Connection

_STATES: Final = "unnest(ARRAY['INIT', 'READY', 'IDLE', 'BUSY', 'ERROR']) AS each (state)"


async def list_all(connection: Connection, held: Sequence[str], cap: int) -> list[str]:
    """Give the names of all namespaces in order, up to a cap; all tenants: whoever may list all.

    Walks from name to name, one look into each index, whatever the number of agents and sessions.

    Args:
        connection: to ask.
        held: names that are shown although there may be nothing of them.
        cap: most of them.
    """
    rows = await connection.fetch(
        """
        WITH RECURSIVE known AS (
            SELECT '' AS namespace, 0 AS position
            UNION ALL
            SELECT least(
                (SELECT namespace FROM agents.agent
                  WHERE active AND namespace > known.namespace ORDER BY namespace LIMIT 1),
                (SELECT namespace FROM agents.session
                  WHERE deleted_at IS NULL AND namespace > known.namespace
                  ORDER BY namespace LIMIT 1),
                (SELECT namespace FROM agents.workspace
                  WHERE namespace > known.namespace ORDER BY namespace LIMIT 1),
                (SELECT min(held) FROM unnest($1::text[]) AS held WHERE held > known.namespace)
            ), position + 1
              FROM known WHERE namespace IS NOT NULL AND position <= $2)
        SELECT namespace FROM known
         WHERE position BETWEEN 1 AND $2 AND namespace IS NOT NULL ORDER BY position
        """,
        held,
        cap,
    )
    return [row["namespace"] for row in rows]


async def describe(connection: Connection, names: Sequence[str]) -> list[Workspace]:
    """Give namespaces with their times, in the order of their names given.

    One in which nothing is yet has been there for as long as the service.
    """
    rows = await connection.fetch(
        f"""
        SELECT asked.namespace, w.title, w.description,
               coalesce(least(w.created_at, a.oldest, s.oldest), m.applied_at) AS created_at,
               coalesce(greatest(w.updated_at, a.newest, s.newest), m.applied_at) AS updated_at
          FROM unnest($1::text[]) WITH ORDINALITY AS asked (namespace, position)
          LEFT JOIN agents.workspace w ON w.namespace = asked.namespace
         CROSS JOIN LATERAL (
            SELECT min(created_at) AS oldest, max(created_at) AS newest FROM agents.agent
             WHERE active AND namespace = asked.namespace) AS a
         CROSS JOIN LATERAL (
            SELECT min(one.oldest) AS oldest, max(one.newest) AS newest
              FROM {_STATES} CROSS JOIN LATERAL (
                SELECT min(created_at) AS oldest, max(created_at) AS newest FROM agents.session
                 WHERE namespace = asked.namespace AND session.state = each.state
                   AND deleted_at IS NULL) AS one) AS s
         CROSS JOIN (SELECT min(applied_at) AS applied_at FROM agents.migration) AS m
         ORDER BY asked.position
        """,  # noqa: S608 - a constant
        names,
    )
    return [Workspace(**row) for row in rows]


async def insert(
    connection: Connection, namespace: str, title: str | None, description: str | None
) -> bool:
    """Make a namespace; False when somebody has made it already."""
    made = await connection.fetchval(
        """
        INSERT INTO agents.workspace (namespace, title, description, created_at, updated_at)
        SELECT $1, $2, $3, at, at FROM clock_timestamp() AS at
        ON CONFLICT DO NOTHING RETURNING true
        """,
        namespace,
        title,
        description,
    )
    return bool(made)


async def look(connection: Connection, namespace: str) -> Content:
    """Tell what there is of a namespace."""
    row = await connection.fetchrow(
        """
        SELECT EXISTS (SELECT FROM agents.workspace WHERE namespace = $1) AS is_made,
               EXISTS (SELECT FROM agents.agent WHERE active AND namespace = $1)
               OR EXISTS (SELECT FROM agents.session
                           WHERE deleted_at IS NULL AND namespace = $1) AS is_used
        """,
        namespace,
    )
    assert row is not None  # one row, always
    return Content(**row)


async def delete(connection: Connection, namespace: str) -> bool:
    """Drop what somebody made; False when nobody has."""
    dropped = await connection.fetchval(
        "DELETE FROM agents.workspace WHERE namespace = $1 RETURNING true", namespace
    )
    return bool(dropped)
