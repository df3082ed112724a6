"""A socket through the gateway: what one end says reaches the other, and nothing else happens."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.frames import Opcode

from gateway.proxy.connection import Connection
from gateway.proxy.turn import Turn
from gateway.upstream import Limits
from gateway.websocket.knocking import Knock
from gateway.websocket.legs import Leg, Socket
from tests.gateway.conftest import until
from tests.gateway.socket_bytes import frame, handshake
from tests.gateway.sockets import SocketHouse, echo, socket_house, target

MOST_BUFFERED = 2**20
"""Bytes: what may wait before reading pauses, and what one read may give on top."""


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[SocketHouse]:
    """One house for all tests that leave it whole."""
    async with socket_house() as built:
        yield built


@pytest.fixture
async def sockets(shared: SocketHouse) -> AsyncIterator[SocketHouse]:
    """The shared house, its service back to good behaviour, without a socket."""
    yield shared
    shared.service.handler = echo
    shared.service.sockets.clear()
    await shared.emptied()


@pytest.mark.parametrize(
    "message",
    [
        pytest.param("", id="empty"),
        pytest.param("grüße", id="text"),
        pytest.param(b"\x00\xff" * 10, id="binary"),
        pytest.param(b"x" * 125, id="short"),
        pytest.param(b"x" * 126, id="two bytes of length"),
        pytest.param(b"x" * 70_000, id="eight bytes of length"),
        pytest.param(os.urandom(2**20), id="megabyte"),
    ],
)
async def test_messages_come_back(sockets: SocketHouse, message: str | bytes) -> None:
    async with sockets.socket() as socket:
        for _ in range(3):
            await socket.send(message)
            assert await socket.recv() == message


async def test_fragments_pass_one_by_one(sockets: SocketHouse) -> None:
    pieces: list[bytes] = []

    async def collect(socket: ServerConnection) -> None:
        async for piece in socket.recv_streaming(decode=False):
            pieces.append(bytes(piece))
        await socket.send([b"a", b"b", b"c"])

    sockets.service.handler = collect
    async with sockets.socket() as socket:
        await socket.send([b"one", b"two", b"three"])
        assert [piece async for piece in socket.recv_streaming()] == [b"a", b"b", b"c", b""]
    assert pieces == [b"one", b"two", b"three", b""]


async def test_compression_is_never_agreed_upon(sockets: SocketHouse) -> None:
    async with sockets.socket(compression="deflate") as socket:
        assert socket.request is not None
        assert "permessage-deflate" in socket.request.headers["sec-websocket-extensions"]
        assert socket.response is not None
        assert "sec-websocket-extensions" not in socket.response.headers
        service = sockets.service.last
        assert service.request is not None
        assert "sec-websocket-extensions" not in service.request.headers
        assert not service.protocol.extensions
        await socket.send("x" * 1000)
        assert await socket.recv() == "x" * 1000


async def test_pings_are_between_the_ends(sockets: SocketHouse) -> None:
    async with sockets.socket() as socket:
        await (await socket.ping(b"caller"))
        service = sockets.service.last
        await (await service.ping(b"service"))


async def test_subprotocol_is_the_services_choice(sockets: SocketHouse) -> None:
    async with sockets.plain("sec-websocket-protocol: b, a"):
        service = sockets.service.last
        assert service.request is not None
        assert service.request.headers["sec-websocket-protocol"] == "b, a"


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1008, 1011, 3000, 4999])
@pytest.mark.parametrize("closer", ["caller", "service"])
async def test_close_codes_pass(sockets: SocketHouse, closer: str, code: int) -> None:
    over = asyncio.Event()

    async def keep(socket: ServerConnection) -> None:
        await over.wait()
        if closer == "service":
            await socket.close(code, "because")
        else:
            await socket.wait_closed()

    sockets.service.handler = keep
    async with sockets.socket() as socket:
        service = sockets.service.last
        over.set()
        if closer == "caller":
            await socket.close(code, "because")
        await socket.wait_closed()
        await service.wait_closed()
        for end in (socket, service):
            assert (end.close_code, end.close_reason) == (code, "because")


async def test_close_without_a_code_passes(sockets: SocketHouse) -> None:
    async with sockets.plain() as (reader, writer):
        writer.write(frame(Opcode.CLOSE))
        assert await reader.read() == frame(Opcode.CLOSE, mask=False)
        await sockets.service.last.wait_closed()
        assert sockets.service.last.close_code == 1005


async def test_caller_who_closes_and_says_no_more_hears_the_answer(sockets: SocketHouse) -> None:
    async with sockets.plain() as (reader, writer):
        writer.write(frame(Opcode.CLOSE, b"\x03\xe8"))
        writer.write_eof()
        assert await reader.read() == frame(Opcode.CLOSE, b"\x03\xe8", mask=False)


async def test_frames_may_be_cut_anywhere(sockets: SocketHouse) -> None:
    async with sockets.plain() as (reader, writer):
        for sent in (frame(Opcode.BINARY, b"x" * 300), frame(Opcode.PING, b"p")):
            for byte in sent:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0)
        assert await reader.readexactly(304) == frame(Opcode.BINARY, b"x" * 300, mask=False)
        assert await reader.readexactly(3) == frame(Opcode.PONG, b"p", mask=False)


async def test_what_is_said_before_the_answer_is_heard(sockets: SocketHouse) -> None:
    """No client does so; what is early must not be lost, and must not be read as a request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", sockets.home.port)
    writer.write(handshake(target()) + frame(Opcode.TEXT, b"early"))
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    assert head.startswith(b"HTTP/1.1 101 ")
    assert await reader.readexactly(7) == frame(Opcode.TEXT, b"early", mask=False)
    writer.close()


