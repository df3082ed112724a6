"""A caller's connection: requests are read off it strictly and answered in their order.

It is what uvicorn calls an HTTP protocol class. One clock looks at all connections now and then
instead of a timer for each.
"""

from __future__ import annotations

import asyncio
import fcntl
from collections import deque
from termios import FIONREAD
from typing import TYPE_CHECKING, Any, Final, cast

import httptools

from gateway.pipeline.request_head import Fields, read
from gateway.proxy import heads
from gateway.proxy.body import UPLOADING
from gateway.proxy.turn import Turn
from shared.errors import BadRequest, HeadTooLarge, ServiceError
from shared.log import get_logger

if TYPE_CHECKING:
    from uvicorn.server import ServerState

    from gateway.pipeline.request_head import Headers
    from gateway.proxy.data_path import DataPath
    from gateway.websocket.knocking import Knock

HEAD_LIMIT: Final = 65_536
"""Bytes of a request's head."""

MOST_HEADERS: Final = 100

HEAD_PATIENCE: Final = 10.0
"""Seconds that a head may take from its first byte to its last."""

KEPT: Final = 75.0
"""Seconds that a connection stays open between two requests."""

LINGER: Final = 2.0
"""Seconds for which what a caller still sends is read away, so that the answer reaches them."""

WRITE_BUFFER: Final = 131_072
"""Bytes of answers that may wait for a caller who reads slowly."""

PIPELINED: Final = 1
"""Why reading may pause, beside ``UPLOADING``: requests wait for their turn."""

SWITCHING: Final = 4
"""And another: a caller says more than ``EARLY`` before the service wants to hear it."""

EARLY: Final = 65_536
"""Bytes that a caller may send before a service has answered whether it speaks WebSocket."""

log = get_logger()


