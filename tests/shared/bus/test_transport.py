"""What both transports promise, proven on both."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.bus import BusUnavailable, Delivery, Transport, connect
from tests.shared.bus.harness import Broker, eventually, letters, message, new_kind

Process: TypeAlias = Callable[[], Transport]


async def take(deliveries: AsyncIterator[Delivery]) -> Delivery:
    async with asyncio.timeout(60):
        return await anext(deliveries)


async def take_all(deliveries: AsyncIterator[Delivery], count: int) -> list[bytes]:
    payloads = []
    for _ in range(count):
        delivery = await take(deliveries)
        payloads.append(delivery.message.payload)
        await delivery.ack()
    return payloads


async def publish_when_back(transport: Transport, kind: str, payload: bytes) -> None:
    """Publish as the relay does: again, until the bus has it."""

    async def published() -> bool:
        try:
            await transport.publish([message(kind, payload)])
        except BusUnavailable:
            return False
        return True

    await eventually(published)


@pytest.fixture
def kind() -> str:
    return new_kind()


@pytest.fixture
async def queue(transport: Transport, kind: str) -> AsyncIterator[str]:
    name = f"{letters()}.consumer"
    await transport.declare(name, [kind])
    yield name
    await transport.remove(name)


async def test_a_message_arrives_as_it_was_published(
    transport: Transport, kind: str, queue: str
) -> None:
    sent = message(kind, b'{"a": "\xc3\xa9"}')
    async with transport.consume(queue, 10) as deliveries:
        await transport.publish([sent])
        delivery = await take(deliveries)
        assert delivery.message == sent
        await delivery.ack()


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(payloads=st.lists(st.binary(max_size=300), min_size=1, max_size=20))
async def test_any_bytes_arrive_once_and_in_order_at_a_lone_consumer(
    transport: Transport, kind: str, queue: str, payloads: list[bytes]
) -> None:
    async with transport.consume(queue, 7) as deliveries:
        await transport.publish([message(kind, payload) for payload in payloads])
        assert await take_all(deliveries, len(payloads)) == payloads


async def test_a_large_payload_arrives(transport: Transport, kind: str, queue: str) -> None:
    payload = b"0123456789" * 300_000
    await transport.publish([message(kind, payload)])
    async with transport.consume(queue, 1) as deliveries:
        assert await take_all(deliveries, 1) == [payload]


async def test_every_bound_queue_gets_its_own_copy(
    transport: Transport, kind: str, queue: str
) -> None:
    other = f"{letters()}.consumer"
    await transport.declare(other, [kind])
    try:
        await transport.publish([message(kind, b"1"), message(kind, b"2")])
        async with transport.consume(queue, 5) as one, transport.consume(other, 5) as two:
            assert await take_all(one, 2) == [b"1", b"2"]
            assert await take_all(two, 2) == [b"1", b"2"]
    finally:
        await transport.remove(other)


async def test_a_kind_that_nobody_is_bound_to_is_dropped(
    transport: Transport, kind: str, queue: str
) -> None:
    await transport.publish([message(new_kind(), b"unheard"), message(kind, b"heard")])
    async with transport.consume(queue, 5) as deliveries:
        assert await take_all(deliveries, 1) == [b"heard"]


async def test_declaring_adds_kinds_and_may_be_repeated(
    transport: Transport, kind: str, queue: str
) -> None:
    second = new_kind()
    await transport.declare(queue, [second])
    await transport.declare(queue, [second])
    await transport.publish([message(kind, b"1"), message(second, b"2")])
    async with transport.consume(queue, 5) as deliveries:
        assert await take_all(deliveries, 2) == [b"1", b"2"]


async def test_competing_consumers_share_the_work(
    transport: Transport, process: Process, kind: str, queue: str
) -> None:
    sibling = process()
    await sibling.declare(queue, [kind])
    taken: list[bytes] = []

    async def consume(each: Transport) -> None:
        async with each.consume(queue, 2) as deliveries:
            async for delivery in deliveries:
                taken.append(delivery.message.payload)
                await delivery.ack()

    payloads = [b"%d" % number for number in range(100)]
    workers = [asyncio.create_task(consume(each)) for each in (transport, sibling)]
    await transport.publish([message(kind, payload) for payload in payloads])
    await eventually(lambda: len(taken) >= 100)
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    assert Counter(taken) == Counter(payloads)


async def test_no_more_than_the_prefetch_is_taken(
    transport: Transport, process: Process, kind: str, queue: str
) -> None:
    """What the first consumer may not hold, the second gets."""
    sibling = process()
    await sibling.declare(queue, [kind])
    await transport.publish([message(kind, b"%d" % number) for number in range(5)])
    async with transport.consume(queue, 3) as greedy:
        held = [await take(greedy) for _ in range(3)]
        async with sibling.consume(queue, 10) as other:
            rest = await take_all(other, 2)
        assert {b"0", b"1", b"2", b"3", b"4"} == {d.message.payload for d in held} | set(rest)
        for delivery in held:
            await delivery.ack()


async def test_what_is_not_settled_goes_back_when_the_context_is_left(
    transport: Transport, process: Process, kind: str, queue: str
) -> None:
    await transport.publish([message(kind, b"1"), message(kind, b"2")])
    async with transport.consume(queue, 5) as deliveries:
        await (await take(deliveries)).ack()
        await take(deliveries)
    sibling = process()
    await sibling.declare(queue, [kind])
    async with sibling.consume(queue, 5) as deliveries:
        assert await take_all(deliveries, 1) == [b"2"]


async def test_what_is_acknowledged_does_not_come_back(
    transport: Transport, kind: str, queue: str
) -> None:
    await transport.publish([message(kind, b"1")])
    async with transport.consume(queue, 5) as deliveries:
        await take_all(deliveries, 1)
    await transport.publish([message(kind, b"2")])
    async with transport.consume(queue, 5) as deliveries:
        assert await take_all(deliveries, 1) == [b"2"]


async def test_a_crashed_process_leaves_its_work_to_others(
    broker: Broker, transport: Transport, kind: str, queue: str
) -> None:
    await transport.publish([message(kind, b"1")])
    crashing = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.shared.bus.crashing", "take", broker.url, queue, kind),
        stdout=asyncio.subprocess.PIPE,
    )
    assert crashing.stdout is not None
    async with asyncio.timeout(60):
        assert await crashing.stdout.readline() == b"taken\n"
    crashing.send_signal(signal.SIGKILL)
    await crashing.wait()
    async with transport.consume(queue, 5) as deliveries:
        assert await take_all(deliveries, 1) == [b"1"]


async def test_a_retry_comes_back_after_its_delay_and_lets_others_pass(
    transport: Transport, kind: str, queue: str
) -> None:
    now = asyncio.get_running_loop().time
    async with transport.consume(queue, 1) as deliveries:
        await transport.publish([message(kind, b"first")])
        delivery = await take(deliveries)
        put_off = now()
        await delivery.retry(1.0)
        await transport.publish([message(kind, b"second")])
        assert await take_all(deliveries, 2) == [b"second", b"first"]
        assert now() - put_off >= 0.99


async def test_a_retry_comes_back_to_its_own_queue_alone(
    transport: Transport, kind: str, queue: str
) -> None:
    other = f"{letters()}.consumer"
    await transport.declare(other, [kind])
    try:
        async with transport.consume(queue, 5) as one, transport.consume(other, 5) as two:
            sent = message(kind, b"1")
            await transport.publish([sent])
            assert await take_all(two, 1) == [b"1"]
            await (await take(one)).retry(0.1)
            again = await take(one)
            assert again.message == sent
            await again.ack()
            await transport.publish([message(kind, b"2")])
            assert await take_all(two, 1) == [b"2"]
    finally:
        await transport.remove(other)


async def test_what_is_parked_is_out_of_the_queue(
    transport: Transport, kind: str, queue: str
) -> None:
    await transport.publish([message(kind, b"bad"), message(kind, b"good")])
    async with transport.consume(queue, 5) as deliveries:
        await (await take(deliveries)).park("cannot be read")
        assert await take_all(deliveries, 1) == [b"good"]
    await transport.publish([message(kind, b"next")])
    async with transport.consume(queue, 5) as deliveries:
        assert await take_all(deliveries, 1) == [b"next"]


async def test_a_directed_message_goes_to_one_queue_that_need_not_exist_yet(
    transport: Transport, kind: str, queue: str
) -> None:
    fresh = f"{letters()}.consumer"
    await transport.publish([message(kind, b"directed")], queue=fresh)
    await transport.publish([message(kind, b"for all")])
    await transport.declare(fresh, [new_kind()])
    async with transport.consume(queue, 5) as other, transport.consume(fresh, 5) as own:
        assert await take_all(own, 1) == [b"directed"]
        assert await take_all(other, 1) == [b"for all"]
    await transport.remove(fresh)


async def test_a_removed_queue_gets_nothing_more(transport: Transport, kind: str) -> None:
    name = f"{letters()}.consumer"
    await transport.declare(name, [kind])
    await transport.publish([message(kind, b"before")])
    await transport.remove(name)
    await transport.publish([message(kind, b"between")])
    await transport.declare(name, [kind])
    await transport.publish([message(kind, b"after")])
    async with transport.consume(name, 5) as deliveries:
        assert await take_all(deliveries, 1) == [b"after"]
    await transport.remove(name)


async def test_every_process_hears_a_broadcast_from_when_it_listens(
    transport: Transport, process: Process, kind: str, queue: str
) -> None:
    one, two = process(), process()
    for each in (one, two):
        await each.declare("listener", [kind], broadcast=True)
    async with one.consume("listener", 10) as first:
        await transport.publish([message(kind, b"1")])
        assert await take_all(first, 1) == [b"1"]
    async with one.consume("listener", 10) as first, two.consume("listener", 10) as second:
        await transport.publish([message(kind, b"2")])
        assert await take_all(first, 1) == [b"2"]
        heard = await take_all(second, 1)
        # It may also get what was said since it was declared, but only once.
        if heard == [b"1"]:
            heard = await take_all(second, 1)
        assert heard == [b"2"]
    async with transport.consume(queue, 5) as work:
        assert await take_all(work, 2) == [b"1", b"2"]


async def test_a_broadcast_that_nobody_listens_to_is_not_kept_for_who_listens_later(
    transport: Transport, kind: str
) -> None:
    await transport.declare("listener", [kind], broadcast=True)
    async with transport.consume("listener", 10) as deliveries:
        await transport.publish([message(kind, b"1")])
        assert await take_all(deliveries, 1) == [b"1"]
    await transport.publish([message(kind, b"unheard")])
    async with transport.consume("listener", 10) as deliveries:
        await transport.publish([message(kind, b"2")])
        assert await take_all(deliveries, 1) == [b"2"]


async def test_a_broker_that_goes_away_and_comes_back_loses_nothing(
    broker: Broker, transport: Transport, kind: str, queue: str
) -> None:
    async with transport.consume(queue, 5) as deliveries:
        await transport.publish([message(kind, b"held"), message(kind, b"waiting")])
        held = await take(deliveries)
        await broker.stop()
        try:
            with pytest.raises(BusUnavailable):
                await transport.publish([message(kind, b"refused")])
            with pytest.raises(BusUnavailable):
                await transport.ping()
            # Settling what came before does not raise; it comes back instead.
            await held.retry(0.1)
        finally:
            await broker.start()
        await publish_when_back(transport, kind, b"afterwards")
        seen: set[bytes] = set()
        while not {b"held", b"waiting", b"afterwards"} <= seen:
            delivery = await take(deliveries)
            seen.add(delivery.message.payload)
            await delivery.ack()
        await transport.ping()


async def test_a_process_may_start_before_its_broker(
    broker: Broker, process: Process, kind: str
) -> None:
    await broker.stop()
    try:
        early = process()
        with pytest.raises(BusUnavailable):
            await early.declare(f"{letters()}.consumer", [kind])
    finally:
        await broker.start()
    await publish_when_back(early, kind, b"{}")


async def test_a_wrong_scheme_or_name_is_refused() -> None:
    with pytest.raises(ValueError, match="redis"):
        await connect("redis://localhost")


async def test_an_overlong_queue_name_is_refused(transport: Transport, kind: str) -> None:
    with pytest.raises(ValueError, match="100 characters"):
        await transport.declare("x" * 101, [kind])
