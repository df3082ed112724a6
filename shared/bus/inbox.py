"""The inbox: what each consumer has handled, how often it tried, and what it gave up on.

Attempts are counted here, before handling and in a transaction of their own, so that an attempt
that kills its process counts too. They are never taken from the broker, which forgets them when it
moves a message and would count what was only prefetched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from shared.bus import outbox
from shared.bus.events import Message, schema_name
from shared.db import Connection

REASON_LENGTH: Final = 2_000
RETENTION_DAYS: Final = 30
SWEEP_BATCH: Final = 5_000


@dataclass(frozen=True, slots=True)
class Parked:
    """An event that a consumer gave up on; ``payload`` is its JSON."""

    id: int
    consumer: str
    event_id: UUID
    kind: str
    occurred_at: datetime
    payload: str
    attempts: int
    reason: str
    parked_at: datetime


async def count_attempt(
    connection: Connection, schema: str, consumer: str, event_id: UUID
) -> int | None:
    """Count that an attempt begins; return its number, or ``None`` if the event is settled.

    Settled means handled or parked. The commit does not wait for the disk: only a crash of the
    database itself could undo the count, and that is no fault of the event.
    """
    attempts: int | None = await connection.fetchval(
        f"""
        WITH fast AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
        INSERT INTO {schema}.attempt AS a (consumer, event_id)
        SELECT $1, $2 FROM fast
        WHERE NOT EXISTS (SELECT FROM {schema}.inbox WHERE consumer = $1 AND event_id = $2)
          AND NOT EXISTS (SELECT FROM {schema}.parked WHERE consumer = $1 AND event_id = $2)
        ON CONFLICT (consumer, event_id) DO UPDATE SET attempts = a.attempts + 1, last_at = now()
        RETURNING attempts
        """,  # noqa: S608 - the schema's name is checked
        consumer,
        event_id,
    )
    return attempts


async def settle(connection: Connection, schema: str, consumer: str, event_id: UUID) -> bool:
    """Note inside the effect's transaction that the event is handled.

    Returns:
        False if another delivery of it was faster; then there is nothing left to do.
    """
    status = await connection.execute(
        f"""
        WITH counted AS (DELETE FROM {schema}.attempt WHERE consumer = $1 AND event_id = $2)
        INSERT INTO {schema}.inbox (consumer, event_id) VALUES ($1, $2) ON CONFLICT DO NOTHING
        """,  # noqa: S608 - the schema's name is checked
        consumer,
        event_id,
    )
    return status == "INSERT 0 1"


async def park(
    connection: Connection,
    schema: str,
    consumer: str,
    message: Message,
    attempts: int,
    reason: str,
) -> None:
    """Keep an event that could not be handled, whole, and forget its attempts."""
    await connection.execute(
        f"""
        WITH counted AS (DELETE FROM {schema}.attempt WHERE consumer = $1 AND event_id = $2)
        INSERT INTO {schema}.parked
            (consumer, event_id, kind, occurred_at, traceparent, payload, attempts, reason)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT DO NOTHING
        """,  # noqa: S608 - the schema's name is checked
        consumer,
        message.id,
        message.kind,
        message.occurred_at,
        message.traceparent,
        message.payload.decode(),
        attempts,
        reason[:REASON_LENGTH],
    )


async def list_parked(connection: Connection, schema: str, limit: int = 100) -> list[Parked]:
    """List a service's parked events, oldest first."""
    rows = await connection.fetch(
        f"""
        SELECT id, consumer, event_id, kind, occurred_at, payload, attempts, reason, parked_at
        FROM {schema_name(schema)}.parked ORDER BY id LIMIT $1
        """,  # noqa: S608 - the schema's name is checked
        limit,
    )
    return [Parked(**dict(row)) for row in rows]


async def replay_parked(
    connection: Connection, schema: str, ids: Sequence[int] | None = None
) -> int:
    """Give parked events five new attempts, and return how many there were.

    Each goes back through the outbox to the queue of the consumer that parked it, and to no other.

    Args:
        connection: of the service's own role; one statement, so it needs no transaction.
        schema: the service.
        ids: which (``Parked.id``), or ``None`` for all.
    """
    status = await connection.execute(
        f"""
        WITH replayed AS (
            DELETE FROM {schema_name(schema)}.parked
            WHERE $1::bigint[] IS NULL OR id = ANY($1)
            RETURNING *
        )
        INSERT INTO {schema}.outbox (event_id, kind, occurred_at, traceparent, payload, queue)
        SELECT event_id, kind, occurred_at, traceparent, payload, $2 || '.' || consumer
        FROM replayed ORDER BY id
        """,  # noqa: S608 - the schema's name is checked
        ids,
        schema,
    )
    outbox.mark(schema)
    return int(status.rpartition(" ")[2])


async def count_parked(connection: Connection, schema: str, cap: int) -> int:
    """Count the parked events, up to ``cap``."""
    count: int = await connection.fetchval(
        f"SELECT count(*) FROM (SELECT FROM {schema}.parked LIMIT $1) AS rows",  # noqa: S608 - the schema's name is checked
        cap,
    )
    return count


async def sweep(connection: Connection, schema: str) -> bool:
    """Delete one batch of what is older than 30 days; return whether there may be more.

    After that long no duplicate is on its way any more.
    """
    more = False
    for table, column in (("inbox", "handled_at"), ("attempt", "last_at")):
        status = await connection.execute(
            f"""
            DELETE FROM {schema}.{table} WHERE ctid = ANY(ARRAY(
                SELECT ctid FROM {schema}.{table}
                WHERE {column} < now() - make_interval(days => $1) LIMIT $2
            ))
            """,  # noqa: S608 - the schema's name is checked
            RETENTION_DAYS,
            SWEEP_BATCH,
        )
        more = more or status == f"DELETE {SWEEP_BATCH}"
    return more
