"""A session with RabbitMQ: the few things the transport does there. The only module that imports
aio_pika.

Plain connections, not aio-pika's robust ones: those restore what they remember, but do not notice
a consumer that the broker has lost. ``Link`` keeps the session, ``rabbit_transport`` the promises.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID, uuid4

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.connection import make_url
from aiormq import spec
from aiormq.abc import ChannelFrame, DeliveredMessage
from aiormq.channel import Channel as Wire
from pamqp.body import ContentBody
from pamqp.frame import marshal
from pamqp.header import ContentHeader

from shared.bus.events import Message
from shared.bus.rabbit_topology import (
    BROADCAST_QUEUE,
    EXCHANGE,
    PARKED,
    PARKED_QUEUE,
    WORK_QUEUE,
    delay_queue,
)
from shared.bus.transport import BusUnavailable, DeclaredQueue
from shared.log import get_logger

CONNECT_TIMEOUT: Final = 5.0
COMMAND_TIMEOUT: Final = 5.0
PUBLISH_TIMEOUT: Final = 10.0
"""Seconds until a publication without a confirm counts as failed."""

CLOSE_TIMEOUT: Final = 3.0
HEARTBEAT: Final = 15

log = get_logger()


@dataclass(slots=True)
class Incoming:
    """A message that a consumer got, tied to the channel that brought it."""

    message: Message
    _tag: int
    _wire: Wire

    async def ack(self) -> None:
        """Send the acknowledgement with what is written next; a lost one means redelivery."""
        await self._settle(self._wire.basic_ack(self._tag, wait=False))

    async def give_back(self) -> None:
        """Have the broker deliver it again."""
        await self._settle(self._wire.basic_nack(self._tag, requeue=True, wait=False))

    async def _settle(self, sending: Awaitable[None]) -> None:
        try:
            await sending
        except Exception as error:
            # Lost with its channel; then the broker delivers the message again.
            log.debug("not settled", event_id=str(self.message.id), error=repr(error))


class _Countdown:
    """Stands where aiormq expects a future per publication, and resolves one for all of them."""

    __slots__ = ("_left", "cancelled", "done", "future")

    def __init__(self, count: int, future: asyncio.Future[None]) -> None:
        self._left = count
        self.future = future
        self.done = future.done
        self.cancelled = future.cancelled

    def set_result(self, _: object) -> None:
        """Note one confirm."""
        self._left -= 1
        if self._left == 0 and not self.future.done():
            self.future.set_result(None)

    def set_exception(self, error: Exception) -> None:
        """Note that the broker refused one."""
        if not self.future.done():
            self.future.set_exception(error)


class Session:
    """An open connection. Every method raises ``BusUnavailable`` when it fails."""

    def __init__(self, connection: AbstractConnection, wire: Wire) -> None:
        self._connection = connection
        self._wire = wire

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, lost: asyncio.Event) -> AsyncIterator[Session]:
        """Connect, and close in the end.

        Args:
            url: ``amqp(s)://user:password@host:port/vhost``.
            lost: set when the connection or its main channel closes, for whatever reason.
        """
        # Made by hand, because one that never came up must be closed too: it would close itself
        # when it is collected, wherever that happens to be.
        connection = aio_pika.Connection(
            make_url(url, heartbeat=HEARTBEAT),
            client_properties={"connection_name": "guildhall"},
            heartbeat=HEARTBEAT,
        )
        try:
            with _translated():
                await connection.connect(timeout=CONNECT_TIMEOUT)
                async with asyncio.timeout(COMMAND_TIMEOUT):
                    channel = await _open_channel(connection, lost, confirms=True)
                    await channel.declare_exchange(EXCHANGE, "topic", durable=True)
                    await channel.declare_queue(PARKED, durable=True, arguments=PARKED_QUEUE)
                    wire = await _wire(channel)
            yield cls(connection, wire)
        finally:
            await _close(connection)

    async def check(self) -> None:
        """Ask the broker something, to see whether it answers."""
        async with self._channel() as channel:
            await channel.declare_exchange(EXCHANGE, "topic", durable=True, passive=True)

    async def count_consumers(self, queue: str) -> int:
        """Ask how many consumers the broker sees on a queue; none if there is no such queue."""
        async with self._channel() as channel:
            found = await channel.declare_queue(queue, passive=True)
            return found.declaration_result.consumer_count or 0

    async def declare_work(self, queue: str, kinds: Sequence[str] = ()) -> None:
        """Make a work queue, bound to these kinds beside others."""
        async with self._channel() as channel:
            declared = await channel.declare_queue(queue, durable=True, arguments=WORK_QUEUE)
            for kind in kinds:
                await declared.bind(EXCHANGE, routing_key=kind)

    async def declare_delay(self, name: str) -> None:
        """Make an exchange and a queue whose messages expire into the queue they are sent to."""
        async with self._channel() as channel:
            exchange = await channel.declare_exchange(name, "fanout", durable=True)
            queue = await channel.declare_queue(name, durable=True, arguments=delay_queue(name))
            await queue.bind(exchange)

    async def delete(self, queue: str) -> None:
        """Delete a queue and what is in it."""
        async with self._channel() as channel:
            await (await _wire(channel)).queue_delete(queue)

    async def publish(self, messages: Sequence[Message]) -> None:
        """Publish by kind, all in one write, and wait until every one is confirmed.

        Not mandatory: a message that no queue is bound to is confirmed and dropped. What aiormq
        does once per message (a task, a lock, a write, a future) is done here once for all, for a
        quarter of the time.
        """
        wire = self._wire
        with _translated():
            async with asyncio.timeout(PUBLISH_TIMEOUT):
                async with wire.lock:
                    confirmed = _Countdown(len(messages), wire.create_future())
                    for _ in messages:
                        wire.delivery_tag += 1
                        wire.confirmations[wire.delivery_tag] = cast(asyncio.Future[Any], confirmed)
                    written = _written(messages, wire.number, wire.max_content_size)
                    await wire.write_queue.put(ChannelFrame(payload=written, should_close=False))
                await confirmed.future

    async def send(
        self,
        message: Message,
        key: str,
        *,
        exchange: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Publish one message to where it must arrive, and wait for its confirm."""
        with _translated():
            await self._wire.basic_publish(
                message.payload,
                exchange=exchange,
                routing_key=key,
                properties=_properties(message, headers or {}),
                mandatory=True,
                timeout=PUBLISH_TIMEOUT,
            )

    @asynccontextmanager
    async def consume(
        self,
        queue: DeclaredQueue,
        prefetch: int,
        deliver: Callable[[Incoming], None],
        gone: asyncio.Event,
    ) -> AsyncIterator[str]:
        """Consume on a channel of its own until the context is left; yields the queue's real name.

        Args:
            queue: is declared first, in case the broker has forgotten it.
            prefetch: most messages delivered and not yet acknowledged.
            deliver: gets each message; what has no envelope of ours is parked before.
            gone: set when the broker has ended the consumer, whatever its reason.
        """
        with _translated():
            async with asyncio.timeout(COMMAND_TIMEOUT):
                channel = await _open_channel(self._connection, gone, confirms=False)
        try:
            with _translated():
                async with asyncio.timeout(COMMAND_TIMEOUT):
                    await channel.set_qos(prefetch_count=prefetch)
                    name = await _declare(channel, queue)
                    wire = await _wire(channel)
                    wire.on_consumer_cancel_callbacks.add(lambda _: gone.set())
                    await wire.basic_consume(name, lambda raw: _receive(raw, wire, deliver))
            yield name
        finally:
            await _close(channel)

    @asynccontextmanager
    async def _channel(self) -> AsyncIterator[AbstractChannel]:
        """Lend a channel for some commands: a refused one closes its channel, and only that."""
        with _translated():
            async with (
                asyncio.timeout(COMMAND_TIMEOUT),
                self._connection.channel(publisher_confirms=False) as channel,
            ):
                yield channel