class Connection(asyncio.Protocol):
    """One caller's connection.

    Args:
        path: what connections share.
        server_state: uvicorn's, for its shutdown.
        loop: that serves it.
    """

    __slots__ = (
        "_early",
        "_head_bytes",
        "_headers",
        "_is_advancing",
        "_is_between",
        "_is_deaf",
        "_is_in_head",
        "_is_last",
        "_is_simple",
        "_moved",
        "_parser",
        "_paused",
        "_receiving",
        "_since",
        "_state",
        "_turn",
        "_unread",
        "_url",
        "_waiting",
        "_whole",
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
        self._parser: httptools.HttpRequestParser | None = None
        self._headers: Headers = []
        self._url = b""
        self._head_bytes = 0
        self._whole: Fields | None = None
        self._turn: Turn | None = None
        self._receiving: Turn | None = None
        self._waiting: deque[Turn] = deque()
        self._paused = 0
        self._since = self._moved = loop.time()
        self._unread = 0
        self._is_between = True
        self._is_simple = False
        self._is_in_head = False
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
        self._waiting.clear()
        turn, self._turn, self._receiving = self._turn, None, None
        if turn is not None:
            turn.abandon()

    def eof_received(self) -> bool:
        """The caller has closed their side: close ours too."""
        return False

    def data_received(self, data: bytes) -> None:
        """Read a piece of a request, or several requests."""
        if self._is_between:
            self._is_between = False
            self._whole = None
            known = self.path.heads.find(data)
            if known is not None:
                self._is_simple = True
                turn = self._turn = Turn(self, *known, True)
                turn.begin()
                return
            self._parse(data)
            self._remember(data)
        elif self._early is not None:
            self._early += data
            if len(self._early) > EARLY:
                self.hold(SWITCHING)
        elif not self._is_deaf:
            self._parse(data)

    def _remember(self, data: bytes) -> None:
        """Keep the head that the parser found in what came, if that was all that came."""
        if self._whole is not None:
            self.path.heads.keep(data, self._whole)

    def _parse(self, data: bytes) -> None:
        self._is_simple = False
        parser = self._parser
        if parser is None:
            parser = self._parser = httptools.HttpRequestParser(self)
        if self._is_in_head:
            self._head_bytes += len(data)
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgraded(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError as error:
            log.error("request not read", exc_info=error.__context__ or error)
            self.abort()
        except httptools.HttpParserError:
            self._unreadable(BadRequest("The request is not HTTP", code="malformed_request"))
        else:
            if self._is_in_head and self._head_bytes > HEAD_LIMIT:
                self._unreadable(HeadTooLarge())

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

    # What the parser reports.

    def on_message_begin(self) -> None:
        """A request begins."""
        self._headers = []
        self._url = b""
        self._head_bytes = 0
        self._is_in_head = True
        self._is_between = False
        self._whole = None
        self._since = self.loop.time()

    def on_url(self, url: bytes) -> None:
        """Take the target, or a piece of it."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; a trailer is dropped."""
        if self._is_in_head:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head of a request is complete."""
        self._is_in_head = False
        if self._is_last:
            return
        parser = self._parser
        assert parser is not None  # it is calling
        version = parser.get_http_version()
        fields = read(self._headers, version)
        fault: ServiceError | None = None
        try:
            target = heads.read_target(self._url)
            method = parser.get_method().decode("ascii")
            destination = self.path.pipeline.locate(method, *target)
        except ValueError:
            fault = BadRequest("The request's target is not one", code="malformed_target")
            destination = self.path.pipeline.locate("GET", b"/", "/", b"")
        size = len(self._url) + sum(len(name) + len(value) for name, value in self._headers)
        if len(self._headers) > MOST_HEADERS or size > HEAD_LIMIT:
            fault = HeadTooLarge()
        upgrades = parser.should_upgrade()
        is_http11 = version == "1.1"
        keeps = is_http11 and fault is None and not upgrades and parser.should_keep_alive()
        keeps = keeps and not self.path.is_draining
        turn = self._receiving = Turn(self, destination, fields, keeps, is_http11, fault)
        if keeps and fields.fault is None and not fields.has_body:
            self._whole = fields
        self._enter(turn)

    def on_body(self, data: bytes) -> None:
        """Take a piece of a body."""
        if self._receiving is not None and self._receiving.body is not None:
            self._receiving.body.take(data)

    def on_message_complete(self) -> None:
        """A request is complete."""
        turn, self._receiving = self._receiving, None
        if turn is None:
            return
        if turn.body is not None:
            turn.body.complete()
        if turn.is_answered and self._turn is None:
            self._advance()

    # Turns.

    def _enter(self, turn: Turn) -> None:
        is_free = self._turn is None and not self._waiting and not self._is_advancing
        if is_free and self.is_writable:
            self._turn = turn
            turn.begin()
        else:
            self._waiting.append(turn)
            self.hold(PIPELINED)

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
            self._is_between = self.is_writable and self._receiving is None and not self._is_in_head

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
            self._waiting.clear()
            self._close(lingering=turn is self._receiving)
        elif turn is not self._receiving:
            self._advance()

    def _unreadable(self, error: ServiceError) -> None:
        """What came cannot be read as a request: say so in its turn, and close."""
        self._is_in_head = False
        if self._is_last:
            return
        if self._receiving is not None:
            # In the middle of a body: whoever waits for the rest of it waits in vain.
            self.abort()
            return
        path = self._url.partition(b"?")[0].decode("ascii", "replace")
        destination = self.path.pipeline.locate("GET", b"/", path or "/", b"")
        self._enter(Turn(self, destination, Fields([]), keeps=False, fault=error))
        self._is_deaf = True

    def _upgraded(self, rest: bytes) -> None:
        """The parser stops where another protocol was asked for; it may be spoken from here on."""
        self._is_deaf = True
        self._early = rest
        turn, self._receiving = self._receiving, None
        if turn is not None and turn.body is not None:
            turn.body.complete()

    @property
    def has_switched(self) -> bool:
        """Whether what comes is kept for another protocol."""
        return self._early is not None

    def hand_over(self, knock: Knock) -> None:
        """The caller speaks WebSocket from now on: this is over, their connection goes on."""
        self.is_gone = True
        self._turn = self._parser = None
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

    def abort(self) -> None:
        """Break the connection: only so does a caller learn that an answer is not whole."""
        if not self.is_gone:
            self.transport.abort()

    def _close(self, *, lingering: bool) -> None:
        if not lingering:
            self.transport.close()
            return
        # A caller who is still sending would be reset before having read the answer.
        self._since = self.loop.time()
        self._paused = 0
        self.transport.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    # The clock, and the end.

    def look(self, now: float) -> None:
        """See whether time is up."""
        unread = self.transport.get_write_buffer_size()
        if unread != self._unread or not unread:
            self._unread, self._moved = unread, now
        elif now - self._moved > self.path.stall:
            self.abort()
            return
        if unread:
            self._since = now  # whatever comes next, it begins when the answer is out
        waited = now - self._since
        if self._turn is not None:
            if self._turn.body is not None:
                self._turn.body.look(now)
        elif self._is_deaf or self._is_last:
            if waited > LINGER:
                self.transport.close()
        elif self._is_in_head:
            if waited > HEAD_PATIENCE:
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
        is_busy = self._turn or self._waiting or self._receiving or self._is_in_head
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
