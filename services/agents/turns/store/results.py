"""SQL: what a session brings to a turn, and what the turn leaves in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from pydantic_core import from_json, to_json

from services.agents.turns.models import Prepared, Reply
from shared.db import Connection


async def lock_deleted(connection: Connection, session_id: UUID) -> tuple[bool, str | None]:
    """Lock a deleted session; tell whether it is there, and what runner it had."""
    row = await connection.fetchrow(
        """
        SELECT container_id FROM agents.session
         WHERE id = $1 AND deleted_at IS NOT NULL FOR UPDATE
        """,
        session_id,
    )
    return (False, None) if row is None else (True, row["container_id"])


async def begin_turn(
    connection: Connection, session_id: UUID, number: int
) -> tuple[Mapping[str, Any], Sequence[UUID]]:
    """Note that a turn is begun once more.

    Returns:
        What the provider keeps of the session, and the ids of its agents in their order.
    """
    row = await connection.fetchrow(
        """
        WITH begun AS (
            UPDATE agents.job SET state = 'processing', attempts = attempts + 1
             WHERE session_id = $1 AND number = $2
        )
        SELECT memory, (SELECT coalesce(array_agg(agent_id ORDER BY position), '{}')
                          FROM agents.session_agent WHERE session_id = $1) AS agents
          FROM agents.session WHERE id = $1
        """,
        session_id,
        number,
    )
    assert row is not None  # the caller has it locked
    return from_json(row["memory"]), row["agents"]


async def count_turn(connection: Connection, session_id: UUID, reply: Reply) -> int:
    """Add a turn to the session, with what it used and what the provider keeps.

    Returns:
        How many turns failed in a row.
    """
    failures: int = await connection.fetchval(
        """
        WITH s AS (
            UPDATE agents.session
               SET turns = turns + 1, input_tokens = input_tokens + $2,
                   output_tokens = output_tokens + $3, cost_micros = cost_micros + $4,
                   memory = coalesce($5::text::json, memory)
             WHERE id = $1
        )
        UPDATE agents.work SET failures = CASE WHEN $6 THEN least(failures + 1, 100) ELSE 0 END
         WHERE session_id = $1 RETURNING failures
        """,
        session_id,
        reply.usage.input_tokens,
        reply.usage.output_tokens,
        reply.usage.cost_micros,
        None if reply.memory is None else to_json(reply.memory).decode(),
        reply.is_failure,
    )
    return failures


async def note_runner(connection: Connection, session_id: UUID, prepared: Prepared) -> None:
    """Note the runner of a session whose state stays as it is."""
    await connection.execute(
        """
        UPDATE agents.session SET container_id = $2, persistent_volume_id = $3
         WHERE id = $1
        """,  # session_id
        session_id,
        prepared.runner_id,
        prepared.volume_id,
    )
