"""SQL: sessions that must not stay as they are; all tenants: the clock runs for all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from services.agents.turns.models import Lingering, Placed
from shared.db import Connection

FIRST: Final = datetime.fromisoformat("0001-01-02T00:00:00+00:00")

# Looked up for each session by itself: EXISTS might read all jobs that are open.
LOCK_IDLE: Final = """
    SELECT s.id FROM agents.session AS s
     WHERE s.idle_at <= now() AND s.state = 'READY' AND s.deleted_at IS NULL
       AND (SELECT true FROM agents.job AS j
             WHERE j.session_id = s.id AND j.state IN ('pending', 'processing')
               AND j.kind = 'run_turn' LIMIT 1) IS NULL
     ORDER BY s.idle_at LIMIT $1 FOR UPDATE OF s SKIP LOCKED
    """

_LINGERING: Final = """
    SELECT s.id, s.last_activity_at,
           (SELECT true FROM agents.job AS j
             WHERE j.session_id = s.id AND j.state IN ('pending', 'processing')
               AND j.kind = $4 LIMIT 1) IS NOT NULL AS is_worked
      FROM (SELECT id, last_activity_at FROM agents.session
             WHERE state = '{state}' AND deleted_at IS NULL AND last_activity_at > $1
               AND last_activity_at < now() - make_interval(secs => $2)
             ORDER BY last_activity_at LIMIT $3) AS s
     ORDER BY s.last_activity_at
    """
UNSTARTED: Final = _LINGERING.format(state="INIT")
ABANDONED: Final = _LINGERING.format(state="BUSY")

STANDING: Final = """
    SELECT id, container_id FROM agents.session
     WHERE id > $1 AND state IN ('READY', 'BUSY') AND deleted_at IS NULL
       AND started_at < now() - make_interval(secs => $2)
     ORDER BY id LIMIT $3
    """


async def lock_idle(connection: Connection, most: int) -> list[UUID]:
    """Lock sessions in which nothing happened for as long as they wait, those of all tenants.

    What somebody else has locked is left for the next time.
    """
    return [row["id"] for row in await connection.fetch(LOCK_IDLE, most)]


async def lingering(
    connection: Connection,
    state: Literal["INIT", "BUSY"],
    after: datetime,
    seconds: float,
    most: int,
) -> list[Lingering]:
    """List sessions of all tenants in which nothing happened for so long, longest first.

    Args:
        connection: to read with.
        state: that they are in.
        after: since when something must have happened in them.
        seconds: without anything.
        most: to give.
    """
    query, kind = (UNSTARTED, "create_session") if state == "INIT" else (ABANDONED, "run_turn")
    rows = await connection.fetch(query, after, seconds, most, kind)
    return [Lingering(row["id"], row["last_activity_at"], row["is_worked"]) for row in rows]


async def standing(
    connection: Connection, after: UUID, seconds: float, most: int
) -> Sequence[Placed]:
    """List sessions of all tenants that need a runner, and have for so long, by their ids."""
    rows = await connection.fetch(STANDING, after, seconds, most)
    return [Placed(row["id"], row["container_id"]) for row in rows]


async def evict(connection: Connection, session_id: UUID) -> None:
    """Take a locked session from whoever works on it; the turn under way is to be run again."""
    await connection.execute(
        """
        WITH undone AS (
            UPDATE agents.job SET state = 'pending'
             WHERE session_id = $1 AND state = 'processing'
        )
        UPDATE agents.work
           SET fence = fence + 1, worker = NULL, due_at = clock_timestamp(), wakes = wakes + 1
         WHERE session_id = $1
        """,
        session_id,
    )
