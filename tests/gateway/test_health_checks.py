from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.upstream import Upstream
from gateway.upstream.breaker import State, Trip
from gateway.upstream.health import HealthChecks, is_healthy
from gateway.upstream.limits import Checks
from tests.gateway.conftest import until
from tests.gateway.fake_service import (
    Asked,
    Behaviour,
    FakeService,
    answering,
    echo,
    plain,
    running,
)
from tests.gateway.replicas import closes, limits, replicas, silent
from tests.support.ports import free_port

CHECKS = Checks(interval=0.05, again=0.01, timeout=5.0)
SLOW_PROBES = Trip(failures=2, passes=2, pause=60, longest=60)
"""Probes that never come, so that only checks bring an address back."""


def health(behaviour: Behaviour) -> Behaviour:
    """Behave so where health is asked for."""

    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await (behaviour if asked.target == "/health" else echo)(asked, reader, writer)

    return behave


BAD = {
    "closes": closes,
    "half": answering(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"),
    "nonsense": answering(b"hello\r\n\r\n"),
    "error": answering(plain(500, b"{}")),
    "elsewhere": answering(plain(302, b"", "location: /")),
    "another protocol": answering(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n"),
    "endless": answering(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n" + b"x" * 200_000),
    "silent": silent,
}
GOOD = {
    "length": answering(plain(200, b"{}")),
    "chunks": answering(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    ),
    "nothing": answering(b"HTTP/1.1 204 No Content\r\n\r\n"),
}


@pytest.mark.parametrize("kind", GOOD)
async def test_healthy(kind: str) -> None:
    async with running(FakeService()) as service:
        service.behave = health(GOOD[kind])
        assert await is_healthy("127.0.0.1", service.port, b"teams:8000", Checks())
        assert service.asked[0].header("host") == "teams:8000"
        assert service.asked[0].header("connection") == "close"
        await until(lambda: not service.writers)


@pytest.mark.parametrize("kind", BAD)
async def test_not_healthy(kind: str) -> None:
    async with running(FakeService()) as service:
        service.behave = health(BAD[kind])
        assert not await is_healthy("127.0.0.1", service.port, b"x", Checks(timeout=0.5))
        await until(lambda: not service.writers)


async def test_nobody_there_is_not_healthy() -> None:
    assert not await is_healthy("127.0.0.1", free_port(), b"x", Checks())


@asynccontextmanager
async def checking(*upstreams: Upstream, checks: Checks = CHECKS) -> AsyncIterator[None]:
    checker = HealthChecks(upstreams, checks)
    await checker.start()
    try:
        yield
    finally:
        await checker.stop()


async def test_sick_address_is_put_out_and_comes_back() -> None:
    async with replicas(given=limits(trip=SLOW_PROBES)) as built, checking(built.upstream):
        sick, well = built.services
        sick.behave = health(BAD["error"])
        await until(lambda: built.upstream.states() == (State.OPEN, State.CLOSED))
        assert built.counts["ejections_total"] == 1
        sick.asked.clear()
        assert await built.crowd(20) == {200: 20}
        assert {asked.target for asked in sick.asked} <= {"/health"}
        sick.behave = echo
        await until(lambda: built.upstream.states() == (State.CLOSED, State.CLOSED))
        assert well.asked


async def test_dead_address_is_put_out_and_comes_back() -> None:
    async with replicas(given=limits(trip=SLOW_PROBES)) as built, checking(built.upstream):
        await built.services[1].stop()
        await until(lambda: built.upstream.states() == (State.CLOSED, State.OPEN))
        assert await built.crowd(20, "POST") == {200: 20}
        assert built.counts["retries_total"] == 0
        await built.services[1].start()
        await until(lambda: built.upstream.states() == (State.CLOSED, State.CLOSED))


async def test_last_address_is_kept_although_its_checks_fail() -> None:
    async with replicas(given=limits(trip=SLOW_PROBES)) as built, checking(built.upstream):
        first, second = built.services
        first.behave = second.behave = health(BAD["error"])
        await until(lambda: sorted(built.upstream.states()) == [State.CLOSED, State.OPEN])
        for service in built.services:
            service.asked.clear()
        await until(lambda: len(first.asked) + len(second.asked) > 30)
        assert sorted(built.upstream.states()) == [State.CLOSED, State.OPEN]
        assert await built.crowd(10) == {200: 10}


async def test_only_address_comes_back_by_checks() -> None:
    given = limits(trip=Trip(faults=2, pause=60, longest=60))
    async with replicas(1, given, running_ones=0) as built, checking(built.upstream):
        for _ in range(2):
            assert (await built.ask()).status_code == 503
        assert built.upstream.states() == (State.OPEN,)
        async with running(built.services[0]):
            await until(lambda: built.upstream.states() == (State.CLOSED,))
            assert (await built.ask()).status_code == 200


async def test_checks_are_single_and_end() -> None:
    """However many gateways' worth of time passes, an address is asked once at a time."""
    async with running(FakeService()) as service:
        most = 0

        async def behave(
            asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            nonlocal most
            most = max(most, len(service.writers))
            await echo(asked, reader, writer)

        service.behave = behave
        upstreams = [Upstream(name, [service.url]) for name in ("a",)]
        async with checking(*upstreams, checks=Checks(interval=0.001, again=0.001)):
            await until(lambda: len(service.asked) >= 50)
        assert most == 1
        await until(lambda: not service.writers)
        number = len(service.asked)
        assert not [task for task in asyncio.all_tasks() if task.get_name() == "health checks"]
        assert len(service.asked) == number


async def test_stop_does_not_wait_for_a_check() -> None:
    async with running(FakeService()) as service:
        service.behave = silent
        async with checking(Upstream("a", [service.url]), checks=Checks(interval=0.01, timeout=60)):
            await until(lambda: service.asked)
        await until(lambda: not service.writers)
