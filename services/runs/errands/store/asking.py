"""SQL for who has an errand done."""

from __future__ import annotations

from shared.db import Connection, Record


async def count_open(connection: Connection, org_id: str) -> int:
    """Count an organization's errands that have not ended, after waiting for its other counts."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('runs.errand.' || $1, 0))", org_id
    )
    found: int = await connection.fetchval(
        "SELECT count(*) FROM runs.errand WHERE org_id = $1 AND ended_at IS NULL", org_id
    )
    return found


async def add(
    connection: Connection,
    org_id: str,
    errand_id: str,
    kind: str,
    sealed: bytes,
    seconds: float,
    patience_s: float,
) -> None:
    """Add an errand that waits for a worker."""
    await connection.execute(
        """
        INSERT INTO runs.errand (org_id, id, kind, "order", ends_by, patience_s, wanted_until)
        VALUES ($1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5), $6,
                clock_timestamp() + make_interval(secs => $6))
        """,
        org_id,
        errand_id,
        kind,
        sealed,
        seconds,
        patience_s,
    )


async def state(connection: Connection, org_id: str, errand_id: str) -> Record | None:
    """Give status, result, reason and code of an errand."""
    return await connection.fetchrow(
        """
        SELECT status, result, reason, code,
               wanted_until < clock_timestamp() + make_interval(secs => patience_s * 0.7)
                   AS is_fading
          FROM runs.errand WHERE org_id = $1 AND id = $2
        """,
        org_id,
        errand_id,
    )


async def result(connection: Connection, org_id: str, errand_id: str) -> bytes | None:
    """Give what came of an errand, and hold its row until the transaction ends."""
    found: bytes | None = await connection.fetchval(
        "SELECT result FROM runs.errand WHERE org_id = $1 AND id = $2 FOR UPDATE", org_id, errand_id
    )
    return found


async def set_result(connection: Connection, org_id: str, errand_id: str, sealed: bytes) -> None:
    """Replace what came of an errand that has ended."""
    await connection.execute(
        "UPDATE runs.errand SET result = $3 WHERE org_id = $1 AND id = $2 AND status = 'done'",
        org_id,
        errand_id,
        sealed,
    )


async def want(connection: Connection, org_id: str, errand_id: str) -> None:
    """Note that somebody still wants an errand."""
    await connection.execute(
        """
        UPDATE runs.errand SET wanted_until = clock_timestamp() + make_interval(secs => patience_s)
         WHERE org_id = $1 AND id = $2 AND ended_at IS NULL
        """,
        org_id,
        errand_id,
    )


async def watch(connection: Connection, org_id: str, errand_id: str, seconds: float) -> None:
    """Note that somebody watches an errand, and so wants it, for some seconds from now on."""
    await connection.execute(
        """
        UPDATE runs.errand
           SET watched_until = clock_timestamp() + make_interval(secs => $3),
               wanted_until = clock_timestamp() + make_interval(secs => patience_s)
         WHERE org_id = $1 AND id = $2 AND ended_at IS NULL
           AND (watched_until IS NULL
                OR watched_until < clock_timestamp() + make_interval(secs => $3 / 2))
        """,
        org_id,
        errand_id,
        seconds,
    )


async def wish(
    connection: Connection, org_id: str, errand_id: str, sealed: bytes, most: int
) -> bool:
    """Add something that is said to an errand that works; False where too much waits, or it ended.

    Args:
        connection: to the service's database.
        org_id: of the errand.
        errand_id: of the errand.
        sealed: what is said.
        most: that may wait.
    """
    status = await connection.execute(
        """
        INSERT INTO runs.errand_wish (org_id, errand_id, content)
        SELECT e.org_id, e.id, $3 FROM runs.errand AS e
         WHERE e.org_id = $1 AND e.id = $2 AND e.ended_at IS NULL
           AND (SELECT count(*) FROM runs.errand_wish AS w
                 WHERE w.org_id = $1 AND w.errand_id = $2) < $4
        """,
        org_id,
        errand_id,
        sealed,
        most,
    )
    return status == "INSERT 0 1"


async def told(
    connection: Connection, org_id: str, errand_id: str, after: int, limit: int
) -> list[Record]:
    """Give what an errand told after a number, in its order."""
    return await connection.fetch(
        """
        SELECT n, slot, content FROM runs.errand_told
         WHERE org_id = $1 AND errand_id = $2 AND n > $3 ORDER BY n LIMIT $4
        """,
        org_id,
        errand_id,
        after,
        limit,
    )


async def cancel(connection: Connection, org_id: str, errand_id: str) -> str | None:
    """Have an errand end: at once where it waits; give what it is then, None if it had ended."""
    found: str | None = await connection.fetchval(
        """
        UPDATE runs.errand SET cancelling = true,
               status = CASE status WHEN 'queued' THEN 'cancelled' ELSE status END,
               ended_at = CASE status WHEN 'queued' THEN clock_timestamp() END,
               "order" = CASE status WHEN 'queued' THEN NULL ELSE "order" END
         WHERE org_id = $1 AND id = $2 AND ended_at IS NULL
        RETURNING status
        """,
        org_id,
        errand_id,
    )
    return found


async def forget(connection: Connection, org_id: str, errand_id: str) -> None:
    """Delete an errand that has ended, with all that was said."""
    gone = await connection.fetchval(
        """
        DELETE FROM runs.errand WHERE org_id = $1 AND id = $2 AND ended_at IS NOT NULL RETURNING id
        """,
        org_id,
        errand_id,
    )
    if gone is not None:
        await forget_words(connection, org_id, errand_id)


async def forget_words(connection: Connection, org_id: str, errand_id: str) -> None:
    """Delete what was said to and by an errand."""
    await forget_wishes(connection, org_id, errand_id)
    await connection.execute(
        "DELETE FROM runs.errand_told WHERE org_id = $1 AND errand_id = $2", org_id, errand_id
    )


async def forget_wishes(connection: Connection, org_id: str, errand_id: str) -> None:
    """Delete what was said to an errand and not heard."""
    await connection.execute(
        "DELETE FROM runs.errand_wish WHERE org_id = $1 AND errand_id = $2", org_id, errand_id
    )


async def forget_organization(connection: Connection, org_id: str) -> None:
    """Delete all errands of an organization."""
    await connection.execute("DELETE FROM runs.errand WHERE org_id = $1", org_id)
    await connection.execute("DELETE FROM runs.errand_wish WHERE org_id = $1", org_id)
    await connection.execute("DELETE FROM runs.errand_told WHERE org_id = $1", org_id)
