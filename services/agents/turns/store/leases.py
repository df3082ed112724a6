"""SQL: whose a session is. The database's clock decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from services.agents.turns.models import Lease
from shared.db import Connection, Record

WINDOW: Final = 500
"""Sessions looked at, longest due first, to find those to take."""

NAMESPACES: Final = 500
"""Namespaces looked at, where those in the window have all that one may have."""

_OF_ONE: Final = 4
"""Sessions taken of each of those at once."""

# IS TRUE keeps the planner from reading all that are due a second time. Four times as many as are
# wanted are looked at again, because others may be taking some.
_TAKE: Final = """
    next AS MATERIALIZED (
        SELECT session_id, place, due_at FROM placed WHERE place <= $4
         ORDER BY place, due_at LIMIT 4 * $5
    ), turn AS MATERIALIZED (
        SELECT w.session_id FROM next JOIN agents.work AS w USING (session_id)
         WHERE (w.due_at <= now()) IS TRUE
         ORDER BY next.place, next.due_at LIMIT $5 FOR UPDATE OF w SKIP LOCKED
    )
    UPDATE agents.work AS w
       SET worker = $1, fence = w.fence + 1,
           due_at = clock_timestamp() + make_interval(secs => $6)
      FROM turn WHERE w.session_id = turn.session_id
    RETURNING w.session_id, w.namespace, w.fence
"""

CLAIM: Final = f"""
    WITH due AS MATERIALIZED (
        SELECT session_id, namespace, due_at FROM agents.work
         WHERE due_at <= now() ORDER BY due_at LIMIT {WINDOW}
    ), placed AS MATERIALIZED (
        SELECT due.session_id, due.due_at, coalesce(busy.sessions, 0)
               + row_number() OVER (PARTITION BY due.namespace ORDER BY due.due_at) AS place
          FROM due LEFT JOIN unnest($2::text[], $3::bigint[]) AS busy (namespace, sessions)
            ON busy.namespace = due.namespace
    ), {_TAKE}
    """  # noqa: S608 - constants of this module

# From one namespace to the next by the index, however many sessions are due in each.
CLAIM_ELSEWHERE: Final = f"""
    WITH RECURSIVE spaces AS (
        (SELECT namespace FROM agents.work
          WHERE due_at IS NOT NULL AND namespace > $7 ORDER BY namespace LIMIT 1)
        UNION ALL
        SELECT (SELECT w.namespace FROM agents.work AS w
                 WHERE w.due_at IS NOT NULL AND w.namespace > spaces.namespace
                 ORDER BY w.namespace LIMIT 1)
          FROM spaces WHERE spaces.namespace IS NOT NULL
    ), others AS MATERIALIZED (
        SELECT spaces.namespace, coalesce(busy.sessions, 0) AS busy
          FROM spaces LEFT JOIN unnest($2::text[], $3::bigint[]) AS busy (namespace, sessions)
            ON busy.namespace = spaces.namespace
         WHERE spaces.namespace IS NOT NULL LIMIT {NAMESPACES}
    ), placed AS MATERIALIZED (
        SELECT one.session_id, one.due_at,
               others.busy + row_number() OVER (PARTITION BY others.namespace ORDER BY one.due_at)
               AS place
          FROM others CROSS JOIN LATERAL (
               SELECT session_id, due_at FROM agents.work
                WHERE namespace = others.namespace AND due_at <= now() AND others.busy < $4
                ORDER BY due_at LIMIT {_OF_ONE}) AS one
    ), {_TAKE}
    """  # noqa: S608 - constants of this module

RENEW: Final = """
    WITH held AS MATERIALIZED (
        SELECT * FROM unnest($2::uuid[], $3::bigint[]) AS h (session_id, fence)
    ), mine AS MATERIALIZED (
        SELECT w.session_id FROM held AS h JOIN agents.work AS w USING (session_id)
         WHERE w.worker = $1 AND w.fence = h.fence AND (w.due_at > clock_timestamp()) IS TRUE
           FOR UPDATE OF w SKIP LOCKED
    ), renewed AS (
        UPDATE agents.work AS w SET due_at = clock_timestamp() + make_interval(secs => $4)
          FROM mine WHERE w.session_id = mine.session_id
        RETURNING w.session_id
    )
    SELECT h.session_id, h.fence, renewed.session_id IS NOT NULL AS is_renewed
      FROM held AS h
      LEFT JOIN agents.work AS w USING (session_id)
      LEFT JOIN renewed USING (session_id)
     WHERE renewed.session_id IS NOT NULL
        OR (w.worker = $1 AND w.fence = h.fence AND w.due_at > clock_timestamp()) IS NOT TRUE
    """


async def claim(
    connection: Connection,
    worker: str,
    busy: Mapping[str, int],
    *,
    most: int,
    most_of_one: int,
    lease_s: float,
    after: str | None = None,
) -> list[Lease]:
    """Take sessions in which there is something to do, longest due first.

    But no namespace's second one before another's first.

    Args:
        connection: needs no transaction.
        worker: who takes them.
        busy: how many sessions of a namespace the worker has in hand.
        most: sessions to take.
        most_of_one: sessions of one namespace in the worker's hands.
        lease_s: seconds after which others may take them.
        after: None to look at those longest due only; else at every namespace that comes after.
    """
    values = [worker, list(busy), list(busy.values()), most_of_one, most, lease_s]
    if after is None:
        rows = await connection.fetch(CLAIM, *values)
    else:
        rows = await connection.fetch(CLAIM_ELSEWHERE, *values, after)
    return [_lease(worker, row) for row in rows]


def _lease(worker: str, row: Record) -> Lease:
    return Lease(worker, row["session_id"], row["namespace"], row["fence"])


async def renew(
    connection: Connection, worker: str, held: Sequence[Lease], lease_s: float
) -> tuple[set[UUID], set[UUID]]:
    """Keep sessions for longer; give those that are kept (by session_id), and those that are lost.

    What somebody is just writing to is in neither: it is neither waited for nor lost.
    """
    rows = await connection.fetch(
        RENEW,
        worker,
        [lease.session_id for lease in held],
        [lease.fence for lease in held],
        lease_s,
    )
    kept = {row["session_id"] for row in rows if row["is_renewed"]}
    return kept, {row["session_id"] for row in rows} - kept


async def lost(connection: Connection, worker: str, held: Sequence[Lease]) -> set[UUID]:
    """Give those of the sessions (by session_id) that are not this worker's any more."""
    rows = await connection.fetch(
        """
        SELECT h.session_id FROM unnest($2::uuid[], $3::bigint[]) AS h (session_id, fence)
          LEFT JOIN agents.work AS w USING (session_id)
         WHERE (w.worker = $1 AND w.fence = h.fence AND w.due_at > clock_timestamp()) IS NOT TRUE
        """,
        worker,
        [lease.session_id for lease in held],
        [lease.fence for lease in held],
    )
    return {row["session_id"] for row in rows}


