"""What only the PostgreSQL transport has: leases, a bell that may fall silent, sweeping."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.bus.postgres import PostgresTransport
from tests.shared.bus.harness import Broker, eventually, letters, message, new_kind, postgres_broker
from tests.shared.bus.test_transport import take, take_all
from tests.support.postgres import DatabaseServer

KIND = new_kind()
QUEUE = f"{letters()}.consumer"


@pytest.fixture
async def broker(database_server: DatabaseServer) -> AsyncIterator[Broker]:
    async with postgres_broker(database_server) as broker:
        yield broker


@pytest.fixture
async def impatient(broker: Broker) -> AsyncIterator[PostgresTransport]:
    transport = PostgresTransport(broker.url, lease_s=0.6, poll_s=0.05)
    await transport.declare(QUEUE, [KIND])
    yield transport
    await transport.close()


async def test_a_long_handler_keeps_its_lease(broker: Broker, impatient: PostgresTransport) -> None:
    """Renewed three times a lease; only its silence gives the work to another."""
    other = PostgresTransport(broker.url, poll_s=0.05)
    await other.declare(QUEUE, [KIND])
    await impatient.publish([message(KIND, b"held")])
    leases: set[object] = set()

    async def lease_moved() -> bool:
        [row] = await other.execute("SELECT available_at FROM bus.delivery")
        leases.add(row["available_at"])
        return len(leases) >= 6

    async with impatient.consume(QUEUE, 5) as mine, other.consume(QUEUE, 5) as theirs:
        held = await take(mine)
        await eventually(lease_moved)
        await held.ack()
        await impatient.publish([message(KIND, b"next")])
        taken = asyncio.ensure_future(anext(theirs))
        also = asyncio.ensure_future(anext(mine))
        done, pending = await asyncio.wait(
            {taken, also}, timeout=60, return_when=asyncio.FIRST_COMPLETED
        )
        assert [task.result().message.payload for task in done] == [b"next"]
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
    await other.close()


async def test_what_is_given_back_need_not_wait_for_its_lease(broker: Broker) -> None:
    patient = PostgresTransport(broker.url, lease_s=3_600)
    await patient.declare(QUEUE, [KIND])
    await patient.publish([message(KIND, b"given back")])
    async with patient.consume(QUEUE, 5) as deliveries:
        await take(deliveries)
    async with patient.consume(QUEUE, 5) as deliveries:
        assert await take_all(deliveries, 1) == [b"given back"]
    await patient.close()


async def test_the_poll_finds_what_no_bell_announced(impatient: PostgresTransport) -> None:
    async with impatient.consume(QUEUE, 5) as deliveries:
        await impatient.publish([message(KIND, b"rung")])
        assert await take_all(deliveries, 1) == [b"rung"]
        await impatient.execute(
            "INSERT INTO bus.delivery (queue, event_id, kind, occurred_at, payload)"
            " VALUES ($1, gen_random_uuid(), $2, now(), 'silent')",
            QUEUE,
            KIND,
        )
        assert await take_all(deliveries, 1) == [b"silent"]


async def test_parked_rows_stay_with_their_reason(impatient: PostgresTransport) -> None:
    await impatient.publish([message(KIND, b"bad")])
    async with impatient.consume(QUEUE, 5) as deliveries:
        await (await take(deliveries)).park("cannot be read")
    [row] = await impatient.execute("SELECT * FROM bus.delivery")
    assert (row["payload"], row["reason"]) == (b"bad", "cannot be read")
    assert row["parked_at"] is not None


async def test_acknowledged_rows_are_gone(impatient: PostgresTransport) -> None:
    await impatient.publish([message(KIND, b"%d" % number) for number in range(50)])
    async with impatient.consume(QUEUE, 8) as deliveries:
        await take_all(deliveries, 50)
    assert await impatient.execute("SELECT FROM bus.delivery") == []


async def test_a_dead_process_leaves_no_broadcast_queue(
    broker: Broker, impatient: PostgresTransport
) -> None:
    dead = PostgresTransport(broker.url)
    await dead.declare("listener", [KIND], broadcast=True)
    await impatient.publish([message(KIND, b"for both")])
    await impatient.execute(
        "UPDATE bus.queue SET expires_at = now() - interval '1 second' WHERE expires_at IS NOT NULL"
    )
    await impatient._sweep()
    assert [row["name"] for row in await impatient.execute("SELECT name FROM bus.queue")] == [QUEUE]
    left = await impatient.execute("SELECT queue FROM bus.delivery")
    assert [row["queue"] for row in left] == [QUEUE]
    await dead.close()


async def test_a_listener_whose_queue_was_swept_is_told_and_hears_again(
    broker: Broker, impatient: PostgresTransport
) -> None:
    gaps: list[None] = []
    await impatient.declare("listener", [KIND], broadcast=True)
    async with impatient.consume("listener", 5, on_gap=lambda: gaps.append(None)) as deliveries:
        await impatient.execute("DELETE FROM bus.queue WHERE expires_at IS NOT NULL")
        await impatient._show_life()
        assert len(gaps) == 1
        await impatient.publish([message(KIND, b"again")])
        assert await take_all(deliveries, 1) == [b"again"]


async def test_a_broadcast_queue_that_is_not_consumed_does_not_fill(
    broker: Broker, impatient: PostgresTransport
) -> None:
    await impatient.declare("listener", [KIND], broadcast=True)
    for _ in range(2):
        async with impatient.consume("listener", 5):
            assert len(await impatient.execute("SELECT FROM bus.queue")) == 2
        await impatient._show_life()
        queues = await impatient.execute("SELECT name FROM bus.queue")
        assert [row["name"] for row in queues] == [QUEUE]


async def test_closing_takes_the_broadcast_queue_along(
    broker: Broker, impatient: PostgresTransport
) -> None:
    leaving = PostgresTransport(broker.url)
    await leaving.declare("listener", [KIND], broadcast=True)
    await leaving.close()
    queues = await impatient.execute("SELECT name FROM bus.queue")
    assert [row["name"] for row in queues] == [QUEUE]
