"""A gateway that is told to stop ends its sockets as their protocol asks, and soon.

The service hears it first and may say what its clients need to come back (teams contract, 10.5).
"""

from __future__ import annotations

import asyncio
import signal
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Opcode

from tests.gateway.conftest import House, house, until
from tests.gateway.fake_service import Asked, Behaviour, FakeService, Hangup, echo, running
from tests.gateway.gateway_process import gateway_process
from tests.gateway.socket_bytes import accept_for, agreed, frame, handshake, read_frame
from tests.gateway.sockets import UNHURRIED, SocketService, answering_handshakes, limit, target

STOPS = b"\x03\xe9gateway stops"
SERVICE_STOPS = b"\x03\xe9bye"
PATIENT = replace(UNHURRIED, farewell=60.0)
GOODBYES = ['[null,null,"a","phx_close",{}]', '[null,null,"b","phx_close",{}]']


@dataclass
class Parting:
    """A service that knows its protocol's goodbye, and what it heard."""

    words: list[str] = field(default_factory=lambda: list(GOODBYES))
    heard: list[tuple[int, bytes]] = field(default_factory=list)

    async def __call__(self, asked: Asked, reader: StreamReader, writer: StreamWriter) -> None:
        if not asked.header("sec-websocket-key"):
            await echo(asked, reader, writer)  # a health check
            return
        writer.write(agreed(accept=accept_for(asked.header("sec-websocket-key"))))
        while True:
            opcode, payload = await read_frame(reader)
            self.heard.append((opcode, payload))
            if opcode == Opcode.CLOSE:
                break
            writer.write(frame(opcode, payload, mask=False))
        for word in self.words:
            writer.write(frame(Opcode.TEXT, word.encode(), mask=False))
            await writer.drain()
        writer.write(frame(Opcode.CLOSE, SERVICE_STOPS, mask=False))
        await writer.drain()
        await reader.read()
        raise Hangup

    @property
    def closes(self) -> list[bytes]:
        return [payload for opcode, payload in self.heard if opcode == Opcode.CLOSE]


@asynccontextmanager
async def stopping_house(behave: Behaviour) -> AsyncIterator[House]:
    """Build a house whose teams service behaves so, and that would wait a minute for goodbyes."""
    async with house() as home:
        home.services["teams"].behave = behave
        limit(home, PATIENT)
        yield home
        await until(lambda: not len(home.gateway.sockets))


@asynccontextmanager
async def called(home: House) -> AsyncIterator[ClientConnection]:
    """Open a socket."""
    url = f"ws://127.0.0.1:{home.port}{target()}"
    async with connect(url, ping_interval=None, max_size=None) as socket:
        yield socket


async def last_words(socket: ClientConnection) -> list[str | bytes]:
    """Give all that is said until the end."""
    words: list[str | bytes] = []
    async with asyncio.timeout(20):
        try:
            while True:
                words.append(await socket.recv())
        except ConnectionClosed:
            return words


async def test_caller_hears_the_goodbye_of_the_service_and_its_close() -> None:
    service = Parting()
    async with stopping_house(service) as home, called(home) as socket:
        await socket.send("hello")
        assert await socket.recv() == "hello"
        home.gateway.sockets.shutdown()
        assert await last_words(socket) == GOODBYES
        assert (socket.close_code, socket.close_reason) == (1001, "bye")
        assert service.closes == [STOPS]


async def test_service_without_a_goodbye_ends_it_at_once() -> None:
    service = Parting(words=[])
    async with stopping_house(service) as home, called(home) as socket:
        home.gateway.sockets.shutdown()
        assert await last_words(socket) == []
        assert (socket.close_code, socket.close_reason) == (1001, "bye")
        assert service.closes == [STOPS]


