"""One service as a process with a PostgreSQL of its own, asked as the gateway asks it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from guildhall.embedded.place import prepare_place
from guildhall.embedded.server import EmbeddedPostgres
from guildhall.migrations import directory
from guildhall.provision import create_database, derived_passwords, provision, role_url
from shared.migrate import migrate
from shared.principal import ASSERTION_HEADER, CLIENT_HEADER, Principal, sign_assertion
from shared.secret import encode_base64url

KEY: Final = bytes(range(32))
CONNECTIONS: Final = 16
ROUNDS: Final = 5
DRIVE_LIMIT: Final = 600.0


@contextmanager
def database_server() -> Iterator[EmbeddedPostgres]:
    """Start a PostgreSQL of its own and take everything away afterwards."""
    # The server's own user must be able to enter it.
    home = Path(tempfile.mkdtemp(prefix="guildhall-bench-"))
    server = EmbeddedPostgres(prepare_place(home), {"shared_buffers": "512MB"})
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


async def make_database(server: EmbeddedPostgres, name: str, service: str) -> dict[str, str]:
    """Make a database with the schemas of one service and of the bus; give their addresses."""
    passwords = derived_passwords(KEY)
    await create_database(server.url(), name)
    admin = server.url(name)
    await provision(admin, passwords)
    urls = {schema: role_url(admin, schema, passwords[schema]) for schema in (service, "bus")}
    for schema, url in urls.items():
        await migrate(url, schema, directory(schema))
    return urls


@asynccontextmanager
async def running(
    service: str, urls: Mapping[str, str], probe: bytes, **settings: str
) -> AsyncIterator[tuple[int, psutil.Process]]:
    """Run a service, wait until it answers the request ``probe``, give its port and process."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"services.{service}", "serve"),
        env={
            "PATH": os.environ["PATH"],
            "GUILDHALL_DATABASE_URL": urls[service],
            "GUILDHALL_BROKER_URL": urls["bus"],
            "GUILDHALL_ASSERTION_KEY": encode_base64url(KEY),
            "GUILDHALL_ROOT_SECRET": encode_base64url(KEY),
            "GUILDHALL_PORT": str(port),
            "GUILDHALL_LOG_LEVEL": "warning",
            **settings,
        },
    )
    try:
        await _until_answering(port, probe)
        yield port, psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


async def _until_answering(port: int, probe: bytes) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await ask(reader, writer, probe)
            writer.close()
            return
        except OSError:
            await asyncio.sleep(0.05)
    raise SystemExit("the service does not answer")


def head(service: str, principal: Principal, method: str, path: str, client: str = "") -> bytes:
    """Write the head of a request as the gateway sends it, without its empty last line."""
    assertion = sign_assertion(KEY, service, principal, time.time())
    lines = f"{method} {path} HTTP/1.1\r\nhost: bench\r\n{ASSERTION_HEADER}: {assertion}\r\n"
    return (lines + (f"{CLIENT_HEADER}: {client}\r\n" if client else "")).encode()


def with_body(start: bytes, body: bytes) -> bytes:
    """Put a JSON body under a head."""
    fields = b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    return start + fields + body


async def ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes, expect: bytes = b"2"
) -> bytes:
    """Send one request, read its answer, give the body.

    Raises:
        SystemExit: the status does not begin as expected.
    """
    writer.write(request)
    answer = await reader.readuntil(b"\r\n\r\n")
    length = int(answer.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
    body = await reader.readexactly(length)
    if not answer.startswith(b"HTTP/1.1 " + expect):
        raise SystemExit(f"unexpected answer: {answer!r} {body!r}")
    return body


class Clock:
    """CPU that a service and its database burn while the ``with`` lasts.

    Attributes:
        taken: seconds of the service, and of PostgreSQL; after the end.
    """

    def __init__(self, process: psutil.Process, server: EmbeddedPostgres) -> None:
        self._process = process
        assert server.pid is not None
        self._postmaster = psutil.Process(server.pid)
        self._before = (0.0, 0.0)
        self._started = 0.0
        self.taken = (0.0, 0.0)

    def __enter__(self) -> Clock:
        self._before = self._read()
        self._started = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        after = self._read()
        self.taken = (after[0] - self._before[0], after[1] - self._before[1])

    def wall(self) -> float:
        """Give the seconds since the start."""
        return time.perf_counter() - self._started

    def _read(self) -> tuple[float, float]:
        own = self._process.cpu_times()
        database = 0.0
        for child in self._postmaster.children(recursive=True):
            times = child.cpu_times()
            database += times.user + times.system
        return own.user + own.system, database


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU per request in microseconds, and requests a second."""

    service: float
    database: float
    rate: float


async def drive(port: int, requests: Iterator[bytes], count: int) -> None:
    """Ask so many requests, 16 under way at a time."""
    left = count

    async def lane() -> None:
        nonlocal left
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
        while left > 0:
            left -= 1
            await ask(reader, writer, next(requests))
        writer.close()

    async with asyncio.timeout(DRIVE_LIMIT), asyncio.TaskGroup() as lanes:
        for _ in range(CONNECTIONS):
            lanes.create_task(lane())


async def cost_of(
    port: int,
    requests: Iterator[bytes],
    count: int,
    process: psutil.Process,
    server: EmbeddedPostgres,
) -> Cost:
    """Give the cheapest of five rounds, which neighbours disturbed least.

    What the relay still does after the last answer is waited for and counted.
    """
    rounds = []
    each = count // ROUNDS
    for _ in range(ROUNDS):
        with Clock(process, server) as clock:
            await drive(port, requests, each)
            wall = clock.wall()
            await asyncio.sleep(0.5)
        service, database = clock.taken
        rounds.append((service / each * 1e6, database / each * 1e6, wall))
    service_us, database_us, wall = (min(column) for column in zip(*rounds, strict=True))
    return Cost(service_us, database_us, each / wall)


def loop_ns() -> float:
    """What the machine is worth at this moment: neighbours slow down what CPU clocks count."""
    turns = 2_000_000
    started = time.process_time()
    for _ in range(turns):
        pass
    return (time.process_time() - started) / turns * 1e9


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
