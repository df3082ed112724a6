"""How sockets end when neither end asks for it: each is told why, and nothing is left open."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import InvalidStatus
from websockets.frames import Opcode

from gateway.route_table import TABLE
from gateway.websocket import files
from tests.gateway.conftest import house, until
from tests.gateway.fake_service import Asked
from tests.gateway.machines import Machine
from tests.gateway.socket_bytes import agreed, frame, handshake
from tests.gateway.sockets import (
    MACHINE,
    UNHURRIED,
    SocketHouse,
    answering_handshakes,
    echo,
    ended,
    limit,
    socket_house,
    stay,
    target,
)

HASTY = replace(UNHURRIED, idle=0.3, linger=0.3)
BROKEN = b"\x03\xea"  # 1002


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[SocketHouse]:
    """One house for all tests that leave it whole."""
    async with socket_house() as built:
        yield built


@pytest.fixture
async def sockets(shared: SocketHouse) -> AsyncIterator[SocketHouse]:
    """The shared house, its service and its limits as before, without a socket."""
    yield shared
    shared.service.handler = echo
    shared.service.sockets.clear()
    limit(shared.home, UNHURRIED)
    await shared.emptied()


async def listen(socket: ServerConnection) -> None:
    """Say nothing until it ends."""
    await socket.wait_closed()


async def greet(socket: ServerConnection) -> None:
    """Begin a message and leave the rest unsaid."""
    socket.transport.write(frame(Opcode.TEXT, b"x" * 1000, mask=False)[:500])
    await socket.wait_closed()


# Silence.


async def test_silence_ends_it_at_both_ends(sockets: SocketHouse) -> None:
    sockets.service.handler = listen
    async with sockets.socket() as socket:
        limit(sockets.home, HASTY)
        assert await ended(socket) == (1001, "idle")
        assert await ended(sockets.service.last) == (1001, "idle")


@pytest.mark.parametrize("speaker", ["caller", "service"])
async def test_one_end_that_speaks_keeps_it(sockets: SocketHouse, speaker: str) -> None:
    heard: asyncio.Queue[str | bytes] = asyncio.Queue()

    async def hear(socket: ServerConnection) -> None:
        async for message in socket:
            heard.put_nowait(message)

    sockets.service.handler = hear
    async with sockets.socket() as socket:
        limit(sockets.home, replace(UNHURRIED, tick=1000.0))
        (one,) = sockets.home.gateway.sockets._open
        # From now on by the same clock: the gateway itself has looked at the socket already.
        start = asyncio.get_running_loop().time()
        for seconds in range(0, 500, 50):
            one.look(start + seconds, 60.0)
            if speaker == "caller":
                await socket.send("here")
                assert await heard.get() == "here"
            else:
                await sockets.service.last.send("here")
                assert await socket.recv() == "here"
        one.look(start + 500, 60.0)
        one.look(start + 559, 60.0)
        assert socket.close_code is None
        one.look(start + 560, 60.0)
        assert await ended(socket) == (1001, "idle")


async def test_silence_within_a_message_breaks_it(sockets: SocketHouse) -> None:
    """Whatever is said to the caller now is part of the service's message, so we say nothing."""
    sockets.service.handler = greet
    async with sockets.plain() as (reader, _):
        await reader.readexactly(500)
        limit(sockets.home, HASTY)
        echoed = frame(Opcode.CLOSE, b"\x03\xe9idle", mask=False)
        assert await reader.read() == echoed, "that of the service, and no other"
        assert await ended(sockets.service.last) == (1001, "idle")


