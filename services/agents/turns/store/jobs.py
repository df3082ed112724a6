"""SQL: the jobs of a session that the caller has locked and holds the lease of."""

from __future__ import annotations

from uuid import UUID

from services.agents.turns.models import Job
from shared.db import Connection, Record


async def first(connection: Connection, session_id: UUID, *, with_turns: bool) -> Job | None:
    """Find the job that comes next: turns in their order, but all others before them."""
    row = await connection.fetchrow(
        """
        (SELECT number, kind, message_number, attempts FROM agents.job
          WHERE session_id = $1 AND state IN ('pending', 'processing') AND kind <> 'run_turn'
          ORDER BY number LIMIT 1)
        UNION ALL
        (SELECT number, kind, message_number, attempts FROM agents.job
          WHERE session_id = $1 AND state IN ('pending', 'processing') AND kind = 'run_turn' AND $2
          ORDER BY number LIMIT 1)
        LIMIT 1
        """,
        session_id,
        with_turns,
    )
    return None if row is None else _job(row)


def _job(row: Record) -> Job:
    return Job(row["number"], row["kind"], row["message_number"], row["attempts"])


async def has_turn(connection: Connection, session_id: UUID) -> bool:
    """Tell whether a turn is waiting or under way."""
    found: bool = await connection.fetchval(
        """
        SELECT EXISTS (SELECT FROM agents.job WHERE session_id = $1
                          AND state IN ('pending', 'processing') AND kind = 'run_turn')
        """,
        session_id,
    )
    return found


async def begin(connection: Connection, session_id: UUID, number: int) -> None:
    """Note that a job is begun once more."""
    await connection.execute(
        """
        UPDATE agents.job SET state = 'processing', attempts = attempts + 1
         WHERE session_id = $1 AND number = $2
        """,
        session_id,
        number,
    )


async def end(
    connection: Connection, session_id: UUID, number: int, reason: str | None = None
) -> bool:
    """Note that a job is done, or failed for a reason; false if it had ended before."""
    ended = await connection.fetchval(
        """
        UPDATE agents.job
           SET state = CASE WHEN $3::text IS NULL THEN 'completed' ELSE 'failed' END,
               reason = $3, finished_at = clock_timestamp()
         WHERE session_id = $1 AND number = $2 AND state IN ('pending', 'processing')
        RETURNING true
        """,
        session_id,
        number,
        reason,
    )
    return bool(ended)


async def end_turns(connection: Connection, session_id: UUID, reason: str) -> None:
    """Note that no turn of a session is going to be run."""
    await connection.execute(
        """
        UPDATE agents.job SET state = 'failed', reason = $2, finished_at = clock_timestamp()
         WHERE session_id = $1 AND state IN ('pending', 'processing') AND kind = 'run_turn'
        """,
        session_id,
        reason,
    )


async def delete_old(connection: Connection, days: float, most: int) -> int:
    """Drop jobs that ended so long ago; all tenants: it is housekeeping."""
    status = await connection.execute(
        """
        DELETE FROM agents.job AS j USING (
            SELECT session_id, number FROM agents.job
             WHERE finished_at < now() - make_interval(secs => $1 * 86400)
             ORDER BY finished_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS old
         WHERE j.session_id = old.session_id AND j.number = old.number
        """,
        days,
        most,
    )
    return int(status.split()[-1])


async def delete_old_changes(connection: Connection, days: float, most: int) -> int:
    """Drop state changes so old that no stream asks for them; all tenants: it is housekeeping."""
    status = await connection.execute(
        """
        DELETE FROM agents.state_change AS c USING (
            SELECT session_id, number FROM agents.state_change
             WHERE at < now() - make_interval(secs => $1 * 86400)
             ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED) AS old
         WHERE c.session_id = old.session_id AND c.number = old.number
        """,
        days,
        most,
    )
    return int(status.split()[-1])
