"""The gateway as processes before fake services, its log lines, and a crowd of callers."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from gateway.rate_limit import CLASSES, NEVER_REFUSED
from shared.secret import encode_base64url
from tests.gateway.fake_auth import AUTH_KEY, ISSUER, FakeAuth
from tests.gateway.fake_service import Asked, FakeService, plain, running
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT = 60.0
PLENTY = " ".join(f"{name}=1000000/1" for name in sorted(CLASSES - NEVER_REFUSED))


def lives(pid: int) -> bool:
    """Tell whether a process runs; one that only waits to be buried does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def gone(*pids: int) -> None:
    """Wait until none of these processes runs."""
    async with asyncio.timeout(START_LIMIT):
        while any(map(lives, pids)):
            await asyncio.sleep(0.01)


class GatewayProcess:
    """``python -m gateway``, alone or with workers.

    Args:
        auth: the fake service it asks.
        learnings: the fake service it forwards to.
        values: further variables.
    """

    def __init__(self, auth: FakeAuth, learnings: FakeService, **values: str) -> None:
        self.auth, self.learnings = auth, learnings
        self.port, self.metrics_port = free_port(), free_port()
        self.lines: list[dict[str, Any]] = []
        self.environment = {
            "PATH": os.environ["PATH"],
            "GUILDHALL_PORT": str(self.port),
            "GUILDHALL_METRICS_PORT": str(self.metrics_port),
            "GUILDHALL_ROOT_SECRET": encode_base64url(b"r" * 32),
            "GUILDHALL_AUTH_ASSERTION_KEY": encode_base64url(AUTH_KEY),
            "GUILDHALL_PUBLIC_URL": ISSUER,
            "GUILDHALL_AUTH_URL": auth.url,
            "GUILDHALL_LEARNINGS_URL": learnings.url,
            "GUILDHALL_RATE_LIMITS": PLENTY,
            **values,
        }
        self._process: asyncio.subprocess.Process
        self._pump: asyncio.Task[None]

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "gateway",
            cwd=ROOT,
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        self._pump = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            try:
                self.lines.append(json.loads(line))
            except ValueError:
                self.lines.append({"event": line.decode()})

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def status(self) -> int | None:
        return self._process.returncode

    def said(self, event: str) -> list[dict[str, Any]]:
        """Give the log lines of an event."""
        return [line for line in self.lines if line["event"] == event]

    @property
    def workers(self) -> dict[int, int]:
        """The process number of the worker in each place that was ready last."""
        return {line["worker"]: line["pid"] for line in self.said("worker ready")}

    def tell(self, number: signal.Signals, pid: int | None = None) -> None:
        os.kill(pid or self.pid, number)

    async def ended(self, limit: float = 25.0) -> int:
        """Wait for its end, and for the end of all that holds its log open."""
        async with asyncio.timeout(limit):
            status = await self._process.wait()
            await self._pump
        return status

    async def close(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        for pid in self.workers.values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await self._process.wait()
        await self._pump

    async def get(self, path: str, port: int | None = None) -> tuple[int, bytes]:
        """Ask for a path on a connection of its own."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port or self.port)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n".encode())
            async with asyncio.timeout(20):
                answer = await reader.read()
        finally:
            writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), body

    async def metrics(self) -> dict[str, float]:
        """Give every sample of a scrape, by its name and labels."""
        status, text = await self.get("/metrics", self.metrics_port)
        assert status == 200
        lines = (line.rpartition(" ") for line in text.decode().splitlines() if line[0] != "#")
        return {name: float(value) for name, _, value in lines}

    async def until(self, condition: Callable[[], object], limit: float = START_LIMIT) -> None:
        """Wait for a condition, as long as the process lives."""
        async with asyncio.timeout(limit):
            while not condition():
                assert self.status is None, self.lines
                await asyncio.sleep(0.01)

    async def ready(self) -> None:
        """Wait until it serves."""
        async with asyncio.timeout(START_LIMIT):
            while True:
                assert self.status is None, self.lines
                with suppress(OSError, IndexError):
                    if (await self.get("/health/ready"))[0] == 200:
                        return
                await asyncio.sleep(0.02)


@asynccontextmanager
async def gateway_process(
    workers: int = 1, values: Mapping[str, str] | None = None
) -> AsyncIterator[GatewayProcess]:
    """Run a gateway; ready, and with all its workers."""
    async with running(FakeAuth()) as auth, running(FakeService()) as learnings:
        assert isinstance(auth, FakeAuth)
        given = {"GUILDHALL_GATEWAY_WORKERS": str(workers), **(values or {})}
        process = GatewayProcess(auth, learnings, **given)
        await process.start()
        try:
            await process.ready()
            if workers > 1:
                await process.until(lambda: len(process.workers) == workers)
            yield process
        finally:
            await process.close()


async def at_work(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take a while, so that every caller has a request under way at every moment."""
    await asyncio.sleep(0.1)
    writer.write(plain(200, b"x" * 200))


class Crowd:
    """Callers that send one request after the other, and count those without a whole answer.

    Args:
        process: whom they call.
        size: how many; every second one opens a connection for each request.
    """

    def __init__(self, process: GatewayProcess, size: int) -> None:
        self.answered = 0
        self.refused = 0
        self.lost: list[str] = []
        self.closes = 0
        self._port = process.port
        token = process.auth.token()
        self._request = (
            f"GET /v1/learnings HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {token}\r\n\r\n"
        ).encode()
        self._stopping = False
        self._tasks = [asyncio.create_task(self._call(index % 2 == 0)) for index in range(size)]

    async def answers(self, number: int) -> None:
        """Wait for so many more answers."""
        goal = self.answered + number
        async with asyncio.timeout(60):
            while self.answered < goal:
                assert not all(task.done() for task in self._tasks), (self.refused, self.lost)
                await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Let everybody finish, those who are refused a connection too."""
        self._stopping = True
        async with asyncio.timeout(60):
            await asyncio.gather(*self._tasks)

    async def _call(self, stays: bool) -> None:
        while not self._stopping:
            # Opened by hand, because older asyncio leaves the socket of a refused caller open.
            connection = socket.socket()
            connection.setblocking(False)
            try:
                address = ("127.0.0.1", self._port)
                await asyncio.get_running_loop().sock_connect(connection, address)
            except OSError:
                connection.close()
                self.refused += 1
                return
            reader, writer = await asyncio.open_connection(sock=connection)
            try:
                while await self._one(reader, writer) and stays and not self._stopping:
                    pass
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Send a request; tell whether the connection goes on."""
        head = b""
        try:
            writer.write(self._request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(_values(head, b"content-length"))
            await reader.readexactly(int(length))
        except (OSError, asyncio.IncompleteReadError) as error:
            self.lost.append(f"{error!r} after {head!r}")
            return False
        if head[9:12] != b"200":
            self.lost.append(head.decode())
            return False
        self.answered += 1
        is_last = b"close" in list(_values(head, b"connection"))
        self.closes += is_last
        return not is_last


def _values(head: bytes, name: bytes) -> Iterator[bytes]:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.lower() == name:
            yield value.strip()
