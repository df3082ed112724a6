"""SQL: adding messages, and clearing them away."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from services.agents.messages.models import Draft
from services.agents.messages.store.reading import ITEM
from shared.bus import outbox
from shared.contracts.agents import MessagePosted
from shared.db import Connection

_FIRST_FREE: Final = 13
"""Number of the first parameter after those of ``insert``."""


async def insert(
    connection: Connection,
    session_id: UUID,
    number: int,
    draft: Draft,
    event: MessagePosted,
    is_space: bool,
) -> str:
    """Add a message and say it; give it as the wire shows it.

    Args:
        connection: in a transaction that holds the session's row.
        session_id: whose.
        number: its number in the session.
        draft: the message.
        event: said with it.
        is_space: whether the session speaks the ``space`` dialect.
    """
    says, said = outbox.part(event, _FIRST_FREE, "m")
    item: str = await connection.fetchval(
        f"""
        WITH m AS (
            INSERT INTO agents.message (session_id, number, id, role, content, agent_id, agent_name,
                                        metadata, author_type, author_id, caller)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::json, $9, $10, $11::text::json)
            RETURNING *
        ), said AS ({says})
        SELECT {ITEM.format(is_space="$12")} FROM m
        """,  # noqa: S608 - constants
        session_id,
        number,
        draft.id,
        draft.role,
        draft.content,
        draft.agent_id,
        draft.agent_name,
        draft.metadata,
        draft.author_type,
        draft.author_id,
        draft.caller,
        is_space,
        *said,
    )
    return item


async def name_of_agent(connection: Connection, session_id: UUID, agent_id: UUID) -> str | None:
    """Give what an agent of a session is called, None if the session does not have it."""
    name: str | None = await connection.fetchval(
        """
        SELECT a.name FROM agents.session_agent s JOIN agents.agent a ON a.id = s.agent_id
         WHERE s.session_id = $1 AND s.agent_id = $2
        """,
        session_id,
        agent_id,
    )
    return name


async def clear(connection: Connection, session_id: UUID, reason: str) -> int:
    """Delete a session's messages, and close what waits to be answered in it.

    Returns:
        How many of the messages could be seen.
    """
    deleted: Any = await connection.fetchval(
        """
        WITH gone AS (
            DELETE FROM agents.message WHERE session_id = $1 RETURNING created_at
        ), closed AS (
            UPDATE agents.job SET state = 'failed', reason = $2, finished_at = clock_timestamp()
             WHERE session_id = $1 AND state IN ('pending', 'processing') AND kind = 'run_turn'
        )
        SELECT count(*) FILTER (WHERE created_at <= clock_timestamp()) FROM gone
        """,
        session_id,
        reason,
    )
    return int(deleted)
