"""One WebSocket connection (RFC 6455), in place of uvicorn's own protocol and without ASGI.

``websockets`` reads and answers frames; what is written to many sockets is framed once, elsewhere.
An ASGI application would be a task, two queues and a scope for each of thousands of idle sockets.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any, Final, cast

from websockets.frames import CONT, TEXT, Frame
from websockets.http11 import Request, Response
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from services.teams.socket import handshake
from services.teams.socket.session import UNSUPPORTED, Session
from services.teams.socket.sockets import Sockets
from shared.errors import ServiceError

LONGEST_MESSAGE: Final = 256_000
"""Bytes (section 10.2)."""

HIGH_WATER: Final = 65_536
"""Bytes written but not taken, above which a client is read no further."""

PIECE: Final = 2_048
TURN: Final = 64
"""Frames of one client that are read before others have their turn."""

NOT_UTF8: Final = 1007

SWITCHING: Final = 101

# The library would write what passes, which holds knowledge and, in the handshake, a credential.
_SILENT: Final = logging.getLogger("services.teams.socket.websockets")
_SILENT.setLevel(logging.ERROR)


class SocketProtocol(asyncio.Protocol):
    """Serves one connection that asked for a socket; uvicorn makes it, and hands it the request.

    Args:
        config: uvicorn's.
        server_state: uvicorn's; it counts connections and tells each of them to shut down.
        app_state: where the service's ``resources`` are.
    """

    __slots__ = (
        "_connections",
        "_is_ended",
        "_is_held",
        "_message",
        "_resources",
        "_session",
        "_transport",
        "_unread",
        "_wire",
    )

    def __init__(
        self,
        config: object,
        server_state: Any,
        app_state: Mapping[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._connections: set[Any] = server_state.connections
        self._resources: Mapping[type, Any] | None = app_state["resources"]
        self._wire = ServerProtocol(max_size=LONGEST_MESSAGE, logger=_SILENT)
        self._transport: asyncio.Transport
        self._session: Session | None = None
        self._message: bytearray | None = None
        self._unread = b""
        self._is_held = False
        self._is_ended = False

    # What the transport reports.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection over."""
        # Not asserted: uvloop's transports do not inherit from asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=HIGH_WATER)
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Take the request, then frames."""
        session = self._session
        if session is None:
            self._shake_hands(data)
        elif self._unread:
            self._unread += data
        else:
            session.is_quiet = False
            self._read(session, data)

    def eof_received(self) -> bool:
        """The client says no more."""
        return False

    def pause_writing(self) -> None:
        """The client does not take what it is sent: say no more than must be, and hear nothing."""
        if self._session is not None:
            self._session.stuck(is_stuck=True)
            self._hold()

    def resume_writing(self) -> None:
        """The client has caught up."""
        if self._session is not None:
            self._session.stuck(is_stuck=False)
            self.read_on()

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self._connections.discard(self)
        self._is_ended = True
        self._wire.parser.close()  # it refers to what it belongs to
        session, self._session = self._session, None
        if session is not None:
            session.lost()

    def shutdown(self) -> None:
        """The server stops; uvicorn tells each connection."""
        if self._session is None:
            self._transport.close()
        else:
            self._session.sockets.leave()

    # What a session asks for.

    def write(self, *pieces: bytes) -> None:
        """Write frames that are complete."""
        if self._transport.is_closing() or self._is_ended:
            return
        if len(pieces) == 1:
            self._transport.write(pieces[0])
        else:
            self._transport.writelines(pieces)

    def backlog(self) -> int:
        """Give how many bytes the client has not taken yet."""
        return 0 if self._transport.is_closing() else self._transport.get_write_buffer_size()

    def end(self, code: int) -> None:
        """Say goodbye on every topic, then Close; the client gets a moment to answer."""
        session = self._session
        if session is None or self._is_ended:
            return
        session.say_goodbye()
        self._is_ended = True
        self._message = None
        if self._wire.state is OPEN:
            self._wire.send_close(code)
        self._flush()
        if self._is_held:
            # The answer to the Close is still to be heard.
            asyncio.get_running_loop().call_soon(self.read_on)

    def abort(self) -> None:
        """Break the connection."""
        self._transport.abort()

    def read_on(self) -> None:
        """Read what had to wait, if the session can take it now."""
        session = self._session
        if session is None or not self._is_held or session.is_full:
            return
        data, self._unread = self._unread, b""
        if data:
            self._read(session, data)
        if not (self._unread or session.is_full):
            self._resume()

    # The handshake.

    def _shake_hands(self, data: bytes) -> None:
        resources, self._resources = self._resources, None
        if resources is None:
            return  # it was refused
        self._wire.receive_data(data)
        for request in self._wire.events_received():
            response = self._answer(cast(Request, request), resources[Sockets])
            self._wire.send_response(response)
        self._flush()

    def _answer(self, request: Request, sockets: Sockets) -> Response:
        response = self._wire.accept(request)
        if response.status_code == SWITCHING:
            try:
                token = handshake.read_token(request, sockets.key, time.time())
                self._session = sockets.admit(token, self, handshake.read_key(request))
            except ServiceError as error:
                response = handshake.refusal(error)
        # What serves it says nothing else of itself either.
        response.headers.pop("Date", None)
        return response

    # Frames.

    def _read(self, session: Session, data: bytes) -> None:
        """Read piece by piece, so that no client makes others wait, nor a session hold too much."""
        left, size = TURN, len(data)
        for at in range(0, size, PIECE):
            self._wire.receive_data(data[at : at + PIECE])
            left -= self._hear(session)
            if at + PIECE < size and (left < 0 or session.is_full):
                self._unread = data[at + PIECE :]
                break
        if self._unread or session.is_full:
            self._hold()
            if not session.is_full:
                asyncio.get_running_loop().call_soon(self.read_on)

    def _hear(self, session: Session) -> int:
        """Handle the frames that have come as a whole; give how many they were."""
        frames = self._wire.events_received()
        for frame in frames:
            if not self._is_ended:
                self._take(session, cast(Frame, frame))
        if self._wire.state is not OPEN:
            # The library has written its Close already: what is said before it goes first.
            session.say_goodbye()
        self._flush()
        return len(frames)

    def _take(self, session: Session, frame: Frame) -> None:
        if frame.opcode is TEXT:
            if frame.fin:
                self._deliver(session, frame.data)
            else:
                self._message = bytearray(frame.data)
        elif frame.opcode is CONT:
            if self._message is not None:
                # Not a list of them: empty fragments would fill it without end.
                self._message += frame.data
                if frame.fin:
                    whole, self._message = self._message, None
                    self._deliver(session, whole)
        elif not frame.opcode & 0x8:
            self.end(UNSUPPORTED)

    def _deliver(self, session: Session, data: Any) -> None:
        try:
            text = str(data, "utf-8")
        except UnicodeDecodeError:
            self.end(NOT_UTF8)
        else:
            session.received(text)

    def _flush(self) -> None:
        for data in self._wire.data_to_send():
            if self._transport.is_closing():
                return
            if data:
                self._transport.write(data)
            elif self._wire.close_rcvd is not None or self._session is None:
                self._transport.close()
            else:
                # Closed at once, what is still coming would reset the connection, and the Close
                # would be lost with it.
                self._is_ended = True
                self._transport.write_eof()

    def _hold(self) -> None:
        if not (self._is_held or self._transport.is_closing()):
            self._is_held = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._is_held and not self._transport.is_closing():
            self._is_held = False
            self._transport.resume_reading()
