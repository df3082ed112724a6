"""SQL for workers that do errands."""

from __future__ import annotations

from collections.abc import Sequence

from services.runs.errands.models import HeldErrand
from shared.db import Connection, Record


async def claim(
    connection: Connection, worker: str, most: int, of_one: int, lease_s: float
) -> list[Record]:
    """Take errands that wait, oldest first; no more of one organization are done than may be.

    all tenants: a worker serves everybody.

    Args:
        connection: in a transaction.
        worker: who takes them.
        most: at once.
        of_one: organization, over all workers.
        lease_s: seconds after which the worker counts as dead.
    """
    # In turn, because two that count at once would both find room for the same organization.
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('runs.errands', 0))")
    return await connection.fetch(
        """
        WITH waiting AS (
            SELECT org_id, id, created_at,
                   row_number() OVER (PARTITION BY org_id ORDER BY created_at, id) AS place
              FROM (SELECT org_id, id, created_at FROM runs.errand WHERE status = 'queued'
                     ORDER BY created_at, id LIMIT 500) AS oldest),
        busy AS (
            SELECT org_id, count(*) AS count FROM runs.errand
             WHERE status = 'running' GROUP BY org_id),
        fair AS (
            SELECT w.org_id, w.id FROM waiting AS w LEFT JOIN busy AS b USING (org_id)
             WHERE w.place + coalesce(b.count, 0) <= $3
             ORDER BY w.created_at, w.id LIMIT $2),
        taken AS (
            SELECT e.org_id, e.id FROM runs.errand AS e JOIN fair USING (org_id, id)
             WHERE e.status = 'queued' FOR UPDATE OF e SKIP LOCKED)
        UPDATE runs.errand AS e
           SET status = 'running', worker = $1, fence = e.fence + 1,
               lease_until = clock_timestamp() + make_interval(secs => $4)
          FROM taken WHERE e.org_id = taken.org_id AND e.id = taken.id
        RETURNING e.org_id, e.id, e.worker, e.fence, e.kind, e."order",
                  extract(epoch FROM e.ends_by - clock_timestamp())::float8 AS seconds
        """,
        worker,
        most,
        of_one,
        lease_s,
    )


async def renew(connection: Connection, held: Sequence[HeldErrand], lease_s: float) -> list[Record]:
    """Hold on to errands, and see which are to end; those that are missing are somebody else's.

    all tenants: a worker serves everybody.
    """
    return await connection.fetch(
        """
        UPDATE runs.errand AS e
           SET lease_until = clock_timestamp() + make_interval(secs => $5)
          FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) AS h (org_id, id, worker,
                                                                             fence)
         WHERE e.org_id = h.org_id AND e.id = h.id AND e.worker = h.worker AND e.fence = h.fence
           AND e.status = 'running' AND e.lease_until > clock_timestamp()
        RETURNING e.org_id, e.id, e.worker, e.fence,
                  e.cancelling OR e.wanted_until < clock_timestamp()
                      OR e.ends_by < clock_timestamp() AS is_ending,
                  coalesce(e.watched_until > clock_timestamp(), false) AS is_watched
        """,
        *_columns(held),
        lease_s,
    )


async def look(connection: Connection, held: Sequence[HeldErrand]) -> list[Record]:
    """See which errands are to end, and which are watched.

    all tenants: a worker serves everybody.
    """
    return await connection.fetch(
        """
        SELECT e.org_id, e.id, e.worker, e.fence,
               e.cancelling OR e.wanted_until < clock_timestamp()
                   OR e.ends_by < clock_timestamp() AS is_ending,
               coalesce(e.watched_until > clock_timestamp(), false) AS is_watched
          FROM runs.errand AS e
          JOIN unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) AS h (org_id, id, worker,
                                                                             fence)
            ON e.org_id = h.org_id AND e.id = h.id AND e.worker = h.worker AND e.fence = h.fence
         WHERE e.status = 'running'
        """,
        *_columns(held),
    )


def _columns(held: Sequence[HeldErrand]) -> tuple[list[str], list[str], list[str], list[int]]:
    return (
        [each.org_id for each in held],
        [each.id for each in held],
        [each.worker for each in held],
        [each.fence for each in held],
    )


