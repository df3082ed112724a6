"""A door between a process under test and a server, which a test can shut and open again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from urllib.parse import urlsplit

from tests.support.postgres import DatabaseUrls


class Door:
    """Forwards TCP to one server. While it is shut, connections are refused and open ones cut.

    While it is ``stuck``, connections stand and nothing passes, as before a server that hangs.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self._passable = asyncio.Event()
        self._passable.set()

    @contextmanager
    def stuck(self) -> Iterator[None]:
        """Let nothing through until the context is left."""
        self._passable.clear()
        try:
            yield
        finally:
            self._passable.set()

    async def open(self) -> None:
        """Let connections through, at the same port as before."""
        self._server = await asyncio.start_server(self._enter, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        """Cut every connection and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        there, back = await asyncio.open_connection(*self._target)
        self._writers |= {writer, back}
        await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
        self._writers -= {writer, back}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._passable.wait()
                writer.write(data)
                await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


@asynccontextmanager
async def door_to(urls: DatabaseUrls) -> AsyncIterator[tuple[Door, DatabaseUrls]]:
    """Give an open door to a test's database, and the addresses that lead through it."""
    parts = urlsplit(urls.admin)
    door = Door(parts.hostname or "", parts.port or 5432)
    await door.open()
    login = parts.netloc.rpartition("@")[0]
    netloc = f"{login}@127.0.0.1:{door.port}"
    try:
        yield door, replace(urls, admin=parts._replace(netloc=netloc).geturl())
    finally:
        await door.shut()
