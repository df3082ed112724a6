"""One worker process as its parent sees it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
import socket
import sys
import time
from collections.abc import Sequence
from typing import Final

from gateway.workers import link

WORKER: Final = "worker"
"""The word in front of a worker's arguments: its number, its line, and its sockets."""


class Worker:
    """A worker process that was started.

    Args:
        number: whose place it takes.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.started = time.monotonic()
        self.status: int | None = None
        self.is_ready = asyncio.Event()
        self.is_leaving = asyncio.Event()
        self.has_ended = asyncio.Event()
        self._questions = itertools.count()
        self._answers: dict[int, asyncio.Future[bytes]] = {}
        self._process: asyncio.subprocess.Process
        self._writer: asyncio.StreamWriter
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Start it.

        Raises:
            OSError: the system gives no process.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            descriptors = [theirs.fileno(), *(one.fileno() for one in sockets)]
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "gateway",
                WORKER,
                *map(str, (self.number, *descriptors)),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=descriptors,
            )
        reader, self._writer = await asyncio.open_connection(sock=ours)
        self._tasks = [
            asyncio.create_task(self._listen(reader), name=f"line to worker {self.number}"),
            asyncio.create_task(self._wait(), name=f"end of worker {self.number}"),
        ]

    @property
    def pid(self) -> int:
        """The process number."""
        return self._process.pid

    def say(self, word: bytes) -> None:
        """Say STOP or REPLACED."""
        if not self.has_ended.is_set():
            self._writer.write(word)

    async def metrics(self, patience: float) -> bytes | None:
        """Ask for its metrics; None if it does not answer in so many seconds."""
        if self.has_ended.is_set():
            return None
        number = next(self._questions)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        self._writer.write(link.MEASURE + link.NUMBER.pack(number))
        try:
            async with asyncio.timeout(patience):
                return await answer
        except TimeoutError:
            return None
        finally:
            del self._answers[number]

    async def end(self, deadline: float) -> None:
        """Wait until it has ended; force it at ``deadline`` of the loop's clock."""
        try:
            async with asyncio.timeout_at(deadline):
                await self.has_ended.wait()
        except TimeoutError:
            self.kill()
            await self.has_ended.wait()

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)

    async def close(self) -> None:
        """Hang up; the process has ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._writer.transport.abort()

    async def _wait(self) -> None:
        self.status = await self._process.wait()
        self.has_ended.set()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                frame = await reader.readexactly(link.FRAME.size)
                letter, number, length = link.FRAME.unpack(frame)
                content = await reader.readexactly(length)
                if letter == link.READY:
                    self.is_ready.set()
                elif letter == link.LEAVING:
                    self.is_leaving.set()
                elif (answer := self._answers.get(number)) is not None and not answer.done():
                    answer.set_result(content)


async def first_of(*events: asyncio.Event) -> None:
    """Wait until one of several events is set."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