async def take_wishes(connection: Connection, held: Sequence[HeldErrand]) -> list[Record]:
    """Take away what was said to errands, in its order."""
    rows = await connection.fetch(
        """
        DELETE FROM runs.errand_wish AS w
         USING unnest($1::text[], $2::text[]) AS h (org_id, id)
         WHERE w.org_id = h.org_id AND w.errand_id = h.id
        RETURNING w.org_id, w.errand_id, w.n, w.content
        """,
        [each.org_id for each in held],
        [each.id for each in held],
    )
    return sorted(rows, key=lambda row: row["n"])


async def tell(
    connection: Connection, held: HeldErrand, told: Sequence[tuple[str, bytes]], most: int
) -> None:
    """Write down what an errand told, slot and content, in its order; the oldest beyond go.

    Only while the claim holds.
    """
    await connection.execute(
        """
        INSERT INTO runs.errand_told (org_id, errand_id, slot, content)
        SELECT e.org_id, e.id, t.slot, t.content
          FROM runs.errand AS e,
               unnest($5::text[], $6::bytea[]) WITH ORDINALITY AS t (slot, content, place)
         WHERE e.org_id = $1 AND e.id = $2 AND e.worker = $3 AND e.fence = $4
           AND e.status = 'running'
         ORDER BY t.place
        ON CONFLICT (org_id, errand_id, slot) WHERE slot <> ''
        DO UPDATE SET n = excluded.n, content = excluded.content
        """,
        held.org_id,
        held.id,
        held.worker,
        held.fence,
        [slot for slot, _ in told],
        [content for _, content in told],
    )
    await connection.execute(
        """
        DELETE FROM runs.errand_told WHERE org_id = $1 AND errand_id = $2 AND n <= (
            SELECT n FROM runs.errand_told WHERE org_id = $1 AND errand_id = $2
             ORDER BY n DESC OFFSET $3 LIMIT 1)
        """,
        held.org_id,
        held.id,
        most,
    )


async def finish(
    connection: Connection,
    held: HeldErrand,
    status: str,
    result: bytes | None,
    reason: str,
    code: str,
) -> bool:
    """End an errand, and erase its order; False if it is not this worker's any more."""
    done = await connection.execute(
        """
        UPDATE runs.errand
           SET status = $5, result = $6, reason = $7, code = $8, "order" = NULL,
               ended_at = clock_timestamp(), lease_until = NULL
         WHERE org_id = $1 AND id = $2 AND worker = $3 AND fence = $4 AND status = 'running'
        """,
        held.org_id,
        held.id,
        held.worker,
        held.fence,
        status,
        result,
        reason,
        code,
    )
    return bool(done == "UPDATE 1")


async def end_lost(connection: Connection, reason: str) -> list[Record]:
    """End errands whose worker is gone, and those that wait while nobody wants them any more.

    all tenants: what nobody holds is everybody's to clear.
    """
    return await connection.fetch(
        """
        UPDATE runs.errand
           SET status = CASE status WHEN 'running' THEN 'failed' ELSE 'cancelled' END,
               reason = CASE status WHEN 'running' THEN $1 ELSE '' END,
               "order" = NULL, ended_at = clock_timestamp(), lease_until = NULL
         WHERE (status = 'running' AND lease_until < clock_timestamp())
            OR (status = 'queued'
                AND (wanted_until < clock_timestamp() OR ends_by < clock_timestamp()))
        RETURNING org_id, id, status
        """,
        reason,
    )


async def sweep(connection: Connection, seconds: float, most: int) -> list[Record]:
    """Delete errands that ended that long ago, and what hangs on them.

    all tenants: what ended is kept for nobody.
    """
    return await connection.fetch(
        """
        WITH old AS (
            SELECT org_id, id FROM runs.errand
             WHERE ended_at < clock_timestamp() - make_interval(secs => $1) LIMIT $2),
        gone AS (
            DELETE FROM runs.errand AS e USING old
             WHERE e.org_id = old.org_id AND e.id = old.id RETURNING e.org_id, e.id),
        wishes AS (
            DELETE FROM runs.errand_wish AS w USING old
             WHERE w.org_id = old.org_id AND w.errand_id = old.id),
        words AS (
            DELETE FROM runs.errand_told AS t USING old
             WHERE t.org_id = old.org_id AND t.errand_id = old.id)
        SELECT org_id, id FROM gone
        """,
        seconds,
        most,
    )