@contextmanager
def _translated() -> Iterator[None]:
    """Turn any error into ``BusUnavailable``.

    Any: what waits on a connection that closes, aiormq fails with a bare ``Exception``.
    """
    try:
        yield
    except Exception as error:
        raise BusUnavailable from error


async def _open_channel(
    connection: AbstractConnection, lost: asyncio.Event, *, confirms: bool
) -> AbstractChannel:
    """Open a channel that sets ``lost`` when it closes, for whatever reason."""
    channel = connection.channel(publisher_confirms=confirms, on_return_raises=confirms)
    channel.close_callbacks.add(lambda *_: lost.set())
    await channel.initialize()
    return channel


async def _wire(channel: AbstractChannel) -> Wire:
    """Give aiormq's channel below aio-pika's: it can write without waiting for each message."""
    return cast(Wire, await channel.get_underlay_channel())


async def _declare(channel: AbstractChannel, queue: DeclaredQueue) -> str:
    if queue.broadcast:
        # A new name each time: the broker may not have noticed yet that the last one's owner left.
        declared = await channel.declare_queue(
            f"{queue.name}.{uuid4().hex[:12]}",
            exclusive=True,
            auto_delete=True,
            arguments=BROADCAST_QUEUE,
        )
    else:
        declared = await channel.declare_queue(queue.name, durable=True, arguments=WORK_QUEUE)
    for kind in sorted(queue.kinds):
        await declared.bind(EXCHANGE, routing_key=kind)
    return declared.name