async def test_message_under_way_is_finished_before_the_goodbye() -> None:
    finish = asyncio.Event()
    message = frame(Opcode.TEXT, b"x" * 1000, mask=False)

    async def finishing(asked: Asked, reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(message[:500])
        await finish.wait()
        writer.write(message[500:] + message)
        await stay(asked, reader, writer)

    async with house() as home:
        limit(home, replace(HASTY, idle=60.0))
        home.services["teams"].behave = answering_handshakes(agreed(), finishing)
        reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
        writer.write(handshake(target()))
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        said = await reader.readexactly(500)
        home.gateway.sockets._leave()
        finish.set()
        said += await reader.read()
        goodbye = frame(Opcode.CLOSE, b"\x03\xe9gateway stops", mask=False)
        assert said == message + goodbye
        writer.close()


async def test_caller_who_reads_nothing_is_cut_off(sockets: SocketHouse) -> None:
    async def flood(socket: ServerConnection) -> None:
        while True:
            await socket.send(b"x" * 65_536)

    sockets.service.handler = flood
    async with sockets.plain() as (_, writer):
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        limit(sockets.home, HASTY)
        await sockets.emptied()
        await ended(sockets.service.last)


# Faults of either end.


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(frame(Opcode.TEXT, b"x", mask=False), id="not masked"),
        pytest.param(b"\xc1" + frame(Opcode.TEXT, b"x")[1:], id="compressed"),
        pytest.param(frame(Opcode.CONT, b"x"), id="continues nothing"),
    ],
)
async def test_caller_who_breaks_the_protocol_is_told(sockets: SocketHouse, bad: bytes) -> None:
    heard: list[str | bytes] = []

    async def hear(socket: ServerConnection) -> None:
        async for message in socket:
            heard.append(message)

    sockets.service.handler = hear
    async with sockets.plain() as (reader, writer):
        writer.write(frame(Opcode.TEXT, b"good") + bad + frame(Opcode.TEXT, b"after"))
        assert (await reader.read())[2:4] == BROKEN
        assert (await ended(sockets.service.last))[0] == 1001
        assert heard == ["good"]


@pytest.mark.parametrize("pieces", [1, 40])
async def test_message_over_the_limit_ends_it(sockets: SocketHouse, pieces: int) -> None:
    size = next(row.body_limit for row in TABLE if row.is_socket) // pieces + 1
    async with sockets.socket() as socket:
        fitting = b"x" * (size * pieces - pieces)
        await socket.send(fitting)
        assert await socket.recv() == fitting
        message = b"x" * size
        await socket.send(message if pieces == 1 else [message] * pieces)
        assert await ended(socket) == (1009, "message too big")
        assert (await ended(sockets.service.last))[0] == 1001


async def test_service_may_say_more(sockets: SocketHouse) -> None:
    message = b"x" * 5_000_000

    async def tell(socket: ServerConnection) -> None:
        await socket.send(message)

    sockets.service.handler = tell
    async with sockets.socket() as socket:
        assert await socket.recv() == message


async def test_service_that_breaks_the_protocol(sockets: SocketHouse) -> None:
    async def lie(socket: ServerConnection) -> None:
        socket.transport.write(b"\x83\x00")
        await socket.wait_closed()

    sockets.service.handler = lie
    async with sockets.socket() as socket:
        assert await ended(socket) == (1011, "bad gateway")
        assert (await ended(sockets.service.last))[0] == 1002


async def test_service_that_is_gone(sockets: SocketHouse) -> None:
    async def vanish(socket: ServerConnection) -> None:
        await socket.recv()
        socket.transport.abort()

    sockets.service.handler = vanish
    async with sockets.socket() as socket:
        await socket.send("go")
        assert await ended(socket) == (1012, "service gone")


async def test_service_that_is_gone_within_a_message(sockets: SocketHouse) -> None:
    async def vanish(socket: ServerConnection) -> None:
        socket.transport.write(frame(Opcode.TEXT, b"x" * 1000, mask=False)[:500])
        await socket.recv()
        socket.transport.abort()

    sockets.service.handler = vanish
    async with sockets.socket() as socket:
        await socket.send("go")
        assert (await ended(socket))[0] == 1006


