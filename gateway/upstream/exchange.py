"""One request to a service and its answer: written by the caller, heard by the caller's sink."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shared.errors import BadGateway, GatewayTimeout, ServiceError, Unavailable

if TYPE_CHECKING:
    from gateway.upstream.answer_head import AnswerHead
    from gateway.upstream.connection import Connection, Sink
    from gateway.upstream.pool import Pool

_REPEATABLE: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Methods that may be sent again (RFC 9110 section 9.2.2) when a kept connection was stale."""


class Exchange:
    """One request and its answer. Made by ``Upstream.start``.

    Args:
        pool: where it takes place.
        method: upper case.
        head: the request's first bytes: the head, or the whole request.
        sink: who wants the answer.
        is_sent: whether ``head`` is the whole request.
        is_chunked: whether what is written is framed in chunks.
    """

    __slots__ = (
        "_connection",
        "_head",
        "_is_whole",
        "deadline",
        "is_answering",
        "is_chunked",
        "is_done",
        "is_head",
        "is_paused",
        "is_repeatable",
        "is_repeated",
        "is_sent",
        "method",
        "patience",
        "pool",
        "sink",
        "tried",
    )

    def __init__(
        self,
        pool: Pool,
        method: str,
        head: bytes,
        sink: Sink,
        is_sent: bool,
        is_chunked: bool,
        is_repeatable: bool,
    ) -> None:
        self.pool = pool
        self._head = head
        self._connection: Connection | None = None
        self.method = method
        self.sink = sink
        self.tried: tuple[Pool, ...] = ()
        self.is_head = method == "HEAD"
        self.is_sent = self._is_whole = is_sent
        self.is_chunked = is_chunked
        self.is_repeatable = is_repeatable
        self.is_repeated = False
        self.is_answering = False
        self.is_done = False
        self.is_paused = False
        self.deadline = self.patience = 0.0

    # The caller's side.

    def bear_with(self, seconds: float) -> None:
        """Give the service this long to begin its answer, if that is longer than others get."""
        self.patience = seconds
        if self._connection is not None and not self.is_done:
            self._extend()

    @property
    def is_writable(self) -> bool:
        """Whether more of the body may be written now; else wait for ``Sink.on_writable``."""
        return self._connection is not None and self._connection.is_writable

    def write(self, data: bytes) -> None:
        """Write a piece of the request body; ignored once the exchange is done.

        What comes after the whole request is ignored, too: the service would read it as another.
        """
        if self.is_done or self.is_sent or self._connection is None or not data:
            return
        self._extend()
        if self.is_chunked:
            self._connection.writelines([b"%x\r\n" % len(data), data, b"\r\n"])
        else:
            self._connection.write(data)

    def finish(self) -> None:
        """The request body is complete."""
        if self.is_done or self.is_sent or self._connection is None:
            return
        if self.is_chunked:
            self._connection.write(b"0\r\n\r\n")
        self.is_sent = True
        self._extend()

    def pause(self) -> None:
        """Stop reading the answer; call ``resume`` within the stall limit."""
        if not self.is_done and not self.is_paused:
            self.is_paused = True
            if self._connection is not None:
                self._connection.pause()
                self._extend()

    def resume(self) -> None:
        """Read the answer on."""
        if self.is_paused and not self.is_done:
            self.is_paused = False
            if self._connection is not None:
                self._connection.resume()
                self._extend()

    def cancel(self) -> None:
        """Give the exchange up: nobody wants the answer any more. The sink hears nothing."""
        if not self.is_done:
            self._leave()

    # The connection's and the pool's side.

    def began(self, connection: Connection) -> None:
        """Start on a connection."""
        self._connection = connection
        self._extend()
        connection.begin(self, self._head)
        if self.is_paused:
            connection.pause()
        if not self.is_sent:
            self.sink.on_writable()

    def touch(self) -> None:
        """Something of the answer arrived, and for now there is no more."""
        # A head that comes in drops does not earn more time.
        if self.is_answering:
            self._extend()
            self.sink.on_flush()

    def answered(self, head: AnswerHead, body: bytes) -> None:
        """The answer arrived as a whole."""
        self.is_done = True
        self.pool.breaker.answered(self)
        self.sink.on_answer(head, body)

    def answering(self, head: AnswerHead) -> None:
        """The head of the answer arrived."""
        self.is_answering = True
        self.sink.on_head(head)

    def ended(self) -> None:
        """The answer is complete."""
        if not self.is_done:
            self.is_done = True
            self.pool.breaker.answered(self)
            self.sink.on_end()

    def failed(self, error: ServiceError) -> None:
        """There will be no answer, or no more of it."""
        if not self.is_done:
            self._leave()
            self.sink.on_error(error)

    def broken(self, connection: Connection) -> None:
        """The connection broke; the exchange may go on on another."""
        if not self.pool.broken(self, connection):
            self.failed(BadGateway())

    def move(self, pool: Pool) -> None:
        """Go on in another pool, or anew in the same; it has not begun there."""
        self._connection = None
        self.pool = pool

    @property
    def may_repeat(self) -> bool:
        """Whether the request may be sent again although a service may have acted on it.

        Only before any byte of the answer, only once, and only without a body unless its sender
        knows better, so that the service cannot have acted twice on it in a way that matters.
        """
        if self.is_answering or self.is_repeated or not self._is_whole:
            return False
        return self.is_repeatable or self._repeats_by_method()

    def expired(self) -> None:
        """The deadline has passed."""
        if self._connection is None:
            self.failed(Unavailable(retry_after=1))
        else:
            self.failed(GatewayTimeout())

    def _repeats_by_method(self) -> bool:
        return self.method in _REPEATABLE and self._head.find(b"\r\n\r\n") == len(self._head) - 4

    def _leave(self) -> None:
        self.is_done = True
        connection, self._connection = self._connection, None
        self.pool.forget(self)
        if connection is None:
            self.pool.withdraw(self)
        elif connection.exchange is self:
            connection.abort()

    def _extend(self) -> None:
        limits = self.pool.limits
        if self.is_paused:
            allowed = limits.stall
        elif self.is_answering or not self.is_sent:
            allowed = limits.idle
        else:
            allowed = max(limits.head, self.patience)
        self.deadline = self.pool.clock + allowed