async def _receive(raw: DeliveredMessage, wire: Wire, deliver: Callable[[Incoming], None]) -> None:
    tag = raw.delivery_tag
    assert tag is not None
    try:
        message = _message(raw)
    except (KeyError, TypeError, ValueError, AttributeError):
        log.error("message without our envelope parked", routing_key=raw.routing_key)
        await wire.basic_reject(tag, requeue=False, wait=False)
        return
    deliver(Incoming(message, tag, wire))


def _written(messages: Sequence[Message], channel: int, size: int) -> bytes:
    """Write publications down as frames; ``size`` is the most one body frame may hold."""
    parts: list[bytes] = []
    openings: dict[str, bytes] = {}
    for message in messages:
        kind, payload = message.kind, message.payload
        if kind not in openings:
            publish = spec.Basic.Publish(exchange=EXCHANGE, routing_key=kind)
            openings[kind] = marshal(publish, channel)
        header = ContentHeader(properties=_properties(message, {}), body_size=len(payload))
        parts += (openings[kind], marshal(header, channel))
        for at in range(0, len(payload), size):
            parts.append(marshal(ContentBody(payload[at : at + size]), channel))
    return b"".join(parts)


def _properties(message: Message, headers: Mapping[str, str]) -> spec.Basic.Properties:
    ours: dict[str, Any] = {**headers, "occurred-at": message.occurred_at.isoformat()}
    if message.traceparent is not None:
        ours["traceparent"] = message.traceparent
    return spec.Basic.Properties(
        content_type="application/json",
        delivery_mode=2,
        headers=ours,
        message_id=str(message.id),
        message_type=message.kind,
    )


def _message(raw: DeliveredMessage) -> Message:
    properties = raw.header.properties
    headers = properties.headers or {}
    traceparent = headers.get("traceparent")
    return Message(
        id=UUID(properties.message_id),
        kind=str(properties.message_type),
        occurred_at=datetime.fromisoformat(str(headers["occurred-at"])),
        payload=raw.body,
        traceparent=str(traceparent) if traceparent is not None else None,
    )


async def _close(closable: AbstractChannel | AbstractConnection) -> None:
    """Close within a time limit; what is broken already need not close well."""
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await closable.close()
    except Exception as error:
        log.debug("not closed well", error=repr(error))
