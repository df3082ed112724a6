"""One request's turn: through the pipeline, to a service, and its answer back to the caller."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Final

from gateway.pipeline.decisions import (
    Bridge,
    Forward,
    Own,
    Pending,
    PendingBody,
    Refusal,
    Request,
    Step,
)
from gateway.proxy import answers
from gateway.proxy.body import Body, framing, late
from gateway.proxy.event_stream import EventStream, is_event_stream
from gateway.proxy.switching import Switching
from shared.errors import GatewayTimeout, Internal, ServiceError
from shared.log import get_logger

if TYPE_CHECKING:
    from gateway.pipeline.decisions import Destination
    from gateway.pipeline.request_head import Fields
    from gateway.proxy.connection import Connection
    from gateway.upstream.answer_head import AnswerHead
    from gateway.upstream.exchange import Exchange

FLUSHED: Final = 65_536
"""Bytes of an answer that are gathered before they are written."""

log = get_logger()


class Turn:
    """One request; the sink of its exchange with a service.

    Args:
        connection: where it came from.
        destination: what its first line says.
        fields: what its headers say.
        keeps: whether the connection goes on after it.
        is_http11: whether its caller reads chunks.
        fault: why it could not be read, if so.
    """

    __slots__ = (
        "_connection",
        "_events",
        "_held",
        "_is_chunked",
        "_out",
        "_request",
        "_status",
        "_switching",
        "_task",
        "body",
        "destination",
        "exchange",
        "fault",
        "fields",
        "is_answered",
        "is_http11",
        "keeps",
    )

    def __init__(
        self,
        connection: Connection,
        destination: Destination,
        fields: Fields,
        keeps: bool,
        is_http11: bool = True,
        fault: ServiceError | None = None,
    ) -> None:
        self._connection = connection
        self.destination = destination
        self.fields = fields
        self.keeps = keeps
        self.is_http11 = is_http11
        self.fault = fault
        self.body = Body(connection, self) if fields.has_body else None
        self.exchange: Exchange | None = None
        self.is_answered = False
        self._request: Request | None = None
        self._task: asyncio.Task[None] | None = None
        self._switching: Switching | None = None
        self._status = 0
        self._is_chunked = False
        self._events: EventStream | None = None

    # Its way through the pipeline.

    def begin(self) -> None:
        """Decide what becomes of it."""
        connection = self._connection
        pipeline = connection.path.pipeline
        try:
            if self.fault is not None:
                self._go(pipeline.refuse_unreadable(self.destination, connection.peer, self.fault))
                return
            step = pipeline.decide(self.destination, self.fields, connection.peer)
            if type(step) is Forward and self.body is None:
                self._request = step.request
                self.send(step, step.body or b"")
            else:
                self._go(step)
        except Exception:
            self._crashed()

    def _go(self, step: Step) -> None:
        self._request = step.request
        if isinstance(step, Forward):
            if self.body is None or step.body is not None:
                self.send(step, step.body or b"")
            else:
                self.body.go(step)
        elif isinstance(step, Refusal):
            self._answer(step.status, step.lines, step.body)
        elif isinstance(step, Bridge):
            self._switching = Switching(self._connection, self, step)
            self._switching.begin()
        elif isinstance(step, PendingBody):
            assert self.body is not None  # the chain asks for a body only where there is one
            self.body.go(step)
        elif isinstance(step, Pending):
            self._spawn(self._wait(step))
        else:
            self._spawn(self._own(step))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        self._task = self._connection.loop.create_task(self._guarded(work), name="turn")
        self._connection.path.own(self._task)

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except Exception:
            self._crashed()

    async def _wait(self, pending: Pending) -> None:
        step = await pending.work()
        self._task = None
        if not self.is_answered:
            self._go(step)

    async def _own(self, own: Own) -> None:
        request = own.request
        path = self._connection.path
        try:
            response = await path.pages.answer(request)
        except ServiceError as error:
            self._refuse(request, error, error.code)
            return
        lines = answers.own(response.raw_headers, request, path.security)
        self._answer(response.status_code, lines, bytes(response.body))

    def verify(self, pending: PendingBody, body: bytes) -> None:
        """Have the signature over a whole body judged."""
        try:
            self._go(self._connection.path.pipeline.verify(pending, body))
        except Exception:
            self._crashed()

    def _crashed(self) -> None:
        log.exception("request failed", row=self.destination.label)
        if self._request is None and self.fault is None:
            # The chain itself broke off; if it does again, only the connection's end is left.
            self.fault = Internal()
            self.begin()
        elif self._request is None or self._status or self.is_answered:
            self._break()
        else:
            self._refuse(self._request, Internal(), "crash")

    # To the service.

    def send(self, plan: Forward, body: bytes) -> None:
        """Send a request whose body is here as a whole."""
        self.start(plan, b"%b%b%b" % (plan.head, framing(plan, len(body)), body))

    def start(
        self, plan: Forward, head: bytes, *, sent: bool = True, chunked: bool = False
    ) -> None:
        """Start the exchange; ``head`` is its first bytes, or all of them if ``sent``."""
        upstream, patience = self._connection.path.upstreams[plan.row.upstream], plan.row.patience
        exchange = upstream.start(self.destination.method, head, self, sent=sent, chunked=chunked)
        if patience:
            exchange.bear_with(patience)
        if self.is_answered:  # it may have failed before it was given to us
            exchange.cancel()
        else:
            self.exchange = exchange
            if not self._connection.is_writable:
                exchange.pause()

    # The answer: the sink of the exchange.

    def on_answer(self, head: AnswerHead, body: bytes) -> None:
        """Take an answer that came as a whole."""
        request = self._request
        assert request is not None  # nothing is asked of a service before the pipeline spoke
        self._status = head.status
        connection = self._connection
        connection.write(
            b"".join(
                (
                    head.passed or answers.pass_on(head),
                    request.security[head.said],
                    answers.varied(head.vary, request) if head.vary else request.lines,
                    connection.path.date,
                    b"\r\n" if self.keeps else answers.CLOSE_END,
                    body,
                )
            )
        )
        self._finish()

    def on_head(self, head: AnswerHead) -> None:
        """Take the head of the service's answer."""
        request = self._request
        assert request is not None  # nothing is asked of a service before the pipeline spoke
        self._status = head.status
        lines = answers.answered(head, request)
        if self.destination.method != "HEAD" and head.length is None:
            if self.is_http11:
                self._is_chunked = True
                self._events = EventStream() if is_event_stream(head) else None
                lines += answers.CHUNKED
            else:
                self.keeps = False
        self._end_head(lines)

    def _end_head(self, lines: bytes) -> None:
        if self.body is not None and not self.body.is_complete:
            self.keeps = False
        self._out = [
            lines,
            self._connection.path.date,
            b"\r\n" if self.keeps else answers.CLOSE_END,
        ]
        self._held = 0

    def on_body(self, data: bytes) -> None:
        """Take a piece of the service's answer."""
        if self._events is not None:
            if self._connection.path.is_draining and (rest := self._events.rest(data)) is not None:
                self._out.extend(answers.chunk(rest))
                self._end_early()
                return
            self._events.take(data)
        if self._is_chunked:
            self._out.extend(answers.chunk(data))
        else:
            self._out.append(data)
        self._held += len(data)
        if self._held > FLUSHED:
            self.on_flush()

    def on_flush(self) -> None:
        """Write what has come."""
        if self._status and self._out:
            out, self._out, self._held = self._out, [], 0
            self._connection.writelines(out)

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
        elif type(error) is GatewayTimeout and self.body is not None and self.body.is_awaited:
            # The service waited for what the caller did not send.
            self.fail(late())
        else:
            self.fail(error)

    def on_writable(self) -> None:
        """The service takes more of the body."""
        if self.exchange is not None and not self.is_answered and not self.exchange.is_sent:
            assert self.body is not None  # else all would be sent
            self.body.pump()

    def hold_back(self) -> None:
        """The caller reads slowly: read the service's answer no faster."""
        if self.exchange is not None:
            self.exchange.pause()

    def go_on(self) -> None:
        """The caller has caught up."""
        if self.exchange is not None:
            self.exchange.resume()

    # Its end.

    def spoil(self, error: ServiceError, *, has_begun: bool) -> None:
        """Hear that the rest of the body cannot be read; nothing after it can, either."""
        self.keeps = False
        if has_begun:
            self.fail(error)
        else:
            self.fault = error

    def fail(self, error: ServiceError) -> None:
        """Answer for a reason of ours; what is under way at a service is given up."""
        request = self._request
        assert request is not None  # decided before
        if self.exchange is not None:
            self.exchange.cancel()
        if self._status:
            self._break()  # an answer has begun, and no other may follow in its middle
            return
        pending = self.body.give_up() if self.body is not None else None
        if pending is not None:
            self._go(self._connection.path.pipeline.refuse_unread(pending, error))
        else:
            self._refuse(request, error, error.code)

    def _refuse(self, request: Request, error: ServiceError, reason: str) -> None:
        self._go(self._connection.path.pipeline.refuse(request, error, reason))

    def _answer(self, status: int, lines: bytes, body: bytes) -> None:
        self.answer(answers.STATUS_LINES[status] + lines, status, body)

    def answer(self, head: bytes, status: int, body: bytes) -> None:
        """Answer with what is here as a whole; ``head`` lacks the connection's own lines."""
        if self.is_answered:
            return
        self._status = status
        self._end_head(head)
        if self.destination.method != "HEAD":
            self._out.append(body)
        self.on_flush()
        self._finish()

    def drain(self, *, is_last: bool) -> None:
        """The gateway stops: close with the answer, if no other request waits behind this one."""
        if not self._status:
            self.keeps = self.keeps and not is_last
        elif self._events is not None and self._events.is_between:
            self._end_early()

    def _end_early(self) -> None:
        """End an answer that has no end of its own; its caller comes back to another process."""
        assert self.exchange is not None  # it began
        self.exchange.cancel()
        self.keeps = False
        self.on_end()

    def _break(self) -> None:
        """End an answer in the middle: only the broken connection tells the caller."""
        self._count()
        self._connection.abort(is_told=self.is_http11)

    def _finish(self) -> None:
        self._count()
        self._connection.finished(self)

    def switched(self, status: int) -> None:
        """Hear that the caller has been answered and speaks another protocol from now on."""
        self._status = status
        self._count()

    def _count(self) -> None:
        self.is_answered = True
        # Each knows the other: whoever kept the other would wait for the collector.
        exchange, self.exchange = self.exchange, None
        if exchange is not None and not exchange.is_done:
            exchange.cancel()
        if self.body is not None:
            self.body.drop()
        request = self._request
        if request is not None:
            elapsed = time.monotonic() - request.started
            self._connection.path.metrics.observe(self.destination.label, self._status, elapsed)
            if request.span is not None:
                request.span.end(self._status)

    def abandon(self) -> None:
        """The caller is gone."""
        if self.is_answered:
            return
        if self.exchange is not None:
            self.exchange.cancel()
        if self._switching is not None:
            self._switching.abandon()
        if self._task is not None:
            self._task.cancel()
        self._status = 0
        self._count()
