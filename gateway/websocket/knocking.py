"""Asking a service for a socket, again and again for a while where it is away.

A service that declines answers once, and that answer goes to the caller as any other would. An
address that nobody can reach is passed over for another, because nothing of the handshake was said.

A service that is being restarted is waited for: clients of the teams surface come back exactly once
after its goodbye (section 10.5 of its contract), and one who is refused then never tries again.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from gateway.pipeline.request_head import Headers
from gateway.websocket.asking import Answer, Asking
from gateway.websocket.handshake import Offer
from shared.errors import BadGateway, GatewayTimeout, ServiceError, Unavailable

if TYPE_CHECKING:
    from gateway.upstream.upstream import Loan, Upstream
    from gateway.websocket.legs import Socket
    from gateway.websocket.sockets import Sockets
    from gateway.websocket.waiting import WaitingRoom

_AWAY: Final = 503
"""What a service answers that stops, or has just begun: not now, but soon."""


def _itself(asking: Asking) -> Asking:
    return asking


class Caller(Protocol):
    """Who asked for the socket. Exactly one of these is called, once."""

    def accepted(self, headers: Headers, knock: Knock) -> None:
        """The service speaks WebSocket: write the 101, then at once ``knock.join``."""

    def declined(self, status: int, headers: Headers, body: bytes) -> None:
        """The service answered otherwise."""

    def failed(self, error: ServiceError) -> None:
        """There was no answer."""


class Knock:
    """One handshake of a caller.

    Args:
        sockets: to which the socket will belong.
        upstream: the service.
        room: where those wait who ask this service again.
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
        room: WaitingRoom,
        request: bytes,
        offer: Offer,
        caller: Caller,
        socket: Socket,
        limit: int,
    ) -> None:
        self.socket = socket
        self._sockets = sockets
        self._upstream = upstream
        self._room = room
        self._request = request
        self._offer = offer
        self._caller: Caller | None = caller
        self._is_settled = False
        self._limit = limit
        self._asking: Asking | None = None
        self._loan: Loan | None = None
        self._deadline = float("inf")
        self._until = sockets.loop.time() + sockets.limits.wait
        self._alarm: asyncio.TimerHandle | None = None
        self._outcome: Answer | ServiceError = Unavailable()

    def begin(self) -> None:
        """Ask, or stand in line where others wait for the service already."""
        if self._room.is_occupied and self._sockets.limits.wait:
            self._wait()
            self._room.enter(self)
        else:
            self.ask()

    def ask(self) -> None:
        """Ask the service, once."""
        self._sockets.own(self._reach(None), "knock")

    def abandon(self) -> None:
        """The caller is gone."""
        self._settle()

    def fail(self, error: ServiceError) -> None:
        """There is no answer, for a reason that is not the service's."""
        self._tell(error)

    def look(self, now: float) -> None:
        """See whether the time for an answer is up."""
        if now >= self._deadline:
            self._fault(GatewayTimeout())

    def join(self, client: asyncio.Transport, early: bytes, connections: set[object]) -> None:
        """Make the socket: from now on bytes pass between the caller and the service.

        Args:
            client: the caller's connection, to which the 101 is written.
            early: what the caller has sent after the handshake.
            connections: of callers; the socket is one of them while it stands.
        """
        assert self._asking is not None  # the service has answered
        assert self._loan is not None
        service, said = self._asking.hand_over()
        socket, socket.loan, self._loan = self.socket, self._loan, None
        socket.join(client, service, self._limit, connections)
        self._end(stands=True)
        service.set_protocol(socket.service)
        client.set_protocol(socket.client)
        if said:
            socket.service.data_received(said)
        if early:
            socket.client.data_received(early)
        client.resume_reading()

    # Reaching the service.

    async def _reach(self, instead: Loan | None) -> None:
        """Ask at an address, and at another where one cannot be reached."""
        loop = self._sockets.loop
        while not self._is_settled:
            try:
                loan = self._loan = self._upstream.lend(instead)
            except Unavailable as error:
                is_answered = instead is not None and isinstance(self._outcome, Answer)
                self._away(self._outcome if is_answered else error)
                return
            asking = self._asking = Asking(self, self._request, self._offer)
            self._deadline = loop.time() + self._upstream.limits.head
            try:
                protocol = partial(_itself, asking)
                async with asyncio.timeout(self._upstream.limits.connect):
                    await loop.create_connection(protocol, loan.host, loan.port)
                return
            except (OSError, TimeoutError):
                loan.faulted(is_reached=False)
                loan.close()
                instead, self._outcome = loan, Unavailable()

    def agreed(self, headers: Headers) -> None:
        """Hear that the service speaks WebSocket."""
        assert self._loan is not None  # or nobody was asked
        self._loan.answered()
        self._room.answered(self)
        caller, self._caller = self._caller, None
        assert caller is not None  # else nobody asks
        caller.accepted(headers, self)

    def declined(self, answer: Answer) -> None:
        """Hear that the service answered otherwise; that it is away for now is worth waiting."""
        loan = self._loan
        assert loan is not None  # or nobody was asked
        loan.answered()
        if answer.status == _AWAY and self._may_wait:
            loan.close()
            self._outcome = answer
            self._deadline = float("inf")
            self._sockets.own(self._reach(loan), "knock")
            return
        self._room.answered(self)
        self._tell(answer)

    def broken(self, *, is_silent: bool) -> None:
        """Hear that there was no answer; a service that just went said nothing of one."""
        if is_silent and self._may_wait and self._loan is not None:
            self._loan.faulted()
            self._loan.close()
            self._away(BadGateway())
        else:
            self._fault(BadGateway())

    # Waiting.

    @property
    def _may_wait(self) -> bool:
        return self._sockets.loop.time() < self._until

    def _away(self, outcome: Answer | ServiceError) -> None:
        """The service is away: wait, or say what it comes to."""
        if self._is_settled:
            return
        if not self._may_wait:
            self._tell(outcome)
            return
        self._outcome = outcome
        self._asking = None
        self._deadline = float("inf")
        self._wait()
        self._room.refused(self)

    def _wait(self) -> None:
        if self._alarm is None:
            self._alarm = self._sockets.loop.call_at(self._until, self._give_up)

    def _give_up(self) -> None:
        """Wait no longer; one who is asking just now may hear the answer yet."""
        if self._room.holds(self):
            self._tell(self._outcome)

    # Its end.

    def _fault(self, error: ServiceError) -> None:
        if self._caller is not None and self._loan is not None:
            self._loan.faulted()
        self._tell(error)

    def _tell(self, outcome: Answer | ServiceError) -> None:
        caller = self._settle()
        if caller is None:
            return
        if isinstance(outcome, Answer):
            caller.declined(outcome.status, outcome.headers, outcome.body)
        else:
            caller.failed(outcome)

    def _settle(self) -> Caller | None:
        """End it without a socket; give who must be told, once."""
        if self._asking is not None and not self._is_settled:
            self._asking.stop()
        caller, self._caller = self._caller, None
        self._end(stands=False)
        return caller

    def _end(self, *, stands: bool) -> None:
        if self._is_settled:
            return
        self._is_settled = True
        self._asking = None
        if self._loan is not None:
            self._loan.close()
        if self._alarm is not None:
            self._alarm.cancel()
        self._room.leave(self)
        self._sockets.answered(self, stands=stands)
