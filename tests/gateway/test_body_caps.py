"""Bodies over a row's limit, bodies of another length than announced, and many at once."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack

import psutil
import pytest

from gateway.upstream.limits import Limits
from tests.gateway.caller import Broken, calling, chunked
from tests.gateway.conftest import PLENTY, House, house, until
from tests.gateway.gateway_process import gateway_process

CAPS = {
    "/v1/learnings": 2_000_000,
    "/v1/sync": 16_000_000,
    "/api/teams": 256_000,
    "/api/account": 256_000,
    "/api/teams/clone/x": 256_000,
    "/users/log-in": 2_000_000,
}
EXPECT = "expect: 100-continue"


@pytest.fixture
def home(patient: House) -> House:
    return patient


def _head(home: House, path: str, *lines: str) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {home.auth.token()}\r\n"
    return (head + "".join(f"{line}\r\n" for line in lines) + "\r\n").encode()


def _forwarded(home: House) -> list[str]:
    asked = [one.target for service in home.services.values() for one in service.asked]
    return [target for target in asked if not target.startswith("/internal/")]


@pytest.mark.parametrize("path", CAPS)
@pytest.mark.parametrize("expect", ["", EXPECT])
async def test_announced_excess_is_refused_before_it_is_sent(
    home: House, path: str, expect: str
) -> None:
    lines = [f"content-length: {CAPS[path] + 1}", *([expect] if expect else [])]
    async with calling(home.port) as caller:
        caller.send(_head(home, path, *lines))
        answer = await caller.answer()
        assert answer.status == 413
        assert answer.interim == []
        assert answer.header("connection") == "close"
        assert {"detail", "error"} & set(json.loads(answer.body))
        assert not await caller.rest()
    assert not _forwarded(home)


@pytest.mark.parametrize("path", CAPS)
async def test_refusal_reaches_who_goes_on_sending(home: House, path: str) -> None:
    async with calling(home.port) as caller:
        caller.send(_head(home, path, "content-length: 50000000") + b"x" * 5_000_000)
        assert (await caller.answer()).status == 413
    assert not _forwarded(home)


@pytest.mark.parametrize("path", CAPS)
async def test_unannounced_excess_is_refused_when_it_comes(home: House, path: str) -> None:
    async with calling(home.port) as caller:
        caller.send(_head(home, path, "transfer-encoding: chunked"))
        sent = 0
        while sent <= CAPS[path]:
            caller.send(chunked(b"x" * 100_000, end=False))
            sent += 100_000
            await caller.writer.drain()
        answer = await caller.answer()
        assert answer.status == 413
        assert not await caller.rest()
    if path == "/api/teams":
        assert not _forwarded(home), "a signed body is judged before it is passed on"
    # What a service heard of it never came to an end, so it acted on nothing.
    for service in home.services.values():
        assert all(len(one.body) < CAPS[path] for one in service.asked)


@pytest.mark.parametrize("size", [10, 100_000])
async def test_expected_body_is_asked_for(home: House, size: int) -> None:
    async with calling(home.port) as caller:
        caller.send(_head(home, "/v1/learnings", EXPECT, f"content-length: {size}"))
        assert await caller.read(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        caller.send(b"x" * size)
        assert (await caller.answer()).status == 200
    assert home.learnings.asked[-1].body == b"x" * size
    assert not home.learnings.asked[-1].header("expect")


async def test_body_shorter_than_announced_is_never_passed_on() -> None:
    limits = Limits(idle=0.3, tick=0.05)
    async with house(limits, rate_limits=PLENTY) as home:
        for length, sent in ((10, 9), (60_000, 59_999), (256_000, 255_999)):
            for path in ("/v1/learnings", "/api/teams"):
                async with calling(home.port) as caller:
                    caller.send(_head(home, path, f"content-length: {length}") + b"x" * sent)
                    assert (await caller.answer()).status == 400
                async with calling(home.port) as caller:
                    caller.send(_head(home, path, f"content-length: {length}") + b"x" * sent)
                    caller.writer.write_eof()
                    with pytest.raises(Broken):
                        await caller.answer()
        await until(lambda: not home.learnings.writers)
        assert not [one for one in home.learnings.asked if one.body]


async def test_body_longer_than_announced_is_no_part_of_it(home: House) -> None:
    for size in (5, 70_000):
        async with calling(home.port) as caller:
            head = _head(home, "/v1/learnings", f"content-length: {size}")
            caller.send(head + b"x" * size + b"yyyyy\r\n\r\n")
            assert (await caller.answer()).status == 200
            assert (await caller.answer()).status == 400
            assert not await caller.rest()
        assert home.learnings.asked[-1].body == b"x" * size


UPLOADS = 200
SIZE = 50_000_000


async def _upload(port: int, head: bytes, *, is_chunked: bool) -> int:
    """Upload for as long as the gateway takes it, and read the answer."""
    piece = b"x" * 250_000
    data = chunked(piece, end=False) if is_chunked else piece
    async with calling(port) as caller:

        async def send() -> None:
            caller.send(head)
            for _ in range(SIZE // len(piece)):
                caller.send(data)
                await caller.writer.drain()

        sending = asyncio.create_task(send())
        try:
            return (await caller.answer()).status
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


@pytest.mark.parametrize(
    ("path", "framing", "growth"),
    [
        ("/v1/learnings", f"content-length: {SIZE}", 24_000_000),
        ("/v1/learnings", "transfer-encoding: chunked", 120_000_000),
        ("/api/teams", "transfer-encoding: chunked", UPLOADS * 300_000),
    ],
)
async def test_200_uploads_at_once_take_little_memory(path: str, framing: str, growth: int) -> None:
    async with gateway_process() as gateway:
        token = gateway.auth.token()
        lines = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n{framing}"
        head, is_chunked = f"{lines}\r\n\r\n".encode(), "chunked" in framing
        memory = psutil.Process(gateway.pid).memory_info
        assert await _upload(gateway.port, head, is_chunked=is_chunked) == 413
        before = most = memory().rss
        uploads = [
            asyncio.create_task(_upload(gateway.port, head, is_chunked=is_chunked))
            for _ in range(UPLOADS)
        ]
        deadline = time.monotonic() + 60
        while any(not upload.done() for upload in uploads):
            assert time.monotonic() < deadline
            most = max(most, memory().rss)
            await asyncio.sleep(0.02)
        # Some find every connection to the service taken; they must come back.
        assert {await upload for upload in uploads} <= {413, 503}
        assert most - before < growth


async def test_bodies_that_wait_for_a_signature_share_one_budget(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.proxy.body.GATHERED_BY_ALL", 500_000)
    path = home.gateway.data_path
    head = b"POST /api/teams HTTP/1.1\r\nhost: x\r\ncontent-length: 250000\r\n\r\n"
    async with AsyncExitStack() as stack:
        callers = [await stack.enter_async_context(calling(home.port)) for _ in range(4)]
        for caller in callers[:2]:
            caller.send(head + b"x" * 200_000)
        await until(lambda: path.gathered >= 400_000)
        callers[2].send(head + b"x" * 200_000)
        answer = await callers[2].answer()
        assert (answer.status, answer.header("retry-after")) == (503, "1")
        await until(lambda: path.gathered == 400_000)
        for caller in callers[:2]:
            caller.reset()
        await until(lambda: path.gathered == 0)
        callers[3].send(head + b"x" * 250_000)
        assert (await callers[3].answer()).status == 400
    assert path.gathered == 0
    assert not _forwarded(home)


async def test_refusal_that_waits_for_a_store_is_made_once() -> None:
    asked, told = [], asyncio.Event()
    async with house(Limits(tick=0.05), rate_limits=PLENTY) as home:
        limiter = home.gateway.limiter

        async def prepare(wants: object) -> None:
            asked.append(wants)
            await told.wait()

        limiter.prepare = prepare  # type: ignore[method-assign]
        limiter.lacks = lambda wants, now: not told.is_set()  # type: ignore[method-assign]
        head = b"POST /api/teams HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        async with calling(home.port) as caller:
            caller.send(head + chunked(*([b"x" * 10_000] * 60), end=False))
            await until(lambda: asked)
            caller.send(chunked(b"x" * 10_000, end=False))
            await asyncio.sleep(0.1)
            told.set()
            answer = await caller.answer()
        assert answer.status == 413
        assert answer.header("x-ratelimit-remaining")
        assert len(asked) == 1
        assert home.gateway.data_path.gathered == 0
