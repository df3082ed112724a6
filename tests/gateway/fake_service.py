"""A service on plain sockets that behaves as a test tells it to, and keeps what it was asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any


@dataclass
class Asked:
    """A request as the service read it."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        """Give the only header of that name, or an empty text."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else ""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Behaviour = Callable[[Asked, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def plain(status: int, body: bytes, *headers: str, reason: str = "OK") -> bytes:
    """Write a whole answer."""
    lines = [f"HTTP/1.1 {status} {reason}", *headers, f"content-length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def answering(data: bytes) -> Behaviour:
    """Answer every request with these bytes."""

    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(data)
        await writer.drain()

    return behave


async def echo(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with what was asked."""
    seen = {
        "method": asked.method,
        "target": asked.target,
        "headers": asked.headers,
        "body": asked.body.decode("latin-1"),
    }
    content = json.dumps(seen).encode()
    head = plain(200, content, "content-type: application/json", "server: fake", "date: long ago")
    writer.write(head[: -len(content)] if asked.method == "HEAD" else head)
    await writer.drain()


class Hangup(Exception):
    """Raised by a behaviour: close the connection now."""


class FakeService:
    """A server on a port of its own; set ``behave`` to what it should do."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.behave: Behaviour = echo
        self.reads_body = True
        self.connections = 0
        self.writers: set[asyncio.StreamWriter] = set()
        self.port = 0
        self._server: asyncio.Server
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def hang_up(self) -> None:
        """Break every connection at once."""
        for writer in self.writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.writers.add(writer)
        try:
            # Cancelled only by stop; asyncio's streams log a server task that ends cancelled.
            with suppress(
                ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, Hangup
            ):
                while True:
                    asked = await self._read(reader)
                    self.asked.append(asked)
                    await self.behave(asked, reader, writer)
        finally:
            self._tasks.discard(task)
            self.writers.discard(writer)
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Asked:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head[:-4].split("\r\n")
        method, target, _ = first.split(" ")
        headers = [(n.lower(), v.strip()) for n, _, v in (line.partition(":") for line in lines)]
        asked = Asked(method, target, headers, b"")
        if self.reads_body:
            asked.body = await read_body(asked, reader)
        return asked


async def read_body(asked: Asked, reader: asyncio.StreamReader) -> bytes:
    """Read the rest of a request."""
    if asked.header("transfer-encoding") == "chunked":
        pieces = []
        while size := int((await reader.readline()).strip(), 16):
            pieces.append(await reader.readexactly(size))
            await reader.readexactly(2)
        await reader.readexactly(2)
        return b"".join(pieces)
    return await reader.readexactly(int(asked.header("content-length") or 0))


@asynccontextmanager
async def running(service: FakeService) -> AsyncIterator[FakeService]:
    """Run a fake service for as long as the context lasts."""
    await service.start()
    try:
        yield service
    finally:
        await service.stop()
