"""Reading requests off what a caller sends, strictly: what is not one for sure is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import httptools

from gateway.pipeline.request_head import read
from gateway.proxy.turn import Turn
from shared.errors import BadRequest, HeadTooLarge, MethodNotAllowed, ServiceError
from shared.log import get_logger

if TYPE_CHECKING:
    from gateway.pipeline.request_head import Fields, Headers
    from gateway.proxy.connection import Connection

HEAD_LIMIT: Final = 65_536
"""Bytes of a request's head."""

MOST_HEADERS: Final = 100

SLICE: Final = 4096
"""Bytes that are read at once where they may be requests: a read may bring thousands of them."""

CHUNKS: Final = 16_384
"""The same where they are chunks of a body."""

OVERHEAD: Final = 16
"""Bytes of chunk framing for each byte of a body, beside what a head may have: single bytes take
six. More is an attack on whoever reads it."""

_METHODS: Final = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

log = get_logger()


class Reader:
    """The parser of a connection, and what it reports.

    Args:
        connection: whose requests are read.

    Attributes:
        backlog: what is read later, because enough requests wait.
        is_in_head: whether a head has begun to come.
        receiving: the turn whose body is coming.
        whole: the headers of the last request, if the same bytes would say the same again.
    """

    __slots__ = (
        "_connection",
        "_framing",
        "_head_bytes",
        "_headers",
        "_parser",
        "_url",
        "backlog",
        "is_in_head",
        "receiving",
        "whole",
    )

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._parser = httptools.HttpRequestParser(self)
        self._headers: Headers = []
        self._url = b""
        self._head_bytes = 0
        self._framing = 0
        self.backlog = b""
        self.is_in_head = False
        self.receiving: Turn | None = None
        self.whole: Fields | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a request has come in part."""
        return self.is_in_head or self.receiving is not None or bool(self.backlog)

    @property
    def path_so_far(self) -> str:
        """What has come of a request's path."""
        return self._url.partition(b"?")[0].decode("ascii", "replace") or "/"

    def feed(self, data: bytes) -> bytes | None:
        """Read on.

        Returns:
            What followed a request that asks for another protocol, where there was one; nothing
            may be fed any more then.

        Raises:
            ServiceError: it is no request; nothing may be fed any more.
        """
        at = 0
        while at < len(data):
            if self._connection.is_crowded:
                self.backlog = data[at:]
                break
            end = at + self._stride()
            rest = self._feed(data if not at and end >= len(data) else data[at:end])
            if rest is not None:
                return rest + data[end:]
            at = end
        return None

    def _stride(self) -> int:
        turn = self.receiving
        if turn is None or turn.body is None:
            return SLICE
        length = turn.fields.length
        return CHUNKS if length is None else max(SLICE, length - turn.body.size)

    def _feed(self, data: bytes) -> bytes | None:
        if self.is_in_head:
            self._head_bytes += len(data)
        elif self.receiving is not None:
            self._framing += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            turn, self.receiving = self.receiving, None
            if turn is not None and turn.body is not None:
                turn.body.complete()
            return data[upgrade.args[0] :]
        except httptools.HttpParserCallbackError as error:
            log.error("request not read", exc_info=error.__context__ or error)
            self._connection.abort()
            return b""
        except httptools.HttpParserError:
            raise BadRequest("The request is not HTTP", code="malformed_request") from None
        if self.is_in_head and self._head_bytes > HEAD_LIMIT:
            raise HeadTooLarge
        body = None if self.receiving is None else self.receiving.body
        # Of extensions and trailers, which nobody reads, there could be no end.
        if body is not None and self._framing > HEAD_LIMIT + OVERHEAD * body.size:
            raise BadRequest("The body has too much framing", code="malformed_request")
        return None

    # What the parser reports.

    def on_message_begin(self) -> None:
        """A request begins."""
        self._headers = []
        self._url = b""
        self._head_bytes = 0
        self.is_in_head = True
        self.whole = None
        self._connection.begins()

    def on_url(self, url: bytes) -> None:
        """Take the target, or a piece of it."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; a trailer is dropped."""
        if self.is_in_head:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head of a request is complete."""
        self.is_in_head = False
        self._framing = 0
        parser, path = self._parser, self._connection.path
        version = parser.get_http_version()
        method = parser.get_method().decode("ascii")
        fields = read(self._headers, version)
        try:
            destination = path.heads.locate(method, self._url)
            fault = self._fault(method, version)
        except ValueError:
            fault = BadRequest("The request's target is not one", code="malformed_target")
            destination = path.pipeline.locate("GET", b"/", "/", b"")
        is_http11 = version == "1.1"
        keeps = is_http11 and not parser.should_upgrade() and parser.should_keep_alive()
        # Whoever counts bodies in another way than we do must not be heard any further.
        keeps = keeps and not (fault or fields.fault or path.is_draining)
        turn = Turn(self._connection, destination, fields, keeps, is_http11, fault)
        self.receiving = turn
        if keeps and not fields.has_body:
            self.whole = fields
        self._connection.enter(turn)

    def _fault(self, method: str, version: str) -> ServiceError | None:
        size = len(self._url) + sum(len(name) + len(value) for name, value in self._headers)
        if len(self._headers) > MOST_HEADERS or size > HEAD_LIMIT:
            return HeadTooLarge()
        if version not in ("1.1", "1.0"):
            return BadRequest("The request is not HTTP/1.1", code="malformed_request")
        return MethodNotAllowed(_METHODS) if method in ("CONNECT", "TRACE") else None

    def on_body(self, data: bytes) -> None:
        """Take a piece of a body."""
        self._framing -= len(data)
        if self.receiving is not None and self.receiving.body is not None:
            self.receiving.body.take(data)

    def on_message_complete(self) -> None:
        """A request is complete."""
        turn, self.receiving = self.receiving, None
        if turn is not None:
            if turn.body is not None:
                turn.body.complete()
            self._connection.received(turn)
