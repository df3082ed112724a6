"""Services that are slow, stopped, killed, or not there: an answer comes in time all the same."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import psutil
import pytest

from gateway.upstream import Limits
from tests.gateway.caller import Answer, calling, request
from tests.gateway.conftest import House, house
from tests.gateway.fake_service import Asked, answering, plain
from tests.support.ports import free_port

PATH = "/v1/learnings"
QUICK = Limits(connect=0.6, head=0.6, idle=0.6, stall=0.6, tick=0.05)
OK = b"HTTP/1.1 200 OK\r\n"


def bearer(home: House) -> str:
    return f"authorization: Bearer {home.auth.token()}"


async def ask(home: House, method: str = "GET", body: bytes | None = None) -> Answer:
    async with calling(home.port) as caller:
        caller.send(request(method, PATH, bearer(home), body=body))
        return await caller.answer(method)


async def _drip(home: House, start: bytes, drop: bytes) -> Answer:
    """Let the service write drops for ever, each well within every limit."""
    stopped = asyncio.Event()

    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(start)
        try:
            while not writer.is_closing():
                writer.write(drop)
                await asyncio.sleep(0.05)
        finally:
            stopped.set()

    home.learnings.behave = behave
    try:
        return await ask(home)
    finally:
        await asyncio.wait_for(stopped.wait(), 10)


@pytest.mark.parametrize(
    ("start", "drop"),
    [(OK + b"x: ", b"y"), (OK, b"x: y\r\n"), (b"", b"HTTP/1.1 100 Continue\r\n\r\n")],
    ids=["a value", "headers", "interim answers"],
)
async def test_head_in_drops(start: bytes, drop: bytes) -> None:
    async with house(QUICK) as home:
        assert (await _drip(home, start, drop)).status == 504
        home.learnings.behave = answering(plain(200, b"right"))
        await until_well(home)


async def test_body_in_drops() -> None:
    async with house(QUICK) as home:
        count = 15

        async def behave(
            asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            writer.write(OK + b"content-length: %d\r\n\r\n" % count)
            for _ in range(count):
                writer.write(b"x")
                await asyncio.sleep(0.05)

        home.learnings.behave = behave
        assert (await ask(home)).body == b"x" * count


@pytest.mark.parametrize("size", [0, 1000, 300_000])
async def test_service_that_accepts_and_says_nothing(size: int) -> None:
    async with house(QUICK) as home:
        await home.learnings.stop()
        with _listening(home.learnings.port, backlog=100):
            answer = await ask(home, "POST", b"x" * size)
            assert answer.status == 504
        await home.learnings.start()
        await until_well(home)


async def test_machine_that_does_not_answer_at_all() -> None:
    """The kernel of a full listener drops what would connect, as a machine that is off does."""
    async with house(QUICK) as home:
        await home.learnings.stop()
        with _listening(home.learnings.port, backlog=0), _crowding(home.learnings.port):
            assert (await ask(home)).status in (503, 504)
        await home.learnings.start()
        await until_well(home)


async def test_what_takes_long_by_its_nature_is_waited_for() -> None:
    """Both are asked at once; one answers when the other was given up."""
    given_up = asyncio.Event()

    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await given_up.wait()
        writer.write(plain(200, b"a suite"))

    async with house(QUICK) as home:
        home.services["runs"].behave = behave
        async with calling(home.port) as patient, calling(home.port) as other:
            patient.send(request("POST", "/api/v1/generate", bearer(home), body=b"{}"))
            other.send(request("POST", "/api/v1/runs", bearer(home), body=b"{}"))
            assert (await other.answer("POST")).status == 504
            given_up.set()
            assert (await patient.answer("POST")).body == b"a suite"


async def until_well(home: House) -> None:
    """Ask until the service counts as well again."""
    async with asyncio.timeout(10):
        while (answer := await ask(home)).status != 200:
            await asyncio.sleep(0.05)
    assert answer.body


@contextmanager
def _listening(port: int, *, backlog: int) -> Iterator[None]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(backlog)
        yield


@contextmanager
def _crowding(port: int) -> Iterator[None]:
    crowd = []
    for _ in range(8):
        connection = socket.socket()
        connection.setblocking(False)
        with suppress(BlockingIOError):
            connection.connect(("127.0.0.1", port))
        crowd.append(connection)
    try:
        yield
    finally:
        for connection in crowd:
            connection.close()


SERVER = """
import http.server, sys

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *args): pass
    def do_GET(self):
        self.send_response(200)
        large = "large" in self.path
        self.send_header("content-length", "100000000" if large else "5")
        self.end_headers()
        try:
            for _ in range(1000 if large else 0):
                self.wfile.write(bytes(100000))
        except OSError:
            return
        if not large:
            self.wfile.write(b"right")

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


class _Process:
    """A service as a process that can be stopped and killed."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._child: asyncio.subprocess.Process

    async def start(self) -> None:
        self._child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SERVER, str(self.port)
        )
        async with asyncio.timeout(20):
            while True:
                with suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    writer.close()
                    return
                await asyncio.sleep(0.02)

    def tell(self, number: signal.Signals) -> None:
        os.kill(self._child.pid, number)

    async def stopped(self) -> None:
        """Stop it, and return when it has stopped: until then it may answer once more."""
        self.tell(signal.SIGSTOP)
        while psutil.Process(self._child.pid).status() != psutil.STATUS_STOPPED:
            await asyncio.sleep(0.01)

    async def kill(self) -> None:
        with suppress(ProcessLookupError):
            self._child.kill()
        await self._child.wait()


@asynccontextmanager
async def _before_a_process() -> AsyncIterator[tuple[House, _Process]]:
    port = free_port()
    process = _Process(port)
    await process.start()
    try:
        async with house(QUICK, learnings_url=f"http://127.0.0.1:{port}") as home:
            yield home, process
    finally:
        await process.kill()


async def test_process_that_is_stopped() -> None:
    async with _before_a_process() as (home, process):
        await until_well(home)
        await process.stopped()
        # On the kept connection, and on new ones, which the kernel still accepts.
        for _ in range(3):
            assert (await ask(home)).status == 504
        process.tell(signal.SIGCONT)
        await until_well(home)


async def test_process_that_is_killed() -> None:
    async with _before_a_process() as (home, process):
        await until_well(home)
        async with calling(home.port, window=4096) as caller:
            caller.send(request("GET", f"{PATH}/large", bearer(home)))
            assert (await caller.head()).header("content-length") == "100000000"
            await process.kill()
            assert len(await caller.rest()) < 100_000_000
        assert (await ask(home)).status in (502, 503)
        await process.start()
        await until_well(home)


async def test_process_that_is_stopped_within_an_answer() -> None:
    async with _before_a_process() as (home, process):
        await until_well(home)
        async with calling(home.port) as caller:
            caller.send(request("GET", f"{PATH}/large", bearer(home)))
            assert (await caller.head()).status == 200
            process.tell(signal.SIGSTOP)
            assert len(await caller.rest()) < 100_000_000
        process.tell(signal.SIGCONT)
        await until_well(home)
