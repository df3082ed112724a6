from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from gateway.upstream.breaker import State, Trip
from tests.gateway.conftest import until
from tests.gateway.fake_service import Asked, Behaviour, answering, echo, plain
from tests.gateway.replicas import (
    PATH,
    Replicas,
    by_path,
    closes,
    held,
    limits,
    replicas,
    silent,
)

TRIP = Trip(faults=3, pause=0.05, longest=60, jitter=0)


async def give_up(built: Replicas, bad: Behaviour = closes) -> None:
    """Let the only address make trouble until it is given up."""
    built.services[0].behave = bad
    while built.breaker().state is State.CLOSED:
        await built.ask("POST")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_exactly_one_probe(method: str) -> None:
    async with replicas(1, limits(trip=TRIP)) as built:
        service = built.services[0]
        await give_up(built)
        assert len(service.asked) == 3
        release = asyncio.Event()
        service.behave = held(release, echo)
        service.asked.clear()
        await until(built.is_due)
        probe = asyncio.create_task(built.ask(method))
        await until(lambda: service.asked)
        assert built.upstream.states() == (State.HALF_OPEN,)
        for _ in range(3):
            answers = await asyncio.gather(*(built.ask(method) for _ in range(10)))
            assert {answer.status_code for answer in answers} == {503}
            assert {answer.headers["retry-after"] for answer in answers} == {"1"}
        assert len(service.asked) == 1
        release.set()
        assert (await probe).status_code == 200
        assert built.upstream.states() == (State.CLOSED,)
        assert await built.crowd(10, method) == {200: 10}


async def test_crowd_sends_one_probe() -> None:
    async with replicas(1, limits(trip=TRIP)) as built:
        service = built.services[0]
        await give_up(built)
        service.behave = silent
        service.asked.clear()
        await until(built.is_due)
        tasks = [asyncio.create_task(built.ask()) for _ in range(20)]
        await until(lambda: sum(task.done() for task in tasks) == 19)
        assert len(service.asked) == 1
        service.hang_up()
        answers = await asyncio.gather(*tasks)
        assert Counter(answer.status_code for answer in answers) == {502: 1, 503: 19}
        assert built.breaker().state is State.OPEN
        assert built.breaker().opened == 2


async def test_probe_of_a_caller_who_leaves_makes_room() -> None:
    async with replicas(1, limits(trip=TRIP)) as built:
        service = built.services[0]
        await give_up(built)
        service.behave = silent
        service.asked.clear()
        await until(built.is_due)
        probe = asyncio.create_task(built.ask())
        await until(lambda: service.asked)
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
        await until(lambda: built.breaker().state is State.OPEN)
        service.behave = echo
        assert (await built.ask()).status_code == 200
        assert built.breaker().state is State.CLOSED


async def test_long_answer_is_a_verdict_before_its_end() -> None:
    async with replicas(1, limits(trip=TRIP)) as built:
        service = built.services[0]
        await give_up(built)
        release = asyncio.Event()

        async def behave(
            asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlo")
            await release.wait()
            writer.write(b"ng")

        service.behave = behave
        await until(built.is_due)
        probe = asyncio.create_task(built.ask())
        await until(lambda: built.breaker().state is State.CLOSED)
        assert not probe.done()
        release.set()
        assert (await probe).content == b"long"


async def test_probe_is_what_can_be_sent_again_while_another_address_works() -> None:
    async with replicas(given=limits(trip=TRIP)) as built:
        bad, good = built.services
        bad.behave = closes
        while built.breaker().state is State.CLOSED:
            await built.ask()
        await until(built.is_due)
        built.upstream.note()
        bad.asked.clear()
        for _ in range(10):
            assert (await built.ask("POST")).status_code == 200
        assert not bad.asked
        opened = built.breaker().opened
        assert (await built.ask("GET")).status_code == 200
        assert len(bad.asked) == 1
        assert built.breaker().opened == opened + 1
        await until(built.is_due)
        built.upstream.note()
        bad.behave = echo
        await built.ask("GET")
        assert built.upstream.states() == (State.CLOSED, State.CLOSED)
        assert len(good.asked) > 10


async def test_probe_does_not_take_a_connection_that_was_kept() -> None:
    async with replicas(1, limits(trip=TRIP)) as built:
        service = built.services[0]
        service.behave = by_path(closes, echo)
        await built.ask()
        release = asyncio.Event()
        service.behave = by_path(closes, held(release, echo))
        first = asyncio.create_task(built.ask())  # has the kept connection
        await until(lambda: len(service.asked) == 2)
        while built.breaker().state is State.CLOSED:
            await built.ask(path=PATH + "/bad")
        release.set()
        await first
        assert built.breaker().state is State.OPEN, "it began before"
        before = service.connections
        await until(built.is_due)
        assert (await built.ask()).status_code == 200
        assert service.connections == before + 1


async def test_probe_that_gets_no_connection_is_a_verdict() -> None:
    async with replicas(1, limits(connections=1, connect=0.2, trip=TRIP)) as built:
        service = built.services[0]
        release = asyncio.Event()
        service.behave = held(release, echo)
        first = asyncio.create_task(built.ask())
        await until(lambda: service.asked)
        for _ in range(3):
            built.upstream.pools[0].faulted(None)
        await until(built.is_due)
        assert (await built.ask()).status_code == 503
        assert built.breaker().opened == 2
        release.set()
        assert (await first).status_code == 200


async def test_exchanges_under_way_go_on_while_a_breaker_is_open() -> None:
    async with replicas(1, limits(trip=Trip(faults=3, pause=60, longest=60))) as built:
        service = built.services[0]
        release = asyncio.Event()

        async def begun(
            asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlo")
            await release.wait()
            writer.write(b"ng")

        service.behave = by_path(closes, held(release, echo))
        waiting = [asyncio.create_task(built.ask("POST")) for _ in range(3)]
        await until(lambda: len(service.asked) == 3)
        service.behave = by_path(closes, begun)
        answering_ones = [asyncio.create_task(built.ask()) for _ in range(3)]
        await until(lambda: len(service.asked) == 6)
        for _ in range(3):
            assert (await built.ask(path=PATH + "/bad")).status_code == 502
        assert built.breaker().state is State.OPEN
        assert (await built.ask()).status_code == 503
        release.set()
        for answer in await asyncio.gather(*waiting):
            assert answer.status_code == 200
        for answer in await asyncio.gather(*answering_ones):
            assert answer.content == b"long"
        assert built.breaker().state is State.OPEN


FAULTS = {
    "closes": closes,
    "says nothing": silent,
    "talks nonsense": answering(b"hello\r\n\r\n"),
    "stops in the middle": answering(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"),
    "stops in the head": answering(b"HTTP/1.1 200 OK\r\ncontent-le"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_faults_open_it_and_an_answer_closes_it(fault: str) -> None:
    given = limits(head=0.2, idle=0.2, trip=TRIP)
    async with replicas(1, given) as built:
        service = built.services[0]
        service.behave = FAULTS[fault]
        for _ in range(3):
            assert built.breaker().state is State.CLOSED
            raw = await _whole(built)
            assert raw.startswith((b"HTTP/1.1 502", b"HTTP/1.1 504", b"HTTP/1.1 200"))
        assert built.breaker().state is State.OPEN
        service.behave = answering(plain(404, b"{}"))
        await until(built.is_due)
        assert (await built.ask()).status_code == 404
        assert built.breaker().state is State.CLOSED


async def _whole(built: Replicas) -> bytes:
    token = built.home.auth.token()
    head = f"GET {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n"
    return await built.home.raw(head.encode() + b"connection: close\r\n\r\n")
