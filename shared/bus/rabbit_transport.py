"""The bus on RabbitMQ.

Every kind is a routing key of one topic exchange. A work queue is a durable quorum queue; a
broadcast queue is exclusive to its process's connection. Publishing is confirmed, in pipelines.
Only directed messages (to one queue, to a delay, to the parked) are mandatory: a fact that no
queue is bound to is confirmed and dropped by the broker, as the protocol promises, so there is no
returned message that would have to raise.

A retry goes to a queue without consumers, one per length of delay, whose messages expire into the
queue they came from: so it holds no place in the prefetch. What cannot be decoded, and what the
broker itself gives up on, ends in the queue ``guildhall.parked``.

Two connections, because RabbitMQ throttles a connection that publishes too fast, and
acknowledgements must not wait for that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from shared.bus.events import Message
from shared.bus.link import Link
from shared.bus.rabbit import CONNECT_TIMEOUT, Incoming, Session
from shared.bus.rabbit_topology import PARKED, delay_name
from shared.bus.tasks import cancel
from shared.bus.transport import BusUnavailable, DeclaredQueue, Deliveries, Delivery, backoff
from shared.log import get_logger

PIPELINE: Final = 200
"""Most publications waiting for their confirms."""

log = get_logger()


@dataclass(eq=False, slots=True)
class _Consumption:
    """One ``consume`` under way, across connections; ``name`` is the queue's at the broker."""

    queue: DeclaredQueue
    prefetch: int
    on_gap: Callable[[], None] | None
    deliveries: Deliveries = field(default_factory=Deliveries)
    live: asyncio.Event = field(default_factory=asyncio.Event)
    was_live: bool = False
    name: str = ""


@dataclass(slots=True)
class _Delivery:
    """A message in a consumer's hands."""

    _incoming: Incoming
    _queue: str
    _transport: RabbitTransport

    @property
    def message(self) -> Message:
        """The message."""
        return self._incoming.message

    async def ack(self) -> None:
        """See ``Delivery.ack``."""
        await self._incoming.ack()

    async def retry(self, delay_s: float) -> None:
        """Put a copy into the delay's queue, then acknowledge; give it back if that fails."""
        try:
            await self._transport.delay(self.message, self._queue, delay_s)
        except BusUnavailable:
            await self._incoming.give_back()
        else:
            await self._incoming.ack()

    async def park(self, reason: str) -> None:
        """Put a copy with the reason into the parked queue, then acknowledge."""
        try:
            await self._transport.park(self.message, self._queue, reason)
        except BusUnavailable:
            await self._incoming.give_back()
        else:
            await self._incoming.ack()


