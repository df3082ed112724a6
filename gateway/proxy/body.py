"""The body of a request on its way to a service: gathered when small, streamed when large.

A body of up to 64 KiB is gathered first, so that a slow caller holds no connection to a service. A
larger one streams, while the answer is already listened to, and is read no faster than the service
takes it, so memory stays flat whatever passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.pipeline.decisions import Forward, PendingBody
from gateway.proxy import answers
from shared.errors import BadRequest, TooLarge, Unavailable

if TYPE_CHECKING:
    from gateway.proxy.connection import Connection
    from gateway.proxy.turn import Turn

GATHERED: Final = 65_536
"""Bytes of a request body that are gathered before a service hears of it."""

SLOWEST: Final = 1024
"""Bytes a second that a caller must send on average, else drops of a body could hold a connection
to a service for hours."""

GATHERED_BY_ALL: Final = 64 * 2**20
"""Bytes of bodies that may be gathered at once, for all callers together."""

_BODY_METHODS: Final = frozenset({"POST", "PUT", "PATCH"})

UPLOADING: Final = 2
"""Why reading of a caller's connection may pause: a service takes the body slowly."""


class Body:
    """A body that is being received.

    Args:
        connection: where it comes from.
        turn: whose it is.

    Attributes:
        size: bytes that have come.
        is_complete: whether these are all.
    """

    __slots__ = (
        "_connection",
        "_deadline",
        "_gathered",
        "_limit",
        "_looked",
        "_measured",
        "_pieces",
        "_plan",
        "_turn",
        "_waited",
        "is_complete",
        "size",
    )

    def __init__(self, connection: Connection, turn: Turn) -> None:
        self._connection = connection
        self._turn = turn
        self._plan: Forward | PendingBody | None = None
        self._pieces: list[bytes] = []
        self._limit = 0
        self._gathered = 0
        self._deadline = 0.0
        self._looked = self._waited = 0.0
        self._measured = 0
        self.size = 0
        self.is_complete = False

    @property
    def is_awaited(self) -> bool:
        """Whether it is the caller who keeps us waiting."""
        return self._deadline > 0.0

    def take(self, data: bytes) -> None:
        """Take a piece; of a request that is answered or whole already it is thrown away."""
        exchange = self._turn.exchange
        if self._turn.is_answered or (exchange is not None and exchange.is_sent):
            return
        self.size += len(data)
        self._pieces.append(data)
        if exchange is None:
            self._gathered += len(data)
            self._connection.path.gathered += len(data)
        if self._limit and self.size > self._limit:
            self._turn.fail(TooLarge())
        elif exchange is not None:
            self.pump()
        elif self._plan is None:
            if self.size > GATHERED:
                self._connection.hold(UPLOADING)
        elif self.size > GATHERED and type(self._plan) is Forward:
            self._stream(self._plan)
        elif self._connection.path.gathered > GATHERED_BY_ALL:
            self._turn.fail(Unavailable(retry_after=1))
        if self._deadline:
            self._expect()

    def complete(self) -> None:
        """All of it is here."""
        self.is_complete = True
        self._deadline = 0.0
        if self._turn.is_answered:
            return
        if self._turn.exchange is not None:
            if not self._turn.exchange.is_sent:
                self.pump()
        elif self._plan is not None:
            self._pass_on(self._plan)

    def go(self, plan: Forward | PendingBody) -> None:
        """Learn what becomes of the body, and do as much of it as there is."""
        self._plan = plan
        self._limit = plan.row.body_limit
        self._looked = self._connection.loop.time()
        if self.size > self._limit:
            self._turn.fail(TooLarge())
        elif self.is_complete:
            self._pass_on(plan)
        else:
            self._expect()
            if not self._pieces and plan.request.fields.expects_continue:
                self._connection.write(answers.CONTINUE)
            self._connection.release(UPLOADING)
            if self.size > GATHERED and type(plan) is Forward:
                self._stream(plan)

    def give_up(self) -> PendingBody | None:
        """Take no more of it; give what waited for it, where it was to be judged first.

        To refuse that, a store may have to be asked, and one refusal is enough.
        """
        pending = self._plan if isinstance(self._plan, PendingBody) else None
        self.drop()
        return pending

    def drop(self) -> None:
        """Forget it: the request is answered, or will never be."""
        self._pieces = []
        self._limit = 0
        self._let_go()
        self._plan = None
        self._deadline = 0.0

    def look(self, now: float) -> None:
        """See whether it is overdue, or comes too slowly."""
        passed, self._looked = now - self._looked, now
        if not self._deadline or self._turn.is_answered:
            return
        patience = self._connection.path.patience
        self._waited += passed
        is_slow = False
        if self._waited > patience:
            is_slow = self.size - self._measured < SLOWEST * self._waited
            self._waited, self._measured = 0.0, self.size
        if is_slow or now > self._deadline:
            self._turn.fail(late())

    def _let_go(self) -> None:
        self._connection.path.gathered -= self._gathered
        self._gathered = 0

    def _pass_on(self, plan: Forward | PendingBody) -> None:
        body, self._pieces = b"".join(self._pieces), []
        self._let_go()
        self._plan = None
        if type(plan) is PendingBody:
            self._turn.verify(plan, body)
        elif type(plan) is Forward:
            self._turn.send(plan, body)

    def _stream(self, plan: Forward) -> None:
        """Send what is here of a large body, and the rest as it comes."""
        self._let_go()
        length = plan.request.fields.length
        framing = b"\r\ntransfer-encoding: chunked\r\n\r\n"
        if length is not None:
            framing = b"\r\ncontent-length: %d\r\n\r\n" % length
        self._turn.start(plan, plan.head + framing, sent=False, chunked=length is None)
        if not self._turn.is_answered:
            self.pump()

    def pump(self) -> None:
        """Write what there is as far as the service takes it."""
        exchange = self._turn.exchange
        assert exchange is not None  # called only while one is under way
        while self._pieces and exchange.is_writable:
            pieces, self._pieces = self._pieces, []
            exchange.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if self._pieces or not exchange.is_writable:
            self._connection.hold(UPLOADING)
            self._deadline = 0.0  # now the service is the slow one, and has limits of its own
            return
        if self.is_complete and not exchange.is_sent:
            exchange.finish()
        if not self.is_complete:
            self._expect()
        self._connection.release(UPLOADING)

    def _expect(self) -> None:
        """Give the caller time for the next piece."""
        self._deadline = self._connection.loop.time() + self._connection.path.patience


def late() -> BadRequest:
    """Say that the caller did not send what was announced."""
    return BadRequest("The body did not arrive in time", code="body_timeout")


def framing(plan: Forward, length: int) -> bytes:
    """Write the end of a request's head for a service, when the body is here as a whole."""
    if length or plan.request.fields.length is not None:
        return b"\r\ncontent-length: %d\r\n\r\n" % length
    if plan.request.destination.method in _BODY_METHODS:
        return b"\r\ncontent-length: 0\r\n\r\n"
    return b"\r\n\r\n"
