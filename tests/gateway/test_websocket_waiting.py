"""A handshake waits for a service that is away: its client may come back exactly once.

Real processes (a gateway with its own settings) where time and signals matter, a gateway in this
process where its inner state is looked at.
"""

from __future__ import annotations

import asyncio
import signal
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest

from gateway.upstream.limits import Checks, Limits
from gateway.websocket.waiting import MOST
from tests.gateway.conftest import PATIENT, House, house, until
from tests.gateway.fake_service import Asked, Behaviour, FakeService, Hangup, echo, plain, running
from tests.gateway.gateway_process import GatewayProcess, gateway_process
from tests.gateway.machines import Machine
from tests.gateway.socket_bytes import accept_for, agreed, handshake
from tests.gateway.sockets import UNHURRIED, answering_handshakes, limit, stay, target
from tests.support.ports import free_port

LONG = replace(UNHURRIED, wait=60.0)
STOPS = plain(503, b"stopping", "retry-after: 1", reason="Service Unavailable")


async def opens(asked: Asked, reader: StreamReader, writer: StreamWriter) -> None:
    """Open a socket, and stay."""
    if not asked.header("sec-websocket-key"):
        await echo(asked, reader, writer)  # a health check
        return
    writer.write(agreed(accept=accept_for(asked.header("sec-websocket-key"))))
    await stay(asked, reader, writer)


class Guest:
    """A caller whose handshake is under way."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def head(self, limit: float = 30.0) -> bytes:
        async with asyncio.timeout(limit):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def status(self) -> int:
        return int((await self.head()).split()[1])


@asynccontextmanager
async def guest(port: int, machine: Machine | None = None) -> AsyncIterator[Guest]:
    """Send a handshake."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(handshake(target(machine) if machine else target()))
        yield Guest(reader, writer)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


@asynccontextmanager
async def waiting_house(limits: Limits = PATIENT) -> AsyncIterator[House]:
    """Build a house whose teams service is away, and whose callers would wait for a minute."""
    async with house(limits) as home:
        limit(home, LONG)
        await home.services["teams"].stop()
        yield home


async def waits(home: House, number: int) -> None:
    await until(lambda: home.gateway.sockets.waiting == number)


async def nothing_left(home: House) -> None:
    """See that no place, address, or timer is kept for anybody."""
    sockets = home.gateway.sockets
    await until(lambda: not sockets.held)
    assert not sockets.waiting
    assert not sockets._knocks
    assert not sockets._owners
    await until(lambda: not sockets._tasks)
    upstream = home.gateway.upstreams["teams"]
    assert not sum(pool.sockets for pool in upstream.pools)
    assert all(room._timer is None and not room._asking for room in sockets._rooms.values())


# Real processes.


@asynccontextmanager
async def before(*services: FakeService, **values: str) -> AsyncIterator[GatewayProcess]:
    """Run a gateway before teams services, which may be away."""
    for service in services:
        service.port = service.port or free_port()
    urls = " ".join(service.url for service in services)
    usual = {"GUILDHALL_TEAMS_URL": urls, "GUILDHALL_SOCKET_WAIT": "20"}
    async with gateway_process(1, values=usual | values) as gateway:
        yield gateway


def service(behave: Behaviour = opens) -> FakeService:
    """Make a service that is not yet there."""
    made = FakeService()
    made.behave = behave
    return made


async def test_service_that_comes_back_opens_the_socket() -> None:
    teams = service()
    async with before(teams) as gateway, guest(gateway.port) as caller:
        await asyncio.sleep(1.0)  # the time it takes to start, no synchronisation
        async with running(teams):
            assert await caller.status() == 101
            caller.writer.close()


async def test_service_whose_breaker_is_open_is_found_by_its_checks() -> None:
    """After so many refusals its pause is longer than anybody waits."""
    values = {"GUILDHALL_UPSTREAM_FAULTS": "1", "GUILDHALL_UPSTREAM_PAUSE": "60"}
    teams = service()
    async with before(teams, **values) as gateway, guest(gateway.port) as caller:
        async with asyncio.timeout(20):
            while not gateway.said("address out"):
                await asyncio.sleep(0.01)
        async with running(teams):
            assert await caller.status() == 101
            caller.writer.close()


