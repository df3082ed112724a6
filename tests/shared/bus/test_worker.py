"""What a service gets from the bus: one effect per event and consumer, whatever goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from shared.bus import Relay, Subscription, Transport, list_parked, outbox, replay_parked
from shared.bus.events import encode
from shared.db import Connection
from tests.shared.bus.harness import (
    House,
    NotedBase,
    eventually,
    failing,
    has_effects,
    is_empty,
    message,
    subscribed,
    worker,
)


async def test_an_event_has_its_effect_and_leaves_nothing_behind(
    house: House, transport: Transport, relay: Relay
) -> None:
    async with worker(house, transport, subscribed(house)):
        await house.say("hello")
        await eventually(has_effects(house, "counter", "hello"))
        await eventually(is_empty(house, "outbox", "attempt", "parked"))
    assert await house.count("inbox") == 1


async def test_the_trace_of_the_request_reaches_the_handler(
    house: House, transport: Transport, relay: Relay
) -> None:
    seen: dict[str, Any] = {}

    async def handler(connection: Connection, event: NotedBase) -> None:
        seen.update(structlog.contextvars.get_contextvars())

    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with worker(house, transport, Subscription("tracer", house.Noted, handler)):
        with structlog.contextvars.bound_contextvars(traceparent=trace):
            [event] = await house.say("traced")
        await eventually(lambda: seen)
    assert seen["traceparent"] == trace
    assert seen["event_id"] == str(event.event_id)


async def test_an_event_delivered_twice_has_one_effect(
    house: House, transport: Transport, relay: Relay
) -> None:
    event = house.Noted(note="twice")
    last = house.Noted(note="last")
    async with worker(house, transport, subscribed(house)):
        await house.say("first")
        await eventually(has_effects(house, "counter", "first"))
        await transport.publish([encode(event), encode(event), encode(last)])
        await eventually(has_effects(house, "counter", "first", "twice", "last"))
    assert await house.count("inbox") == 3


async def test_two_deliveries_at_the_same_time_have_one_effect(
    house: House, transport: Transport
) -> None:
    finish = asyncio.Event()
    effect = house.effect("careful")

    async def careful(connection: Connection, event: NotedBase) -> None:
        await finish.wait()
        await effect(connection, event)

    async def second_waits_for_first() -> bool:
        return bool(await house.fetch("SELECT FROM pg_locks WHERE NOT granted"))

    event = house.Noted(note="once")
    subscription = Subscription("careful", house.Noted, careful, concurrency=2)
    async with worker(house, transport, subscription):
        await transport.publish([encode(event), encode(event)])
        await eventually(second_waits_for_first)
        finish.set()
        await transport.publish([encode(house.Noted(note="next"))])
        await eventually(has_effects(house, "careful", "once", "next"))
        await eventually(is_empty(house, "attempt"))


async def test_replicas_share_a_consumer(
    house: House, transport: Transport, process: Callable[[], Transport], relay: Relay
) -> None:
    notes = [f"{number}" for number in range(60)]
    one = worker(house, transport, subscribed(house, concurrency=3))
    two = worker(house, process(), subscribed(house, concurrency=3))
    async with one, two:
        await house.say(*notes)
        await eventually(has_effects(house, "counter", *notes))


async def test_a_failure_undoes_the_effect_and_is_tried_again(
    house: House, transport: Transport, relay: Relay
) -> None:
    async with worker(house, transport, failing(house, "clumsy", 3)):
        await house.say("in the end")
        await eventually(has_effects(house, "clumsy", "in the end"))
        await eventually(is_empty(house, "attempt", "parked"))


async def test_after_five_attempts_an_event_is_parked_with_its_reason(
    house: House, transport: Transport, relay: Relay
) -> None:
    async with worker(house, transport, failing(house, "clumsy", 5)):
        [event] = await house.say("given up")
        await eventually(lambda: house.count("parked"))
        async with house.database.connection() as connection:
            [parked] = await list_parked(connection, house.schema, 10)
        assert parked.consumer == "clumsy"
        assert parked.event_id == event.event_id
        assert parked.attempts == 5
        assert parked.reason == "NotFound: failure 5"
        assert house.Noted.model_validate_json(parked.payload) == event
        assert await house.effects("clumsy") == []
        assert await house.count("attempt") == 0


async def test_a_parked_event_is_not_handled_by_a_late_duplicate(
    house: House, transport: Transport, relay: Relay
) -> None:
    async with worker(house, transport, failing(house, "clumsy", 5)):
        [event] = await house.say("given up")
        await eventually(lambda: house.count("parked"))
        await transport.publish([encode(event), encode(house.Noted(note="next"))])
        await eventually(has_effects(house, "clumsy", "next"))
    assert await house.count("parked") == 1


async def test_a_replay_reaches_the_consumer_that_parked_it_and_no_other(
    house: House, transport: Transport, relay: Relay
) -> None:
    bystander = subscribed(house, "bystander")
    async with worker(house, transport, failing(house, "clumsy", 5), bystander):
        await house.say("given up")
        await eventually(lambda: house.count("parked"))
        await eventually(has_effects(house, "bystander", "given up"))
        # If the replay reached the bystander too, its inbox must not be what hides that.
        await house.fetch("DELETE FROM {schema}.inbox")
        async with house.database.transaction() as connection:
            [parked] = await list_parked(connection, house.schema)
            assert await replay_parked(connection, house.schema, [parked.id + 1]) == 0
            assert await replay_parked(connection, house.schema, [parked.id]) == 1
        await eventually(has_effects(house, "clumsy", "given up"))
        await house.say("next")
        await eventually(has_effects(house, "bystander", "given up", "next"))
    assert await house.count("parked") == 0


async def test_a_replay_of_everything_gives_five_new_attempts(
    house: House, transport: Transport, relay: Relay
) -> None:
    async with worker(house, transport, failing(house, "clumsy", 9)):
        await house.say("stubborn")
        await eventually(lambda: house.count("parked"))
        async with house.database.transaction() as connection:
            assert await replay_parked(connection, house.schema) == 1
        await eventually(has_effects(house, "clumsy", "stubborn"))


async def test_a_handler_that_hangs_or_fails_holds_up_no_other_consumer(
    house: House, transport: Transport, relay: Relay
) -> None:
    async def hang(connection: Connection, event: NotedBase) -> None:
        await asyncio.Event().wait()

    hanging = Subscription("hanging", house.Noted, hang)
    async with worker(
        house, transport, hanging, failing(house, "failing", 1_000), subscribed(house)
    ) as running:
        await house.say("a", "b", "c")
        await eventually(has_effects(house, "counter", "a", "b", "c"))
        await running.stop(grace=0.1)


async def test_a_handler_over_its_time_has_failed(
    house: House, transport: Transport, relay: Relay
) -> None:
    async def hang(connection: Connection, event: NotedBase) -> None:
        await asyncio.Event().wait()

    async with worker(house, transport, Subscription("slow", house.Noted, hang, timeout_s=0.05)):
        await house.say("too slow")
        await eventually(lambda: house.count("parked"))
        async with house.database.connection() as connection:
            [parked] = await list_parked(connection, house.schema)
        assert parked.reason.startswith("TimeoutError")


async def test_an_event_of_the_wrong_shape_is_parked_at_once(
    house: House, transport: Transport, relay: Relay
) -> None:
    async with worker(house, transport, subscribed(house)):
        await house.say("first")
        await eventually(has_effects(house, "counter", "first"))
        await transport.publish([message(house.Noted.kind, b'{"note": 7, "secret": "s3cret"}')])
        await eventually(lambda: house.count("parked"))
        async with house.database.connection() as connection:
            [parked] = await list_parked(connection, house.schema)
        assert parked.attempts == 0
        assert parked.reason == "note: Input should be a valid string"


@pytest.mark.parametrize("payload", [b"\xff\xfe", b"{", b"", b'"a\x00b"'])
async def test_what_is_not_json_is_put_aside_without_a_trace_in_our_tables(
    house: House, transport: Transport, relay: Relay, payload: bytes
) -> None:
    async with worker(house, transport, subscribed(house)):
        await house.say("first")
        await eventually(has_effects(house, "counter", "first"))
        await transport.publish([message(house.Noted.kind, payload)])
        await house.say("after")
        await eventually(has_effects(house, "counter", "first", "after"))
    assert await house.count("parked") == 0


async def test_what_a_handler_says_goes_out_with_its_effect(
    house: House, transport: Transport, relay: Relay
) -> None:
    effect = house.effect("echo")

    async def echo(connection: Connection, event: NotedBase) -> None:
        await effect(connection, event)
        if event.note == "call":
            await outbox.add(connection, house.Noted(note="answer"))

    async with worker(house, transport, Subscription("echo", house.Noted, echo)):
        await house.say("call")
        await eventually(has_effects(house, "echo", "call", "answer"))


async def test_two_subscriptions_of_one_name_are_refused(
    house: House, transport: Transport
) -> None:
    with pytest.raises(ValueError, match="same consumer name"):
        worker(house, transport, subscribed(house), subscribed(house))
