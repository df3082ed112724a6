"""What comes before an answer, from real servers that never come to the point."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.fetch import Fetcher, FetchFailed
from shared.targets import TargetPolicy


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    async with Fetcher.opened(TargetPolicy(allow_private=True)) as fetcher:
        yield fetcher


@pytest.mark.parametrize(
    "start",
    [b"HTTP/1.1 100 Continue\r\n\r\n", b"x-more: 1\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n"],
)
async def test_what_comes_before_an_answer_has_an_end(fetcher: Fetcher, start: bytes) -> None:
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        if not start.startswith(b"HTTP"):
            writer.write(b"HTTP/1.1 200 OK\r\n")
        try:
            while True:
                writer.write(start * 100)
                sent += len(start) * 100
                await writer.drain()
        except ConnectionError:
            writer.close()

    listening = await asyncio.start_server(flood, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        asked = fetcher.exchange("GET", f"http://127.0.0.1:{port}/", {}, seconds=30, most=1000)
        with pytest.raises(FetchFailed) as raised:
            await asked
    assert raised.value.reason in {"ReadError", "RemoteProtocolError"}
    assert sent < 50_000_000


async def test_a_few_interim_answers_are_passed_over(fetcher: Fetcher) -> None:
    async def hint(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 103 Early Hints\r\nlink: <a>\r\n\r\n" * 5)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 200000\r\n\r\n" + b"x" * 200_000)
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(hint, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}/"
        found = await fetcher.exchange("GET", url, {}, seconds=30, most=300_000)
    assert (found.status, len(found.body), found.is_whole) == (200, 200_000, True)
