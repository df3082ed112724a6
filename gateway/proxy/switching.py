"""A request that asks for a WebSocket: the service is asked, and then the caller speaks with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.proxy import answers
from gateway.upstream.answer_head import BODYLESS, AnswerHead
from gateway.websocket import handshake
from shared.errors import BadGateway, ServiceError

if TYPE_CHECKING:
    from gateway.pipeline.decisions import Bridge
    from gateway.pipeline.request_head import Headers
    from gateway.proxy.connection import Connection
    from gateway.proxy.turn import Turn
    from gateway.websocket.knocking import Knock

SWITCHING: Final = 4
"""Why reading may pause: a caller says more than ``EARLY`` before the service wants to hear it."""

EARLY: Final = 65_536
"""Bytes that a caller may send before a service has answered whether it speaks WebSocket."""


class Switching:
    """What becomes of one such request; the caller of a knock.

    Args:
        connection: where it came from.
        turn: whose it is.
        plan: what the chain decided.
    """

    __slots__ = ("_connection", "_knock", "_plan", "_turn")

    def __init__(self, connection: Connection, turn: Turn, plan: Bridge) -> None:
        self._connection = connection
        self._turn = turn
        self._plan = plan
        self._knock: Knock | None = None

    def begin(self) -> None:
        """Ask the service."""
        path, plan = self._connection.path, self._plan
        try:
            self._knock = path.sockets.knock(
                path.upstreams[plan.row.upstream],
                plan.head,
                plan.offer,
                self,
                owner=plan.owner,
                tags=plan.tags,
                holds=plan.holds,
                limit=plan.row.body_limit,
            )
        except ServiceError as error:
            self._turn.fail(error)

    def abandon(self) -> None:
        """The caller is gone."""
        if self._knock is not None:
            self._knock.abandon()

    def accepted(self, headers: Headers, knock: Knock) -> None:
        """The service speaks WebSocket from now on, and so does the caller."""
        if not self._connection.has_switched:
            # The parser has read on, so nobody knows what is of the socket and what is not.
            knock.abandon()
            self._turn.fail(BadGateway())
            return
        head = AnswerHead(handshake.SWITCHING, headers, None)
        lines = answers.answered(head, self._plan.request) + handshake.ANSWER_LINES
        self._connection.write(lines + self._connection.path.date + b"\r\n")
        self._turn.switched(handshake.SWITCHING)
        self._connection.hand_over(knock)

    def declined(self, status: int, headers: Headers, body: bytes) -> None:
        """The service wants no socket; its answer is one like any other."""
        kept = [header for header in headers if header[0] != b"content-length"]
        if status not in BODYLESS:
            kept.append((b"content-length", b"%d" % len(body)))
        head = AnswerHead(status, kept, len(body))
        self._turn.answer(answers.answered(head, self._plan.request), status, body)

    def failed(self, error: ServiceError) -> None:
        """There is no socket."""
        self._turn.fail(error)
