"""Exchanges of any kind, against real servers: what goes out, what is read, what is refused."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from shared.fetch import Fetcher
from shared.targets import TargetPolicy, read_targets
from tests.gateway.fake_service import Asked, Behaviour, FakeService, answering, plain
from tests.shared.test_fetch import STRICT, _drip, _resolving, _silence, failure, fetcher, server

__all__ = ["fetcher", "server"]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_any_method_is_asked_with(server: FakeService, fetcher: Fetcher, method: str) -> None:
    server.behave = answering(plain(418, b"\xff\x00short", "content-type: text/plain; a=b"))
    headers = {"content-type": "application/json", "x-key": "one"}
    found = await fetcher.exchange(
        method, f"{server.url}/a?b=c", headers, b'{"a":1}', seconds=5, most=100
    )
    assert (found.status, found.content_type) == (418, "text/plain; a=b")
    assert (found.body, found.is_whole) == (b"\xff\x00short", True)
    asked = server.asked[0]
    assert (asked.method, asked.target, asked.body) == (method, "/a?b=c", b'{"a":1}')
    assert (asked.header("x-key"), asked.header("content-type")) == ("one", "application/json")


async def test_nobody_says_how_the_message_is_framed_or_to_whom_it_goes(
    server: FakeService, fetcher: Fetcher
) -> None:
    server.behave = answering(plain(200, b""))
    framing = ["Host", "Content-Length", "Transfer-Encoding", "Accept-Encoding", "Connection"]
    await fetcher.exchange(
        "POST", server.url, dict.fromkeys(framing, "chunked"), b"abc", seconds=5, most=10
    )
    asked = server.asked[0]
    assert asked.header("host") == f"127.0.0.1:{server.port}"
    assert (asked.header("content-length"), asked.header("transfer-encoding")) == ("3", "")
    assert asked.header("accept-encoding") == "identity"


@pytest.mark.parametrize(
    "headers", [{"a b": "c"}, {"a": "b\r\nc: d"}, {"a": "\N{SNOWMAN}"}, {"a\n": "b"}]
)
async def test_headers_that_are_none_are_a_failure(
    server: FakeService, fetcher: Fetcher, headers: dict[str, str]
) -> None:
    await failure(fetcher.exchange("GET", server.url, headers, seconds=5, most=10))
    assert not server.asked


async def test_no_more_is_read_than_was_wanted(server: FakeService, fetcher: Fetcher) -> None:
    sent = 0

    async def flood(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
            await writer.drain()
            sent += 65_536

    server.behave = flood
    found = await fetcher.exchange("GET", server.url, {}, seconds=5, most=100_000)
    assert (len(found.body), found.is_whole) == (100_000, False)
    assert sent < 16_000_000
    server.behave = answering(plain(200, b"x" * 100_000))
    found = await fetcher.exchange("GET", server.url, {}, seconds=5, most=100_000)
    assert (len(found.body), found.is_whole) == (100_000, True)


async def test_a_compressed_exchange_is_refused(server: FakeService, fetcher: Fetcher) -> None:
    bomb = gzip.compress(b"x" * 5_000_000)
    server.behave = answering(plain(200, bomb, "content-encoding: gzip"))
    assert await failure(fetcher.exchange("GET", server.url, {}, seconds=5, most=9)) == "compressed"


@pytest.mark.parametrize("behave", [_drip, _silence])
async def test_a_slow_exchange_is_given_up(
    server: FakeService, fetcher: Fetcher, behave: Behaviour
) -> None:
    server.behave = behave
    asked = fetcher.exchange("GET", server.url, {}, seconds=0.3, most=1_000_000)
    assert await failure(asked) == "took too long"


async def test_an_exchange_follows_no_redirect(server: FakeService, fetcher: Fetcher) -> None:
    server.behave = answering(plain(307, b"", f"location: {server.url}/elsewhere"))
    assert (await fetcher.exchange("POST", server.url, {}, seconds=5, most=9)).status == 307
    assert len(server.asked) == 1


async def test_an_exchange_reaches_only_what_may_be_reached(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Fetcher.opened(STRICT) as fetcher:
        for url in (server.url, f"http://localhost:{server.port}", "http://169.254.169.254/"):
            asked = fetcher.exchange("GET", url, {}, seconds=5, most=9)
            assert await failure(asked) == "address not allowed"
        asked = fetcher.exchange("GET", "http://a/\ud800", {}, seconds=5, most=9)
        assert await failure(asked) == "not an address"
    questions = _resolving(monkeypatch, ["127.0.0.2"], ["127.0.0.1"])
    async with Fetcher.opened(TargetPolicy(False, read_targets("127.0.0.2"))) as fetcher:
        url = f"http://tool.example:{server.port}/"
        asked = fetcher.exchange("GET", url, {}, seconds=5, most=9)
        assert await failure(asked) == "ConnectError"
    assert questions == ["tool.example"]
    assert server.connections == 0
