"""Who takes their time takes nobody else's: slow heads, slow bodies, slow readers, idle crowds."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import psutil
import pytest

from gateway.upstream.limits import Limits
from tests.gateway.caller import calling, narrow
from tests.gateway.conftest import PLENTY, house, until
from tests.gateway.fake_service import Asked, plain
from tests.gateway.gateway_process import ROOT, GatewayProcess, gateway_process

IDLE = SLOW = 5000
GROWTH = 12 * 1024
"""Bytes of memory that one more connection may take, idle or with half a head."""


@pytest.fixture(scope="module")
def many_files() -> None:
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < IDLE + SLOW + 500:
        pytest.skip(f"only {most} files may be open here")
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class _Crowd:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def says(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        said: dict[str, Any] = json.loads(await self._process.stdout.readline())
        return said

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")


@asynccontextmanager
async def _crowd(port: int) -> AsyncIterator[_Crowd]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.gateway.slow_crowd",
        *map(str, (port, IDLE, SLOW)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield _Crowd(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _ask(gateway: GatewayProcess, until_set: asyncio.Event) -> int:
    """Ask as an ordinary caller for as long as it takes; every answer must be right."""
    request = "GET /v1/learnings HTTP/1.1\r\nhost: x\r\n"
    request += f"authorization: Bearer {gateway.auth.token('ses_1')}\r\n\r\n"
    asked = 0
    async with calling(gateway.port) as caller:
        while not until_set.is_set():
            caller.send(request.encode())
            answer = await caller.answer()
            assert answer.status == 200
            assert json.loads(answer.body)["target"] == "/v1/learnings"
            asked += 1
            await asyncio.sleep(0.01)
    return asked


async def test_5000_slow_heads_and_5000_idle_callers(many_files: None) -> None:
    async with gateway_process(values={"GUILDHALL_HEAD_TIMEOUT": "3"}) as gateway:
        over = asyncio.Event()
        others = [asyncio.create_task(_ask(gateway, over)) for _ in range(4)]
        await asyncio.wait(others, timeout=0.5)
        memory = psutil.Process(gateway.pid).memory_info
        before = memory().rss
        async with asyncio.timeout(60), _crowd(gateway.port) as crowd:
            assert await crowd.says() == {"open": IDLE}
            growth = memory().rss - before
            assert await crowd.says() == {"ended": {"HTTP/1.1 400": SLOW}}
            crowd.end()
            assert await crowd.says() == {"left": IDLE, "good": IDLE}
        over.set()
        assert min(await asyncio.gather(*others)) > 10
        assert growth < GROWTH * (IDLE + SLOW), f"{growth / (IDLE + SLOW):.0f} bytes each"
        async with asyncio.timeout(20):
            while (psutil.Process(gateway.pid).num_fds()) > 200:
                await asyncio.sleep(0.05)


QUICK = Limits(connect=1.0, head=5.0, idle=0.4, stall=0.4, tick=0.05)


def _post(token: str, length: int) -> bytes:
    head = "POST /v1/learnings HTTP/1.1\r\nhost: x\r\n"
    head += f"authorization: Bearer {token}\r\ncontent-length: {length}\r\n\r\n"
    return head.encode()


@pytest.mark.parametrize("first", [0, 10, 66_000])
@pytest.mark.parametrize("path", ["bearer", "signed"])
async def test_body_in_drops_is_ended(first: int, path: str) -> None:
    async with house(QUICK, rate_limits=PLENTY) as home:
        home.learnings.reads_body = False
        released = asyncio.Event()

        async def behave(
            asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            while await reader.read(65_536):
                pass
            released.set()

        home.learnings.behave = behave
        async with calling(home.port) as caller:
            head = _post(home.auth.token(), 200_000)
            if path == "signed":
                head = head.replace(b"/v1/learnings", b"/api/teams")
            caller.send(head + b"x" * first)
            answer = asyncio.create_task(caller.answer())
            drops = 0
            while not answer.done():
                caller.send(b"x")
                drops += 1
                await asyncio.wait([answer], timeout=0.1)
            assert (await answer).status == 400
            assert drops < 50
        if first > 65_536 and path == "bearer":
            await asyncio.wait_for(released.wait(), 10)
        else:
            # A body that does not arrive costs no connection to the service.
            assert home.learnings.connections == 0
            assert home.services["teams"].connections == 0


async def test_steady_body_may_take_its_time() -> None:
    limits = Limits(idle=1.5, tick=0.05)
    async with house(limits, rate_limits=PLENTY) as home, calling(home.port) as caller:
        caller.send(_post(home.auth.token(), 36 * 200))
        for _ in range(36):
            caller.send(b"x" * 200)
            await asyncio.sleep(0.05)
        answer = await caller.answer()
        assert answer.status == 200
        assert len(json.loads(answer.body)["body"]) == 7200


@pytest.mark.parametrize("ends", [True, False])
async def test_who_reads_nothing_is_let_go(ends: bool) -> None:
    async with house(QUICK, rate_limits=PLENTY) as home:

        async def behave(
            asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            writer.write(plain(200, b"x" * (150_000 if ends else 30_000_000)))
            await writer.drain()

        home.learnings.behave = behave
        async with calling(home.port, window=4096) as caller:
            await until(lambda: home.gateway.data_path.connections)
            (connection,) = home.gateway.data_path.connections
            narrow(connection.transport)
            head = "GET /v1/learnings HTTP/1.1\r\nhost: x\r\n"
            caller.send(f"{head}authorization: Bearer {home.auth.token()}\r\n\r\n".encode())
            caller.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await until(lambda: not home.gateway.data_path.connections)
            if not ends:
                await until(lambda: not home.learnings.writers)
        # The service itself is well: others get all of it.
        async with calling(home.port) as caller:
            caller.send(f"{head}authorization: Bearer {home.auth.token()}\r\n\r\n".encode())
            assert len((await caller.answer()).body) == (150_000 if ends else 30_000_000)


async def test_idle_callers_make_room_when_files_run_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.proxy.data_path.CROWDED", 0.2)
    async with house(QUICK, rate_limits=PLENTY) as home, AsyncExitStack() as stack:
        path = home.gateway.data_path
        path.files = 40  # a quarter is kept
        callers = [await stack.enter_async_context(calling(home.port)) for _ in range(35)]
        for caller in callers:
            caller.send(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await caller.answer()).status == 200
        await until(lambda: len(path.connections) <= 30)
        async with calling(home.port) as caller:
            caller.send(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await caller.answer()).status == 200


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"G", b"GET / HTTP/1.1\r\nhost"])
async def test_silence_is_ended(sent: bytes) -> None:
    async with house(QUICK, head_timeout=0.3) as home, calling(home.port) as caller:
        path = home.gateway.data_path
        caller.send(sent)
        await until(lambda: path.connections)
        if sent.strip():
            assert (await caller.answer()).status == 400
            assert not await caller.rest()
        else:
            # Nothing has begun, so this is as idle as between two requests.
            (connection,) = path.connections
            await asyncio.sleep(0)
            connection.look(asyncio.get_running_loop().time() + 80)
            assert not await caller.rest()
