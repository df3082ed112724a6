"""SQL of failure counters. They belong to no tenant: a stranger's tries do not either."""

from __future__ import annotations

from collections.abc import Sequence

from services.auth.throttles.models import Count, Limit
from shared.db import Connection, Record


async def find(
    connection: Connection, buckets: Sequence[str], keys: Sequence[bytes]
) -> dict[tuple[str, bytes], Count]:
    """Give the live counters among some."""
    rows = await connection.fetch(
        """
        SELECT t.bucket, t.key, t.failures, t.ends_at, now() AS now
          FROM unnest($1::text[], $2::bytea[]) AS wanted (bucket, key)
          JOIN auth.throttle t USING (bucket, key)
         WHERE t.ends_at > now()
        """,
        buckets,
        keys,
    )
    return _counts(rows)


async def add(
    connection: Connection,
    buckets: Sequence[str],
    keys: Sequence[bytes],
    limits: Sequence[Limit],
) -> dict[tuple[str, bytes], Count]:
    """Count one failure on each, beginning a new window where the last one is over.

    The failure that reaches a limit with a block of its own begins that block. In one order for
    all callers, so that two that count the same never wait for each other.
    """
    rows = await connection.fetch(
        """
        INSERT INTO auth.throttle AS t (bucket, key, failures, ends_at)
        SELECT bucket, key, 1, now() + life
          FROM unnest($1::text[], $2::bytea[], $3::interval[]) AS failed (bucket, key, life)
         ORDER BY bucket, key
        ON CONFLICT (bucket, key) DO UPDATE
           SET failures = CASE WHEN t.ends_at > now() THEN t.failures + 1 ELSE 1 END,
               ends_at = CASE WHEN t.ends_at <= now() THEN excluded.ends_at
                              ELSE coalesce((SELECT now() + block
                                               FROM unnest($1::text[], $4::integer[],
                                                           $5::interval[])
                                                    AS limited (bucket, most, block)
                                              WHERE limited.bucket = t.bucket
                                                AND limited.most = t.failures + 1
                                              LIMIT 1), t.ends_at) END
        RETURNING bucket, key, failures, ends_at, now() AS now
        """,
        buckets,
        keys,
        [limit.window for limit in limits],
        [limit.most for limit in limits],
        [limit.block for limit in limits],
    )
    return _counts(rows)


async def delete(connection: Connection, buckets: Sequence[str], keys: Sequence[bytes]) -> None:
    """Forgive."""
    await connection.execute(
        """
        DELETE FROM auth.throttle
         WHERE (bucket, key) IN (SELECT * FROM unnest($1::text[], $2::bytea[]))
        """,
        buckets,
        keys,
    )


async def delete_over(connection: Connection, limit: int) -> int:
    """Drop counters whose window is over, and tell how many."""
    rows = await connection.fetch(
        """
        DELETE FROM auth.throttle WHERE ctid IN (
            SELECT ctid FROM auth.throttle WHERE ends_at < now() LIMIT $1)
        RETURNING bucket
        """,
        limit,
    )
    return len(rows)


def _counts(rows: Sequence[Record]) -> dict[tuple[str, bytes], Count]:
    return {
        (row["bucket"], row["key"]): Count(row["failures"], row["ends_at"], row["now"])
        for row in rows
    }