async def test_caller_is_heard_no_more_but_may_leave() -> None:
    """What a caller says after the service's leg had its Close would come after that Close."""
    service = Parting()
    go = asyncio.Event()

    async def wait(asked: Asked, reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(agreed(accept=accept_for(asked.header("sec-websocket-key"))))
        service.heard.append(await read_frame(reader))
        await go.wait()
        writer.write(frame(Opcode.CLOSE, SERVICE_STOPS, mask=False))
        assert await reader.read() == b""
        raise Hangup

    async with stopping_house(wait) as home, called(home) as socket:
        home.gateway.sockets.shutdown()
        await until(lambda: service.closes == [STOPS])
        await socket.send("too late")
        leaving = asyncio.create_task(socket.close(1000, "own"))
        go.set()
        await leaving
        assert (socket.close_code, socket.close_reason) == (1001, "bye")


async def test_service_that_never_answers_is_not_waited_for() -> None:
    heard: list[tuple[int, bytes]] = []

    async def deaf(asked: Asked, reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(agreed(accept=accept_for(asked.header("sec-websocket-key"))))
        while True:
            heard.append(await read_frame(reader))

    async with stopping_house(deaf) as home, called(home) as socket:
        limit(home, replace(UNHURRIED, farewell=0.2, linger=0.2))
        home.gateway.sockets.shutdown()
        assert await last_words(socket) == []
        assert (socket.close_code, socket.close_reason) == (1001, "gateway stops")
        assert heard == [(Opcode.CLOSE, STOPS)]


async def test_message_of_the_caller_is_finished_first() -> None:
    service = Parting()
    message = frame(Opcode.TEXT, b"x" * 1_000_000)
    async with stopping_house(service) as home:
        reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
        writer.write(handshake(target()))
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        writer.write(message[:500_000])
        await writer.drain()
        await until(lambda: any(one.client.frames.left for one in home.gateway.sockets._open))
        home.gateway.sockets.shutdown()
        writer.write(message[500_000:] + frame(Opcode.TEXT, b"after"))
        said = [await asyncio.wait_for(read_frame(reader), 10) for _ in range(4)]
        assert said[0] == (Opcode.TEXT, b"x" * 1_000_000), "the service has had and answered it"
        assert [payload.decode() for _, payload in said[1:3]] == GOODBYES
        assert said[3] == (Opcode.CLOSE, SERVICE_STOPS)
        assert [opcode for opcode, _ in service.heard] == [Opcode.TEXT, Opcode.CLOSE]
        writer.write(frame(Opcode.CLOSE, SERVICE_STOPS))
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()


async def test_message_of_the_service_is_finished_first() -> None:
    service = Parting()
    message = frame(Opcode.TEXT, b"y" * 1_000_000, mask=False)
    asked_to_go = asyncio.Event()

    async def tell(asked: Asked, reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(agreed(accept=accept_for(asked.header("sec-websocket-key"))))
        writer.write(message[:500_000])
        service.heard.append(await read_frame(reader))
        asked_to_go.set()
        writer.write(message[500_000:])
        writer.write(frame(Opcode.TEXT, GOODBYES[0].encode(), mask=False))
        writer.write(frame(Opcode.CLOSE, SERVICE_STOPS, mask=False))
        await reader.read()
        raise Hangup

    async with stopping_house(tell) as home, called(home) as socket:
        await until(lambda: any(one.service.frames.left for one in home.gateway.sockets._open))
        home.gateway.sockets.shutdown()
        await asyncio.wait_for(asked_to_go.wait(), 10)
        assert await last_words(socket) == ["y" * 1_000_000, GOODBYES[0]]
        assert (socket.close_code, socket.close_reason) == (1001, "bye")
        assert service.closes == [STOPS]


async def test_caller_who_never_finishes_a_message_is_not_waited_for() -> None:
    service = Parting()
    async with stopping_house(service) as home:
        limit(home, replace(UNHURRIED, farewell=0.2, linger=0.2))
        reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
        writer.write(handshake(target()) + frame(Opcode.TEXT, b"x" * 1000)[:500])
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        await until(lambda: any(one.client.frames.left for one in home.gateway.sockets._open))
        home.gateway.sockets.shutdown()
        assert await asyncio.wait_for(read_frame(reader), 10) == (Opcode.CLOSE, STOPS)
        assert await asyncio.wait_for(reader.read(), 10) == b""
        assert not service.heard
        writer.close()


async def test_socket_that_is_just_ending_is_left_alone() -> None:
    """The service has closed and the caller has not answered yet."""

    async def leave(asked: Asked, reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(frame(Opcode.CLOSE, SERVICE_STOPS, mask=False))
        assert await read_frame(reader) == (Opcode.CLOSE, SERVICE_STOPS), "the caller's own"
        raise Hangup

    async with stopping_house(answering_handshakes(agreed(), leave)) as home:
        reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
        writer.write(handshake(target()))
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        assert await read_frame(reader) == (Opcode.CLOSE, SERVICE_STOPS)
        home.gateway.sockets.shutdown()
        writer.write(frame(Opcode.CLOSE, SERVICE_STOPS))
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()


async def test_handshake_under_way_is_refused() -> None:
    """It would be a socket that hears its end before its client has joined anything."""
    asked_for = asyncio.Event()

    async def think(asked: Asked, reader: StreamReader, writer: StreamWriter) -> None:
        asked_for.set()
        await reader.read()
        raise Hangup

    async with stopping_house(think) as home:
        reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
        writer.write(handshake(target()))
        await asyncio.wait_for(asked_for.wait(), 10)
        home.gateway.sockets.shutdown()
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: " in head
        writer.close()


# Real processes.


@pytest.mark.parametrize(
    ("workers", "number"), [(1, signal.SIGTERM), (2, signal.SIGTERM), (2, signal.SIGHUP)]
)
async def test_every_caller_of_a_process_hears_the_goodbye(
    workers: int, number: signal.Signals
) -> None:
    service = Parting()
    fake = FakeService()
    fake.behave = service
    async with running(fake):
        # As long as may be, so that nothing else ends them.
        settings = {"GUILDHALL_TEAMS_URL": fake.url, "GUILDHALL_SOCKET_FAREWELL": "10"}
        async with gateway_process(workers, values=settings) as gateway:
            url = f"ws://127.0.0.1:{gateway.port}{target()}"
            callers = [await connect(url, ping_interval=None) for _ in range(20)]
            gateway.tell(number)
            for words in await asyncio.gather(*map(last_words, callers)):
                assert words == GOODBYES
            assert {(one.close_code, one.close_reason) for one in callers} == {(1001, "bye")}
            assert service.closes == [STOPS] * 20
            if number == signal.SIGTERM:
                assert await gateway.ended() in (0, -signal.SIGTERM)
                assert not gateway.said("broken off")


@pytest.mark.parametrize("workers", [1, 2])
async def test_service_that_only_closes_is_enough(workers: int) -> None:
    service = SocketService()
    async with serve(service.handle, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        settings = {"GUILDHALL_TEAMS_URL": f"http://127.0.0.1:{port}"}
        async with gateway_process(workers, values=settings) as gateway:
            url = f"ws://127.0.0.1:{gateway.port}{target()}"
            callers = [await connect(url) for _ in range(10)]
            for caller in callers:
                await caller.send("hello")
                assert await caller.recv() == "hello"
            gateway.tell(signal.SIGTERM)
            async with asyncio.timeout(15):
                for end in (*callers, *service.sockets):
                    await end.wait_closed()
                    assert (end.close_code, end.close_reason) == (1001, "gateway stops")
            assert await gateway.ended() in (0, -signal.SIGTERM)
            assert not gateway.said("broken off")
