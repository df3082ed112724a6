"""Asking a service for a socket: the connection to it until it has answered the handshake.

A service that declines answers once, and that answer goes to the caller as any other would. An
address that nobody can reach is passed over for another, because nothing of the handshake was said.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol, cast

import httptools

from gateway.pipeline.request_head import Headers
from gateway.websocket import handshake
from gateway.websocket.handshake import Offer
from shared.errors import BadGateway, GatewayTimeout, ServiceError, Unavailable

if TYPE_CHECKING:
    from gateway.upstream.upstream import Upstream
    from gateway.websocket.legs import Socket
    from gateway.websocket.sockets import Sockets

LONGEST_ANSWER: Final = 131_072
"""Bytes that a service's answer to a handshake may have, head and body."""


class Caller(Protocol):
    """Who asked for the socket. Exactly one of these is called, once."""

    def accepted(self, headers: Headers, knock: Knock) -> None:
        """The service speaks WebSocket: write the 101, then at once ``knock.join``."""

    def declined(self, status: int, headers: Headers, body: bytes) -> None:
        """The service answered otherwise."""

    def failed(self, error: ServiceError) -> None:
        """There was no answer."""


class Knock(asyncio.Protocol):
    """One handshake with a service.

    Args:
        sockets: to which the socket will belong.
        upstream: the service.
        request: the whole handshake.
        offer: what it offers.
        caller: who asked.
        socket: that it will be.
        limit: bytes of a caller's message.
    """

    def __init__(
        self,
        sockets: Sockets,
        upstream: Upstream,
        request: bytes,
        offer: Offer,
        caller: Caller,
        socket: Socket,
        limit: int,
    ) -> None:
        self.socket = socket
        self._sockets = sockets
        self._upstream = upstream
        self._request = request
        self._offer = offer
        self._caller: Caller | None = caller
        self._is_settled = False
        self._limit = limit
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._deadline = sockets.loop.time() + upstream.limits.head
        self._headers: Headers = []
        self._body: list[bytes] = []
        self._size = 0
        self._status = 0
        self._is_framed = False
        self._is_complete = False
        self._rest = b""

    async def connect(self) -> None:
        """Reach the service, at another address where one cannot be reached."""
        loop, loan = self._sockets.loop, self.socket.loan
        while True:
            try:
                async with asyncio.timeout(self._upstream.limits.connect):
                    await loop.create_connection(lambda: self, loan.host, loan.port)
                return
            except (OSError, TimeoutError):
                loan.faulted(is_reached=False)
                loan.close()
            if self._is_settled:
                return
            try:
                loan = self.socket.loan = self._upstream.lend(instead=loan)
            except Unavailable as error:
                self.fail(error)
                return

    def abandon(self) -> None:
        """The caller is gone."""
        self._settle()
        self._abort()

    def fail(self, error: ServiceError) -> None:
        """There is no answer, for a reason that is not the service's."""
        caller = self._settle()
        self._abort()
        if caller is not None:
            caller.failed(error)

    def look(self, now: float) -> None:
        """See whether time is up."""
        if now >= self._deadline:
            self._fault(GatewayTimeout())

    def join(self, client: asyncio.Transport, early: bytes, connections: set[object]) -> None:
        """Make the socket: from now on bytes pass between the caller and the service.

        Args:
            client: the caller's connection, to which the 101 is written.
            early: what the caller has sent after the handshake.
            connections: of callers; the socket is one of them while it stands.
        """
        service = self._transport
        assert service is not None  # it has answered
        socket = self.socket
        socket.join(client, service, self._limit, connections)
        self._is_settled = True
        self._sockets.answered(self, stands=True)
        del self._parser  # it holds our methods, and so us
        service.set_protocol(socket.service)
        client.set_protocol(socket.client)
        if self._rest:
            socket.service.data_received(self._rest)
        if early:
            socket.client.data_received(early)
        client.resume_reading()

    # What the transport reports.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the socket."""
        # Not asserted: uvloop's transports do not inherit from asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        if self._caller is None:
            self._transport.abort()
        else:
            self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Read the answer."""
        if self._caller is None:
            return
        self._size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._rest = data[upgrade.args[0] :]
            self._switch()
        except httptools.HttpParserError:
            self._fault(BadGateway())
        else:
            if self._size > LONGEST_ANSWER:
                self._fault(BadGateway())
            elif self._is_complete:
                self._decline()

    def connection_lost(self, error: Exception | None) -> None:
        """The service has closed; an answer of unknown length ends with that."""
        if error is None and self._status and not self._is_framed:
            self._decline()
        else:
            self._fault(BadGateway())

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

    # Its end.

    def _switch(self) -> None:
        try:
            version = self._parser.get_http_version()
            headers = handshake.check_answer(version, self._headers, self._offer)
        except BadGateway as error:
            self._fault(error)
            return
        self.socket.loan.answered()
        caller, self._caller = self._caller, None
        assert caller is not None  # else nothing is read
        caller.accepted(headers, self)

    def _decline(self) -> None:
        self.socket.loan.answered()
        caller = self._settle()
        self._abort()
        if caller is not None:
            caller.declined(self._status, self._headers, b"".join(self._body))

    def _fault(self, error: ServiceError) -> None:
        if self._caller is not None:
            self.socket.loan.faulted()
        self.fail(error)

    def _settle(self) -> Caller | None:
        """End it without a socket; give who must be told, once."""
        if not self._is_settled:
            self._is_settled = True
            self._sockets.answered(self, stands=False)
        caller, self._caller = self._caller, None
        return caller

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
