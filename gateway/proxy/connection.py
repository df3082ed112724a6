"""A caller's connection: requests are read off it strictly and answered in their order.

It is what uvicorn calls an HTTP protocol class. One clock looks at all connections now and then
instead of a timer for each.
"""

from __future__ import annotations

import asyncio
import fcntl
from collections import deque
from contextlib import suppress
from termios import FIONREAD
from typing import TYPE_CHECKING, Any, Final, cast

from gateway.pipeline.request_head import Fields
from gateway.proxy.body import UPLOADING
from gateway.proxy.peer import end_by_reset, has_left
from gateway.proxy.reading import Reader
from gateway.proxy.switching import EARLY, SWITCHING
from gateway.proxy.turn import Turn
from shared.errors import BadRequest, ServiceError

if TYPE_CHECKING:
    from uvicorn.server import ServerState

    from gateway.proxy.data_path import DataPath
    from gateway.websocket.knocking import Knock

KEPT: Final = 75.0
"""Seconds that a connection stays open between two requests."""

LINGER: Final = 2.0
"""Seconds for which what a caller still sends is read away, so that the answer reaches them."""

WRITE_BUFFER: Final = 131_072
"""Bytes of answers that may wait for a caller who reads slowly."""

PIPELINED: Final = 1
"""Why reading may pause, beside ``UPLOADING``: requests wait for their turn."""


