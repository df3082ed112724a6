"""One connection between the browser and the guarded proxy: request after request, or a tunnel."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlsplit

from services.runs.engine.browser import framing
from services.runs.engine.browser.framing import BadMessage, Head

WELCOME: Final = "guildhall-proxy.invalid"
"""A host that no network has: asking for it shows whether the password is known."""

_HEAD: Final = 60.0
_ANSWER: Final = 120.0
_IDLE: Final = 600.0
"""Seconds for: the next request, a part of an answer, a part of a tunnel's talk."""


class Refused(Exception):
    """The policy closes the address."""


@dataclass(slots=True)
class Upstream:
    """A connection to an address that the policy opens."""

    host: str
    port: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class Known(Protocol):
    """Who is let through."""

    def refuse(self, host: str, port: int) -> None:
        """Note that a host and port were refused."""


class Gate(Protocol):
    """Who decides."""

    def admit(self, head: Head) -> Known | None:
        """Give whose password stands in a request, or None."""

    async def connect(self, host: str, port: int) -> Upstream:
        """Connect, or raise ``Refused``, ``OSError`` or ``TimeoutError``."""


def close(writer: asyncio.StreamWriter) -> None:
    """Close a connection that may be closed already."""
    with suppress(OSError, RuntimeError):
        writer.close()


class Connection:
    """Serves one connection of the browser's with ``serve``."""

    def __init__(
        self, gate: Gate, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._gate = gate
        self._reader = reader
        self._writer = writer
        self._upstream: Upstream | None = None

    async def serve(self) -> None:
        """Serve it to its end.

        Raises:
            BadMessage, OSError, TimeoutError: it is of no use any more.
        """
        try:
            while await self._serve_one():
                pass
        finally:
            if self._upstream is not None:
                close(self._upstream.writer)

    async def _serve_one(self) -> bool:
        head = await framing.read_head(self._reader, _HEAD)
        if head is None:
            return False
        method, target = _first(head)
        entry = self._gate.admit(head)
        if entry is None:
            challenge = b'Proxy-Authenticate: Basic realm="guildhall"\r\n'
            return await self._answer(407, b"Proxy Authentication Required", challenge, head)
        if method == b"CONNECT":
            await self._tunnel(entry, target)
            return False
        host, port, path = _absolute(target)
        if host == WELCOME:
            return await self._answer(200, b"OK", b"", head)
        try:
            # Whatever else fails closes the connection, which the page sees as what it is.
            return await self._exchange(head, (method, host, port, path))
        except Refused:
            entry.refuse(host, port)
            return await self._answer(403, b"Forbidden", b"X-Guildhall-Refused: 1\r\n", head)

    async def _answer(self, status: int, reason: bytes, fields: bytes, head: Head) -> bool:
        """Say something ourselves; give whether the connection is of use afterwards."""
        stays = not head.length and not head.is_chunked
        texts = {403: b"This address may not be reached from here.", 200: b"ok"}
        body = texts.get(status, reason)
        self._writer.write(
            b"HTTP/1.1 %d %b\r\nContent-Type: text/plain\r\nCache-Control: no-store\r\n"
            b"Content-Length: %d\r\n%bConnection: %b\r\n\r\n%b"
            % (
                status,
                reason,
                len(body),
                fields,
                b"keep-alive" if stays else b"close",
                b"" if head.first.startswith(b"HEAD ") else body,
            )
        )
        async with asyncio.timeout(_ANSWER):
            await self._writer.drain()
        return stays

    async def _tunnel(self, entry: Known, target: bytes) -> None:
        host, port = _authority(target)
        empty = Head(b"CONNECT", [])
        try:
            self._upstream = upstream = await self._gate.connect(host, port)
        except Refused:
            entry.refuse(host, port)
            await self._answer(403, b"Forbidden", b"X-Guildhall-Refused: 1\r\n", empty)
            return
        except (TimeoutError, OSError):
            await self._answer(502, b"Bad Gateway", b"", empty)
            return
        self._writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_one_way(self._reader, upstream.writer))
                group.create_task(_one_way(upstream.reader, self._writer))
        except* (TimeoutError, OSError):
            pass  # whoever is left sees its connection close

    async def _exchange(self, head: Head, asked: tuple[bytes, str, int, bytes]) -> bool:
        method, host, port, path = asked
        if head.is_chunked and head.length is not None:
            raise BadMessage("two lengths")
        upstream, fresh = await self._reach(host, port)
        fields = ((b"Connection", b"keep-alive"),)
        request = head.written(method + b" " + path + b" HTTP/1.1", fields)
        has_body = bool(head.length) or head.is_chunked
        upstream.writer.write(request)
        sending = asyncio.create_task(_send_body(self._reader, upstream.writer, head))
        try:
            try:
                answer = await framing.read_head(upstream.reader, _ANSWER)
            except (OSError, BadMessage):
                answer = None
            if answer is None:
                if fresh or has_body or method not in (b"GET", b"HEAD", b"OPTIONS"):
                    raise OSError("no answer")
                self._drop()  # it had closed the kept connection; nothing was answered on it
                return await self._exchange(head, asked)
            return await self._pass_answer(method, answer, upstream, sending)
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError, OSError, BadMessage, asyncio.TimeoutError):
                await sending

    async def _reach(self, host: str, port: int) -> tuple[Upstream, bool]:
        kept = self._upstream
        is_same = kept is not None and (kept.host, kept.port) == (host, port)
        if kept is not None and is_same and not (kept.reader.at_eof() or kept.writer.is_closing()):
            return kept, False
        self._drop()
        self._upstream = await self._gate.connect(host, port)
        return self._upstream, True

    def _drop(self) -> None:
        if self._upstream is not None:
            close(self._upstream.writer)
            self._upstream = None

    async def _pass_answer(
        self, method: bytes, answer: Head, upstream: Upstream, sending: asyncio.Task[None]
    ) -> bool:
        status = _status(answer)
        while 100 <= status < 200:
            if status == 101:
                raise BadMessage("upgrade")
            self._writer.write(answer.written(answer.first, ()))
            later = await framing.read_head(upstream.reader, _ANSWER)
            if later is None:
                raise BadMessage("cut off")
            answer, status = later, _status(later)
        # Were it passed on, the browser would take it for ours and forget the password for good.
        first = b"HTTP/1.1 502 Bad Gateway" if status == 407 else answer.first
        bare = method == b"HEAD" or status in (204, 304)
        chunked = answer.is_chunked
        length = None if chunked else answer.length
        ends = bare or chunked or length is not None
        stays = ends and sending.done() and not answer.has_word(b"connection", b"close")
        stays = stays and not answer.first.startswith(b"HTTP/1.0")
        state = (b"Connection", b"keep-alive" if stays else b"close")
        self._writer.write(answer.written(first, (state,)))
        if bare:
            pass
        elif chunked:
            await framing.pass_chunks(upstream.reader, self._writer, _ANSWER)
        elif length is not None:
            await framing.pass_exactly(upstream.reader, self._writer, length, _ANSWER)
        else:
            await framing.pass_all(upstream.reader, self._writer, _ANSWER)
        async with asyncio.timeout(_ANSWER):
            await self._writer.drain()
        return stays


