"""One connection to a service on which a socket is asked for, until that has been answered."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, Protocol, cast

import httptools

from gateway.pipeline.request_head import Headers
from gateway.websocket import handshake
from gateway.websocket.handshake import Offer
from shared.errors import BadGateway

LONGEST_ANSWER: Final = 131_072
"""Bytes that a service's answer to a handshake may have, head and body."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service says that opens no socket."""

    status: int
    headers: Headers
    body: bytes


class Asker(Protocol):
    """Who asks. One of these is called, once, unless the asking is stopped before."""

    def agreed(self, headers: Headers) -> None:
        """The service speaks WebSocket; ``hand_over`` gives its connection."""

    def declined(self, answer: Answer) -> None:
        """The service answered otherwise."""

    def broken(self, *, is_silent: bool) -> None:
        """There was no answer that is one; ``is_silent``: not a byte of it."""


class Asking(asyncio.Protocol):
    """The protocol of such a connection.

    Args:
        asker: who asks.
        request: the whole handshake.
        offer: what it offers.
    """

    def __init__(self, asker: Asker, request: bytes, offer: Offer) -> None:
        self._asker: Asker | None = asker
        self._request = request
        self._offer = offer
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._headers: Headers = []
        self._body: list[bytes] = []
        self._size = 0
        self._status = 0
        self._is_framed = False
        self._is_complete = False
        self._rest = b""

    def stop(self) -> None:
        """Ask no more: whoever asked hears nothing from now on."""
        self._asker = None
        if self._transport is not None:
            self._transport.abort()

    def hand_over(self) -> tuple[asyncio.Transport, bytes]:
        """Give the connection of a service that agreed, and what it has said since."""
        assert self._transport is not None  # it has answered
        del self._parser  # it holds our methods, and so us
        return self._transport, self._rest

    # What the transport reports.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the socket."""
        # Not asserted: uvloop's transports do not inherit from asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        if self._asker is None:
            self._transport.abort()
        else:
            self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Read the answer."""
        if self._asker is None:
            return
        self._size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._rest = data[upgrade.args[0] :]
            self._switch()
        except httptools.HttpParserError:
            self._break()
        else:
            if self._size > LONGEST_ANSWER:
                self._break()
            elif self._is_complete:
                self._decline()

    def connection_lost(self, error: Exception | None) -> None:
        """The service has closed; an answer of unknown length ends with that."""
        if error is None and self._status and not self._is_framed:
            self._decline()
        else:
            self._break()

    # What the parser reports.

    def on_message_begin(self) -> None:
        """An answer begins, perhaps after an interim one."""
        self._headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        if not self._status:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head is complete."""
        status = self._parser.get_status_code()
        if status == handshake.SWITCHING and not self._parser.should_upgrade():
            raise ValueError("a switch to nothing")
        if status >= 200:
            self._status = status
            self._is_framed = any(
                name in (b"content-length", b"transfer-encoding") for name, _ in self._headers
            )

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        self._body.append(data)

    def on_message_complete(self) -> None:
        """An answer is complete; an interim one is nothing to us."""
        self._is_complete = bool(self._status)

    # What comes of it.

    def _switch(self) -> None:
        try:
            version = self._parser.get_http_version()
            headers = handshake.check_answer(version, self._headers, self._offer)
        except BadGateway:
            self._break()
            return
        asker, self._asker = self._asker, None
        assert asker is not None  # else nothing is read
        asker.agreed(headers)

    def _decline(self) -> None:
        asker = self._asker
        self.stop()
        if asker is not None:
            asker.declined(Answer(self._status, self._headers, b"".join(self._body)))

    def _break(self) -> None:
        asker = self._asker
        self.stop()
        if asker is not None:
            asker.broken(is_silent=not self._size)
