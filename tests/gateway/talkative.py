"""A gateway and services that say all they can, and secrets with marks to search for in it."""

from __future__ import annotations

import asyncio
import secrets
import signal
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import httpx

from shared.secret import encode_base64url
from tests.gateway.fake_service import FakeService, running
from tests.support import loud
from tests.support.ports import free_port
from tests.support.postgres import DatabaseUrls
from tests.support.service import ASSERTION_KEY

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT = 120.0
PATIENCE = 1.5
AT_ONCE = 20
REAL = ("auth", "learnings", "teams")


class Marks:
    """Secrets, each with a mark to search for."""

    def __init__(self) -> None:
        self._labels: dict[str, str] = {}

    def new(self, label: str) -> str:
        """Give a new secret; only the label is shown when it is found."""
        mark = f"zq{secrets.token_hex(10)}"
        self._labels[mark] = label
        return mark

    def watch(self, label: str, secret: str) -> str:
        """Search for a secret that has no mark."""
        self._labels[secret] = label
        return secret

    def basic(self, label: str) -> str:
        """Give credentials for the scheme Basic."""
        blob = b64encode(f"ada:{self.new(label)}".encode()).decode()
        self._labels[blob] = label
        return blob

    def found(self, text: str) -> list[str]:
        """Name the secrets that a text gives away, each with what stands around it."""
        lines = []
        for mark, label in self._labels.items():
            place = text.find(mark)
            if place >= 0:
                around = text[max(0, place - 200) : place + 60].replace(mark, "<SECRET>")
                lines.append(f"{label}: ...{around}...")
        return lines


class Spoken:
    """A process whose output is kept."""

    def __init__(self, name: str, output: Path) -> None:
        self.name = name
        self.output = output
        self.child: asyncio.subprocess.Process

    async def start(self, *arguments: str, **environment: str) -> None:
        with self.output.open("wb") as file:
            self.child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-X",
                "dev",
                str(loud.__file__),
                "-m",
                *arguments,
                cwd=ROOT,
                env=environment,
                stdin=asyncio.subprocess.PIPE,
                stdout=file,
                stderr=file,
            )

    async def ready(self, url: str) -> None:
        async with asyncio.timeout(START_LIMIT), httpx.AsyncClient() as client:
            while True:
                assert self.child.returncode is None, self.text
                with suppress(httpx.TransportError):
                    if (await client.get(url)).status_code == 200:
                        return
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        if self.child.returncode is None:
            with suppress(ProcessLookupError):
                self.child.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self.child.wait(), 20)
            except TimeoutError:
                self.child.kill()
                await self.child.wait()

    @property
    def text(self) -> str:
        return self.output.read_text(errors="replace")


class Loud:
    """The talkative system, and the marks that its callers use."""

    def __init__(self, folder: Path) -> None:
        self.marks = Marks()
        self.folder = folder
        self.runs = FakeService()
        self.port = free_port()
        self.metrics_port = free_port()
        self.ports = {name: free_port() for name in (*REAL, "agents")}
        self.processes = {name: Spoken(name, folder / f"{name}.log") for name in ("gateway", *REAL)}
        self._places = asyncio.Semaphore(AT_ONCE)

    def _common(self, log_format: str) -> dict[str, str]:
        return {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "GUILDHALL_PROFILE": "development",
            "GUILDHALL_LOG_LEVEL": "debug",
            "GUILDHALL_LOG_FORMAT": log_format,
            "GUILDHALL_ROOT_SECRET": encode_base64url(ASSERTION_KEY),
            "GUILDHALL_DATA_DIR": str(self.folder),
            "GUILDHALL_PUBLIC_URL": f"http://127.0.0.1:{self.port}",
        }

    async def start(self, urls: DatabaseUrls) -> None:
        for name in REAL:
            values = {
                **self._common("console"),
                "GUILDHALL_DATABASE_URL": urls.url(name),
                "GUILDHALL_BROKER_URL": urls.url("bus"),
                "GUILDHALL_PORT": str(self.ports[name]),
                "GUILDHALL_SIGNING_KEYS": encode_base64url(bytes(range(32))),
                "GUILDHALL_PASSWORD_MEMORY": "32",
                "GUILDHALL_PASSWORD_PASSES": "1",
            }
            await self.processes[name].start(f"services.{name}", "serve", **values)
        addresses = {name: f"http://127.0.0.1:{port}" for name, port in self.ports.items()}
        addresses["runs"] = self.runs.url
        values = {f"GUILDHALL_{name.upper()}_URL": url for name, url in addresses.items()}
        values |= {
            **self._common("json"),
            "GUILDHALL_BROKER_URL": urls.url("bus"),
            "GUILDHALL_PORT": str(self.port),
            "GUILDHALL_METRICS_PORT": str(self.metrics_port),
            "GUILDHALL_UPSTREAM_TIMEOUT": "1",
            "GUILDHALL_UPSTREAM_IDLE_TIMEOUT": "1",
            # So that trouble is met each time, not only until a breaker opens.
            "GUILDHALL_UPSTREAM_FAULTS": "1000",
            "GUILDHALL_UPSTREAM_FAULT_SHARE": "1",
            "GUILDHALL_UPSTREAM_CHECK_INTERVAL": "0",
            "GUILDHALL_TRUSTED_PROXIES": "10.0.0.0/8",
            "LOUD_CRASH": "1",
            "LOUD_LOOP": "asyncio",  # which prints arguments, as uvloop does not
        }
        await self.processes["gateway"].start("gateway", **values)
        for name in REAL:
            await self.processes[name].ready(f"{addresses[name]}/health/ready")
        await self.processes["gateway"].ready(f"http://127.0.0.1:{self.port}/health")

    async def stop(self) -> None:
        await asyncio.gather(*(process.stop() for process in self.processes.values()))

    async def send(self, *pieces: bytes, listens: bool = True) -> bytes:
        """Send what need not be HTTP, and read what comes back."""
        async with self._places:
            return await self._send(pieces, listens)

    async def _send(self, pieces: tuple[bytes, ...], listens: bool) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            with suppress(ConnectionError, TimeoutError):
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                if listens:
                    return await asyncio.wait_for(reader.read(), PATIENCE)
            return b""
        finally:
            writer.transport.abort()

    async def ask(self, method: str, target: str, *headers: str, body: bytes = b"") -> bytes:
        """Send one request as HTTP has it."""
        lines = [f"{method} {target} HTTP/1.1", "host: x", "connection: close", *headers]
        if body:
            lines.append(f"content-length: {len(body)}")
        return await self.send("\r\n".join([*lines, "", ""]).encode() + body)

    def output(self) -> dict[str, str]:
        """Give all that the processes wrote."""
        return {name: process.text for name, process in self.processes.items()}


@asynccontextmanager
async def talkative(urls: DatabaseUrls, folder: Path) -> AsyncIterator[Loud]:
    async with AsyncExitStack() as stack:
        system = Loud(folder)
        await stack.enter_async_context(running(system.runs))
        stack.push_async_callback(system.stop)
        await system.start(urls)
        yield system