async def test_service_that_never_comes_is_503_at_the_deadline() -> None:
    async with before(service(), GUILDHALL_SOCKET_WAIT="0.6") as gateway:
        begun = time.monotonic()
        async with guest(gateway.port) as caller:
            head = await caller.head()
            assert head.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after: " in head
            assert time.monotonic() - begun >= 0.6
            assert await caller.reader.read() == b'{"error":"service temporarily unavailable"}'


async def test_no_wait_is_503_at_once() -> None:
    async with (
        before(service(), GUILDHALL_SOCKET_WAIT="0") as gateway,
        guest(gateway.port) as caller,
    ):
        assert await caller.status() == 503


async def test_address_that_works_is_not_waited_for() -> None:
    away, teams = service(), service()
    async with (
        running(teams),
        before(away, teams) as gateway,
    ):
        for _ in range(6):
            async with guest(gateway.port) as caller:
                assert int((await caller.head(10)).split()[1]) == 101


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_gateway_that_stops_refuses_who_waits(number: signal.Signals) -> None:
    async with before(service()) as gateway:
        async with guest(gateway.port) as caller:
            async with asyncio.timeout(20):
                while (await gateway.metrics())["guildhall_gateway_waiting_sockets"] != 1:
                    await asyncio.sleep(0.01)
            gateway.tell(number)
            assert int((await caller.head(10)).split()[1]) == 503
        await gateway.ended()
        assert not gateway.said("broken off")


# In this process.


@pytest.mark.parametrize("checks", [None, Checks(interval=0.05, again=0.05)])
async def test_crowd_is_let_in_bit_by_bit(checks: Checks | None) -> None:
    teams_at_once = most = 0

    async def slowly(asked: Asked, reader: StreamReader, writer: StreamWriter) -> None:
        nonlocal teams_at_once, most
        if asked.header("sec-websocket-key"):
            teams_at_once += 1
            most = max(most, teams_at_once)
            await asyncio.sleep(0.02)  # work that others could pile up behind
            teams_at_once -= 1
        await opens(asked, reader, writer)

    async with waiting_house(replace(PATIENT, checks=checks)) as home:
        teams = home.services["teams"]
        teams.behave = slowly
        callers = [guest(home.port) for _ in range(300)]
        guests = [await one.__aenter__() for one in callers]
        await until(lambda: home.gateway.sockets.waiting >= 299)
        assert len(home.gateway.sockets._tasks) <= 2, "one asks, the others only wait"
        await teams.start()
        assert set(await asyncio.gather(*(one.status() for one in guests))) == {101}
        assert 1 < most <= MOST
        for one in callers:
            await one.__aexit__(None, None, None)
        await nothing_left(home)
        await teams.stop()
        await teams.start()


async def test_late_comers_stand_in_line() -> None:
    async with waiting_house() as home, guest(home.port) as first:
        await waits(home, 1)
        async with guest(home.port) as second:
            await waits(home, 2)
            home.services["teams"].behave = opens
            await home.services["teams"].start()
            assert await first.status() == await second.status() == 101


async def test_caller_who_leaves_leaves_nothing() -> None:
    async with waiting_house() as home:
        async with guest(home.port), guest(home.port) as second:
            await waits(home, 2)
            assert home.gateway.sockets.held == 2
            second.writer.transport.abort()
            await until(lambda: home.gateway.sockets.held == 1)
        await nothing_left(home)
        await home.services["teams"].start()


async def test_who_waits_counts() -> None:
    async with waiting_house() as home:
        limit(home, replace(LONG, each=2))
        async with guest(home.port), guest(home.port):
            await waits(home, 2)
            async with guest(home.port) as third:
                assert await third.status() == 429
            limit(home, replace(LONG, total=2))
            async with guest(home.port, Machine(b"o" * 32)) as other:
                assert await other.status() == 503
        await nothing_left(home)
        await home.services["teams"].start()


