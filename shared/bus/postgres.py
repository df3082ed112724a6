"""The bus on PostgreSQL, for installations without a broker.

A broker, not a shortcut: schema ``bus`` with its own role and pool, reached only through the
``Transport`` protocol. Publishing is one statement that fans out a row per bound queue. Taking
leases rows by moving ``available_at`` into the future under ``SKIP LOCKED``, so that the work of a
dead process returns by itself. ``NOTIFY`` is only a bell; a poll for all queues of the process,
once a second, is the truth. So nothing here needs session state but the bell, and behind PgBouncer
in transaction mode only the bell falls silent.

A broadcast queue is a row that its process keeps alive. Its deliveries are deleted as they are
taken: live only, at most once.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg

from shared.bus import postgres_sql as sql
from shared.bus.events import Message
from shared.bus.postgres_bell import Bell
from shared.bus.tasks import cancel
from shared.bus.transport import BusUnavailable, DeclaredQueue, Deliveries, Delivery, backoff
from shared.db import Connection, Database
from shared.errors import Unavailable
from shared.log import get_logger

PUBLISH_TIMEOUT: Final = 10.0
"""Seconds until a publication that is not committed counts as failed."""

CLOSE_TIMEOUT: Final = 3.0
"""Seconds that closing may spend on settling and giving back."""

POOL_SIZE: Final = 4

BROADCAST_LIFE: Final = 60.0
"""Seconds that a broadcast queue outlives the last sign of its process."""

log = get_logger()


@dataclass(eq=False, slots=True)
class _Consumption:
    """One ``consume`` under way."""

    queue: DeclaredQueue
    prefetch: int
    on_gap: Callable[[], None] | None
    deliveries: Deliveries = field(default_factory=Deliveries)
    held: set[int] = field(default_factory=set)
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    more: bool = True
    closing: bool = False

    @property
    def room(self) -> int:
        """How many deliveries to ask for now: in half prefetches, so that taking stays batched."""
        free = self.prefetch - len(self.held)
        return free if free * 2 >= self.prefetch else 0

    def settle(self, row_id: int) -> None:
        """Let go of a delivery, and fetch more when the last fetch said there is more."""
        self.held.discard(row_id)
        if self.more and self.room:
            self.bell.set()


@dataclass(slots=True)
class _Delivery:
    """A row of ``bus.delivery`` in a consumer's hands."""

    message: Message
    _id: int
    _consumption: _Consumption
    _transport: PostgresTransport

    async def ack(self) -> None:
        """Delete the row, together with others that are acknowledged meanwhile."""
        self._consumption.settle(self._id)
        if not self._consumption.queue.broadcast:
            self._transport.forget(self._id)

    async def retry(self, delay_s: float) -> None:
        """Make the row available again after the delay; broadcasts are not retried."""
        await self._settle(sql.RETRY, self._id, delay_s)

    async def park(self, reason: str) -> None:
        """Keep the row out of reach, with the reason; of a broadcast nothing is left to keep."""
        await self._settle(sql.PARK, self._id, reason)

    async def _settle(self, statement: str, *arguments: object) -> None:
        self._consumption.settle(self._id)
        if self._consumption.queue.broadcast:
            return
        try:
            await self._transport.execute(statement, *arguments)
        except BusUnavailable:
            log.warning("not settled, comes back when its lease ends", event_id=self.message.id)


