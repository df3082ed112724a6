"""One request's turn: through the pipeline, to a service, and its answer back to the caller.

A body of up to 64 KiB is gathered first, so that a slow caller holds no connection to a service. A
larger one streams, while the answer is already listened to. Neither side is read faster than the
other takes it, so memory stays flat whatever passes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Final

from gateway.pipeline.decisions import (
    Decision,
    Forward,
    Own,
    Pending,
    PendingBody,
    Refusal,
    Request,
)
from gateway.proxy import answers
from shared.errors import BadRequest, GatewayTimeout, Internal, ServiceError, TooLarge
from shared.log import get_logger

if TYPE_CHECKING:
    from gateway.pipeline.request_head import Head, Headers
    from gateway.proxy.connection import Connection
    from gateway.upstream.exchange import Exchange

GATHERED: Final = 65_536
"""Bytes of a request body that are gathered before a service hears of it."""

FLUSHED: Final = 65_536
"""Bytes of an answer that are gathered before they are written."""

_UPLOADING: Final = 2
_BODY_METHODS: Final = frozenset({"POST", "PUT", "PATCH"})

log = get_logger()


class Turn:
    """One request; the sink of its exchange with a service.

    Args:
        connection: where it came from.
        head: its head.
        keeps: whether the connection goes on after it.
        fault: why it cannot be taken, if so.
    """

    __slots__ = (
        "_connection",
        "_deadline",
        "_exchange",
        "_fault",
        "_head",
        "_held",
        "_is_chunked",
        "_is_complete",
        "_limit",
        "_out",
        "_pieces",
        "_plan",
        "_request",
        "_size",
        "_status",
        "_task",
        "is_answered",
        "keeps",
    )

    def __init__(
        self, connection: Connection, head: Head, keeps: bool, fault: ServiceError | None
    ) -> None:
        self._connection = connection
        self._head = head
        self._fault = fault
        self._request: Request | None = None
        self._plan: Forward | PendingBody | None = None
        self._exchange: Exchange | None = None
        self._task: asyncio.Task[None] | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self._limit = 0
        self._deadline = 0.0
        self._is_complete = False
        self._out: list[bytes] = []
        self._held = 0
        self._status = 0
        self._is_chunked = False
        self.keeps = keeps
        self.is_answered = False

    # Its way through the pipeline.

    def begin(self) -> None:
        """Decide what becomes of it."""
        pipeline = self._connection.path.pipeline
        try:
            if self._fault is not None:
                self._go(pipeline.refuse_unreadable(self._head, self._fault))
            else:
                self._go(pipeline.decide(self._head))
        except Exception:
            self._crashed()

    def _go(self, step: Decision | Pending | PendingBody) -> None:
        kind = type(step)
        self._request = step.request
        if kind is Forward:
            self._forward(step)  # type: ignore[arg-type]
        elif kind is Refusal:
            self._refuse(step)  # type: ignore[arg-type]
        elif kind is PendingBody:
            self._verify(step)  # type: ignore[arg-type]
        elif kind is Pending:
            self._spawn(self._ask(step))  # type: ignore[arg-type]
        else:
            self._spawn(self._own(step))  # type: ignore[arg-type]

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        self._task = self._connection.loop.create_task(self._guarded(work), name="turn")
        self._connection.path.own(self._task)

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except Exception:
            self._crashed()

    async def _ask(self, pending: Pending) -> None:
        step = await self._connection.path.pipeline.resume(pending)
        self._task = None
        if not self.is_answered:
            self._go(step)

    async def _own(self, own: Own) -> None:
        request = own.request
        path = self._connection.path
        try:
            response = await path.pages.answer(request.head.method, request.path)
        except ServiceError as error:
            self._refuse(path.pipeline.refuse(request, error, error.code))
            return
        if not self.is_answered:
            lines = answers.lines_of([*response.raw_headers, *request.headers])
            self._answer(response.status_code, [*lines, answers.NOSNIFF_LINE], bytes(response.body))

    def _crashed(self) -> None:
        label = self._request.label if self._request is not None else "other"
        log.exception("request failed", row=label)
        if self._status or self.is_answered or self._request is None:
            self._break()
        else:
            pipeline = self._connection.path.pipeline
            self._refuse(pipeline.refuse(self._request, Internal(), "crash"))

    # Its body.

    def take(self, data: bytes) -> None:
        """Take a piece of the body; of one that is answered already it is thrown away."""
        if self.is_answered:
            return
        self._size += len(data)
        self._pieces.append(data)
        if self._limit and self._size > self._limit:
            self._fail(TooLarge())
        elif self._exchange is not None:
            self._pump()
        elif self._size > GATHERED:
            if type(self._plan) is Forward:
                self._stream(self._plan)
            elif self._plan is None:
                self._connection.hold(_UPLOADING)
        if self._deadline:
            self._deadline = self._connection.loop.time() + self._connection.path.patience

    def complete(self) -> None:
        """The body is complete."""
        self._is_complete = True
        self._deadline = 0.0
        if self.is_answered:
            return
        if self._exchange is not None:
            if not self._exchange.is_sent:
                self._pump()
        elif type(self._plan) is Forward:
            self._send(self._plan)
        elif type(self._plan) is PendingBody:
            self._verify(self._plan)

    def _await_body(self, plan: Forward | PendingBody) -> None:
        self._plan = plan
        self._limit = plan.row.body_limit
        if self._size > self._limit:
            self._fail(TooLarge())
            return
        connection = self._connection
        self._deadline = connection.loop.time() + connection.path.patience
        if not self._pieces and plan.request.parsed.expects_continue:
            connection.write([answers.CONTINUE])
        connection.release(_UPLOADING)

    def _verify(self, pending: PendingBody) -> None:
        if not self._is_complete:
            self._await_body(pending)
            return
        body, self._pieces = b"".join(self._pieces), []
        self._plan = None
        if len(body) > pending.row.body_limit:
            self._fail(TooLarge())
            return
        try:
            step = self._connection.path.pipeline.verify(pending, body)
        except Exception:
            self._crashed()
        else:
            self._go(step)

    # To the service.

    def _forward(self, plan: Forward) -> None:
        if plan.body is not None:
            self._start(plan, plan.head + _length(plan, plan.body) + plan.body)
        elif not plan.request.parsed.has_body:
            self._start(plan, plan.head + _length(plan, b""))
        elif self._is_complete:
            self._plan = plan
            self._send(plan)
        else:
            self._await_body(plan)
            if self._size > GATHERED and not self.is_answered:
                self._stream(plan)

    def _send(self, plan: Forward) -> None:
        """Send a body that is here as a whole."""
        body, self._pieces = b"".join(self._pieces), []
        if len(body) > plan.row.body_limit:
            self._fail(TooLarge())
            return
        self._start(plan, plan.head + _length(plan, body) + body)

    def _start(self, plan: Forward, request: bytes) -> None:
        pool = self._connection.path.pools[plan.row.upstream]
        exchange = pool.start(plan.request.head.method, request, self)
        self._took(exchange)

    def _stream(self, plan: Forward) -> None:
        """Send what is here of a large body, and the rest as it comes."""
        length = plan.request.parsed.length
        framing = b"\r\ntransfer-encoding: chunked\r\n\r\n"
        if length is not None:
            framing = b"\r\ncontent-length: %d\r\n\r\n" % length
        pool = self._connection.path.pools[plan.row.upstream]
        method, head = plan.request.head.method, plan.head + framing
        exchange = pool.start(method, head, self, sent=False, chunked=length is None)
        self._took(exchange)
        if not self.is_answered:
            self._pump()

    def _took(self, exchange: Exchange) -> None:
        # It may have failed before it was given to us.
        if self.is_answered:
            exchange.cancel()
        else:
            self._exchange = exchange

    def _pump(self) -> None:
        """Write what there is of the body as far as the service takes it."""
        exchange = self._exchange
        assert exchange is not None  # called only while one is under way
        while self._pieces and exchange.is_writable:
            pieces, self._pieces = self._pieces, []
            exchange.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if self._pieces or not exchange.is_writable:
            self._connection.hold(_UPLOADING)
            return
        if self._is_complete and not exchange.is_sent:
            exchange.finish()
        self._connection.release(_UPLOADING)

    # The answer: the sink of the exchange.

    def on_head(self, status: int, headers: Headers) -> None:
        """Take the head of the service's answer."""
        request = self._request
        assert request is not None  # nothing is asked of a service before the pipeline spoke
        self._status = status
        lines, is_sized = answers.passed(status, headers)
        out = [answers.STATUS_LINES[status], *lines, *answers.lines_of(request.headers)]
        if status not in answers.BODYLESS and request.head.method != "HEAD" and not is_sized:
            if request.head.version == "1.1":
                self._is_chunked = True
                out.append(answers.CHUNKED)
            else:
                self.keeps = False
        if not self._is_complete and request.parsed.has_body:
            self.keeps = False
        self._out = out
        self._end_head()

    def _end_head(self) -> None:
        self._out.append(self._connection.date)
        if not self.keeps:
            self._out.append(answers.CLOSE)
        self._out.append(b"\r\n")

    def on_body(self, data: bytes) -> None:
        """Take a piece of the service's answer."""
        if self._is_chunked:
            self._out.extend(answers.chunk(data))
        else:
            self._out.append(data)
        self._held += len(data)
        if self._held > FLUSHED:
            self.on_flush()

    def on_flush(self) -> None:
        """Write what has come."""
        if self._out:
            out, self._out, self._held = self._out, [], 0
            self._connection.write(out)

    def on_end(self) -> None:
        """The service's answer is complete."""
        if self._is_chunked:
            self._out.append(answers.LAST_CHUNK)
        self.on_flush()
        self._finish()

    def on_error(self, error: ServiceError) -> None:
        """There will be no answer, or no more of it."""
        if self._status:
            self._break()
        elif type(error) is GatewayTimeout and not self._is_complete and not self._pieces:
            # The service waited for what the caller did not send.
            self._fail(_late())
        else:
            self._fail(error)

    def on_writable(self) -> None:
        """The service takes more of the body."""
        if self._exchange is not None and not self.is_answered and not self._exchange.is_sent:
            self._pump()

    def on_wait(self) -> None:
        """The exchange lasts; that the caller leaves is heard anyway."""

    def hold_back(self) -> None:
        """The caller reads slowly: read the service's answer no faster."""
        if self._exchange is not None:
            self._exchange.pause()

    def go_on(self) -> None:
        """The caller has caught up."""
        if self._exchange is not None:
            self._exchange.resume()

    # Its end.

    def _fail(self, error: ServiceError) -> None:
        """Answer for a reason of ours; what is under way at a service is given up."""
        request = self._request
        assert request is not None  # decided before
        if self._exchange is not None:
            self._exchange.cancel()
        pipeline = self._connection.path.pipeline
        if type(self._plan) is PendingBody:
            self._refuse(pipeline.refuse_unread(self._plan, error))
        else:
            self._refuse(pipeline.refuse(request, error, error.code))

    def _refuse(self, refusal: Refusal) -> None:
        self._answer(refusal.status, answers.lines_of(refusal.headers), refusal.body)

    def _answer(self, status: int, lines: list[bytes], body: bytes) -> None:
        if self.is_answered:
            return
        self._status = status
        request = self._request
        if not self._is_complete and request is not None and request.parsed.has_body:
            self.keeps = False
        self._out = [answers.STATUS_LINES[status], *lines]
        self._end_head()
        if self._head.method != "HEAD":
            self._out.append(body)
        self.on_flush()
        self._finish()

    def _break(self) -> None:
        """End an answer in the middle: only the broken connection tells the caller."""
        self._count()
        self._connection.abort()

    def _finish(self) -> None:
        self._count()
        self._connection.finished(self)

    def _count(self) -> None:
        self.is_answered = True
        self._pieces = []
        self._deadline = 0.0
        if self._request is not None:
            elapsed = time.monotonic() - self._request.started
            self._connection.path.metrics.observe(self._request.label, self._status, elapsed)

    def abandon(self) -> None:
        """The caller is gone."""
        if self.is_answered:
            return
        if self._exchange is not None:
            self._exchange.cancel()
        if self._task is not None:
            self._task.cancel()
        self._status = 0
        self._count()

    def look(self, now: float) -> None:
        """See whether the body is overdue."""
        if self._deadline and now > self._deadline and not self.is_answered:
            self._fail(_late())


def _late() -> BadRequest:
    return BadRequest("The body did not arrive in time", code="body_timeout")


def _length(plan: Forward, body: bytes) -> bytes:
    if body or plan.request.parsed.length is not None:
        return b"\r\ncontent-length: %d\r\n\r\n" % len(body)
    if plan.request.head.method in _BODY_METHODS:
        return b"\r\ncontent-length: 0\r\n\r\n"
    return b"\r\n\r\n"
