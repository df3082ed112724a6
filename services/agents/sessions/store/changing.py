"""SQL: making, editing and dropping sessions; states change in ``moving`` alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from services.agents.sessions.models import NewSession, Session
from services.agents.sessions.store.reading import COLUMNS, session_of
from shared.bus import outbox
from shared.contracts.agents import NamespaceClaimed
from shared.db import Connection


async def insert(connection: Connection, wanted: NewSession, agents: Sequence[UUID]) -> Session:
    """Add a session that begins in INIT, and note that for those who follow.

    Says namespace.claimed if it is the first thing in its namespace (``namespaces.claim``).
    """
    says, said = outbox.part(NamespaceClaimed(namespace=wanted.namespace), 13, "claimed")
    row = await connection.fetchrow(
        f"""
        WITH s AS (
            INSERT INTO agents.session (
                id, namespace, name, starting_prompt, waiting_timeout_seconds, owner_type,
                owner_id, created_by, parent_session_id, is_space, metadata, number,
                last_activity_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::text::json, 1, clock_timestamp())
            RETURNING *
        ), told AS (
            INSERT INTO agents.state_change (session_id, number, state)
            SELECT id, number, state FROM s
        ), chosen AS (
            INSERT INTO agents.session_agent (session_id, position, agent_id)
            SELECT $1, position, agent_id
              FROM unnest($12::uuid[]) WITH ORDINALITY AS asked (agent_id, position)
        ), claimed AS (
            INSERT INTO agents.namespace (digest) VALUES (sha256(convert_to($2, 'UTF8')))
            ON CONFLICT DO NOTHING RETURNING digest
        ), said AS ({says})
        SELECT {COLUMNS} FROM s
        """,  # noqa: S608 - constants
        wanted.id,
        wanted.namespace,
        wanted.name,
        wanted.starting_prompt,
        wanted.waiting_timeout_seconds,
        wanted.owner_type,
        wanted.owner_id,
        wanted.created_by,
        wanted.parent_session_id,
        wanted.is_space,
        wanted.metadata,
        agents,
        *said,
    )
    assert row is not None  # INSERT … RETURNING of one row
    return session_of(row)


async def update(
    connection: Connection,
    session_id: UUID,
    *,
    name: str | None,
    metadata: str | None,
    sets_timeout: bool,
    waiting: int | None,
) -> Session:
    """Edit a session that the caller has locked; None leaves a field.

    Args:
        connection: in the transaction.
        session_id: whose.
        name: or None.
        metadata: JSON, or None.
        sets_timeout: whether ``waiting`` counts; it counts from the last activity.
        waiting: seconds, None or 0 for never.
    """
    row = await connection.fetchrow(
        f"""
        WITH s AS (
            UPDATE agents.session SET
                   number = number + 1,
                   name = coalesce($2, name),
                   metadata = coalesce($3::text::json, metadata),
                   waiting_timeout_seconds =
                       CASE WHEN $4 THEN $5::integer ELSE waiting_timeout_seconds END,
                   idle_at = CASE WHEN NOT $4 THEN idle_at
                                  WHEN state = 'READY' AND $5::integer > 0
                                  THEN last_activity_at + make_interval(secs => $5::integer) END
             WHERE id = $1
            RETURNING *)
        SELECT {COLUMNS} FROM s
        """,  # noqa: S608 - constants
        session_id,
        name,
        metadata,
        sets_timeout,
        waiting,
    )
    assert row is not None  # the caller has it locked
    return session_of(row)


async def delete_older(connection: Connection, age: timedelta, limit: int) -> int:
    """Drop some sessions that were deleted longer ago than an age, with all that hangs on them.

    Of all tenants: age alone decides. Tells how many.
    """
    rows = await connection.fetch(
        """
        DELETE FROM agents.session WHERE id IN (
            SELECT id FROM agents.session
             WHERE deleted_at < now() - $1::interval
             ORDER BY deleted_at LIMIT $2 FOR UPDATE SKIP LOCKED)
        RETURNING 1
        """,
        age,
        limit,
    )
    return len(rows)
