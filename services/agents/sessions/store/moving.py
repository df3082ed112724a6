"""SQL: changing a session's state, and the work that follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.agents.sessions.models import Move, Session, State
from services.agents.sessions.store.reading import COLUMNS, session_of
from shared.db import Connection


async def move(
    connection: Connection, session_id: UUID, expected: State, wanted: Move, until: datetime | None
) -> Session | None:
    """Move a session likewise; None if it is not as expected any more."""
    moved = await move_all(connection, [session_id], expected, wanted, until)
    return moved[0] if moved else None


async def move_all(
    connection: Connection,
    session_ids: Sequence[UUID],
    expected: State,
    wanted: Move,
    until: datetime | None = None,
) -> list[Session]:
    """Move those sessions that are as expected, and note it for those who follow; give them.

    Args:
        connection: in the transaction.
        session_ids: whose.
        expected: the stored state that the move was decided on.
        wanted: the move.
        until: when what ended the turn has its time, if that is yet to come.
    """
    rows = await connection.fetch(
        f"""
        WITH s AS (
            UPDATE agents.session SET
                   state = $3::text,
                   number = number + 1,
                   busy_until = $7,
                   last_activity_at = coalesce($7, clock_timestamp()),
                   started_at = CASE WHEN $3 = 'READY' THEN clock_timestamp() ELSE started_at END,
                   terminated_at = CASE WHEN $3 = 'ERROR' THEN clock_timestamp() END,
                   termination_reason = CASE WHEN $3 = 'ERROR' THEN $4::text END,
                   container_id = coalesce($5::text, container_id),
                   persistent_volume_id = coalesce($6::text, persistent_volume_id),
                   idle_at = CASE WHEN $3 = 'READY' AND waiting_timeout_seconds > 0
                                  THEN coalesce($7, clock_timestamp())
                                       + make_interval(secs => waiting_timeout_seconds) END
             WHERE id = ANY($1::uuid[]) AND state = $2 AND deleted_at IS NULL
            RETURNING *
        ), told AS (
            INSERT INTO agents.state_change (session_id, number, state, reason)
            SELECT id, number, state, termination_reason FROM s
        )
        SELECT {COLUMNS} FROM s
        """,  # noqa: S608 - constants
        session_ids,
        expected,
        wanted.to,
        wanted.reason,
        wanted.container_id,
        wanted.persistent_volume_id,
        until,
    )
    return [session_of(row) for row in rows]


async def touch(connection: Connection, session_id: UUID) -> Session:
    """Note that something happens in a session, and give it with its next number taken.

    The idle time begins anew, and nothing is held back any more that was said before.
    """
    row = await connection.fetchrow(
        f"""
        WITH s AS (
            UPDATE agents.session SET
                   number = number + 1,
                   last_activity_at = greatest(last_activity_at, clock_timestamp()),
                   idle_at = CASE WHEN state = 'READY' AND waiting_timeout_seconds > 0
                                  THEN clock_timestamp()
                                       + make_interval(secs => waiting_timeout_seconds) END
             WHERE id = $1
            RETURNING *)
        SELECT {COLUMNS} FROM s
        """,  # noqa: S608 - constants
        session_id,
    )
    assert row is not None  # the caller has it locked
    return session_of(row)


async def add_job(
    connection: Connection, session_id: UUID, kind: str, message_number: int | None
) -> int:
    """Add a job under the session's next number, and wake who works; give that number."""
    (number,) = await add_jobs(connection, [session_id], kind, message_number)
    return number


async def add_jobs(
    connection: Connection,
    session_ids: Sequence[UUID],
    kind: str,
    message_number: int | None = None,
) -> list[int]:
    """Add a job to each of some sessions likewise."""
    rows = await connection.fetch(
        """
        WITH s AS (
            UPDATE agents.session SET number = number + 1 WHERE id = ANY($1::uuid[])
            RETURNING id, number, namespace
        ), job AS (
            INSERT INTO agents.job (session_id, number, kind, message_number)
            SELECT id, number, $2, $3 FROM s
        ), woken AS (
            INSERT INTO agents.work AS w (session_id, namespace, due_at, wakes)
            SELECT id, namespace, clock_timestamp(), 1 FROM s
            ON CONFLICT (session_id) DO UPDATE
               SET wakes = w.wakes + 1,
                   due_at = CASE WHEN w.worker IS NULL THEN excluded.due_at ELSE w.due_at END
        )
        SELECT number FROM s
        """,
        session_ids,
        kind,
        message_number,
    )
    return [row["number"] for row in rows]


async def wake(connection: Connection, session_id: UUID) -> None:
    """Have somebody look at what is open in a session; who is at it looks once more."""
    await connection.execute(
        """
        UPDATE agents.work
           SET wakes = wakes + 1,
               due_at = CASE WHEN worker IS NULL THEN clock_timestamp() ELSE due_at END
         WHERE session_id = $1
        """,
        session_id,
    )


async def dispossess(connection: Connection, session_id: UUID, reason: str) -> int | None:
    """Take a session from whoever runs a turn in it, for good: what they write is refused.

    A turn for which the session is BUSY is under way also while it waits for somebody to run it.

    Returns:
        The number of the USER message whose turn that was, or None if there was no turn.
    """
    number: int | None = await connection.fetchval(
        """
        WITH oldest AS (
            SELECT number FROM agents.job
             WHERE session_id = $1 AND kind = 'run_turn' AND state IN ('pending', 'processing')
             ORDER BY number LIMIT 1
        ), busy AS (
            SELECT number FROM agents.state_change WHERE session_id = $1 AND state = 'BUSY'
             ORDER BY number DESC LIMIT 1
        ), ended AS (
            UPDATE agents.job SET state = 'failed', reason = $2, finished_at = clock_timestamp()
             WHERE session_id = $1 AND number = (SELECT number FROM oldest)
               AND (state = 'processing' OR message_number < (SELECT number FROM busy))
            RETURNING message_number
        ), freed AS (
            UPDATE agents.work
               SET fence = fence + 1, wakes = wakes + 1, worker = NULL, due_at = clock_timestamp()
             WHERE session_id = $1 AND EXISTS (SELECT FROM ended)
        )
        SELECT message_number FROM ended
        """,
        session_id,
        reason,
    )
    return number


async def clear_failures(connection: Connection, session_id: UUID) -> None:
    """Count failures in a row from nought again, because somebody put the session right."""
    await connection.execute(
        "UPDATE agents.work SET failures = 0 WHERE session_id = $1 AND failures > 0", session_id
    )


async def mark_deleted(connection: Connection, session_id: UUID, reason: str) -> Session | None:
    """Delete a session softly; None if somebody else has."""
    row = await connection.fetchrow(
        f"""
        WITH s AS (
            UPDATE agents.session SET
                   number = number + 1, deleted_at = clock_timestamp(), idle_at = NULL,
                   busy_until = NULL, last_activity_at = clock_timestamp(),
                   terminated_at = clock_timestamp(), termination_reason = $2
             WHERE id = $1 AND deleted_at IS NULL
            RETURNING *
        ), told AS (
            INSERT INTO agents.state_change (session_id, number, state, reason)
            SELECT id, number, 'DELETED', termination_reason FROM s
        )
        SELECT {COLUMNS} FROM s
        """,  # noqa: S608 - constants
        session_id,
        reason,
    )
    return None if row is None else session_of(row)
