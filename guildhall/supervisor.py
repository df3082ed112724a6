"""Keeping the processes of the system running, and ending them in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Final
from urllib.parse import urlsplit

from guildhall import child
from guildhall.failures import Failure
from guildhall.log_lines import LogLines
from guildhall.processes import Process

FIRST_BACKOFF: Final = 0.5
LONGEST_BACKOFF: Final = 30.0
CALM: Final = 60.0
"""Seconds a process must have lived for its next death to count as the first."""

BAD_SETTINGS: Final = 78
"""Exit status of a process whose settings are wrong (EX_CONFIG): starting again cannot help."""

_ROOT: Final = Path(__file__).resolve().parent.parent
_LINE_LIMIT: Final = 64 * 1024
_LAST_WORDS: Final = 1.0
"""Seconds to read on after a process has ended, if something still holds its output open."""

_DEATHS_BEFORE_READY: Final = 3
_READY_POLL: Final = 0.1
_READY_ANSWER: Final = 5.0


class StartFailed(Failure):
    """A process does not come up; the text holds its last lines."""


class Supervised:
    """One process, started again whenever it ends by itself."""

    def __init__(self, process: Process, lines: LogLines) -> None:
        self.process = process
        self.deaths = 0
        self.status: int | None = None
        self._lines = lines
        self._running: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process number while it runs."""
        return self._running.pid if self._running else None

    def start(self) -> None:
        """Begin; the process is up some time later."""
        self._task = asyncio.create_task(self._keep(), name=f"keep {self.process.name}")

    async def stop(self, deadline: float) -> None:
        """Ask it to end, and force it at ``deadline`` on the loop's clock. Returns when it has."""
        self._stopping.set()
        self._signal(signal.SIGTERM)
        if self._task is None:
            return
        try:
            async with asyncio.timeout_at(deadline):
                await asyncio.shield(self._task)
        except TimeoutError:
            self._lines.say(f"{self.process.name} does not end, so it is killed", "yellow")
            self._signal(signal.SIGKILL)
            await self._task

    def kill(self) -> None:
        """End it at once."""
        self._stopping.set()
        self._signal(signal.SIGKILL)

    async def _keep(self) -> None:
        backoff = FIRST_BACKOFF
        while not self._stopping.is_set():
            started = time.monotonic()
            self.status = await self._run_once()
            if self._stopping.is_set():
                return
            self.deaths += 1
            if self.status == BAD_SETTINGS:
                self._lines.say(f"{self.process.name}: its settings are wrong, see above", "red")
                return
            if time.monotonic() - started > CALM:
                backoff = FIRST_BACKOFF
            self._lines.say(
                f"{self.process.name} ended ({_how(self.status)}); again in {backoff:g} s", "yellow"
            )
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(backoff):
                    await self._stopping.wait()
            backoff = min(backoff * 2, LONGEST_BACKOFF)

    async def _run_once(self) -> int:
        process = self.process
        # Plain pipes rather than asyncio's: those wait for the last holder, which may be a
        # grandchild, before they believe that the child has ended.
        with ExitStack() as ends:
            watched, held_open = _pipe(ends)
            read, write = _pipe(ends)
            self._running = await asyncio.create_subprocess_exec(
                sys.executable,
                str(child.__file__),
                "-m",
                process.module,
                *process.arguments,
                env={**process.environment, "PYTHONPATH": _module_path()},
                stdin=watched,
                stdout=write,
                stderr=write,
                start_new_session=True,  # Ctrl-C in the terminal is for us alone
            )
            watched.close()
            write.close()
            if self._stopping.is_set():  # stop() came while it was being made
                self._signal(signal.SIGTERM)
            pump = asyncio.create_task(self._pump(read), name=f"log {process.name}")
            status = await self._running.wait()
            self._signal(signal.SIGKILL)  # what it may have left: browsers, helpers
            self._running = None
            await asyncio.wait([pump], timeout=_LAST_WORDS)
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)
            held_open.close()
        return status

    async def _pump(self, read: IO[bytes]) -> None:
        reader = asyncio.StreamReader(limit=_LINE_LIMIT)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), read
        )
        rest = b""
        try:
            while chunk := await reader.read(_LINE_LIMIT):
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > _LINE_LIMIT:
                    lines, rest = [*lines, rest], b""
                for line in lines:
                    self._lines.write(self.process.name, line.decode(errors="replace").rstrip())
        finally:
            transport.close()

    def _signal(self, number: signal.Signals) -> None:
        if self._running is None:
            return
        with contextlib.suppress(ProcessLookupError):
            if number is signal.SIGKILL:
                os.killpg(self._running.pid, number)  # it leads a group of its own
            else:
                os.kill(self._running.pid, number)


