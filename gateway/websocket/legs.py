"""A socket that stands: what one leg receives the other writes, no faster than it is read."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from gateway.websocket.frames import (
    GOING_AWAY,
    INTERNAL,
    PROTOCOL_ERROR,
    RESTART,
    Frames,
    Violation,
    close_frame,
)
from gateway.websocket.last_words import ServiceFrames

if TYPE_CHECKING:
    from gateway.upstream.upstream import Loan
    from gateway.websocket.handshake import Holds
    from gateway.websocket.sockets import Sockets

HIGH_WATER: Final = 65_536
"""Bytes that may wait for the slower end before the other is read no further."""


class Leg(asyncio.Protocol):
    """One end of a socket.

    Args:
        socket: it belongs to.
        transport: its connection.
        frames: what comes from it.

    Attributes:
        is_lost: the connection is gone.
        is_deaf: what comes from it goes nowhere, because the other end has had its Close.
    """

    __slots__ = ("_goodbye", "_socket", "frames", "is_deaf", "is_lost", "other", "transport")

    def __init__(self, socket: Socket, transport: asyncio.Transport, frames: Frames) -> None:
        self.transport = transport
        self.frames = frames
        self.is_lost = False
        self.is_deaf = False
        self.other: Leg
        self._socket = socket
        self._goodbye = b""
        transport.set_write_buffer_limits(high=HIGH_WATER)

    # What the transport reports.

    def data_received(self, data: bytes) -> None:
        """Pass on what came."""
        self._socket.is_quiet = False
        if self._goodbye:
            data = self._part(data)
        try:
            passed = self.frames.feed(data)
        except Violation as fault:
            self._pass(fault.passed)
            self._socket.violated(self, fault)
            return
        self._pass(passed)
        if self.frames.is_closed:
            self._socket.heard_goodbye(self)

    def pause_writing(self) -> None:
        """This end is slow: read the other no further."""
        self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        """This end has caught up."""
        self.other.transport.resume_reading()

    def eof_received(self) -> bool:
        """This end says no more. One that has said goodbye may still wait for the answer to it."""
        if not self.frames.is_closed or self.other.is_lost:
            return False
        self._socket.hurry()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """This end is gone."""
        self.is_lost = True
        self._socket.lost(self)

    def shutdown(self) -> None:
        """The server stops; uvicorn tells each connection of its own."""
        self._socket.sockets.shutdown()

    # What the socket asks for.

    def close(self) -> None:
        """Close, once what is written has been taken."""
        if not self.is_lost:
            self.transport.close()

    def abort(self) -> None:
        """Break the connection."""
        if not self.is_lost:
            self.transport.abort()

    def say_goodbye(self, code: int, reason: str, words: bytes = b"") -> None:
        """Write a Close as soon as no frame is under way to this end, and nothing after it.

        Args:
            code: why.
            reason: the same in words.
            words: frames to be written before it.
        """
        source = self.other
        if self.is_lost or source.is_deaf or source.frames.is_closed:
            return
        # What a client writes is masked, and this end was ours to knock at if nothing of it is.
        mask = b"" if self.frames.is_masked else os.urandom(4)
        goodbye = words + close_frame(code, reason, mask)
        if not source.frames.left:
            source.is_deaf = True
            self._write(goodbye)
            source.transport.resume_reading()
        elif source.is_lost:
            # The rest of the frame will never come, and would swallow whatever is said now.
            self.abort()
        else:
            source._goodbye = goodbye

    def stop_reading_frames(self) -> None:
        """Read on, but only so that this end hears its Close before the connection breaks."""
        self.is_deaf = True
        self.frames.left = _ENDLESS
        if self.other.is_deaf and not self.is_lost and not self.transport.is_closing():
            with suppress(OSError):  # it may have just gone
                self.transport.write_eof()

    def _write(self, data: bytes) -> None:
        if not self.is_lost and not self.transport.is_closing():
            self.transport.write(data)

    def _pass(self, data: bytes) -> None:
        if data and not self.is_deaf:
            self.other._write(data)

    def _part(self, data: bytes) -> bytes:
        """Pass on the rest of the frame that is under way, then the goodbye that waits for it.

        Returns:
            What comes after the frame.
        """
        left = self.frames.left
        if len(data) < left:
            return data
        self._pass(data[:left] + self._goodbye)
        self.frames.left, self._goodbye, self.is_deaf = 0, b"", True
        return data[left:]


_ENDLESS: Final = 1 << 62


class Socket:
    """One WebSocket through the gateway.

    Args:
        sockets: all of them.
        owner: whose it is.
        tags: ids by which an event may revoke the login behind it.
        holds: tells whether that login still holds, where it may be revoked.

    Attributes:
        loan: the service's address, once it has answered.
        is_quiet: nobody has said anything since the last look.
    """

    __slots__ = (
        "_connections",
        "_deadline",
        "_quiet_since",
        "_said",
        "client",
        "holds",
        "is_quiet",
        "loan",
        "owner",
        "service",
        "sockets",
        "tags",
    )

    def __init__(
        self,
        sockets: Sockets,
        owner: str,
        tags: tuple[str, ...] = (),
        holds: Holds | None = None,
    ) -> None:
        self.sockets = sockets
        self.loan: Loan | None = None
        self.owner = owner
        self.tags = tags
        self.holds = holds
        self.is_quiet = False
        self.client: Leg
        self.service: Leg
        self._connections: set[object]
        self._said: ServiceFrames
        self._quiet_since = 0.0
        self._deadline = 0.0

    def join(
        self,
        client: asyncio.Transport,
        service: asyncio.Transport,
        limit: int,
        connections: set[object],
    ) -> None:
        """Join two connections; their transports are still to be told.

        Args:
            client: to the caller.
            service: to the service.
            limit: bytes of a caller's message; the service's own may be of any size.
            connections: of callers; the caller's leg is one of them while it lasts.
        """
        self.client = Leg(self, client, Frames(is_masked=True, limit=limit))
        self._said = ServiceFrames(self.sockets.key)
        self.service = Leg(self, service, self._said)
        self.client.other, self.service.other = self.service, self.client
        self._connections = connections
        connections.add(self.client)

    def end(
        self,
        code: int,
        reason: str,
        *,
        to_service: int = GOING_AWAY,
        may_return: bool = True,
    ) -> None:
        """End it: both ends get a Close, and a moment to answer.

        Args:
            code: for the caller.
            reason: for both.
            to_service: its own code.
            may_return: whether the caller hears the service's last words, after which they may
                come back.
        """
        self._dismiss(code, reason, may_return=may_return)
        self.service.say_goodbye(to_service, reason)
        self.hurry()
        for leg in (self.client, self.service):
            if leg.frames.is_closed:
                leg.close()

    def _dismiss(self, code: int, reason: str, *, may_return: bool = True) -> None:
        """Say goodbye to the caller; what the service wanted said goes first."""
        is_spoken = may_return and not self.client.frames.is_closed
        self.client.say_goodbye(code, reason, self._said.last_words() if is_spoken else b"")

    def part(self, code: int, reason: str) -> None:
        """Ask the service alone to end it: it may say more to the caller before its own Close."""
        if not self.service.frames.is_closed:
            self.service.say_goodbye(code, reason)

    def hurry(self) -> None:
        """Leave both ends a moment, and no more."""
        self._deadline = self._deadline or self.sockets.deadline()

    def look(self, now: float, idle: float) -> None:
        """See whether time is up."""
        if self._deadline:
            if now >= self._deadline:
                self.client.abort()
                self.service.abort()
        elif not self.is_quiet:
            self.is_quiet = True
            self._quiet_since = now
        elif now - self._quiet_since >= idle:
            self.end(GOING_AWAY, "idle")

    # What the legs report.

    def violated(self, leg: Leg, fault: Violation) -> None:
        """A leg has sent what may not pass."""
        if leg is self.client:
            self.end(fault.code, fault.reason)
        else:
            self.end(INTERNAL, "bad gateway", to_service=PROTOCOL_ERROR)
        leg.stop_reading_frames()

    def heard_goodbye(self, leg: Leg) -> None:
        """A leg has sent its Close, first or in answer."""
        if leg.other.is_lost or leg.other.is_deaf:
            leg.close()
        elif leg.other.frames.is_closed:
            leg.close()
            leg.other.close()

    def lost(self, leg: Leg) -> None:
        """A leg is gone: say so to the other, or let it say its goodbye."""
        other = leg.other
        if leg is self.client:
            self._connections.discard(leg)
        if other.is_lost:
            self.sockets.forget(self)
            return
        self.hurry()
        if not (leg.is_deaf or leg.frames.is_closed):
            if leg is self.client:
                other.close()
                return
            self._dismiss(RESTART, "service gone")
        if other.frames.is_closed:
            other.close()
