"""One keep-alive HTTP/1.1 connection to a service: strict reading, callbacks, no futures.

A connection carries one exchange at a time and reports to the exchange's sink by plain calls, so
that it can be driven by an ASGI app as well as straight from a server's parser.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol, cast

import httptools

from gateway.upstream.answer_head import BODYLESS, AnswerHead, Headers
from shared.errors import BadGateway, ServiceError

if TYPE_CHECKING:
    from gateway.upstream.exchange import Exchange
    from gateway.upstream.pool import Pool

WRITE_BUFFER: Final = 65_536
"""Bytes of request body that may wait in a connection before its writer is told to pause."""

_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})

MAX_HEADERS: Final = 200
MAX_HEAD_BYTES: Final = 65_536
"""What a service's answer may have of headers; more is no answer of ours."""


class Sink(Protocol):
    """Who wants the answer. All calls come from the event loop and must neither block nor raise.

    ``on_answer`` alone; or ``on_head`` once, ``on_body`` any number of times, then ``on_end`` or
    ``on_error``; an error may also come first or in the middle. Nothing follows the last call.
    """

    def on_answer(self, head: AnswerHead, body: bytes) -> None:
        """Take an answer that came as a whole."""

    def on_head(self, head: AnswerHead) -> None:
        """Take status and headers; interim answers (1xx) never get here."""

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""

    def on_flush(self) -> None:
        """What has come of the answer came together; more comes later."""

    def on_end(self) -> None:
        """The answer is complete."""

    def on_error(self, error: ServiceError) -> None:
        """There will be no answer, or no more of it."""

    def on_writable(self) -> None:
        """More of the request body may be written."""


