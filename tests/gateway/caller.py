"""A caller on a plain socket who reads strictly: all that is not exactly an answer is an error."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

PATIENCE = 30.0
BODYLESS = frozenset({204, 304})


class Broken(Exception):
    """The connection ended before the answer did."""


@dataclass
class Answer:
    """An answer as it came.

    Attributes:
        status: of the final answer.
        headers: names in lower case.
        body: without its framing.
        interim: the statuses that came before.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""
    interim: list[int] = field(default_factory=list)

    def header(self, name: str) -> str:
        """Give the only header of that name, or an empty text."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else ""


def request(method: str, path: str, *headers: str, body: bytes | None = None) -> bytes:
    """Write a request; its length is announced where there is a body."""
    lines = [f"{method} {path} HTTP/1.1", "host: x", *headers]
    if body is not None:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def chunked(*pieces: bytes, end: bool = True) -> bytes:
    """Frame pieces in chunks."""
    framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return framed + (b"0\r\n\r\n" if end else b"")


def narrow(transport: asyncio.BaseTransport) -> None:
    """Let the system take little of what is written, so that the rest stays with the writer."""
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)


class Caller:
    """One connection to the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        """Send, now or when the gateway reads."""
        self.writer.write(data)

    async def answer(self, method: str = "GET") -> Answer:
        """Read one answer.

        Raises:
            Broken: the connection ended within it, or before.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._answer(method)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Broken from error

    async def head(self) -> Answer:
        """Read only the head of an answer."""
        async with asyncio.timeout(PATIENCE):
            return await self._head()

    async def read(self, size: int) -> bytes:
        """Read that many bytes as they come."""
        async with asyncio.timeout(PATIENCE):
            return await self._reader.readexactly(size)

    async def some(self, most: int = 65_536) -> bytes:
        """Read what is there, or nothing at the end."""
        async with asyncio.timeout(PATIENCE):
            return await self._reader.read(most)

    async def line(self) -> bytes:
        """Read a line with its end."""
        async with asyncio.timeout(PATIENCE):
            return await self._reader.readuntil(b"\r\n")

    async def rest(self) -> bytes:
        """Read until the gateway closes; broken or not is all the same."""
        pieces: list[bytes] = []
        try:
            while piece := await self.some():
                pieces.append(piece)
        except ConnectionError:
            pass
        return b"".join(pieces)

    def reset(self) -> None:
        """Leave without a word: the gateway gets a RST."""
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def _answer(self, method: str) -> Answer:
        answer = await self._head()
        if method == "HEAD" or answer.status in BODYLESS:
            return answer
        length, coding = answer.header("content-length"), answer.header("transfer-encoding")
        if coding:
            assert coding == "chunked"
            assert not length
            answer.body = await self._chunks()
        elif length:
            answer.body = await self._reader.readexactly(int(length))
        else:
            answer.body = await self._reader.read(-1)
        return answer

    async def _head(self) -> Answer:
        interim: list[int] = []
        while True:
            lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            version, status, _ = lines[0].split(" ", 2)
            assert version == "HTTP/1.1", lines[0]
            assert len(status) == 3, lines[0]
            if int(status) >= 200:
                break
            interim.append(int(status))
        headers = []
        for line in lines[1:-2]:
            name, colon, value = line.partition(": ")
            assert colon, line
            assert value.isprintable() or not value, line
            headers.append((name.lower(), value))
        return Answer(int(status), headers, interim=interim)

    async def _chunks(self) -> bytes:
        pieces: list[bytes] = []
        while True:
            line = await self._reader.readuntil(b"\r\n")
            size = int(line, 16)
            data = await self._reader.readexactly(size + 2)
            assert data[-2:] == b"\r\n"
            if not size:
                return b"".join(pieces)
            pieces.append(data[:-2])


@asynccontextmanager
async def calling(port: int, *, window: int = 0) -> AsyncIterator[Caller]:
    """Open a connection; ``window`` bounds what the system reads ahead, in bytes."""
    connection = socket.socket()
    if window:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
    limit = window or 65_536
    reader, writer = await asyncio.open_connection(sock=connection, limit=limit)
    try:
        yield Caller(reader, writer)
    finally:
        writer.transport.abort()
