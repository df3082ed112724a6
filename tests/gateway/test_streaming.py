from __future__ import annotations

import asyncio
import hashlib
import tracemalloc
from collections.abc import AsyncIterator

import httpx

from gateway.route_table import ROUTES
from gateway.upstream import Limits
from tests.gateway.conftest import House, house, until
from tests.gateway.fake_service import Asked, echo

MEGABYTE = 1_000_000
PIECE = bytes(range(256)) * 256
PIECES = 1600


async def test_100_megabytes_down_in_flat_memory(home: House) -> None:
    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (len(PIECE) * PIECES))
        for _ in range(PIECES):
            writer.write(PIECE)
            await writer.drain()

    home.learnings.behave = behave
    digest, size = hashlib.sha256(), 0
    async with home.client.stream("GET", "/v1/learnings", headers=home.bearer()) as answer:
        with _Memory() as most:
            async for piece in answer.aiter_raw():
                digest.update(piece)
                size += len(piece)
    assert size == len(PIECE) * PIECES
    assert digest.digest() == hashlib.sha256(PIECE * PIECES).digest()
    assert most() < 8 * MEGABYTE


async def test_reader_who_does_not_read_holds_the_service_back() -> None:
    async with house(Limits(stall=60, idle=60, tick=0.05)) as home:
        sent = 0

        async def behave(
            asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            nonlocal sent
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            while True:
                writer.write(b"10000\r\n" + PIECE + b"\r\n")
                await writer.drain()
                sent += len(PIECE)

        home.learnings.behave = behave
        _, writer = await asyncio.open_connection("127.0.0.1", home.port, limit=1024)
        head = f"GET /v1/learnings HTTP/1.1\r\nauthorization: Bearer {home.auth.token()}\r\n"
        with _Memory() as most:
            writer.write(head.encode() + b"host: x\r\n\r\n")
            before = -1
            while sent != before or not sent:
                before = sent
                await asyncio.sleep(0.3)
            assert most() < 8 * MEGABYTE
        # What the kernel takes on both connections, and no more.
        assert sent < 40 * MEGABYTE
        writer.transport.abort()
        await until(lambda: not home.learnings.writers)


async def test_reader_who_never_reads_is_let_go() -> None:
    async with house(Limits(stall=0.3, idle=60, tick=0.05)) as home:

        async def behave(
            asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
            while True:
                writer.write(PIECE)
                await writer.drain()

        home.learnings.behave = behave
        _, writer = await asyncio.open_connection("127.0.0.1", home.port, limit=1024)
        head = f"GET /v1/learnings HTTP/1.1\r\nauthorization: Bearer {home.auth.token()}\r\n"
        writer.write(head.encode() + b"host: x\r\n\r\n")
        await until(lambda: home.learnings.asked)
        await until(lambda: not home.learnings.writers)
        writer.transport.abort()


async def test_100_megabytes_up_in_flat_memory() -> None:
    async with house(Limits(tick=0.05)) as home:
        row = ROUTES.find("/v1/learnings")
        assert row is not None
        size = len(PIECE) * PIECES
        digest = hashlib.sha256()
        home.learnings.reads_body = False

        async def behave(
            asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            left = int(asked.header("content-length"))
            while left:
                piece = await reader.read(65_536)
                digest.update(piece)
                left -= len(piece)
            await echo(asked, reader, writer)

        async def content() -> AsyncIterator[bytes]:
            for _ in range(PIECES):
                yield PIECE

        home.learnings.behave = behave
        object.__setattr__(row, "body_limit", size)
        try:
            with _Memory() as most:
                headers = home.bearer() | {"content-length": str(size)}
                answer = await home.client.post("/v1/learnings", content=content(), headers=headers)
            assert answer.status_code == 200
            assert most() < 8 * MEGABYTE
        finally:
            object.__setattr__(row, "body_limit", 2_000_000)
        assert digest.digest() == hashlib.sha256(PIECE * PIECES).digest()


async def test_service_that_does_not_read_holds_the_caller_back() -> None:
    async with house(Limits(idle=60, tick=0.05)) as home:
        row = ROUTES.find("/v1/learnings")
        assert row is not None
        home.learnings.reads_body = False
        stop = asyncio.Event()

        async def behave(
            asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            await stop.wait()

        sent = 0

        async def content() -> AsyncIterator[bytes]:
            nonlocal sent
            while True:
                yield PIECE
                sent += len(PIECE)

        home.learnings.behave = behave
        object.__setattr__(row, "body_limit", 10**12)
        request = asyncio.create_task(
            home.client.post("/v1/learnings", content=content(), headers=home.bearer())
        )
        try:
            with _Memory() as most:
                before = -1
                while sent != before or not sent:
                    before = sent
                    await asyncio.sleep(0.3)
                assert most() < 8 * MEGABYTE
            assert sent < 40 * MEGABYTE
        finally:
            object.__setattr__(row, "body_limit", 2_000_000)
            request.cancel()
            await asyncio.gather(request, return_exceptions=True)
            stop.set()


def _peak() -> int:
    _, most = tracemalloc.get_traced_memory()
    return most


class _Memory:
    """Measures the most that Python allocated since the context was entered."""

    def __enter__(self) -> _Memory:
        tracemalloc.start()
        self._peak = 0
        return self

    def __exit__(self, *details: object) -> None:
        self._peak = self()
        tracemalloc.stop()

    def __call__(self) -> int:
        if tracemalloc.is_tracing():
            return _peak()
        return self._peak


async def test_events_pass_as_they_come(home: House) -> None:
    go = asyncio.Event()

    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        for number in range(3):
            writer.write(b"a\r\ndata: %d \n\n\r\n" % number)
            await writer.drain()
            await go.wait()
            go.clear()
        writer.write(b"0\r\n\r\n")

    home.learnings.behave = behave
    async with home.client.stream("GET", "/v1/learnings/stream", headers=home.bearer()) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        number = 0
        async for piece in answer.aiter_raw():
            assert piece == b"data: %d \n\n" % number
            number += 1
            go.set()
    assert number == 3


async def test_slow_stream_outlives_the_limit_for_its_head() -> None:
    async with house(Limits(head=0.2, idle=5.0, tick=0.05)) as home:

        async def behave(
            asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\na")
            await asyncio.sleep(0.6)
            writer.write(b"b")

        home.learnings.behave = behave
        answer: httpx.Response = await home.client.get("/v1/learnings", headers=home.bearer())
        assert answer.text == "ab"
