"""The outbox: events written in the transaction of the change they tell of.

``add`` is what operations call. The rest is for the relay: a row is claimed for a while, published,
deleted. Claiming looks at each row's state and never at "ids after the last one", because ids are
given before commit and a slow transaction's row would be skipped.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from shared.bus.events import Event, Message, encode, schema_name
from shared.db import Connection

_added: ContextVar[frozenset[str]] = ContextVar("outbox_added", default=frozenset())
_NONE: Final[frozenset[str]] = frozenset()
_bells: Final[defaultdict[str, set[asyncio.Event]]] = defaultdict(set)


@dataclass(frozen=True, slots=True)
class Claimed:
    """An outbox row in a relay's hands; ``queue`` is set when only that queue is to get it."""

    id: int
    message: Message
    queue: str | None


async def add(connection: Connection, event: Event) -> None:
    """Say an event: it is published if, and only if, the caller's transaction commits."""
    await add_all(connection, [event])


async def add_all(connection: Connection, events: Sequence[Event]) -> None:
    """Say several events of one publisher in one statement, in their order.

    Raises:
        ValueError: the events have different publishers.
    """
    if not events:
        return
    publisher = schema_name(events[0].publisher)
    if any(event.publisher != publisher for event in events):
        raise ValueError("events of different publishers go to different outboxes")
    messages = [encode(event) for event in events]
    await connection.execute(
        f"""
        INSERT INTO {publisher}.outbox (event_id, kind, occurred_at, traceparent, payload)
        SELECT event_id, kind, occurred_at, traceparent, payload
        FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::text[])
        WITH ORDINALITY AS m (event_id, kind, occurred_at, traceparent, payload, position)
        ORDER BY position
        """,  # noqa: S608 - the schema's name is checked
        [message.id for message in messages],
        [message.kind for message in messages],
        [message.occurred_at for message in messages],
        [message.traceparent for message in messages],
        [message.payload.decode() for message in messages],
    )
    mark(publisher)


def part(event: Event, first: int, source: str) -> tuple[str, list[Any]]:
    """Give an event as part of a statement that also makes its change, to save round trips.

    Args:
        event: what the statement's change is told as.
        first: the number of the first of the five parameters.
        source: a ``WITH`` part; the event is said once for each of its rows.

    Returns:
        An ``INSERT`` to stand in a ``WITH``, and its parameters.
    """
    message = encode(event)
    publisher = schema_name(event.publisher)
    mark(publisher)
    sql = f"""
        INSERT INTO {publisher}.outbox (event_id, kind, occurred_at, traceparent, payload)
        SELECT ${first}::uuid, ${first + 1}, ${first + 2}::timestamptz, ${first + 3}, ${first + 4}
          FROM {source}
        """  # noqa: S608 - the schema's name is checked, the rest are the caller's constants
    payload = message.payload.decode()
    return sql, [message.id, message.kind, message.occurred_at, message.traceparent, payload]


def mark(schema: str) -> None:
    """Note in this context that a row was added, so that the commit rings the relay's bell."""
    _added.set(_added.get() | {schema})


def hear(schema: str, bell: asyncio.Event) -> None:
    """Have ``ring`` set this event."""
    _bells[schema].add(bell)


def ignore(schema: str, bell: asyncio.Event) -> None:
    """Undo ``hear``."""
    _bells[schema].discard(bell)


def ring(schema: str) -> None:
    """Ring every bell of the schema if this context has added a row since it last did.

    To be called after a commit. A context that handed the adding to a child task is not seen; then
    the relay's poll finds the row.
    """
    if schema in _added.get():
        _added.set(_NONE)
        for bell in _bells[schema]:
            bell.set()


async def claim(connection: Connection, schema: str, limit: int, seconds: float) -> list[Claimed]:
    """Lease the oldest rows that no relay holds, in the order they were added."""
    rows = await connection.fetch(
        f"""
        WITH due AS (
            SELECT id FROM {schema}.outbox
            WHERE claimed_until IS NULL OR claimed_until < now()
            ORDER BY id LIMIT $1
            FOR UPDATE SKIP LOCKED
        )
        UPDATE {schema}.outbox AS o SET claimed_until = now() + make_interval(secs => $2)
        FROM due WHERE o.id = due.id
        RETURNING o.id, o.event_id, o.kind, o.occurred_at, o.traceparent, o.payload, o.queue
        """,  # noqa: S608 - the schema's name is checked
        limit,
        seconds,
    )
    claimed = [
        Claimed(
            id=row["id"],
            message=Message(
                id=row["event_id"],
                kind=row["kind"],
                occurred_at=row["occurred_at"],
                payload=row["payload"].encode(),
                traceparent=row["traceparent"],
            ),
            queue=row["queue"],
        )
        for row in rows
    ]
    claimed.sort(key=lambda row: row.id)
    return claimed


async def delete(connection: Connection, schema: str, ids: Sequence[int]) -> None:
    """Remove rows that are published."""
    await connection.execute(
        f"DELETE FROM {schema}.outbox WHERE id = ANY($1::bigint[])",  # noqa: S608 - the schema's name is checked
        ids,
    )


async def release(connection: Connection, schema: str, ids: Sequence[int]) -> None:
    """Give rows back that could not be published."""
    await connection.execute(
        f"UPDATE {schema}.outbox SET claimed_until = NULL WHERE id = ANY($1::bigint[])",  # noqa: S608 - the schema's name is checked
        ids,
    )


async def depth(connection: Connection, schema: str, cap: int) -> int:
    """Count the unpublished rows, up to ``cap``, so that a long queue costs no long count."""
    count: int = await connection.fetchval(
        f"SELECT count(*) FROM (SELECT FROM {schema}.outbox LIMIT $1) AS rows",  # noqa: S608 - the schema's name is checked
        cap,
    )
    return count