async def test_gateway_that_stops_leaves_nothing() -> None:
    async with waiting_house() as home, guest(home.port) as caller:
        await waits(home, 1)
        home.gateway.sockets.shutdown()
        assert await caller.status() == 503
        await nothing_left(home)
        await home.services["teams"].start()


async def test_service_that_says_it_stops_is_asked_again() -> None:
    async with house(PATIENT) as home:
        limit(home, LONG)
        teams = home.services["teams"]
        teams.behave = answering_handshakes(STOPS)
        async with guest(home.port) as caller:
            await until(lambda: len(teams.asked) >= 2)
            teams.behave = opens
            assert await caller.status() == 101
        await nothing_left(home)


async def test_last_words_of_a_service_that_stops_are_passed_on() -> None:
    async with house(PATIENT) as home:
        limit(home, replace(LONG, wait=0.5))
        teams = home.services["teams"]
        teams.behave = answering_handshakes(STOPS)
        async with guest(home.port) as caller:
            head = await caller.head()
            assert head.startswith(b"HTTP/1.1 503 ")
            assert b"\r\nretry-after: 1\r\n" in head
            assert await caller.reader.read() == b"stopping"
        assert len(teams.asked) > 1
        await nothing_left(home)


async def test_service_that_stops_is_left_for_another_address() -> None:
    stopping, staying = service(answering_handshakes(STOPS)), service()
    async with running(stopping), running(staying):
        urls = f"{stopping.url} {staying.url}"
        async with house(PATIENT, teams_url=urls) as home:
            limit(home, LONG)
            for _ in range(4):
                async with guest(home.port) as caller:
                    assert await caller.status() == 101
            assert stopping.asked
            assert not home.gateway.sockets.waiting
            await nothing_left(home)


async def test_service_that_dies_over_a_handshake_is_asked_again() -> None:
    async def dies(asked: Asked, reader: StreamReader, writer: StreamWriter) -> None:
        teams.behave = opens
        raise Hangup

    async with house(PATIENT) as home:
        limit(home, LONG)
        teams = home.services["teams"]
        teams.behave = dies
        async with guest(home.port) as caller:
            assert await caller.status() == 101
        assert len(teams.asked) == 2
        await nothing_left(home)


@pytest.mark.parametrize("status", [200, 302, 400, 403, 404, 409, 426, 429, 500, 502, 504])
async def test_refusal_that_is_an_answer_passes_at_once(status: int) -> None:
    async with house(PATIENT) as home:
        limit(home, LONG)
        teams = home.services["teams"]
        teams.behave = answering_handshakes(plain(status, b"no", reason="No"))
        async with guest(home.port) as caller:
            assert await caller.status() == status
        assert len(teams.asked) == 1


async def test_refusal_reaches_all_who_waited() -> None:
    async with waiting_house() as home, guest(home.port) as one, guest(home.port) as other:
        await waits(home, 2)
        home.services["teams"].behave = answering_handshakes(plain(403, b"no", reason="No"))
        await home.services["teams"].start()
        assert await one.status() == await other.status() == 403
        await nothing_left(home)


async def test_address_that_answers_nobody_holds_up_nobody_else() -> None:
    async def silent_once(asked: Asked, reader: StreamReader, writer: StreamWriter) -> None:
        teams.behave = opens
        await stay(asked, reader, writer)

    async with waiting_house() as home, guest(home.port) as one, guest(home.port) as other:
        await waits(home, 2)
        teams = home.services["teams"]
        teams.behave = silent_once
        await teams.start()
        statuses = [asyncio.create_task(caller.status()) for caller in (one, other)]
        done, late = await asyncio.wait(statuses, return_when=asyncio.FIRST_COMPLETED, timeout=20)
        assert [task.result() for task in done] == [101]
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
