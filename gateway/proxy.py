"""The forward: an ASGI request to a service and its answer back, streaming both ways.

A body of up to 64 KiB is gathered first, so that a slow caller holds no connection to a service. A
larger one streams, while the answer is already listened to. Neither side is read faster than the
other takes it, so memory stays flat whatever passes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from starlette.types import Receive, Send

from gateway.pipeline.decisions import Forward
from gateway.pipeline.request_head import Headers
from gateway.upstream.pool import Exchange, Pool
from shared.errors import BadRequest, ServiceError, TooLarge

GATHERED: Final = 65_536
"""Bytes of a request body that are gathered before a service hears of it."""

HIGH_WATER: Final = 131_072
"""Bytes of an answer that may lie here before its reading pauses."""

_HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_OURS: Final = frozenset(
    {
        b"date",
        b"server",
        b"x-request-id",
        b"x-ratelimit-limit",
        b"x-ratelimit-remaining",
        b"x-ratelimit-reset",
    }
)
_DROPPED: Final = _HOP_BY_HOP | _OURS
NOSNIFF: Final = (b"x-content-type-options", b"nosniff")
_BODY_METHODS: Final = frozenset({"POST", "PUT", "PATCH"})


class ClientGone(Exception):
    """The caller has hung up; nobody is left to answer."""


class AnswerBroken(Exception):
    """The answer ended in the middle; only breaking the caller's connection tells so."""


@dataclass(slots=True)
class _Body:
    """How a request body goes on: what is gathered of it, and whether there is more."""

    gathered: bytes = b""
    more: bool = False


class _Answer:
    """The sink of one forward; wakes the coroutine that passes the answer on."""

    __slots__ = (
        "_loop",
        "_pieces",
        "_receive",
        "_size",
        "_waiter",
        "_writable",
        "ended",
        "error",
        "exchange",
        "gone",
        "headers",
        "status",
        "task",
    )

    def __init__(self, receive: Receive) -> None:
        self._loop = asyncio.get_running_loop()
        self._receive = receive
        self._pieces: list[bytes] = []
        self._size = 0
        self._waiter: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self.status = 0
        self.headers: Headers = []
        self.ended = False
        self.gone = False
        self.error: ServiceError | None = None
        self.exchange: Exchange | None = None
        self.task: asyncio.Task[None] | None = None

    # The sink.

    def on_head(self, status: int, headers: Headers) -> None:
        self.status, self.headers = status, headers
        self._wake()

    def on_body(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)
        if self._size > HIGH_WATER and self.exchange is not None:
            self.exchange.pause()
        self._wake()

    def on_end(self) -> None:
        self.ended = True
        self._wake()
        self.on_writable()

    def on_error(self, error: ServiceError) -> None:
        self.error = error
        self._wake()
        self.on_writable()

    def on_writable(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def on_wait(self) -> None:
        # Only a request that lasts pays for a task that watches whether its caller is still there.
        if self.task is None and not self.ended and self.error is None:
            self.task = self._loop.create_task(self._watch(), name="watch caller")

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # The coroutine's side.

    async def ready(self) -> None:
        """Wait until there is something to pass on."""
        while not (self._pieces or self.ended or self.gone or self.error):
            if self.status and not self.headers_sent:
                return
            self._waiter = self._loop.create_future()
            await self._waiter

    @property
    def headers_sent(self) -> bool:
        """Whether the head has been taken."""
        return self.headers is _TAKEN

    def take(self) -> bytes:
        """Take what has come of the body, and read on if that was paused."""
        pieces, self._pieces, self._size = self._pieces, [], 0
        if self.exchange is not None and self.exchange.is_paused:
            self.exchange.resume()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def fail(self, error: ServiceError) -> None:
        """End the exchange for a reason of ours."""
        if self.exchange is not None:
            self.exchange.cancel()
        self.on_error(error)

    def hang_up(self) -> None:
        """The caller is gone: the service need not go on."""
        self.gone = True
        if self.exchange is not None:
            self.exchange.cancel()
        self._wake()

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.hang_up()

    async def upload(self, body: _Body, limit: int, patience: float) -> None:
        """Pass the rest of a request body on, then watch whether the caller stays."""
        assert self.exchange is not None
        size, piece = len(body.gathered), body.gathered
        more = body.more
        try:
            while True:
                while not (self.exchange.is_writable or self.ended or self.error):
                    self._writable = self._loop.create_future()
                    await self._writable
                if self.ended or self.error:
                    return
                self.exchange.write(piece)
                if not more:
                    break
                piece, more = await _piece(self._receive, patience)
                size += len(piece)
                if size > limit:
                    raise TooLarge
        except ClientGone:
            self.hang_up()
            return
        except ServiceError as error:
            self.fail(error)
            return
        self.exchange.finish()
        await self._watch()

    async def close(self) -> None:
        """End what is still going on."""
        if self.exchange is not None:
            self.exchange.cancel()
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)


