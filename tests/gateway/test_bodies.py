from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from gateway.upstream import Limits
from tests.gateway.conftest import House, house, until
from tests.gateway.fake_service import Asked, Behaviour, FakeService, echo, plain, read_body

MEGABYTE = 1_000_000
TOO_LARGE = {
    "/v1/learnings": {"detail": "Request body too large"},
    "/api/v1/runs": {
        "type": "too_large",
        "detail": "Request body too large",
        "error": {"type": "too_large", "message": "Request body too large"},
    },
    "/api/account": {"error": "request body too large"},
    "/api/v0/agents": {
        "error": {"code": "PAYLOAD_TOO_LARGE", "message": "Request body too large"},
        "message": "Request body too large",
    },
    "/device": {"detail": "Request body too large"},
}


async def pieces(size: int, piece: int = 50_000) -> AsyncIterator[bytes]:
    while size > 0:
        yield b"x" * min(size, piece)
        size -= piece


@pytest.mark.parametrize("path", TOO_LARGE)
@pytest.mark.parametrize("chunked", [False, True])
async def test_3_megabytes_are_refused(home: House, path: str, chunked: bool) -> None:
    content = pieces(3 * MEGABYTE) if chunked else b"x" * (3 * MEGABYTE)
    answer = await home.client.post(path, content=content, headers=home.bearer())
    assert answer.status_code == 413
    assert answer.json() == TOO_LARGE[path]
    assert answer.headers["x-ratelimit-limit"].isdigit()
    assert (await home.client.get(path, headers=home.bearer())).status_code == 200


async def test_announced_size_is_refused_before_it_is_read(home: House) -> None:
    head = "POST /v1/learnings HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n"
    head += f"authorization: Bearer {home.auth.token()}\r\ncontent-length: 2000001\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
    writer.write(head.encode())
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    assert answer.startswith(b"HTTP/1.1 413 ")
    writer.close()
    assert not home.learnings.asked


@pytest.mark.parametrize("digits", ["9" * 18, "9" * 30])
async def test_absurd_sizes(home: House, digits: str) -> None:
    head = "POST /v1/learnings HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
    head += f"authorization: Bearer {home.auth.token()}\r\ncontent-length: {digits}\r\n\r\n"
    answer = await home.raw(head.encode())
    assert answer.startswith((b"HTTP/1.1 413 ", b"HTTP/1.1 400 "))


@pytest.mark.parametrize(
    ("path", "limit"), [("/v1/learnings", 2_000_000), ("/api/account", 256_000)]
)
@pytest.mark.parametrize("chunked", [False, True])
async def test_largest_body_passes(home: House, path: str, limit: int, chunked: bool) -> None:
    content = pieces(limit) if chunked else b"x" * limit
    answer = await home.client.post(path, content=content, headers=home.bearer())
    assert answer.status_code == 200
    assert len(answer.json()["body"]) == limit


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 200_000])
@pytest.mark.parametrize("chunked", [False, True])
async def test_bodies_arrive_whole(home: House, size: int, chunked: bool) -> None:
    content = pieces(size, 10_000) if chunked else b"x" * size
    answer = await home.client.post("/v1/learnings", content=content, headers=home.bearer())
    assert answer.status_code == 200
    assert home.learnings.asked[-1].body == b"x" * size


@pytest.mark.parametrize(
    "headers",
    [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: 5, 6\r\n",
        "content-length: +5\r\n",
        "content-length: 0x5\r\n",
        "content-length: -1\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: identity\r\n",
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding : chunked\r\n",
        "host: a\r\nhost: b\r\n",
        "x: a\r\n b\r\n",
        "x\x00: a\r\n",
        "x: a\x00b\r\n",
    ],
)
async def test_ambiguous_framing_is_refused(home: House, headers: str) -> None:
    head = f"POST /v1/learnings HTTP/1.1\r\nauthorization: Bearer {home.auth.token()}\r\n{headers}"
    smuggled = "0\r\n\r\nGET /v1/smuggled HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
    writer.write((head + "\r\n" + smuggled).encode())
    writer.write_eof()
    status = (await asyncio.wait_for(reader.readline(), 10)).split()[1]
    writer.close()
    assert status == b"400"
    assert not home.learnings.asked


async def test_chunked_body_of_http_1_0(home: House) -> None:
    head = f"POST /v1/learnings HTTP/1.0\r\nauthorization: Bearer {home.auth.token()}\r\n"
    answer = await home.raw(head.encode() + b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n")
    assert answer.split()[1] == b"400"
    assert not home.learnings.asked


async def test_body_that_never_comes() -> None:
    async with house(Limits(idle=0.3, tick=0.05)) as home:
        for sent in (b"", b"half"):
            head = "POST /v1/learnings HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
            head += f"authorization: Bearer {home.auth.token()}\r\ncontent-length: 10\r\n\r\n"
            answer = await home.raw(head.encode() + sent)
            assert answer.startswith(b"HTTP/1.1 400 ")
        assert not home.learnings.asked
        home.learnings.reads_body = False
        home.learnings.behave = _reads(home.learnings)
        head = "POST /v1/learnings HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
        head += f"authorization: Bearer {home.auth.token()}\r\ncontent-length: 100000\r\n\r\n"
        answer = await home.raw(head.encode() + b"x" * 90_000)
        assert answer.startswith(b"HTTP/1.1 400 ")


def _reads(service: FakeService) -> Behaviour:
    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        asked.body = await read_body(asked, reader)
        await echo(asked, reader, writer)

    return behave


async def test_service_may_answer_before_the_body_is_there(home: House) -> None:
    home.learnings.reads_body = False

    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(plain(418, b"enough", "connection: close"))
        await writer.drain()
        await reader.read(1)

    home.learnings.behave = behave
    head = "POST /v1/learnings HTTP/1.1\r\nhost: x\r\n"
    head += f"authorization: Bearer {home.auth.token()}\r\ncontent-length: 1000000\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
    writer.write(head.encode() + b"x" * 100_000)
    answer = await asyncio.wait_for(reader.readuntil(b"enough"), 10)
    assert answer.startswith(b"HTTP/1.1 418 ")
    writer.close()


async def test_caller_who_leaves_while_sending(home: House) -> None:
    home.learnings.reads_body = False
    cut = asyncio.Event()

    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while await reader.read(65_536):
            pass
        cut.set()

    home.learnings.behave = behave
    head = "POST /v1/learnings HTTP/1.1\r\nhost: x\r\n"
    head += f"authorization: Bearer {home.auth.token()}\r\ncontent-length: 1000000\r\n\r\n"
    _, writer = await asyncio.open_connection("127.0.0.1", home.port)
    writer.write(head.encode() + b"x" * 200_000)
    await until(lambda: home.learnings.asked)
    writer.close()
    await asyncio.wait_for(cut.wait(), 10)


async def test_json_of_every_kind_is_no_business_of_the_gateway(home: House) -> None:
    for content in (b"{", b"\x00", b"null", json.dumps("ä").encode(), b"[" * 10_000):
        answer = await home.client.post("/v1/learnings", content=content, headers=home.bearer())
        assert answer.status_code == 200
        assert home.learnings.asked[-1].body == content
