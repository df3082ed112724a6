"""Replicas of auth behind one address, replaced one by the next as a careful installation does."""

from __future__ import annotations

import asyncio
import math
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import SupportsIndex

import httpx

from guildhall import child
from tests.support.ports import free_ports
from tests.support.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT = 60.0
QUIET = 0.2
"""Seconds after the last byte of an answer until a connection counts as between two requests."""


class _Watched(asyncio.StreamReader):
    """Tells at once that something came, not only when it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.quiet_since = asyncio.get_running_loop().time()

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        self.quiet_since = math.inf  # however long the answer takes
        super().feed_data(data)


@dataclass
class _Passage:
    """One connection from the gateway, and the replica behind it."""

    target: int
    client: _Watched
    writer: asyncio.StreamWriter

    def is_unused(self) -> bool:
        """Tell whether nothing is under way, down to what the kernel holds."""
        if self.writer.is_closing():  # already going; its socket may be no more
            return False
        if asyncio.get_running_loop().time() - self.client.quiet_since < QUIET:
            return False
        with socket.socket(fileno=os.dup(self.writer.get_extra_info("socket").fileno())) as peek:
            try:
                peek.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            except BlockingIOError:
                return True
        return False


class Balancer:
    """Passes connections on to one replica, and lets those to the one before it run out."""

    def __init__(self) -> None:
        self.target = 0
        self.port = 0
        self._passages: dict[asyncio.Task[None], _Passage] = {}

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Balancer]:
        """Listen on a free port while entered."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._protocol, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in tuple(self._passages):
                task.cancel()
            await asyncio.gather(*self._passages, return_exceptions=True)
            await server.wait_closed()

    async def switch(self, port: int) -> None:
        """Send new connections elsewhere, and close the old ones while nothing is under way."""
        before, self.target = self.target, port
        while old := [one for one in self._passages.values() if one.target == before]:
            for passage in old:
                if passage.is_unused():
                    passage.writer.transport.abort()
            await asyncio.sleep(QUIET / 4)

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        reader = _Watched()

        async def accept(client: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._pass(reader, writer)

        return asyncio.StreamReaderProtocol(reader, accept)

    async def _pass(self, client: _Watched, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passages[task] = _Passage(self.target, client, writer)
        try:
            # Cut or cancelled on purpose; asyncio's streams would log it.
            with suppress(OSError, asyncio.CancelledError):
                behind, ahead = await asyncio.open_connection("127.0.0.1", self.target)
                try:
                    async with asyncio.TaskGroup() as both:
                        both.create_task(_ask(client, ahead))
                        both.create_task(_answer(behind, client, writer))
                finally:
                    ahead.close()
        finally:
            del self._passages[task]
            writer.close()


async def _ask(client: asyncio.StreamReader, ahead: asyncio.StreamWriter) -> None:
    while data := await client.read(65_536):
        ahead.write(data)
        await ahead.drain()
    ahead.close()


async def _answer(
    behind: asyncio.StreamReader, client: _Watched, writer: asyncio.StreamWriter
) -> None:
    while data := await behind.read(65_536):
        writer.write(data)
        await writer.drain()
        client.quiet_since = asyncio.get_running_loop().time()
    writer.close()


class Replica:
    """One more process of auth, set up like the stack's own but for what is given."""

    def __init__(self, stack: Stack, **changes: str) -> None:
        self.port = free_ports()
        environment = {
            name: value
            for name, value in stack.child("auth").environ().items()
            if name.startswith("GUILDHALL_") or name in ("PATH", "HOME")
        }
        self._environment = environment | changes | {"GUILDHALL_AUTH_PORT": str(self.port)}
        self._process: asyncio.subprocess.Process

    async def start(self) -> None:
        """Start, and wait until it can work."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(child.__file__),  # so that it ends with us if we are killed
            "-m",
            "services.auth",
            "serve",
            cwd=ROOT,
            env=self._environment | {"PYTHONPATH": str(ROOT)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(START_LIMIT), httpx.AsyncClient() as client:
            while True:
                assert self._process.returncode is None, "the replica has ended"
                with suppress(httpx.TransportError):
                    url = f"http://127.0.0.1:{self.port}/health/ready"
                    if (await client.get(url)).status_code == 200:
                        return
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """Ask it to end, and wait."""
        if self._process.returncode is None:
            self._process.terminate()
        await self._process.wait()
