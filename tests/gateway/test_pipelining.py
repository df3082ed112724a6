"""Requests sent before the answers to earlier ones: in order, each its own, memory bounded."""

from __future__ import annotations

import asyncio
import json

import psutil
import pytest

from tests.gateway.caller import calling, narrow
from tests.gateway.conftest import House, until
from tests.gateway.fake_service import Asked, Behaviour, plain
from tests.gateway.gateway_process import gateway_process

MANY = 1000


@pytest.fixture
def home(patient: House) -> House:
    return patient


def _requests(token: str, numbers: range, *, bodies: bool = False) -> bytes:
    pieces = []
    for number in numbers:
        body = f"body {number}".encode() if bodies and number % 3 == 0 else b""
        method = "POST" if body else "GET"
        head = f"{method} /v1/learnings?number={number} HTTP/1.1\r\nhost: x\r\n"
        head += f"authorization: Bearer {token}\r\n"
        if body and number % 2:
            head += "transfer-encoding: chunked\r\n"
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        elif body:
            head += f"content-length: {len(body)}\r\n"
        pieces.append(head.encode() + b"\r\n" + body)
    return b"".join(pieces)


@pytest.mark.parametrize(("bodies", "piece"), [(False, 1_000_000), (True, 5000), (True, 997)])
async def test_1000_are_answered_in_their_order(home: House, bodies: bool, piece: int) -> None:
    async with calling(home.port) as caller:
        data = _requests(home.auth.token(), range(MANY), bodies=bodies)

        async def send() -> None:
            for at in range(0, len(data), piece):
                caller.send(data[at : at + piece])
                await caller.writer.drain()

        sending = asyncio.create_task(send())
        for number in range(MANY):
            answer = await caller.answer()
            assert answer.status == 200
            said = json.loads(answer.body)
            assert said["target"] == f"/v1/learnings?number={number}"
            with_body = bodies and number % 3 == 0
            assert said["body"] == (f"body {number}" if with_body else "")
        await sending
    assert len(home.learnings.asked) == MANY


def _first_is_slow(release: asyncio.Event) -> Behaviour:
    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        number = asked.target.partition("=")[2]
        if number == "0":
            await release.wait()
        writer.write(plain(200, number.encode()))

    return behave


async def test_a_slow_one_first_keeps_the_others_waiting(home: House) -> None:
    release = asyncio.Event()
    home.learnings.behave = _first_is_slow(release)
    async with calling(home.port) as caller:
        caller.send(_requests(home.auth.token(), range(MANY)))
        await until(lambda: home.learnings.asked)
        reading = asyncio.create_task(caller.answer())
        # Another connection is not held up, and nothing of this one goes on meanwhile.
        async with calling(home.port) as other:
            other.send(_requests(home.auth.token(), range(MANY, MANY + 1)))
            assert (await other.answer()).body == b"%d" % MANY
        assert len(home.learnings.asked) == 2
        assert not reading.done()
        release.set()
        assert (await reading).body == b"0"
        for number in range(1, MANY):
            assert (await caller.answer()).body == b"%d" % number


@pytest.mark.parametrize("kind", ["refused", "page", "forwarded", "malformed"])
async def test_mixed_with_what_is_answered_at_once(home: House, kind: str) -> None:
    other = {
        "refused": b"GET /v1/learnings HTTP/1.1\r\nhost: x\r\n\r\n",
        "page": b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n",
        "forwarded": _requests(home.auth.token(), range(5, 6)),
        "malformed": b"GET * HTTP/1.1\r\nhost: x\r\n\r\n",
    }[kind]
    status = {"refused": 401, "page": 200, "forwarded": 200, "malformed": 400}[kind]
    release = asyncio.Event()
    home.learnings.behave = _first_is_slow(release)
    async with calling(home.port) as caller:
        last = _requests(home.auth.token(), range(7, 8))
        caller.send(_requests(home.auth.token(), range(2)) + other * 50 + last)
        await until(lambda: home.learnings.asked)
        release.set()
        assert (await caller.answer()).body == b"0"
        assert (await caller.answer()).body == b"1"
        if kind == "malformed":
            assert (await caller.answer()).status == 400
            assert not await caller.rest()
            assert len(home.learnings.asked) == 2
            return
        for _ in range(50):
            assert (await caller.answer()).status == status
        assert (await caller.answer()).body == b"7"


CROWD = 40
TINY = b"GET / HTTP/1.1\r\nhost:\r\n\r\n"


@pytest.mark.parametrize("reads", [True, False])
async def test_waiting_requests_take_little_memory(reads: bool) -> None:
    """Callers who send without end behind an answer that does not come, or do not read theirs."""
    async with gateway_process() as gateway:
        release = asyncio.Event()
        gateway.learnings.behave = _first_is_slow(release)
        first = _requests(gateway.auth.token(), range(1)) if reads else b""
        memory = psutil.Process(gateway.pid).memory_info
        tasks: list[asyncio.Task[None]] = []
        stuck: set[int] = set()

        async def flood(number: int) -> None:
            async with calling(gateway.port, window=0 if reads else 4096) as caller:
                caller.writer.transport.pause_reading()  # type: ignore[attr-defined]
                caller.writer.transport.set_write_buffer_limits(high=0)
                caller.send(first + TINY * 20_000)
                while True:
                    try:
                        await asyncio.wait_for(caller.writer.drain(), 0.5)
                    except TimeoutError:
                        break
                    caller.send(TINY * 20_000)
                stuck.add(number)
                await release.wait()

        before = memory().rss
        try:
            tasks = [asyncio.create_task(flood(number)) for number in range(CROWD)]
            await until(lambda: len(stuck) == CROWD, 30)
            growth = memory().rss - before
        finally:
            release.set()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        # What one read brings, the requests of one slice, and answers up to the write limit.
        assert growth < CROWD * 1_200_000, f"{growth / CROWD:.0f} bytes each"


async def test_reading_goes_on_when_the_answers_are_read(home: House) -> None:
    async with calling(home.port, window=4096) as caller:
        await until(lambda: home.gateway.data_path.connections)
        for connection in home.gateway.data_path.connections:
            narrow(connection.transport)
        caller.send(TINY * 4000)
        for _ in range(4000):
            assert (await caller.answer()).status == 200
