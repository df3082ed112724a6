"""What only the RabbitMQ transport has to live through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aio_pika
import pytest

from shared.bus import BusUnavailable, Transport
from shared.bus import rabbit as session_module
from shared.bus.rabbit_topology import EXCHANGE, PARKED
from shared.bus.rabbit_transport import RabbitTransport
from tests.shared.bus.harness import eventually, letters, message, new_kind, open_transport
from tests.shared.bus.test_transport import publish_when_back, take, take_all
from tests.support.rabbit import Rabbit

pytestmark = pytest.mark.rabbit


@pytest.fixture
async def transport(rabbit: Rabbit) -> AsyncIterator[Transport]:
    transport = open_transport(rabbit.url)
    yield transport
    await transport.close()


@pytest.fixture
def kind() -> str:
    return new_kind()


@pytest.fixture
async def queue(transport: Transport, kind: str) -> AsyncIterator[str]:
    name = f"{letters()}.consumer"
    await transport.declare(name, [kind])
    yield name
    await transport.remove(name)


async def parked_message(rabbit: Rabbit, body: bytes) -> aio_pika.abc.AbstractIncomingMessage:
    """Find a parked message; those of other tests may lie before it."""
    connection = await aio_pika.connect(rabbit.url)
    async with connection, connection.channel() as channel:
        queue = await channel.get_queue(PARKED)
        async with asyncio.timeout(60), queue.iterator(no_ack=True) as messages:
            while (found := await anext(messages)).body != body:
                pass
            return found


async def test_a_stranger_s_message_ends_among_the_parked(
    rabbit: Rabbit, transport: Transport, kind: str, queue: str
) -> None:
    strange = letters().encode()
    connection = await aio_pika.connect(rabbit.url)
    async with connection, connection.channel() as channel:
        exchange = await channel.get_exchange(EXCHANGE)
        await exchange.publish(aio_pika.Message(strange), routing_key=kind)
    async with transport.consume(queue, 5) as deliveries:
        await transport.publish([message(kind, b"ours")])
        assert await take_all(deliveries, 1) == [b"ours"]
    assert (await parked_message(rabbit, strange)).headers["x-first-death-queue"] == queue


async def test_a_parked_message_says_where_from_and_why(
    rabbit: Rabbit, transport: Transport, kind: str, queue: str
) -> None:
    bad = letters().encode()
    await transport.publish([message(kind, bad)])
    async with transport.consume(queue, 5) as deliveries:
        await (await take(deliveries)).park("cannot be read")
    found = await parked_message(rabbit, bad)
    assert found.headers["parked-from"] == queue
    assert found.headers["parked-because"] == "cannot be read"


async def test_a_consumer_that_the_broker_ends_is_started_again(
    rabbit: Rabbit, transport: Transport, kind: str, queue: str
) -> None:
    """Deleting the queue ends its consumers; ours declares it anew."""
    async with transport.consume(queue, 5) as deliveries:
        connection = await aio_pika.connect(rabbit.url)
        async with connection, connection.channel() as channel:
            await channel.queue_delete(queue)

        async def heard() -> bool:
            await transport.publish([message(kind, b"again")])
            await asyncio.sleep(0.05)
            return not deliveries._queue.empty()  # type: ignore[attr-defined]

        await eventually(heard)


async def test_the_watchdog_notices_a_consumer_that_was_lost_without_a_word(
    transport: Transport, kind: str, queue: str
) -> None:
    assert isinstance(transport, RabbitTransport)
    async with transport.consume(queue, 5) as deliveries:
        before = transport._consumer.epoch
        session = await transport._consumer.session()
        assert session._connection.transport is not None
        for channel in session._connection.transport.connection.channels.values():
            for tag in list(getattr(channel, "consumers", {})):
                await channel.basic_cancel(tag)  # type: ignore[union-attr]
        await eventually(lambda: transport._consumer.epoch > before)
        await transport.publish([message(kind, b"1")])
        assert await take_all(deliveries, 1) == [b"1"]


async def test_a_broker_that_freezes_does_not_freeze_us(
    rabbit: Rabbit,
    transport: Transport,
    kind: str,
    queue: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session_module, "PUBLISH_TIMEOUT", 0.5)
    async with transport.consume(queue, 5) as deliveries:
        with rabbit.frozen(), pytest.raises(BusUnavailable):
            await transport.publish([message(kind, b"into the ice")])
        await publish_when_back(transport, kind, b"afterwards")
        while True:
            [payload] = await take_all(deliveries, 1)
            if payload == b"afterwards":
                break


async def test_a_killed_broker_keeps_what_it_confirmed(
    rabbit: Rabbit, transport: Transport, kind: str, queue: str
) -> None:
    await eventually(lambda: rabbit.knows_on_disk(queue))
    await transport.publish([message(kind, b"%d" % number) for number in range(20)])
    rabbit.kill()
    await asyncio.to_thread(rabbit.start)
    expected = {b"%d" % number for number in range(20)}
    await publish_when_back(transport, kind, b"last")
    async with transport.consume(queue, 50) as deliveries:
        seen: set[bytes] = set()
        while not expected | {b"last"} <= seen:
            seen |= set(await take_all(deliveries, 1))
