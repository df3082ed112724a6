"""What a connection does while the gateway stops, step by step, in one process."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.proxy.event_stream import EventStream
from tests.gateway.caller import Caller, calling, chunked, request
from tests.gateway.conftest import House, house, until
from tests.gateway.fake_service import Asked, answering, plain

EVENTS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


@asynccontextmanager
async def kept(home: House) -> AsyncIterator[Caller]:
    """Open a connection and use it once, so that it is idle."""
    async with calling(home.port) as caller:
        caller.send(request("GET", "/health"))
        assert (await caller.answer()).header("connection") == ""
        yield caller


@pytest.fixture
async def home() -> AsyncIterator[House]:
    async with house() as built:
        yield built


async def test_a_request_on_an_idle_connection_is_answered_and_the_last(home: House) -> None:
    async with kept(home) as caller:
        home.gateway.drain()
        caller.send(request("GET", "/health"))
        answer = await caller.answer()
        assert answer.status == 200
        assert answer.header("connection") == "close"
        assert await caller.rest() == b""


async def test_a_connection_that_came_last_is_answered_too(home: House) -> None:
    home.gateway.drain()
    async with calling(home.port) as caller:
        caller.send(request("GET", "/health"))
        assert (await caller.answer()).header("connection") == "close"


async def test_readiness_says_no(home: House) -> None:
    async with kept(home) as caller:
        home.gateway.drain()
        caller.send(request("GET", "/health/ready"))
        answer = await caller.answer()
        assert answer.status == 503
        assert b'"draining"' in answer.body


async def test_only_connections_idle_for_the_grace_are_closed(home: House) -> None:
    async with kept(home) as idle, calling(home.port) as within:
        within.send(b"GET /health HTTP/1.1\r\n")
        await until(lambda: len(home.gateway.data_path.connections) == 2)
        home.gateway.drain()
        home.gateway.data_path.close_idle(3600)
        assert len(home.gateway.data_path.connections) == 2
        home.gateway.data_path.close_idle(-1)
        assert await idle.rest() == b""
        within.send(b"host: x\r\n\r\n")
        assert (await within.answer()).status == 200


async def test_a_request_that_has_come_but_is_unread_keeps_its_connection(home: House) -> None:
    loop = asyncio.get_running_loop()
    with socket.create_connection(("127.0.0.1", home.port)) as connection:
        await until(lambda: len(home.gateway.data_path.connections) == 1)
        home.gateway.drain()
        # Without a step of the loop between the two.
        connection.sendall(request("GET", "/health"))
        home.gateway.data_path.close_idle(-1)
        connection.setblocking(False)
        assert (await loop.sock_recv(connection, 65_536)).startswith(b"HTTP/1.1 200")


async def test_an_answer_under_way_says_that_it_is_the_last(home: House) -> None:
    arrived, release = asyncio.Event(), asyncio.Event()

    async def slow(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        arrived.set()
        await release.wait()
        writer.write(plain(200, b"done"))

    home.learnings.behave = slow
    async with calling(home.port) as caller:
        bearer = f"authorization: Bearer {home.auth.token()}"
        caller.send(request("GET", "/v1/a", bearer))
        await arrived.wait()
        home.gateway.drain()
        home.gateway.data_path.close_idle(-1)
        release.set()
        answer = await caller.answer()
        assert (answer.body, answer.header("connection")) == (b"done", "close")


async def test_requests_that_wait_their_turn_are_all_answered(home: House) -> None:
    arrived, release = asyncio.Event(), asyncio.Event()

    async def slow(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        arrived.set()
        await release.wait()
        writer.write(plain(200, asked.target.encode()))

    home.learnings.behave = slow
    async with calling(home.port) as caller:
        bearer = f"authorization: Bearer {home.auth.token()}"
        caller.send(b"".join(request("GET", f"/v1/{number}", bearer) for number in range(3)))
        await arrived.wait()
        home.gateway.drain()
        release.set()
        found = [await caller.answer() for _ in range(3)]
        assert [answer.body for answer in found] == [b"/v1/0", b"/v1/1", b"/v1/2"]
        assert [answer.header("connection") for answer in found] == ["", "", "close"]


@asynccontextmanager
async def listening(
    home: House, *first: bytes
) -> AsyncIterator[tuple[Caller, asyncio.Queue[bytes]]]:
    """Open a stream whose service sends what is put into the queue."""
    queue: asyncio.Queue[bytes] = asyncio.Queue()

    async def stream(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(EVENTS + chunked(*first, end=False))
        while True:
            writer.write(chunked(await queue.get(), end=False))

    home.learnings.behave = stream
    async with calling(home.port) as caller:
        caller.send(request("GET", "/v1/a", f"authorization: Bearer {home.auth.token()}"))
        assert (await caller.head()).status == 200
        yield caller, queue


async def test_a_stream_of_events_ends_at_once_between_two(home: House) -> None:
    async with listening(home, b"data: 1\n\n") as (caller, _):
        assert await caller.read(len(chunked(b"data: 1\n\n", end=False))) != b""
        home.gateway.drain()
        assert await caller.rest() == b"0\r\n\r\n"


async def test_a_stream_of_events_ends_after_the_one_under_way(home: House) -> None:
    async with listening(home, b"data: 1\n\ndata: 2\n") as (caller, queue):
        await caller.read(len(chunked(b"data: 1\n\ndata: 2\n", end=False)))
        home.gateway.drain()
        queue.put_nowait(b"data: 3\n\ndata: 4\n\n")
        assert await caller.rest() == chunked(b"data: 3\n\n")


async def test_another_stream_goes_on_to_its_end(home: House) -> None:
    head = EVENTS.replace(b"text/event-stream", b"application/x-ndjson")
    home.learnings.behave = answering(head + chunked(b"{}\n\n", end=False))
    async with calling(home.port) as caller:
        caller.send(request("GET", "/v1/a", f"authorization: Bearer {home.auth.token()}"))
        assert (await caller.head()).status == 200
        await caller.read(len(chunked(b"{}\n\n", end=False)))
        home.gateway.drain()
        for writer in home.learnings.writers:
            writer.write(chunked(b"{}"))
        assert await caller.read(len(chunked(b"{}"))) == chunked(b"{}")


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_events_end_wherever_the_pieces_are_cut(end: bytes) -> None:
    text = b"data: 1" + end + b"data: 2"
    for cut in range(1, len(text)):
        stream = EventStream()
        stream.take(text[:cut])
        assert stream.is_between is (cut == len(b"data: 1" + end))
        rest = stream.rest(text[cut:])
        if cut < len(b"data: 1" + end):
            assert rest == (b"data: 1" + end)[cut:]
        else:
            assert rest is None