def _module_path() -> str:
    """Where children find their modules: beside ours first, then wherever we were told to look."""
    return os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))


def _pipe(ends: ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    read, write = os.pipe()
    return (
        ends.enter_context(os.fdopen(read, "rb", buffering=0)),
        ends.enter_context(os.fdopen(write, "wb", buffering=0)),
    )


class Supervisor:
    """All processes of the system but its database."""

    def __init__(self, gateway: Process, services: Sequence[Process], lines: LogLines) -> None:
        self._gateway = Supervised(gateway, lines)
        self._services = [Supervised(service, lines) for service in services]
        self._lines = lines

    @property
    def children(self) -> list[Supervised]:
        """Every child, the gateway first."""
        return [self._gateway, *self._services]

    def start(self) -> None:
        """Start all at once: each waits by itself for what it needs."""
        for supervised in self.children:
            supervised.start()

    async def ready(self, limit: float) -> None:
        """Wait until each process says it can work.

        Raises:
            StartFailed: one cannot, or not within ``limit`` seconds.
        """
        waiting = {supervised.process.name for supervised in self.children}
        tasks = [
            asyncio.create_task(self._one_ready(supervised, waiting))
            for supervised in self.children
        ]
        try:
            async with asyncio.timeout(limit):
                await asyncio.gather(*tasks)
        except TimeoutError:
            late = ", ".join(sorted(waiting))
            raise StartFailed(f"Not ready after {limit:g} s: {late}") from None
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _one_ready(self, supervised: Supervised, waiting: set[str]) -> None:
        name = supervised.process.name
        while supervised.pid is None or not await _is_ready(supervised.process.ready_url):
            if supervised.deaths >= _DEATHS_BEFORE_READY or supervised.status == BAD_SETTINGS:
                last = "\n".join(f"  {line}" for line in self._lines.recent.get(name, ()))
                raise StartFailed(f"{name} does not start ({_how(supervised.status)}):\n{last}")
            await asyncio.sleep(_READY_POLL)
        waiting.discard(name)

    async def stop(self, limit: float) -> None:
        """End the gateway, which lets no more work in, then the rest; all gone within ``limit``."""
        now = asyncio.get_running_loop().time()
        gateway = asyncio.create_task(self._gateway.stop(now + limit), name="stop gateway")
        # A long download must not eat the time that the services need to drain.
        await asyncio.wait([gateway], timeout=limit / 2)
        await asyncio.gather(gateway, *(one.stop(now + limit) for one in self._services))

    def kill(self) -> None:
        """End everything at once."""
        for supervised in self.children:
            supervised.kill()


async def _is_ready(url: str | None) -> bool:
    """Whether a GET is answered 200. By hand, because an HTTP client costs 13 MB and 0.1 s."""
    if url is None:
        return True
    parts = urlsplit(url)
    head = f"GET {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\nconnection: close\r\n\r\n"
    writer = None
    try:
        async with asyncio.timeout(_READY_ANSWER):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            writer.write(head.encode())
            return (await reader.readline()).split()[1:2] == [b"200"]
    except (OSError, TimeoutError, ValueError):
        return False
    finally:
        if writer is not None:
            writer.transport.abort()


def _how(status: int | None) -> str:
    if status is None:
        return "it has not ended yet"
    if status < 0:
        return signal.Signals(-status).name
    return f"status {status}"