class RabbitTransport:
    """``Transport`` over RabbitMQ. Made by ``shared.bus.connect``.

    Args:
        url: ``amqp(s)://user:password@host:port/vhost``.
        watch_s: how often each connection and consumer is looked after.
    """

    def __init__(self, url: str, *, watch_s: float = 10.0) -> None:
        def link(name: str, watch: Callable[[Session], Awaitable[None]]) -> Link[Session]:
            return Link(name, lambda lost: Session.open(url, lost), watch, watch_s)

        self._publisher = link("publish", Session.check)
        self._consumer = link("consume", self._watch_consumers)
        self._queues: dict[str, DeclaredQueue] = {}
        self._consumptions: set[_Consumption] = set()
        self._targets: tuple[int, set[str]] = (0, set())
        self._tasks = [
            asyncio.create_task(self._publisher.run()),
            asyncio.create_task(self._consumer.run()),
        ]

    async def declare(self, queue: str, kinds: Sequence[str], *, broadcast: bool = False) -> None:
        """See ``Transport.declare``."""
        known = self._queues.setdefault(queue, DeclaredQueue(queue, broadcast))
        known.kinds.update(kinds)
        session = await _session(self._consumer)
        # A broadcast queue lives and dies with the channel that consumes it.
        if not broadcast:
            await session.declare_work(queue, kinds)

    async def publish(self, messages: Sequence[Message], *, queue: str | None = None) -> None:
        """See ``Transport.publish``."""
        if queue is not None:
            await self._publish_to(messages, queue)
            return
        for start in range(0, len(messages), PIPELINE):
            session = await _session(self._publisher)
            try:
                await session.publish(messages[start : start + PIPELINE])
            except BusUnavailable:
                # What the broker makes of the rest is unknown: the next attempt starts afresh.
                self._publisher.rebuild()
                raise

    @asynccontextmanager
    async def consume(
        self, queue: str, prefetch: int, *, on_gap: Callable[[], None] | None = None
    ) -> AsyncIterator[AsyncIterator[Delivery]]:
        """See ``Transport.consume``."""
        consumption = _Consumption(self._queues[queue], prefetch, on_gap)
        task = asyncio.create_task(self._pump(consumption), name=f"pump {queue}")
        try:
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT):
                    await consumption.live.wait()
            except TimeoutError as error:
                raise BusUnavailable from error
            self._consumptions.add(consumption)
            yield consumption.deliveries
        finally:
            self._consumptions.discard(consumption)
            await cancel(task)

    async def remove(self, queue: str) -> None:
        """See ``Transport.remove``."""
        self._queues.pop(queue, None)
        await (await _session(self._consumer)).delete(queue)

    async def ping(self) -> None:
        """See ``Transport.ping``."""
        for link in (self._publisher, self._consumer):
            await (await _session(link)).check()

    async def close(self) -> None:
        """See ``Transport.close``."""
        await cancel(*self._tasks)

    async def delay(self, message: Message, queue: str, delay_s: float) -> None:
        """Put a message aside, to come back to a queue after a delay.

        Raises:
            BusUnavailable: not confirmed within the timeout.
        """
        session = await _session(self._publisher)
        name = delay_name(delay_s)
        await self._ensure(name, session.declare_delay)
        await session.send(message, queue, exchange=name)

    async def park(self, message: Message, queue: str, reason: str) -> None:
        """Put a message aside for good.

        Raises:
            BusUnavailable: not confirmed within the timeout.
        """
        session = await _session(self._publisher)
        headers = {"parked-from": queue, "parked-because": reason}
        await session.send(message, PARKED, headers=headers)

    async def _publish_to(self, messages: Sequence[Message], queue: str) -> None:
        session = await _session(self._publisher)
        await self._ensure(queue, session.declare_work)
        for message in messages:
            await session.send(message, queue)

    async def _ensure(self, name: str, declare: Callable[[str], Awaitable[None]]) -> None:
        """Declare what a directed message goes to, once per connection."""
        if self._targets[0] != self._publisher.epoch:
            self._targets = (self._publisher.epoch, set())
        known = self._targets[1]
        if name not in known:
            await declare(name)
            known.add(name)

    async def _pump(self, consumption: _Consumption) -> None:
        """Consume for ever, on one connection after the other."""
        failures = 0
        while True:
            try:
                session = await self._consumer.session()
                await self._consume_once(session, consumption)
                failures = 0
            except BusUnavailable as error:
                failures += 1
                cause = repr(error.__cause__)
                log.warning("not consuming", queue=consumption.queue.name, cause=cause)
            await asyncio.sleep(backoff(failures))

    async def _consume_once(self, session: Session, consumption: _Consumption) -> None:
        gone = asyncio.Event()
        queue, deliveries = consumption.queue, consumption.deliveries

        def deliver(incoming: Incoming) -> None:
            deliveries.put(_Delivery(incoming, queue.name, self))

        try:
            async with session.consume(queue, consumption.prefetch, deliver, gone) as name:
                if consumption.was_live and queue.broadcast and consumption.on_gap is not None:
                    consumption.on_gap()
                consumption.name = name
                consumption.was_live = True
                consumption.live.set()
                await gone.wait()
        finally:
            consumption.live.clear()
            deliveries.clear()

    async def _watch_consumers(self, session: Session) -> None:
        """Count each queue's consumers at the broker: none where we consume means we are lost."""
        await session.check()
        for consumption in list(self._consumptions):
            if not consumption.live.is_set():
                continue
            count = await session.count_consumers(consumption.name)
            if count == 0 and consumption.live.is_set():
                log.warning("the broker has lost a consumer", queue=consumption.name)
                raise BusUnavailable


async def _session(link: Link[Session]) -> Session:
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            return await link.session()
    except TimeoutError as error:
        raise BusUnavailable from error
