"""From the transaction to the transport: nothing lost, nothing said that did not happen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from functools import partial

import pytest

from shared.bus import (
    BusUnavailable,
    Message,
    Relay,
    Subscription,
    Transport,
    Worker,
    metrics,
    outbox,
)
from shared.bus import relay as relay_module
from tests.shared.bus.harness import (
    Broker,
    House,
    eventually,
    has_effects,
    is_empty,
    subscribed,
)


class Tape:
    """A transport of which only publishing is used: it notes, and does as it is told."""

    def __init__(self, real: Transport) -> None:
        self._real = real
        self.published: list[bytes] = []
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None

    async def publish(self, messages: Sequence[Message], *, queue: str | None = None) -> None:
        self.before()
        await self._real.publish(messages, queue=queue)
        self.published += [message.payload for message in messages]
        self.after()

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)


@pytest.fixture
def tape(transport: Transport) -> Tape:
    return Tape(transport)


@pytest.fixture
async def heard(house: House, transport: Transport) -> AsyncIterator[Subscription]:  # type: ignore[type-arg]
    """Keep a consumer running, so that the events have somewhere to go."""
    subscription = subscribed(house)
    async with Worker(house.database, house.schema, transport, [subscription]):
        yield subscription


def relay_of(house: House, tape: Tape) -> Relay:
    return Relay(house.database, house.schema, tape)  # type: ignore[arg-type]


async def test_what_is_rolled_back_is_never_said(house: House, tape: Tape, heard: object) -> None:
    async with relay_of(house, tape):
        with suppress(ZeroDivisionError):
            async with house.database.transaction() as connection:
                await outbox.add(connection, house.Noted(note="never"))
                raise ZeroDivisionError
        await house.say("really")
        await eventually(has_effects(house, "counter", "really"))
    assert len(tape.published) == 1


async def test_a_commit_rings_the_bell(
    house: House, tape: Tape, heard: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "POLL", 3_600.0)
    stopped = relay_of(house, tape)
    await stopped.start()
    await stopped.stop()
    async with relay_of(house, tape):
        for note in ("1", "2", "3"):
            await house.say(note)
            await eventually(partial(was_said, tape, note))


def was_said(tape: Tape, note: str) -> bool:
    return any(f'"{note}"'.encode() in payload for payload in tape.published)


async def test_a_commit_without_events_does_not_make_the_relay_look(
    house: House, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "POLL", 3_600.0)
    looks = 0
    claim = outbox.claim

    async def counting(*arguments: object, **options: object) -> object:
        nonlocal looks
        looks += 1
        return await claim(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(outbox, "claim", counting)
    async with relay_of(house, tape):
        await eventually(lambda: looks == 1)
        for _ in range(20):
            async with house.database.transaction() as connection:
                await connection.execute("SELECT 1")
        await house.say("something")
        await eventually(lambda: tape.published)
    assert looks <= 4


async def test_a_slow_transaction_is_not_skipped(house: House, tape: Tape, heard: object) -> None:
    """Its row has the lower number and becomes visible last."""
    async with relay_of(house, tape):
        async with house.database.transaction() as connection:
            await outbox.add(connection, house.Noted(note="slow"))
            await house.say("quick")
            await eventually(has_effects(house, "counter", "quick"))
        await eventually(has_effects(house, "counter", "quick", "slow"))


async def test_events_keep_their_order_across_batches(
    house: House, tape: Tape, heard: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "BATCH", 7)
    notes = [f"{number}" for number in range(100)]
    await house.say(*notes)
    async with relay_of(house, tape):
        await eventually(has_effects(house, "counter", *notes))
    assert await house.effects("counter") == notes


async def test_two_relays_share_an_outbox(
    house: House, transport: Transport, heard: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "BATCH", 5)
    notes = [f"{number}" for number in range(100)]
    await house.say(*notes)
    tapes = [Tape(transport), Tape(transport)]
    async with relay_of(house, tapes[0]), relay_of(house, tapes[1]):
        await eventually(has_effects(house, "counter", *notes))
        await eventually(is_empty(house, "outbox"))
    assert len(tapes[0].published) + len(tapes[1].published) == 100


async def test_what_one_relay_is_claiming_another_neither_takes_nor_waits_for(
    house: House,
) -> None:
    await house.say("1", "2", "3")
    async with house.database.transaction() as one, house.database.transaction() as two:
        async with asyncio.timeout(60):
            first = await outbox.claim(one, house.schema, 2, 30)
            second = await outbox.claim(two, house.schema, 2, 30)
    assert [row.id for row in first + second] == [1, 2, 3]


async def test_a_relay_that_dies_after_publishing_has_its_events_said_again_with_one_effect(
    house: House, tape: Tape, heard: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "CLAIM", 0.5)
    dying = relay_of(house, tape)
    died = asyncio.Event()

    def die() -> None:
        died.set()
        raise asyncio.CancelledError

    tape.after = die
    await house.say("twice")
    await dying.start()
    await eventually(died.is_set)
    await dying.stop()
    assert await house.count("outbox") == 1
    tape.after = lambda: None
    async with relay_of(house, tape):
        await eventually(is_empty(house, "outbox"))
    assert len(tape.published) == 2
    await eventually(has_effects(house, "counter", "twice"))
    assert await house.count("inbox") == 1


async def test_what_cannot_be_published_is_released_and_said_later(
    house: House, tape: Tape, heard: object
) -> None:
    failures = 0

    def fail() -> None:
        nonlocal failures
        if failures < 3:
            failures += 1
            raise BusUnavailable

    tape.before = fail
    async with relay_of(house, tape):
        await house.say("in the end")
        await eventually(has_effects(house, "counter", "in the end"))
        await eventually(is_empty(house, "outbox"))
    assert failures == 3


async def test_an_error_of_our_own_does_not_end_the_relay(
    house: House, tape: Tape, heard: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "CLAIM", 0.2)
    surprises = iter([ZeroDivisionError("surprise")])

    def surprise() -> None:
        for error in surprises:
            raise error

    tape.before = surprise
    async with relay_of(house, tape):
        await house.say("anyway")
        await eventually(has_effects(house, "counter", "anyway"))


async def test_a_stopped_relay_finishes_its_batch(house: House, tape: Tape) -> None:
    relay = relay_of(house, tape)
    published = asyncio.Event()
    tape.after = published.set
    await house.say("last")
    await relay.start()
    await eventually(published.is_set)
    await relay.stop(grace=30)
    assert await house.count("outbox") == 0


async def test_the_broker_may_be_away_from_the_start(
    house: House, broker: Broker, process: Callable[[], Transport]
) -> None:
    await broker.stop()
    transport = process()
    consumer = Worker(house.database, house.schema, transport, [subscribed(house)])
    try:
        await consumer.start()
        await house.say("early")
    finally:
        await broker.start()
    try:
        # The queue has to be there before the event is said, as everywhere.
        await eventually(lambda: declared(transport, house))
        async with Relay(house.database, house.schema, transport):
            await eventually(has_effects(house, "counter", "early"))
    finally:
        await consumer.stop()


async def declared(transport: Transport, house: House) -> bool:
    try:
        await transport.declare(f"{house.schema}.counter", [house.Noted.kind])
    except BusUnavailable:
        return False
    return True


async def test_the_depth_of_the_outbox_and_what_is_published_are_counted(
    house: House, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "DEPTH_INTERVAL", 0.0)
    await house.say("1", "2")
    depth = metrics.OUTBOX_DEPTH.labels(house.schema)
    published = metrics.PUBLISHED.labels(house.schema, house.Noted.kind)
    seen: list[float] = []
    tape.before = lambda: seen.append(depth._value.get())
    async with relay_of(house, tape):
        await eventually(lambda: published._value.get() == 2)
    assert seen[0] == 2