class Connection(asyncio.Protocol):
    """One caller's connection.

    Args:
        path: what connections share.
        server_state: uvicorn's, for its shutdown.
        loop: that serves it.
    """

    __slots__ = (
        "_early",
        "_is_advancing",
        "_is_between",
        "_is_deaf",
        "_is_last",
        "_is_simple",
        "_moved",
        "_paused",
        "_reader",
        "_since",
        "_state",
        "_turn",
        "_unread",
        "_waiting",
        "is_gone",
        "is_writable",
        "loop",
        "path",
        "peer",
        "transport",
    )

    def __init__(
        self, path: DataPath, server_state: ServerState, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.path = path
        self.loop = loop
        self.transport: asyncio.Transport
        self.peer = ""
        self.is_writable = True
        self.is_gone = False
        self._state = server_state
        self._reader: Reader | None = None
        self._turn: Turn | None = None
        self._waiting: deque[Turn] = deque()
        self._paused = 0
        self._since = self._moved = loop.time()
        self._unread = 0
        self._is_between = True
        self._is_simple = False
        self._is_advancing = False
        self._is_last = False
        self._is_deaf = False
        self._early: bytes | None = None

    # What the transport reports.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        # Not asserted: uvloop's transports do not inherit from asyncio's.
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=WRITE_BUFFER)
        name = transport.get_extra_info("peername")
        self.peer = name[0] if isinstance(name, tuple) else ""
        self._state.connections.add(cast(Any, self))
        self.path.connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        """The caller is gone."""
        self.is_gone = True
        self._is_between = False
        self._state.connections.discard(cast(Any, self))
        self.path.connections.discard(self)
        self._forget_waiting()
        turn, self._turn, self._reader = self._turn, None, None
        if turn is not None:
            turn.abandon()

    def eof_received(self) -> bool:
        """The caller has closed their side: close ours too."""
        return False

    def data_received(self, data: bytes) -> None:
        """Read a piece of a request, or several requests."""
        if self._is_between:
            self._is_between = False
            known = self.path.heads.find(data)
            if known is not None:
                self._is_simple = True
                turn = self._turn = Turn(self, *known, True)
                turn.begin()
                return
            self._parse(data)
            if self._reader is not None and self._reader.whole is not None:
                self.path.heads.keep(data, self._reader.whole)
        elif self._early is not None:
            self._early += data
            if len(self._early) > EARLY:
                self.hold(SWITCHING)
        elif not self._is_deaf:
            self._parse(data)

    def _parse(self, data: bytes) -> None:
        self._is_simple = False
        reader = self._reader
        if reader is None:
            reader = self._reader = Reader(self)
        try:
            rest = reader.feed(data)
        except ServiceError as error:
            self._unreadable(error)
        else:
            if rest is not None:
                # Another protocol was asked for, and may be spoken from here on.
                self._is_deaf = True
                self._early = rest

    @property
    def is_crowded(self) -> bool:
        """Whether requests wait for their turn, so that no more should be read."""
        return bool(self._paused & PIPELINED)

    def _read_on(self) -> None:
        """Read what was left for later."""
        reader = self._reader
        if reader is None or self._paused or self._is_deaf:
            return
        data, reader.backlog = reader.backlog, b""
        self._is_between = False
        self._parse(data)
        if not self._paused and not self.is_gone:
            self.transport.resume_reading()

    def pause_writing(self) -> None:
        """The caller reads more slowly than the service answers."""
        self.is_writable = False
        if self._turn is not None:
            self._turn.hold_back()

    def resume_writing(self) -> None:
        """The caller has caught up."""
        self.is_writable = True
        if self._turn is not None:
            self._turn.go_on()
        else:
            self._advance()

    # Turns.

    def begins(self) -> None:
        """Hear that the first byte of a request has come."""
        self._is_between = False
        self._since = self.loop.time()

    def enter(self, turn: Turn) -> None:
        """Take a request whose head has come."""
        if self._is_last:
            turn.is_answered = True  # nobody will
            return
        is_free = self._turn is None and not self._waiting and not self._is_advancing
        if is_free and self.is_writable:
            self._turn = turn
            turn.begin()
        else:
            self._waiting.append(turn)
            self.hold(PIPELINED)

    def _forget_waiting(self) -> None:
        while self._waiting:
            self._waiting.popleft().abandon()

    def received(self, turn: Turn) -> None:
        """Hear that a request has come as a whole."""
        if turn.is_answered and self._turn is None:
            self._advance()

    def _advance(self) -> None:
        """Begin the next request that waits; a loop, because a turn may end at once.

        None begins before the caller has read enough of the last answer.
        """
        if self._is_advancing:
            return
        self._is_advancing = True
        while self._turn is None and self._waiting and self.is_writable and not self._is_last:
            turn = self._turn = self._waiting.popleft()
            if not self._waiting:
                self.release(PIPELINED)  # what comes now is its body, or the next request
            turn.begin()
        self._is_advancing = False
        if self._turn is None and not self._waiting and not self._is_last:
            self._since = self.loop.time()
            is_reading = self._reader is not None and self._reader.is_busy
            self._is_between = self.is_writable and not is_reading

    def finished(self, turn: Turn) -> None:
        """Hear that a turn's answer is written."""
        if self.is_gone:
            return
        self._turn = None
        if self._is_simple and turn.keeps and self.is_writable:
            self._since = self.loop.time()
            self._is_between = True
            return
        if self._paused:
            self.release(UPLOADING)
        if not turn.keeps:
            self._is_last = self._is_deaf = True
            self._forget_waiting()
            self._close(lingering=turn is self._receiving or turn.fault is not None)
        elif turn is not self._receiving:
            self._advance()

    @property
    def _receiving(self) -> Turn | None:
        """The turn whose request has not come as a whole."""
        return None if self._reader is None else self._reader.receiving

    @property
    def _is_in_head(self) -> bool:
        """Whether a request's head has begun to come."""
        return self._reader is not None and self._reader.is_in_head

    def _unreadable(self, error: ServiceError) -> None:
        """What came cannot be read as a request: say so in its turn, and close."""
        reader = self._reader
        if self._is_last or reader is None:
            return
        reader.is_in_head = False
        self._is_deaf = True
        if reader.receiving is not None:
            reader.receiving.spoil(error, has_begun=reader.receiving is self._turn)
            return
        destination = self.path.pipeline.locate("GET", b"/", reader.path_so_far, b"")
        self.enter(Turn(self, destination, Fields([]), keeps=False, fault=error))

    @property
    def has_switched(self) -> bool:
        """Whether what comes is kept for another protocol."""
        return self._early is not None

    def hand_over(self, knock: Knock) -> None:
        """The caller speaks WebSocket from now on: this is over, their connection goes on."""
        self.is_gone = True
        self._turn = self._reader = None
        self._state.connections.discard(cast(Any, self))
        self.path.connections.discard(self)
        knock.join(self.transport, self._early or b"", cast(Any, self._state.connections))

    # What turns ask for.

    def hold(self, reason: int) -> None:
        """Stop reading."""
        if not self._paused and not self.is_gone:
            self.transport.pause_reading()
        self._paused |= reason

    def release(self, reason: int) -> None:
        """Read on, unless another reason holds."""
        if self._paused & reason:
            self._paused &= ~reason
            if not self._paused and not self.is_gone:
                if self._reader is not None and self._reader.backlog:
                    self.loop.call_soon(self._read_on)  # the parser may be calling now
                else:
                    self.transport.resume_reading()

    def write(self, data: bytes) -> None:
        """Write to the caller."""
        if not self.is_gone:
            self.transport.write(data)

    def writelines(self, pieces: list[bytes]) -> None:
        """Write to the caller; many bytes in pieces, few in one."""
        if self.is_gone:
            return
        if len(pieces) > 1 and sum(map(len, pieces)) > WRITE_BUFFER:
            self.transport.writelines(pieces)
        else:
            self.transport.write(b"".join(pieces))

    def abort(self, *, is_told: bool = True) -> None:
        """Break the connection; by RST if nothing else tells that the answer is not whole."""
        if not self.is_gone:
            if not is_told:
                end_by_reset(self.transport)
            self.transport.abort()

    def _close(self, *, lingering: bool) -> None:
        if not lingering:
            self.transport.close()
            return
        # A caller who is still sending would be reset before having read the answer.
        self._since = self.loop.time()
        self._paused = 0
        self.transport.resume_reading()
        with suppress(OSError):  # asyncio's own loop says at once who is gone
            self.transport.write_eof()

    # The clock, and the end.

    def look(self, now: float) -> None:
        """See whether time is up, or the caller gone."""
        if self._paused and has_left(self.transport):
            self.abort()
            return
        unread = self.transport.get_write_buffer_size()
        if unread != self._unread or not unread:
            self._unread, self._moved = unread, now
        elif now - self._moved > self.path.stall:
            self.abort()
            return
        if unread:
            self._since = now  # whatever comes next, it begins when the answer is out
        self._time(now - self._since, now)

    def _time(self, waited: float, now: float) -> None:
        if self._turn is not None:
            if self._turn.body is not None:
                self._turn.body.look(now)
        elif self._is_deaf or self._is_last:
            if waited > LINGER:
                self.transport.close()
        elif self._is_in_head:
            if waited > self.path.head_patience:
                self._unreadable(BadRequest("The request did not arrive in time", code="timeout"))
        elif self._receiving is None and waited > KEPT:
            self.transport.close()

    def drain(self) -> None:
        """Prepare for the end: the answer under way is the last, an idle connection waits a bit."""
        if self._turn is not None:
            self._turn.drain(is_last=not self._waiting)
            if self._waiting:
                self._waiting[-1].keeps = False
        elif not self._is_in_head:
            self._since = self.loop.time()

    def close_idle(self, before: float) -> None:
        """Close if nothing is under way since then, nor has come and is still to be read."""
        is_reading = self._reader is not None and self._reader.is_busy
        is_busy = self._turn or self._waiting or is_reading
        if is_busy or self._is_last or self._is_deaf or self._since >= before:
            return
        try:
            came = fcntl.ioctl(self.transport.get_extra_info("socket"), FIONREAD, bytes(4))
        except OSError:
            came = bytes(4)
        if not any(came):
            self.transport.close()

    def shutdown(self) -> None:
        """End after what is under way; called by uvicorn."""
        if self._turn is None:
            self.transport.close()
        else:
            self._turn.keeps = False