class PostgresTransport:
    """``Transport`` over the schema ``bus``. Made by ``shared.bus.connect``.

    Args:
        url: the role that owns the schema ``bus``.
        lease_s: how long a delivery is its process's own without a sign of life.
        poll_s: how often to look for work that no bell announced.
        statement_cache: off behind PgBouncer.
    """

    def __init__(
        self,
        url: str,
        *,
        lease_s: float = 30.0,
        poll_s: float = 1.0,
        statement_cache: bool = True,
    ) -> None:
        self._url = url
        self._lease = lease_s
        self._poll = poll_s
        self._statement_cache = statement_cache
        self._database: Database | None = None
        self._connecting = asyncio.Lock()
        self._queues: dict[str, DeclaredQueue] = {}
        self._consumptions: set[_Consumption] = set()
        self._acked: list[int] = []
        self._ack_bell = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._publishing = asyncio.Lock()
        self._bell = Bell(url)
        self._tasks = [
            asyncio.create_task(self._bell.run()),
            asyncio.create_task(self._keep()),
            asyncio.create_task(self._flush_forever()),
        ]

    async def declare(self, queue: str, kinds: Sequence[str], *, broadcast: bool = False) -> None:
        """See ``Transport.declare``."""
        known = self._queues.get(queue)
        if known is None:
            name = f"{queue}.{secrets.token_hex(6)}" if broadcast else queue
            known = DeclaredQueue(name, broadcast)
        known.kinds.update(kinds)
        await self._write(known)
        self._queues[queue] = known

    async def publish(self, messages: Sequence[Message], *, queue: str | None = None) -> None:
        """See ``Transport.publish``."""
        if not messages:
            return
        columns = (
            [message.id for message in messages],
            [message.kind for message in messages],
            [message.occurred_at for message in messages],
            [message.traceparent for message in messages],
            [message.payload for message in messages],
        )
        try:
            # One at a time, so that what is published first is also numbered first.
            async with asyncio.timeout(PUBLISH_TIMEOUT), self._publishing:
                if queue is None:
                    await self.execute(sql.PUBLISH, *columns)
                else:
                    await self.execute(sql.PUBLISH_TO, *columns, queue)
        except TimeoutError as error:
            raise BusUnavailable from error

    @asynccontextmanager
    async def consume(
        self, queue: str, prefetch: int, *, on_gap: Callable[[], None] | None = None
    ) -> AsyncIterator[AsyncIterator[Delivery]]:
        """See ``Transport.consume``."""
        consumption = _Consumption(self._queues[queue], prefetch, on_gap)
        if consumption.queue.broadcast:
            await self._write(consumption.queue)
        else:
            await self.ping()
        self._consumptions.add(consumption)
        self._bell.hear(consumption.queue.name, consumption.bell)
        task = asyncio.create_task(self._fetch(consumption))
        try:
            yield consumption.deliveries
        finally:
            # Not cancelled: a statement cut off in the middle could leave leases that nobody holds.
            consumption.closing = True
            consumption.bell.set()
            await asyncio.wait([task], timeout=CLOSE_TIMEOUT)
            await cancel(task)
            self._consumptions.discard(consumption)
            self._bell.ignore(consumption.queue.name, consumption.bell)
            await self._give_back(consumption)
            await self._drop_unheard(consumption.queue)

    async def remove(self, queue: str) -> None:
        """See ``Transport.remove``."""
        self._queues.pop(queue, None)
        await self.execute(sql.REMOVE, [queue])

    async def ping(self) -> None:
        """See ``Transport.ping``."""
        await self.execute("SELECT FROM bus.queue LIMIT 1")

    async def close(self) -> None:
        """See ``Transport.close``."""
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._flush()
                own = [queue.name for queue in self._queues.values() if queue.broadcast]
                if own and self._database is not None:
                    await self.execute(sql.REMOVE, own)
        except (TimeoutError, BusUnavailable):
            log.warning("bus closed without its server")
        await cancel(*self._tasks)
        if self._database is not None:
            await self._database.close()

    def forget(self, row_id: int) -> None:
        """Have an acknowledged row deleted with the next flush."""
        self._acked.append(row_id)
        self._ack_bell.set()

    async def execute(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """Run one statement in a transaction of its own and return its rows.

        Raises:
            BusUnavailable: the server cannot be reached, or has no schema ``bus`` yet.
        """
        try:
            async with self._connection() as connection:
                return await connection.fetch(statement, *arguments)
        except (Unavailable, asyncpg.PostgresError) as error:
            raise BusUnavailable from error

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        async with self._connecting:
            if self._database is None:
                self._database = await Database.connect(
                    self._url, size=POOL_SIZE, statement_cache=self._statement_cache
                )
        async with self._database.connection() as connection:
            yield connection

    async def _write(self, queue: DeclaredQueue) -> None:
        life = BROADCAST_LIFE if queue.broadcast else None
        await self.execute(sql.DECLARE, queue.name, sorted(queue.kinds), life)

    async def _fetch(self, consumption: _Consumption) -> None:
        """Keep a consumption filled until it closes."""
        failures = 0
        while not consumption.closing:
            consumption.bell.clear()
            room = consumption.room
            try:
                taken = await self._take(consumption, room) if room else 0
                failures = 0
            except Exception as error:
                failures += 1
                if not isinstance(error, BusUnavailable):
                    log.exception("taking failed", queue=consumption.queue.name)
                await asyncio.sleep(backoff(failures))
                continue
            consumption.more = taken == room
            await consumption.bell.wait()

    async def _take(self, consumption: _Consumption, room: int) -> int:
        queue = consumption.queue
        if queue.broadcast:
            rows = await self.execute(sql.TAKE_BROADCAST, queue.name, room)
        else:
            rows = await self.execute(sql.TAKE, queue.name, room, self._lease)
        for row in sorted(rows, key=_row_id):
            message = Message(
                id=row["event_id"],
                kind=row["kind"],
                occurred_at=row["occurred_at"],
                payload=row["payload"],
                traceparent=row["traceparent"],
            )
            consumption.held.add(row["id"])
            consumption.deliveries.put(_Delivery(message, row["id"], consumption, self))
        return len(rows)

    async def _give_back(self, consumption: _Consumption) -> None:
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._flush()
                if consumption.held and not consumption.queue.broadcast:
                    await self.execute(sql.GIVE_BACK, list(consumption.held))
        except (TimeoutError, BusUnavailable):
            log.warning("deliveries come back when their leases end", queue=consumption.queue.name)

    async def _drop_unheard(self, queue: DeclaredQueue) -> None:
        """Take a broadcast queue away that is not consumed any more: it would fill for ever."""
        if not queue.broadcast or any(one.queue is queue for one in self._consumptions):
            return
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self.execute(sql.REMOVE, [queue.name])
        except (TimeoutError, BusUnavailable):
            log.warning("broadcast queue is swept when its life ends", queue=queue.name)

    async def _flush_forever(self) -> None:
        failures = 0
        while True:
            await self._ack_bell.wait()
            self._ack_bell.clear()
            try:
                await self._flush()
                failures = 0
            except Exception as error:
                failures += 1
                if not isinstance(error, BusUnavailable):
                    log.exception("acknowledging failed")
                await asyncio.sleep(backoff(failures))
                self._ack_bell.set()

    async def _flush(self) -> None:
        # One at a time, so that whoever flushes last also waits for what is under way.
        async with self._flushing:
            acked, self._acked = self._acked, []
            try:
                if acked:
                    await self.execute(sql.ACK, acked)
            except BaseException:
                # Bounded: without the server nothing new is taken, hence nothing acknowledged.
                self._acked[:0] = acked
                raise

    async def _keep(self) -> None:
        """Poll, renew leases and broadcast queues, and sweep, each in its own rhythm."""
        now = asyncio.get_running_loop().time
        started = now()
        due: dict[Callable[[], Any], tuple[float, float]] = {
            self._ring_due: (self._poll, started),
            self._renew: (self._lease / 3, started),
            self._show_life: (BROADCAST_LIFE / 4, started),
            # Spread, because every process sweeps.
            self._sweep: (BROADCAST_LIFE, started + backoff(10, BROADCAST_LIFE)),
        }
        pause = min(self._poll, self._lease / 3)
        while True:
            await asyncio.sleep(pause)
            for duty, (interval, at) in list(due.items()):
                if now() < at:
                    continue
                due[duty] = (interval, now() + interval * 0.9)
                try:
                    await duty()
                except BusUnavailable as error:
                    log.warning("bus unavailable", cause=repr(error.__cause__))
                except Exception:
                    log.exception("bus upkeep failed", duty=duty.__name__)

    async def _ring_due(self) -> None:
        waiting = [c for c in self._consumptions if c.room]
        if not waiting:
            return
        rows = await self.execute(sql.DUE, [c.queue.name for c in waiting])
        due = {row["name"] for row in rows}
        for consumption in waiting:
            if consumption.queue.name in due:
                consumption.bell.set()

    async def _renew(self) -> None:
        held = _flatten(c.held for c in self._consumptions if not c.queue.broadcast)
        if held:
            await self.execute(sql.RENEW, held, self._lease)

    async def _show_life(self) -> None:
        own = {one.queue.name: one.queue for one in self._consumptions if one.queue.broadcast}
        if not own:
            return
        rows = await self.execute(sql.SHOW_LIFE, list(own), BROADCAST_LIFE)
        for name in own.keys() - {row["name"] for row in rows}:
            log.warning("broadcast queue was swept, declared anew", queue=name)
            await self._write(own[name])
            for consumption in self._consumptions:
                if consumption.queue is own[name] and consumption.on_gap is not None:
                    consumption.on_gap()

    async def _sweep(self) -> None:
        await self.execute(sql.SWEEP_QUEUES)
        await self.execute(sql.SWEEP_DELIVERIES)


def _row_id(row: asyncpg.Record) -> int:
    row_id: int = row["id"]
    return row_id


def _flatten(sets: Iterable[set[int]]) -> list[int]:
    return [row_id for held in sets for row_id in held]
