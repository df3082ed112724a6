"""The WebSocket bridge: after the handshake, bytes pass both ways as they come (RFC 6455).

The handshake goes through the pipeline like any request and is made by the service, so frames,
pings and close codes need nobody between the two ends. Extensions are never offered, so no
compression keeps memory for each connection. A service that declines answers once, and the
connection closes: nothing a caller sends afterwards reaches the service unjudged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol, cast

import httptools

from gateway.pipeline.request_head import Headers
from gateway.proxy import answers
from shared.errors import BadGateway, GatewayTimeout, ServiceError, Unavailable

HIGH_WATER: Final = 65_536
"""Bytes that may wait for the slower end before the other is read no further."""

HEAD_LIMIT: Final = 65_536
CONNECT_PATIENCE: Final = 2.0
HANDSHAKE_PATIENCE: Final = 10.0
SWITCHING: Final = 101


class Caller(Protocol):
    """Who asked for the socket; told of the handshake's outcome."""

    def accepted(self, head: list[bytes], rest: bytes, end: ServiceEnd) -> None:
        """The service speaks WebSocket from now on; ``rest`` has come already."""

    def declined(self, status: int, headers: Headers, body: bytes) -> None:
        """The service answered otherwise."""

    def failed(self, error: ServiceError) -> None:
        """There was no answer."""


class End(asyncio.Protocol):
    """One end of a bridge that stands. What it receives, the other end writes."""

    __slots__ = ("_on_close", "last_heard", "other", "transport")

    def __init__(self, transport: asyncio.Transport, on_close: Callable[[], None]) -> None:
        self.transport = transport
        self.other: End
        self.last_heard = asyncio.get_running_loop().time()
        self._on_close = on_close
        transport.set_write_buffer_limits(high=HIGH_WATER)

    def data_received(self, data: bytes) -> None:
        """Pass on what came."""
        self.last_heard = asyncio.get_running_loop().time()
        self.other.transport.write(data)

    def pause_writing(self) -> None:
        """This end is slow: read the other no further."""
        if not self.other.transport.is_closing():
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        """This end has caught up."""
        if not self.other.transport.is_closing():
            self.other.transport.resume_reading()

    def eof_received(self) -> bool:
        """This end is done: close it, and so the other."""
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """This end is gone; what it said last still reaches the other."""
        self.other.transport.close()
        self._on_close()


class ServiceEnd(asyncio.Protocol):
    """The connection to the service until it has answered the handshake."""

    def __init__(self, request: bytes, caller: Caller) -> None:
        self._request = request
        self._caller: Caller | None = caller
        self._parser = httptools.HttpResponseParser(self)
        self._headers: Headers = []
        self._size = 0
        self._body: list[bytes] = []
        self._is_complete = False
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the socket."""
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Read the answer to the handshake."""
        self._size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._switched(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError:
            self._fail(BadGateway())
            return
        if self._is_complete:
            self._answered()
        elif self._size > HEAD_LIMIT:
            self._fail(BadGateway())

    def connection_lost(self, error: Exception | None) -> None:
        """The service is gone before it answered."""
        self._fail(BadGateway())

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._headers.append((name.lower(), value))

    def on_body(self, data: bytes) -> None:
        """Take a piece of an answer that declines."""
        self._body.append(data)

    def on_message_complete(self) -> None:
        """The answer is complete."""
        self._is_complete = True

    def abandon(self) -> None:
        """The caller is gone, or has waited long enough."""
        self._caller = None
        self.transport.abort()

    def _switched(self, rest: bytes) -> None:
        caller, self._caller = self._caller, None
        if caller is None:
            return
        if self._parser.get_status_code() != SWITCHING:
            self.transport.abort()
            caller.failed(BadGateway())
            return
        kept = [header for header in self._headers if header[0] in _HANDSHAKE]
        caller.accepted(answers.lines_of(kept), rest, self)

    def _answered(self) -> None:
        caller, self._caller = self._caller, None
        self.transport.abort()
        if caller is not None:
            body = b"".join(self._body)
            caller.declined(self._parser.get_status_code(), self._headers, body)

    def _fail(self, error: ServiceError) -> None:
        caller, self._caller = self._caller, None
        self.transport.abort()
        if caller is not None:
            caller.failed(error)


_HANDSHAKE: Final = frozenset({b"sec-websocket-accept", b"sec-websocket-protocol"})


async def knock(host: str, port: int, request: bytes, caller: Caller) -> ServiceEnd:
    """Connect to a service and ask it for a socket; the caller hears what it answers.

    Raises:
        ServiceError: the service cannot be reached.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_PATIENCE):
            _, end = await loop.create_connection(lambda: ServiceEnd(request, caller), host, port)
    except TimeoutError:
        raise GatewayTimeout from None
    except OSError:
        raise Unavailable from None
    return end