async def test_service_that_is_gone_before_it_answers_a_close(sockets: SocketHouse) -> None:
    async def vanish(socket: ServerConnection) -> None:
        await socket.recv()
        socket.transport.abort()

    sockets.service.handler = vanish
    async with sockets.plain() as (reader, writer):
        writer.write(frame(Opcode.TEXT, b"go"))
        assert (await reader.readexactly(4))[2:] == b"\x03\xf4"
        writer.write(frame(Opcode.CLOSE, b"\x03\xf4"))
        assert await reader.read() == b"service gone"


async def test_ends_that_never_answer_a_close_are_cut_off(sockets: SocketHouse) -> None:
    async def goodbye(socket: ServerConnection) -> None:
        await socket.close(4000, "enough")

    sockets.service.handler = goodbye
    async with sockets.plain() as (reader, _):
        limit(sockets.home, replace(HASTY, idle=60.0))
        assert await reader.readexactly(10) == frame(Opcode.CLOSE, b"\x0f\xa0enough", mask=False)
        for server in sockets.service.sockets:
            server.transport.abort()
        assert await reader.read() == b""


# How many.


async def refused(sockets: SocketHouse, machine: Machine) -> InvalidStatus:
    with pytest.raises(InvalidStatus) as raised:
        async with sockets.socket(machine):
            pass
    return raised.value


async def test_machine_may_have_so_many() -> None:
    async with socket_house(sockets=replace(UNHURRIED, each=3)) as sockets:
        opened = [sockets.socket() for _ in range(3)]
        for one in opened:
            await one.__aenter__()
        answer = (await refused(sockets, MACHINE)).response
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) > 0
        assert answer.body == b'{"error":"Too many sockets are open"}'
        async with sockets.socket(Machine(b"o" * 32)):
            assert sockets.open == 4
        await opened.pop().__aexit__(None, None, None)
        await until(lambda: sockets.open == 2)
        async with sockets.socket():
            pass
        for one in opened:
            await one.__aexit__(None, None, None)
        assert len(sockets.service.sockets) == 5


async def test_gateway_may_have_so_many() -> None:
    async with socket_house(sockets=replace(UNHURRIED, total=2)) as sockets:
        async with sockets.socket(), sockets.socket():
            answer = (await refused(sockets, Machine(b"o" * 32))).response
            assert answer.status_code == 503
            assert answer.body == b'{"error":"service temporarily unavailable"}'
        await sockets.emptied()
        async with sockets.socket():
            pass


async def test_gateway_may_have_as_many_as_it_has_files_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert [files.room(number) for number in (1024, 20_000)] == [384, 9_500]
    monkeypatch.setattr(files, "allow", lambda: 8)
    async with socket_house() as sockets, sockets.socket(), sockets.socket(), sockets.socket():
        assert (await refused(sockets, MACHINE)).response.status_code == 503


# The gateway stops.


async def test_stop_says_goodbye_and_takes_no_more() -> None:
    async with socket_house() as sockets, sockets.socket() as socket:
        sockets.service.handler = listen
        gateway = sockets.home.gateway.sockets
        gateway.shutdown()
        assert (await refused(sockets, MACHINE)).response.status_code == 503
        assert await ended(socket) == (1001, "gateway stops")
        assert (await ended(sockets.service.last))[0] == 1001
        await sockets.emptied()


async def test_stop_leaves_services_a_moment_for_their_own_goodbye() -> None:
    async with socket_house(sockets=replace(UNHURRIED, farewell=60.0)) as sockets:
        leave = asyncio.Event()

        async def part(socket: ServerConnection) -> None:
            await leave.wait()
            await socket.send("phx_close")
            await socket.close(1001, "mine")

        sockets.service.handler = part
        async with sockets.socket() as socket:
            sockets.home.gateway.sockets.shutdown()
            leave.set()
            assert await socket.recv() == "phx_close"
            assert await ended(socket) == (1001, "mine")