_TAKEN: Final[Headers] = [(b"", b"")]


async def _piece(receive: Receive, patience: float) -> tuple[bytes, bool]:
    try:
        async with asyncio.timeout(patience):
            message = await receive()
    except TimeoutError:
        raise BadRequest("The body did not arrive in time", code="body_timeout") from None
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message.get("body", b""), message.get("more_body", False)


class Proxy:
    """Forwards requests.

    Args:
        pools: by service.
        patience: seconds between two pieces of a request body.
    """

    def __init__(self, pools: Mapping[str, Pool], patience: float = 30.0) -> None:
        self._pools = dict(pools)
        self._patience = patience

    async def forward(self, plan: Forward, receive: Receive, send: Send) -> int:
        """Forward one request and pass the answer on.

        Returns:
            The status that was passed on.

        Raises:
            ServiceError: nothing was sent yet; the caller is to be told.
            ClientGone: there is nobody to tell.
            AnswerBroken: the answer ended in the middle.
        """
        body = await self._gather(plan, receive)
        answer = _Answer(receive)
        try:
            self._start(plan, body, answer)
            await answer.ready()
            if answer.error is not None and not answer.status:
                raise answer.error
            if answer.gone:
                raise ClientGone
            await self._pass_on(plan, answer, send)
            return answer.status
        finally:
            if not answer.ended or answer.task is not None:
                await answer.close()

    async def read_whole(self, receive: Receive, limit: int) -> bytes:
        """Read a whole request body, of ``limit`` bytes at most.

        Raises:
            ServiceError: it is too large, or did not arrive in time.
            ClientGone: there is nobody to tell.
        """
        return (await self._read(receive, limit, limit + 1)).gathered

    async def _gather(self, plan: Forward, receive: Receive) -> _Body:
        if plan.body is not None:
            return _Body(plan.body)
        if not plan.request.parsed.has_body:
            return _Body()
        return await self._read(receive, plan.row.body_limit, GATHERED)

    async def _read(self, receive: Receive, limit: int, enough: int) -> _Body:
        pieces, size, more = [], 0, True
        while more and size < enough:
            piece, more = await _piece(receive, self._patience)
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                raise TooLarge
        return _Body(pieces[0] if len(pieces) == 1 else b"".join(pieces), more)

    def _start(self, plan: Forward, body: _Body, answer: _Answer) -> None:
        pool, method = self._pools[plan.row.upstream], plan.request.head.method
        parsed = plan.request.parsed
        if not body.more:
            request = plan.head + _length(plan, body) + body.gathered
            answer.exchange = pool.start(method, request, answer)
            return
        framing = b"\r\ntransfer-encoding: chunked\r\n\r\n"
        if parsed.length is not None:
            framing = b"\r\ncontent-length: %d\r\n\r\n" % parsed.length
        answer.exchange = pool.start(
            method, plan.head + framing, answer, sent=False, chunked=parsed.length is None
        )
        upload = answer.upload(body, plan.row.body_limit, self._patience)
        answer.task = asyncio.get_running_loop().create_task(upload, name="upload")

    async def _pass_on(self, plan: Forward, answer: _Answer, send: Send) -> None:
        headers = answer_headers(answer.status, answer.headers) + plan.request.headers
        answer.headers = _TAKEN
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        while True:
            ended = answer.ended
            piece = answer.take()
            if answer.gone:
                raise ClientGone
            if piece or ended:
                await send({"type": "http.response.body", "body": piece, "more_body": not ended})
            if ended:
                return
            if answer.error is not None:
                raise AnswerBroken from answer.error
            await answer.ready()


def _length(plan: Forward, body: _Body) -> bytes:
    if body.gathered or plan.request.parsed.length is not None:
        return b"\r\ncontent-length: %d\r\n\r\n" % len(body.gathered)
    if plan.request.head.method in _BODY_METHODS:
        return b"\r\ncontent-length: 0\r\n\r\n"
    return b"\r\n\r\n"


def answer_headers(status: int, headers: Headers) -> Headers:
    """Give what of a service's headers is passed on; ours come on top."""
    dropped: frozenset[bytes] | set[bytes] = _DROPPED
    for name, value in headers:
        if name == b"connection" and value.lower() not in (b"close", b"keep-alive"):
            dropped = dropped | {token.strip().lower() for token in value.split(b",")}
    if status in (204, 304):
        dropped = dropped | {b"content-length"}
    passed = [header for header in headers if header[0] not in dropped]
    if all(name != NOSNIFF[0] for name, _ in passed):
        passed.append(NOSNIFF)
    return passed
