"""Workers that stop, processes that die, databases and brokers that go away."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from shared.bus import Relay, Subscription, Transport
from shared.bus.events import encode
from shared.db import Connection
from tests.shared.bus.harness import (
    Broker,
    House,
    NotedBase,
    eventually,
    has_effects,
    is_empty,
    subscribed,
    worker,
)


async def test_an_idle_worker_stops_at_once(house: House, transport: Transport) -> None:
    running = worker(house, transport, subscribed(house, concurrency=3))
    await running.start()
    await eventually(lambda: len(running._idle) == 3)
    async with asyncio.timeout(60):
        await running.stop(grace=3_600)


async def test_stopping_finishes_the_work_in_hand_and_takes_no_more(
    house: House, transport: Transport, relay: Relay
) -> None:
    started, finish = asyncio.Event(), asyncio.Event()
    effect = house.effect("careful")

    async def careful(connection: Connection, event: NotedBase) -> None:
        started.set()
        await finish.wait()
        await effect(connection, event)

    subscription = Subscription("careful", house.Noted, careful)
    first = worker(house, transport, subscription)
    await first.start()
    await house.say("in hand", "waiting")
    await eventually(started.is_set)
    stopping = asyncio.create_task(first.stop(grace=30))
    finish.set()
    await stopping
    assert len(await house.effects("careful")) == 1
    async with worker(house, transport, subscription):
        await eventually(has_effects(house, "careful", "in hand", "waiting"))


async def test_work_that_outlasts_the_grace_is_given_back(
    house: House, transport: Transport, relay: Relay
) -> None:
    started = asyncio.Event()

    async def hang(connection: Connection, event: NotedBase) -> None:
        started.set()
        await asyncio.Event().wait()

    first = worker(house, transport, Subscription("counter", house.Noted, hang))
    await first.start()
    await house.say("interrupted")
    await eventually(started.is_set)
    await first.stop(grace=0.05)
    async with worker(house, transport, subscribed(house)):
        await eventually(has_effects(house, "counter", "interrupted"))


async def test_a_database_that_is_away_costs_no_attempt(
    house: House, transport: Transport, relay: Relay
) -> None:
    async with worker(house, transport, subscribed(house)):
        await house.say("before")
        await eventually(has_effects(house, "counter", "before"))
        await relay.stop()
        await house.switch(on=False)
        try:
            late = house.Noted(note="meanwhile")
            await transport.publish([encode(late)])
        finally:
            await house.switch(on=True)
        await eventually(lambda: has_effects_now(house, "before", "meanwhile"))
    assert await house.count("parked") == 0


async def has_effects_now(house: House, *notes: str) -> bool:
    return sorted(await house.effects("counter")) == sorted(notes)


async def test_a_broker_that_goes_away_and_comes_back_needs_no_hand(
    house: House, broker: Broker, transport: Transport, relay: Relay
) -> None:
    async with worker(house, transport, subscribed(house, concurrency=2)):
        await house.say("before")
        await eventually(has_effects(house, "counter", "before"))
        said = ["before"]
        stopping = asyncio.create_task(broker.stop())
        for number in range(50):
            said.append(f"{number}")
            await house.say(said[-1])
        await stopping
        await house.say("while away")
        await broker.start()
        await house.say("afterwards")
        await eventually(has_effects(house, "counter", *said, "while away", "afterwards"))
        await eventually(is_empty(house, "outbox"))


@pytest.mark.slow
async def test_an_event_that_kills_its_process_is_parked_too(
    house: House, broker: Broker, transport: Transport, relay: Relay
) -> None:
    await transport.declare(f"{house.schema}.crasher", [house.Noted.kind])
    await house.say("poison")
    command = (sys.executable, "-m", "tests.shared.bus.crashing", "handle", broker.url)
    for crash in range(5):
        crashing = await asyncio.create_subprocess_exec(
            *command, house.admin, house.schema, env={**os.environ}
        )
        async with asyncio.timeout(60):
            assert await crashing.wait() == -9
        [row] = await house.fetch("TABLE {schema}.attempt")
        assert row["attempts"] == crash + 1
    async with worker(house, transport, subscribed(house, "crasher")):
        await eventually(lambda: house.count("parked"))
    [row] = await house.fetch("TABLE {schema}.parked")
    assert row["attempts"] == 5
    assert await house.effects("crasher") == []