async def test_socket_after_other_requests(sockets: SocketHouse) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", sockets.home.port)
    writer.write(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n" + handshake(target()))
    first = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    assert first.startswith(b"HTTP/1.1 200 ")
    await reader.readuntil(b"}")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    writer.write(frame(Opcode.TEXT, b"hello"))
    assert await reader.readexactly(7) == frame(Opcode.TEXT, b"hello", mask=False)
    writer.close()


async def test_answer_carries_what_every_answer_does(sockets: SocketHouse) -> None:
    async with sockets.socket(additional_headers={"x-request-id": "mine"}) as socket:
        assert socket.response is not None
        headers = socket.response.headers
        assert headers["x-request-id"] == "mine"
        for name in ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "date"):
            assert len(headers.get_all(name)) == 1, name
        assert headers.get_all("connection") == ["Upgrade"]


async def test_slow_caller_holds_the_service_back(sockets: SocketHouse) -> None:
    """Memory of the gateway stays flat: the service is read no faster than the caller reads."""
    sent, total, piece = 0, 64 * 2**20, b"x" * 65_536

    async def flood(socket: ServerConnection) -> None:
        nonlocal sent
        while sent < total:
            await socket.send(piece)
            sent += len(piece)

    sockets.service.handler = flood
    async with sockets.plain() as (reader, _):
        leg = await the_leg(sockets)
        previous = -1
        while sent != previous:  # until it can send no more
            previous = sent
            for _ in range(50):
                await asyncio.sleep(0.002)
                assert leg.transport.get_write_buffer_size() < MOST_BUFFERED
        assert 0 < sent < total / 2
        read = 0
        while read < total:
            read += len(await reader.read(2**20))
            assert leg.transport.get_write_buffer_size() < MOST_BUFFERED


async def test_slow_service_holds_the_caller_back(sockets: SocketHouse) -> None:
    begin, read, total = asyncio.Event(), 0, 64 * 2**20

    async def dawdle(socket: ServerConnection) -> None:
        nonlocal read
        await begin.wait()
        async for message in socket:
            read += len(message)

    sockets.service.handler = dawdle
    message = frame(Opcode.BINARY, b"x" * 65_536)
    async with sockets.plain() as (_, writer):
        leg = (await the_leg(sockets)).other
        sent = 0

        async def flood() -> None:
            nonlocal sent
            while sent < total:
                writer.write(message)
                await writer.drain()
                sent += 65_536

        flooding, previous = asyncio.create_task(flood()), -1
        while sent != previous:
            previous = sent
            for _ in range(50):
                await asyncio.sleep(0.002)
                assert leg.transport.get_write_buffer_size() < MOST_BUFFERED
        assert 0 < sent < total / 2
        begin.set()
        await flooding
        await until(lambda: read == total)


async def the_leg(sockets: SocketHouse) -> Leg:
    """Give the caller's leg of the only socket."""
    await until(lambda: sockets.open)
    (socket,) = sockets.home.gateway.sockets._open
    return socket.client


async def test_caller_who_vanishes_ends_it_at_the_service(sockets: SocketHouse) -> None:
    async with sockets.plain() as (_, writer):
        await until(lambda: sockets.service.sockets)
        service = sockets.service.last
        writer.transport.abort()
        await service.wait_closed()
        assert service.close_code == 1006


async def test_a_thousand_who_vanish_leave_nothing() -> None:
    patient = Limits(connect=20.0, head=20.0, idle=20.0, tick=0.05)
    async with socket_house(patient) as sockets:
        gateway = sockets.home.gateway
        before = len(asyncio.all_tasks())
        kinds = (Connection, Turn, Leg, Socket, Knock)
        others = {id(one) for one in gc.get_objects() if type(one) in kinds}
        for _ in range(10):
            async with asyncio.TaskGroup() as group:
                for number in range(100):
                    group.create_task(_vanish(sockets, number))
        await until(lambda: not gateway.sockets.held)
        assert not sockets.open
        await until(lambda: not gateway.upstreams["teams"].counts()["sockets"])
        await until(lambda: not gateway.data_path.connections)
        await until(lambda: len(asyncio.all_tasks()) <= before)
        sockets.service.sockets.clear()
        gc.collect()
        left = [one for one in gc.get_objects() if type(one) in kinds]
        assert not [one for one in left if id(one) not in others]


async def _vanish(sockets: SocketHouse, number: int) -> None:
    """Leave in the middle of the handshake, of a frame, of a close; or without a word."""
    reader, writer = await asyncio.open_connection("127.0.0.1", sockets.home.port)
    opening = handshake(target())
    if number % 5 == 0:
        writer.write(opening[: number * len(opening) // 100])
    elif number % 5 == 1:
        writer.write(opening)
    else:
        writer.write(opening)
        await reader.readuntil(b"\r\n\r\n")
        rest = (b"", frame(Opcode.TEXT, b"x" * 500)[:100], frame(Opcode.CLOSE, b"\x03\xe8"))
        writer.write(rest[number % 3])
    await writer.drain()
    writer.transport.abort()
