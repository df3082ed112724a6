"""The SQL of forgetting: sessions, messages and namespaces, in batches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from services.agents.erasures.models import Gone
from shared.db import Connection, Record

TIMEOUT: Final = 280.0
"""Seconds that one statement may take: somebody may have talked for years."""

REASON: Final = "erased"
"""Kept with jobs of messages that were erased."""

# Each of the two has an index of its own.
_LIVING: Final = "deleted_at IS NULL"
_DELETED: Final = "deleted_at IS NOT NULL"


async def take_turn(connection: Connection) -> None:
    """Wait until no other erasure is under way, so that none waits crosswise for another."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('agents.erasure', 0))", timeout=TIMEOUT
    )


async def delete_sessions_of(connection: Connection, owner_id: str, limit: int) -> list[Gone]:
    """Delete some sessions of a person, with all that hangs on them; none when all are gone."""
    for part in (_LIVING, _DELETED):
        rows = await connection.fetch(
            f"""
            DELETE FROM agents.session WHERE id IN (
                SELECT id FROM agents.session
                 WHERE owner_type = 'User' AND owner_id = $1 AND {part} LIMIT $2 FOR UPDATE)
            RETURNING id, namespace, number, deleted_at IS NULL AS was_there
            """,  # noqa: S608 - constants
            owner_id,
            limit,
            timeout=TIMEOUT,
        )
        if rows:
            return _gone(rows)
    return []


async def delete_sessions_in(
    connection: Connection, namespace: str, until: datetime, limit: int
) -> list[Gone]:
    """Delete some sessions of a namespace that were made until then; none when all are gone."""
    for part in (_LIVING, _DELETED):
        rows = await connection.fetch(
            f"""
            DELETE FROM agents.session WHERE id IN (
                SELECT id FROM agents.session
                 WHERE namespace = $1 AND created_at <= $2 AND {part} LIMIT $3 FOR UPDATE)
            RETURNING id, namespace, number, deleted_at IS NULL AS was_there
            """,  # noqa: S608 - constants
            namespace,
            until,
            limit,
            timeout=TIMEOUT,
        )
        if rows:
            return _gone(rows)
    return []


def _gone(rows: Sequence[Record]) -> list[Gone]:
    return [Gone(**row) for row in rows]


async def find_sessions_with(connection: Connection, author_id: str, limit: int) -> list[UUID]:
    """Find some sessions in which a person posted; all tenants: they may have done so in many."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT session_id FROM agents.message
         WHERE author_type = 'User' AND author_id = $1 ORDER BY session_id LIMIT $2
        """,
        author_id,
        limit,
        timeout=TIMEOUT,
    )
    return [row["session_id"] for row in rows]


async def is_answering(connection: Connection, session_id: UUID, author_id: str) -> bool:
    """Tell whether the oldest turn that is not over answers a message of a person."""
    found: bool | None = await connection.fetchval(
        """
        SELECT m.author_type = 'User' AND m.author_id = $2
          FROM agents.job j
          JOIN agents.message m ON m.session_id = j.session_id AND m.number = j.message_number
         WHERE j.session_id = $1 AND j.kind = 'run_turn' AND j.state IN ('pending', 'processing')
         ORDER BY j.number LIMIT 1
        """,
        session_id,
        author_id,
    )
    return found is True


async def delete_messages(connection: Connection, session_id: UUID, author_id: str) -> None:
    """Delete what a person posted in a session, the replies to it and what was kept of it."""
    await connection.execute(
        """
        WITH theirs AS (
            DELETE FROM agents.message
             WHERE session_id = $1 AND author_type = 'User' AND author_id = $2 RETURNING number
        ), replies AS (
            DELETE FROM agents.message m USING theirs
             WHERE m.session_id = $1 AND m.reply_to = theirs.number
        ), closed AS (
            UPDATE agents.job j
               SET state = 'failed', reason = $3, finished_at = clock_timestamp()
              FROM theirs
             WHERE j.session_id = $1 AND j.message_number = theirs.number
               AND j.state IN ('pending', 'processing')
        )
        UPDATE agents.session SET memory = '{}' WHERE id = $1
        """,
        session_id,
        author_id,
        REASON,
        timeout=TIMEOUT,
    )


async def delete_choices(connection: Connection, namespace: str, until: datetime) -> None:
    """Take the agents of a namespace that were made until then out of every session."""
    await connection.execute(
        """
        DELETE FROM agents.session_agent WHERE agent_id IN (
            SELECT id FROM agents.agent WHERE namespace = $1 AND created_at <= $2)
        """,
        namespace,
        until,
        timeout=TIMEOUT,
    )


async def delete_workspace(connection: Connection, namespace: str, until: datetime) -> None:
    """Delete what was written down of a namespace until then."""
    await connection.execute(
        "DELETE FROM agents.workspace WHERE namespace = $1 AND created_at <= $2", namespace, until
    )


async def delete_answers_to(connection: Connection, account_id: str) -> None:
    """Delete the answers that are kept for a day in case a person's request comes again."""
    await connection.execute(
        """
        DELETE FROM agents.idempotency_key
         WHERE split_part(principal, ':', 1) = 'user' AND split_part(principal, '/', 2) = $1
        """,
        account_id,
        timeout=TIMEOUT,
    )


async def delete_answers_in(connection: Connection, org_id: str) -> None:
    """Delete those that are kept for the people and the API keys of an organization."""
    await connection.execute(
        """
        DELETE FROM agents.idempotency_key
         WHERE split_part(principal, ':', 1) IN ('user', 'api_key')
           AND split_part(split_part(principal, ':', 2), '/', 1) = $1
        """,
        org_id,
        timeout=TIMEOUT,
    )
