"""What streams: events one by one, and bodies, codings, ranges and interim answers unchanged."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Sequence

import pytest

from tests.gateway.caller import Caller, calling, chunked, request
from tests.gateway.conftest import House
from tests.gateway.fake_service import Asked, Behaviour, answering, plain

PATH = "/v1/learnings"
OK = b"HTTP/1.1 200 OK\r\n"
EVENTS = b"content-type: text/event-stream\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n\r\n"
SIZES = (1, 7, 100, 1000, 65_535, 65_536, 65_537, 200_000)


@pytest.fixture
def home(patient: House) -> House:
    return patient


def bearer(home: House) -> str:
    return f"authorization: Bearer {home.auth.token()}"


def _events(sizes: Sequence[int]) -> list[bytes]:
    return [b"data: %b\n\n" % (b"%d." % number * size)[:size] for number, size in enumerate(sizes)]


def _one_by_one(head: bytes, pieces: list[bytes], heard: asyncio.Queue[None]) -> Behaviour:
    """Write each piece only when the one before has been read at the far end."""

    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(head)
        for piece in pieces:
            await heard.get()
            writer.write(piece)
        writer.close()

    return behave


@pytest.mark.parametrize("framing", ["chunks", "end"])
@pytest.mark.parametrize("kind", [EVENTS, b"content-type: application/json\r\n"])
async def test_each_event_is_there_before_the_next_is_written(
    home: House, framing: str, kind: bytes
) -> None:
    events = _events(SIZES * 5)
    head = OK + kind + (CHUNKED if framing == "chunks" else b"connection: close\r\n\r\n")
    pieces = [chunked(event, end=False) for event in events] if framing == "chunks" else events
    heard: asyncio.Queue[None] = asyncio.Queue()
    home.learnings.behave = _one_by_one(head, pieces, heard)
    async with calling(home.port) as caller:
        caller.send(request("GET", f"{PATH}/stream", bearer(home)))
        assert (await caller.head()).status == 200  # the head does not wait for a body
        heard.put_nowait(None)
        for event in events:
            assert await _chunks(caller, len(event)) == event
            heard.put_nowait(None)


async def _chunks(caller: Caller, size: int) -> bytes:
    """Read as many chunks as it takes."""
    data = b""
    while len(data) < size:
        length = int(await caller.line(), 16)
        data += await caller.read(length)
        assert await caller.line() == b"\r\n"
    return data


async def test_events_to_http_1_0(home: House) -> None:
    events = _events(SIZES)
    heard: asyncio.Queue[None] = asyncio.Queue()
    pieces = [chunked(event, end=False) for event in events] + [b"0\r\n\r\n"]
    home.learnings.behave = _one_by_one(OK + EVENTS + CHUNKED, pieces, heard)
    async with calling(home.port) as caller:
        caller.send(f"GET {PATH} HTTP/1.0\r\n{bearer(home)}\r\n\r\n".encode())
        answer = await caller.head()
        assert (answer.header("transfer-encoding"), answer.header("content-length")) == ("", "")
        assert answer.header("connection") == "close"
        heard.put_nowait(None)
        for event in events:
            assert await caller.read(len(event)) == event
            heard.put_nowait(None)
        assert await caller.rest() == b""


async def test_upload_is_heard_piece_by_piece(home: House) -> None:
    """Once it is too large to be gathered."""
    home.learnings.reads_body = False
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while size := int(await reader.readline(), 16):
            heard.put_nowait(await reader.readexactly(size))
            await reader.readline()
        await reader.readline()
        writer.write(plain(200, b"done"))

    home.learnings.behave = behave
    async with calling(home.port) as caller:
        caller.send(request("POST", PATH, bearer(home), "transfer-encoding: chunked"))
        caller.send(chunked(b"x" * 70_000, end=False))
        size = 0
        while size < 70_000:
            size += len(await asyncio.wait_for(heard.get(), 10))
        for number in range(50):
            piece = b"%d." % number * 10
            caller.send(chunked(piece, end=False))
            assert await asyncio.wait_for(heard.get(), 10) == piece
        caller.send(chunked())
        assert (await caller.answer()).body == b"done"


async def test_trailers_are_dropped(home: House) -> None:
    trailers = b"2\r\nab\r\n0\r\nx-trailer: 1\r\nauthorization: Bearer x\r\n\r\n"
    home.learnings.behave = answering(OK + b"trailer: x-trailer\r\n" + CHUNKED + trailers)
    async with calling(home.port) as caller:
        for _ in range(3):
            caller.send(request("POST", PATH, bearer(home), "transfer-encoding: chunked"))
            caller.send(trailers)
            answer = await caller.answer()
            assert (answer.status, answer.body) == (200, b"ab")
            assert answer.header("x-trailer") == answer.header("trailer") == ""
    assert [asked.body for asked in home.learnings.asked] == [b"ab"] * 3
    assert not any(asked.header("x-trailer") for asked in home.learnings.asked)


@pytest.mark.parametrize("size", [2, 65_536, 300_000])
@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_caller_is_told_once_to_continue(home: House, size: int, says: bytes) -> None:
    home.learnings.behave = answering(says + plain(200, b"done"))
    body = b"x" * size
    async with calling(home.port) as caller:
        for _ in range(2):
            length = f"content-length: {size}"
            caller.send(request("POST", PATH, bearer(home), length, "expect: 100-Continue"))
            assert await caller.line() == b"HTTP/1.1 100 Continue\r\n"
            assert await caller.line() == b"\r\n"
            caller.send(body)
            answer = await caller.answer()
            assert (answer.status, answer.interim, answer.body) == (200, [], b"done")
    for asked in home.learnings.asked:
        assert (asked.body, asked.header("expect")) == (body, "")


async def test_who_has_no_body_is_not_told_to_continue(home: House) -> None:
    async with calling(home.port) as caller:
        caller.send(request("GET", PATH, bearer(home), "expect: 100-continue"))
        assert (await caller.answer()).interim == []


@pytest.mark.parametrize("path", ["/v1/learnings", "/nothing"])
async def test_who_is_refused_is_not_told_to_continue(home: House, path: str) -> None:
    async with calling(home.port) as caller:
        caller.send(request("POST", path, "expect: 100-continue", "content-length: 5"))
        answer = await caller.answer()
        assert answer.status in (401, 404)
        assert (answer.interim, answer.header("connection")) == ([], "close")
    assert not home.learnings.asked


@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_compressed_body_passes_untouched(home: House, framing: str) -> None:
    content = gzip.compress(b"text " * 10_000, mtime=0)
    head = "content-encoding: gzip\r\nvary: accept-encoding\r\n"
    answer = OK + head.encode() + CHUNKED + chunked(content)
    if framing == "length":
        answer = plain(200, content, *head.strip().split("\r\n"))
    home.learnings.behave = answering(answer)
    async with calling(home.port) as caller:
        sent = ("accept-encoding: gzip, br;q=0.5", "content-encoding: gzip")
        caller.send(request("POST", PATH, bearer(home), *sent, body=content))
        received = await caller.answer()
    assert received.body == content
    assert received.header("content-encoding") == "gzip"
    asked = home.learnings.asked[-1]
    assert asked.body == content
    assert asked.header("accept-encoding") == "gzip, br;q=0.5"
    assert asked.header("content-encoding") == "gzip"


async def test_answer_is_not_compressed_here(home: House) -> None:
    home.learnings.behave = answering(plain(200, b"text " * 10_000, "content-type: text/plain"))
    async with calling(home.port) as caller:
        caller.send(request("GET", PATH, bearer(home), "accept-encoding: gzip"))
        answer = await caller.answer()
    assert (answer.body, answer.header("content-encoding")) == (b"text " * 10_000, "")


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (206, ["content-range: bytes 2-5/10", "accept-ranges: bytes", 'etag: "a"'], b"cdef"),
        (206, ["content-type: multipart/byteranges; boundary=x"], b"--x\r\n\r\nab\r\n--x--\r\n"),
        (416, ["content-range: bytes */10"], b""),
    ],
)
async def test_ranges_pass(home: House, status: int, headers: list[str], body: bytes) -> None:
    home.learnings.behave = answering(plain(status, body, *headers))
    async with calling(home.port) as caller:
        sent = ("range: bytes=2-5", 'if-range: "a"')
        caller.send(request("GET", PATH, bearer(home), *sent))
        answer = await caller.answer()
    assert (answer.status, answer.body) == (status, body)
    for header in headers:
        name, _, value = header.partition(": ")
        assert answer.header(name) == value
    asked = home.learnings.asked[-1]
    assert (asked.header("range"), asked.header("if-range")) == ("bytes=2-5", '"a"')


@pytest.mark.parametrize(
    ("method", "data"),
    [
        ("GET", b"HTTP/1.1 204 X\r\n\r\n"),
        ("GET", b'HTTP/1.1 304 X\r\netag: "a"\r\n\r\n'),
        ("HEAD", OK + b"content-length: 100000000\r\n\r\n"),
        ("HEAD", OK + EVENTS + CHUNKED),
        ("HEAD", b"HTTP/1.1 304 X\r\ncontent-length: 5\r\n\r\n"),
        ("POST", b"HTTP/1.1 204 X\r\n\r\n"),
    ],
)
async def test_answer_without_a_body_ends_with_its_head(
    home: House, method: str, data: bytes
) -> None:
    home.learnings.behave = answering(b"HTTP/1.1 103 X\r\nlink: a\r\n\r\n" + data)
    async with calling(home.port) as caller:
        for _ in range(3):
            caller.send(request(method, PATH, bearer(home)) + request("GET", "/health"))
            answer = await caller.answer(method)
            assert answer.status == int(data.split()[1])
            assert (answer.interim, answer.header("connection")) == ([], "")
            assert (await caller.answer()).status == 200  # and not the rest of the one before


async def test_answer_while_the_body_still_comes(home: House) -> None:
    """Both ways at once: the service answers each piece as it comes."""
    home.learnings.reads_body = False

    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(OK + CHUNKED)
        writer.write(chunked(await read_body_piece(reader), end=False))
        while piece := await read_body_piece(reader):
            writer.write(chunked(piece, end=False))
        writer.write(chunked())

    async def read_body_piece(reader: asyncio.StreamReader) -> bytes:
        size = int(await reader.readline(), 16)
        piece = await reader.readexactly(size)
        await reader.readexactly(2)
        return piece

    home.learnings.behave = behave
    async with calling(home.port) as caller:
        caller.send(request("POST", PATH, bearer(home), "transfer-encoding: chunked"))
        first = b"x" * 70_000
        caller.send(chunked(first, end=False))
        assert (await caller.head()).status == 200
        assert await _chunks(caller, len(first)) == first
        for number in range(20):
            piece = b"%d." % number
            caller.send(chunked(piece, end=False))
            assert await _chunks(caller, len(piece)) == piece
        caller.send(chunked())
        assert await caller.line() == b"0\r\n"