class Connection(asyncio.Protocol):
    """A connection of a pool. The pool makes it, lends it to exchanges, and hears of its end."""

    __slots__ = (
        "_complete",
        "_framed",
        "_head",
        "_head_bytes",
        "_headers",
        "_informational",
        "_is_chunked",
        "_keep_alive",
        "_parser",
        "_poisoned",
        "_pool",
        "_transport",
        "exchange",
        "has_begun",
        "idle_since",
        "is_open",
        "is_reused",
        "is_writable",
    )

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._transport: asyncio.Transport
        self._parser = httptools.HttpResponseParser(self)
        self._headers: Headers = []
        self._head: AnswerHead | None = None
        self.exchange: Exchange | None = None
        self.idle_since = 0.0
        self.is_open = False
        self.is_reused = False
        self.is_writable = True
        self._reset()

    def _reset(self) -> None:
        self._headers = []
        self._head_bytes = 0
        self.has_begun = False
        self._head = None
        self._informational = False
        self._is_chunked = False
        self._complete = False
        self._keep_alive = False
        self._poisoned = False

    # What exchanges ask for.

    def begin(self, exchange: Exchange, data: bytes) -> None:
        """Start an exchange by writing its head, or its whole request."""
        if self._head is not None or self._head_bytes:
            self._reset()
        self.has_begun = False
        self.exchange = exchange
        self._transport.write(data)

    def write(self, data: bytes) -> None:
        """Write more of the request."""
        self._transport.write(data)

    def writelines(self, pieces: list[bytes]) -> None:
        """Write more of the request, in pieces."""
        self._transport.writelines(pieces)

    def pause(self) -> None:
        """Stop reading the answer, because its reader is slower."""
        if self.is_open:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self.is_open:
            self._transport.resume_reading()

    @property
    def is_silent(self) -> bool:
        """Whether not a byte of the answer has come."""
        return not self.has_begun

    def drop(self) -> None:
        """Break a connection that was opened for nobody; harmless if it never opened."""
        if self.is_open:
            self.is_open = False
            self._transport.abort()

    def abort(self) -> None:
        """Break the connection at once; the exchange hears nothing any more."""
        self.exchange = None
        self.is_open = False
        self._transport.abort()

    # What the transport reports.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        # Not asserted: uvloop's transports do not inherit from asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self.is_open = True
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER)

    def data_received(self, data: bytes) -> None:
        """Read a piece of the answer."""
        exchange = self.exchange
        if exchange is None:
            # A service that speaks unasked would answer the next request with this.
            self.abort()
            return
        if self.has_begun:
            self._parse(data)
            return
        self.has_begun = True
        if exchange.is_sent and not exchange.is_head:
            known = self._pool.answers.find(data)
            if known is not None:
                self.exchange = None
                exchange.answered(*known)
                if exchange.is_paused:
                    self.resume()
                self.is_reused = True
                self._pool.release(self)
                return
        self._parse(data, is_first=True)

    def _parse(self, data: bytes, *, is_first: bool = False) -> None:
        if self._head is None:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._poisoned = True
            if not self._complete:
                self._fail()
                return
        if self._complete:
            self._finish(data if is_first else b"")
        elif self._head is None and self._head_bytes > MAX_HEAD_BYTES:
            self._fail()
        elif self.exchange is not None:
            self.exchange.touch()

    def eof_received(self) -> bool:
        """The service has closed its side: close ours too, and lend it to nobody meanwhile."""
        self.is_open = False
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone, by either side's will."""
        self.is_open = False
        exchange, self.exchange = self.exchange, None
        self._pool.lost(self)
        if exchange is None:
            return
        head = self._head
        if head is not None and head.length is None and not self._is_chunked and error is None:
            exchange.ended()
        else:
            exchange.broken(self)

    def pause_writing(self) -> None:
        """The write buffer is full."""
        self.is_writable = False

    def resume_writing(self) -> None:
        """The write buffer has drained."""
        self.is_writable = True
        if self.exchange is not None:
            self.exchange.sink.on_writable()

    # What the parser reports.

    def on_message_begin(self) -> None:
        """An answer begins; a second one was not asked for."""
        if self._complete:
            self._poisoned = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or drop a trailer."""
        if self._head is None:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head of an answer is complete."""
        exchange = self.exchange
        if exchange is None or self._complete:
            self._poisoned = True
            return
        status = self._parser.get_status_code()
        if status < 200:
            if status < 100 or status == 101:  # nobody asked for another protocol
                raise ValueError("no status of an interim answer")
            if any(name in _FRAMING for name, _ in self._headers):
                raise ValueError("an interim answer has no body")
            self._informational = True
            self._headers = []
            return
        if status > 599:
            raise ValueError("no status of HTTP")
        headers = self._headers
        size, length, self._is_chunked = _measure(headers)
        if self._is_chunked and self._parser.get_http_version() != "1.1":
            raise ValueError("chunks are not of this version")
        if len(headers) > MAX_HEADERS or size > MAX_HEAD_BYTES:
            raise ValueError("too many headers")
        if exchange.is_head or status in BODYLESS:
            length = 0
        self._head = AnswerHead(status, headers, length)
        self._keep_alive = self._parser.should_keep_alive()
        exchange.answering(self._head)
        if exchange.is_head:
            # The parser would wait for a body that HEAD does not have, so it is done with.
            self._parser = httptools.HttpResponseParser(self)
            self._message_done()

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        if self._complete or self.exchange is None or self._head is None:
            self._poisoned = True
        else:
            self.exchange.sink.on_body(data)

    def on_message_complete(self) -> None:
        """An answer is complete."""
        if self._informational:
            self._informational = False
        elif not self._complete:
            self._message_done()

    def _message_done(self) -> None:
        self._complete = True
        if self.exchange is not None:
            self._keep_alive = self._keep_alive and self.exchange.is_sent
            self.exchange.ended()

    # The end of an exchange. Only after the parser has returned, because what follows the answer
    # in the same piece of data must not reach the next exchange.

    def _finish(self, whole: bytes) -> None:
        """End well; ``whole`` is the answer's bytes if they came in one piece."""
        exchange, self.exchange = self.exchange, None
        if self._keep_alive and not self._poisoned and self.is_open:
            if whole and self._head is not None and exchange is not None and not exchange.is_head:
                self._pool.answers.keep(whole, self._head)
            if exchange is not None and exchange.is_paused:
                self._transport.resume_reading()
            self.is_reused = True
            self._pool.release(self)
        else:
            self.abort()

    def _fail(self) -> None:
        exchange = self.exchange
        self.abort()
        if exchange is not None:
            self._pool.faulted(exchange)
            exchange.failed(BadGateway())


def _measure(headers: Headers) -> tuple[int, int | None, bool]:
    """Give the bytes of headers, the body's length if they say it, and whether it is chunked."""
    size, length, is_chunked = 0, None, False
    for name, value in headers:
        size += len(name) + len(value)
        if name == b"content-length":
            length = int(value)
        elif name == b"transfer-encoding":
            if is_chunked or value.strip().lower() != b"chunked":
                raise ValueError("a coding that callers are not told of")
            is_chunked = True
    if is_chunked and length is not None:
        raise ValueError("the answer's length is ambiguous")
    return size, length, is_chunked