async def _send_body(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: Head
) -> None:
    if head.is_chunked:
        await framing.pass_chunks(reader, writer, _ANSWER)
    elif head.length:
        await framing.pass_exactly(reader, writer, head.length, _ANSWER)


async def _one_way(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await framing.pass_all(reader, writer, _IDLE)
    if writer.can_write_eof():
        writer.write_eof()


def _first(head: Head) -> tuple[bytes, bytes]:
    parts = head.first.split(b" ")
    if len(parts) != 3 or not parts[0].isalpha() or not parts[2].startswith(b"HTTP/1."):
        raise BadMessage("request line")
    return parts[0], parts[1]


def _status(head: Head) -> int:
    parts = head.first.split(b" ", 2)
    if len(parts) < 2 or not parts[0].startswith(b"HTTP/1.") or not parts[1].isdigit():
        raise BadMessage("status line")
    return int(parts[1][:3])


def _absolute(target: bytes) -> tuple[str, int, bytes]:
    try:
        parts = urlsplit(target.decode("ascii"))
        port = parts.port or 80
    except ValueError as error:
        raise BadMessage("target") from error
    if parts.scheme != "http" or not parts.hostname or not 0 < port < 65_536:
        raise BadMessage("target")
    rest = target[len(b"http://") :].partition(b"#")[0]
    start = min((at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0), default=len(rest))
    path = rest[start:]
    return parts.hostname, port, path if path.startswith(b"/") else b"/" + path


def _authority(target: bytes) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{target.decode('ascii')}")
        port = parts.port
    except ValueError as error:
        raise BadMessage("target") from error
    if not parts.hostname or not port or parts.path or parts.username is not None:
        raise BadMessage("target")
    return parts.hostname, port