async def check(connection: Connection, lease: Lease) -> bool:
    """Tell whether a session still is this worker's, and keep it so until commit.

    The caller has locked the session's row.
    """
    found = await connection.fetchval(
        """
        SELECT true FROM agents.work
         WHERE session_id = $1 AND worker = $2 AND fence = $3 AND due_at > clock_timestamp()
           FOR UPDATE
        """,
        lease.session_id,
        lease.worker,
        lease.fence,
    )
    return bool(found)


async def release(connection: Connection, lease: Lease, *, is_due: bool) -> None:
    """Let go of a session; ``is_due``: somebody should take it at once.

    The caller has locked the session's row, so nothing is being added to what was looked at.
    """
    await connection.execute(
        """
        UPDATE agents.work
           SET worker = NULL, due_at = CASE WHEN $4 THEN clock_timestamp() END
         WHERE session_id = $1 AND worker = $2 AND fence = $3
        """,
        lease.session_id,
        lease.worker,
        lease.fence,
        is_due,
    )


async def give_back(connection: Connection, worker: str, held: Sequence[Lease]) -> int:
    """Let others have sessions at once, as if what was begun in them had not been; count them.

    Those that somebody is just writing to are left.
    """
    given: int = await connection.fetchval(
        """
        WITH mine AS MATERIALIZED (
            SELECT w.session_id FROM unnest($2::uuid[], $3::bigint[]) AS h (session_id, fence)
              JOIN agents.session AS s ON s.id = h.session_id
              JOIN agents.work AS w ON w.session_id = h.session_id
             WHERE w.worker = $1 AND w.fence = h.fence AND (w.due_at > clock_timestamp()) IS TRUE
               FOR UPDATE OF s, w SKIP LOCKED
        ), undone AS (
            UPDATE agents.job AS j
               SET state = 'pending', attempts = greatest(j.attempts - 1, 0)
              FROM mine WHERE j.session_id = mine.session_id AND j.state = 'processing'
        ), freed AS (
            UPDATE agents.work AS w SET worker = NULL, due_at = clock_timestamp()
              FROM mine WHERE w.session_id = mine.session_id
            RETURNING w.session_id
        )
        SELECT count(*) FROM freed
        """,
        worker,
        [lease.session_id for lease in held],
        [lease.fence for lease in held],
    )
    return given
