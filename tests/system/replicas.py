"""Replicas of auth behind one address, replaced one by the next as a careful installation does."""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx

from guildhall import child
from tests.support.ports import free_ports
from tests.support.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT = 60.0
QUIET = 0.2
"""Seconds after the last byte of an answer until a connection counts as between two requests."""


class Balancer:
    """Passes connections on to one replica, and lets those to the one before it run out."""

    def __init__(self) -> None:
        self.target = 0
        self.port = 0
        self._tasks: dict[asyncio.Task[None], int] = {}
        self._answered: dict[asyncio.Task[None], float] = {}

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Balancer]:
        """Listen on a free port while entered."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await server.wait_closed()

    async def switch(self, port: int) -> None:
        """Send new connections elsewhere, and close the old ones while nothing is under way."""
        before, self.target = self.target, port
        loop = asyncio.get_running_loop()
        while old := [task for task, target in self._tasks.items() if target == before]:
            for task in old:
                if loop.time() - self._answered[task] > QUIET:
                    task.cancel()
            await asyncio.sleep(QUIET / 4)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks[task] = self.target
        self._answered[task] = asyncio.get_running_loop().time()
        try:
            # Cancelled on purpose; asyncio's streams would log it.
            with suppress(OSError, asyncio.CancelledError):
                behind, ahead = await asyncio.open_connection("127.0.0.1", self.target)
                try:
                    async with asyncio.TaskGroup() as both:
                        both.create_task(self._ask(task, reader, ahead))
                        both.create_task(self._answer(task, behind, writer))
                finally:
                    ahead.close()
        finally:
            del self._tasks[task], self._answered[task]
            writer.close()

    async def _ask(
        self, task: asyncio.Task[None], client: asyncio.StreamReader, ahead: asyncio.StreamWriter
    ) -> None:
        while data := await client.read(65_536):
            self._answered[task] = math.inf  # however long the answer takes
            ahead.write(data)
            await ahead.drain()
        ahead.close()

    async def _answer(
        self, task: asyncio.Task[None], behind: asyncio.StreamReader, client: asyncio.StreamWriter
    ) -> None:
        while data := await behind.read(65_536):
            client.write(data)
            await client.drain()
            self._answered[task] = asyncio.get_running_loop().time()
        client.close()


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
