"""Broadcasts: heard by every process that listens, with no database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar

import pytest

from shared.bus import BroadcastSubscription, Event, Listener, Transport
from shared.bus.broadcast import PREFETCH
from shared.bus.events import encode
from tests.shared.bus.harness import Broker, eventually, letters, message
from tests.shared.bus.test_transport import publish_when_back


@pytest.fixture
def revoked() -> type[Event]:
    class Revoked(Event):
        kind: ClassVar[str] = f"{letters()}.revoked.v1"
        publisher: ClassVar[str] = "auth"

    return Revoked


def listener(
    transport: Transport, revoked: type[Event], heard: list[Event], **options: Callable[[], None]
) -> Listener:
    async def handler(event: Event) -> None:
        if not heard:
            heard.append(event)
            raise RuntimeError("the first is not handled well")
        heard.append(event)

    subscription = BroadcastSubscription(revoked, handler)
    return Listener(transport, "gateway", [subscription], on_gap=options.get("on_gap"))


async def listening(*listeners: Listener) -> None:
    async with asyncio.timeout(60):
        await asyncio.gather(*(each.listening() for each in listeners))


async def test_every_listener_hears_every_event_and_survives_a_bad_one(
    transport: Transport, process: Callable[[], Transport], revoked: type[Event]
) -> None:
    heard: list[list[Event]] = [[], []]
    one = listener(transport, revoked, heard[0])
    two = listener(process(), revoked, heard[1])
    async with one, two:
        await listening(one, two)
        events = [revoked(), revoked()]
        await transport.publish([message(revoked.kind, b"not json")])
        await transport.publish([encode(event) for event in events])
        await eventually(lambda: heard == [events, events])


async def test_more_is_heard_than_is_taken_at_a_time(
    transport: Transport, revoked: type[Event]
) -> None:
    heard: list[Event] = []
    one = listener(transport, revoked, heard)
    async with one:
        await listening(one)
        events = [revoked() for _ in range(2 * PREFETCH + 1)]
        await transport.publish([encode(event) for event in events])
        await eventually(lambda: heard == events)


async def test_a_listener_comes_back_with_its_broker_and_says_that_it_was_away(
    broker: Broker, transport: Transport, revoked: type[Event]
) -> None:
    heard: list[Event] = []
    gaps: list[None] = []
    one = listener(transport, revoked, heard, on_gap=lambda: gaps.append(None))
    async with one:
        await listening(one)
        await broker.stop()
        await broker.start()
        if broker.url.startswith("amqp"):
            await eventually(lambda: gaps)
        await publish_when_back(transport, revoked.kind, revoked().model_dump_json().encode())
        await eventually(lambda: heard)


async def test_a_listener_may_start_before_its_broker(
    broker: Broker, process: Callable[[], Transport], revoked: type[Event]
) -> None:
    heard: list[Event] = []
    await broker.stop()
    transport = process()
    early = listener(transport, revoked, heard)
    try:
        await early.start()
    finally:
        await broker.start()
    try:
        await listening(early)
        event = revoked()
        await transport.publish([encode(event)])
        await eventually(lambda: heard == [event])
    finally:
        await early.stop()


async def test_two_subscriptions_to_one_kind_are_refused(
    transport: Transport, revoked: type[Event]
) -> None:
    async def handler(event: Event) -> None:
        raise AssertionError

    twice = [BroadcastSubscription(revoked, handler)] * 2
    with pytest.raises(ValueError, match="same kind"):
        Listener(transport, "gateway", twice)
