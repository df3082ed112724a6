"""SQL: what a session brings to a turn, and what the turn leaves in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from pydantic_core import from_json, to_json

from services.agents.providers.models import Usage
from services.agents.turns.models import Lease, Prepared
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


async def read_talk(
    connection: Connection, session_id: UUID
) -> tuple[Mapping[str, Any], Sequence[UUID]]:
    """Read what the provider keeps of a session, and the ids of its agents in their order."""
    row = await connection.fetchrow(
        """
        SELECT memory, (SELECT coalesce(array_agg(agent_id ORDER BY position), '{}')
                          FROM agents.session_agent WHERE session_id = $1) AS agents
          FROM agents.session WHERE id = $1
        """,
        session_id,
    )
    assert row is not None  # the caller has it locked
    return from_json(row["memory"]), row["agents"]


async def count_turn(
    connection: Connection, session_id: UUID, usage: Usage, memory: Mapping[str, Any] | None
) -> None:
    """Add a turn to the session, with what it used and what the provider keeps."""
    await connection.execute(
        """
        UPDATE agents.session
           SET turns = turns + 1, input_tokens = input_tokens + $2,
               output_tokens = output_tokens + $3, cost_micros = cost_micros + $4,
               memory = coalesce($5::text::json, memory)
         WHERE id = $1
        """,  # session_id
        session_id,
        usage.input_tokens,
        usage.output_tokens,
        usage.cost_micros,
        None if memory is None else to_json(memory).decode(),
    )


async def count_failure(connection: Connection, lease: Lease, *, is_failure: bool) -> int:
    """Count turns that failed in a row; one that did not begins anew."""
    failures: int = await connection.fetchval(
        """
        UPDATE agents.work SET failures = CASE WHEN $2 THEN least(failures + 1, 100) ELSE 0 END
         WHERE session_id = $1 RETURNING failures
        """,
        lease.session_id,
        is_failure,
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
