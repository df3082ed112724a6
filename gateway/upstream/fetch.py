"""Small questions of the gateway's own to a service, over the same pools as everything else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.upstream.answer_head import AnswerHead
from gateway.upstream.exchange import Exchange
from gateway.upstream.upstream import Upstream
from shared.errors import BadGateway, GatewayTimeout, ServiceError

MAX_ANSWER: Final = 8_000_000
"""Bytes of an answer that are read; a service's OpenAPI document is the largest."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A service's whole answer."""

    status: int
    body: bytes


class _Collector:
    """A sink that keeps everything."""

    def __init__(self, done: asyncio.Future[Fetched]) -> None:
        self._done = done
        self._status = 0
        self._pieces: list[bytes] = []
        self._size = 0
        self.exchange: Exchange | None = None

    def on_answer(self, head: AnswerHead, body: bytes) -> None:
        self._status = head.status
        self._pieces.append(body)
        self.on_end()

    def on_head(self, head: AnswerHead) -> None:
        self._status = head.status

    def on_body(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)
        if self._size > MAX_ANSWER and self.exchange is not None:
            self.exchange.failed(BadGateway("The answer is too large"))

    def on_end(self) -> None:
        if not self._done.done():
            self._done.set_result(Fetched(self._status, b"".join(self._pieces)))

    def on_error(self, error: ServiceError) -> None:
        if not self._done.done():
            self._done.set_exception(error)

    def on_flush(self) -> None:
        pass

    def on_writable(self) -> None:
        pass


async def fetch(
    upstream: Upstream,
    method: str,
    path: str,
    headers: Sequence[tuple[bytes, bytes]] = (),
    body: bytes = b"",
    *,
    timeout: float,  # noqa: ASYNC109 - the one place where it becomes a limit
) -> Fetched:
    """Ask a service and read the whole answer. A question changes nothing, so it may go out twice.

    Raises:
        ServiceError: BadGateway, Unavailable or GatewayTimeout, when there is no answer.
    """
    lines = [f"{method} {path} HTTP/1.1\r\nhost: ".encode() + upstream.authority]
    lines += [name + b": " + value for name, value in headers]
    if body or method == "POST":
        lines.append(b"content-length: %d" % len(body))
    collector = _Collector(upstream.loop.create_future())
    request = b"\r\n".join(lines) + b"\r\n\r\n" + body
    exchange = collector.exchange = upstream.start(method, request, collector, repeatable=True)
    try:
        async with asyncio.timeout(timeout):
            return await collector._done
    except TimeoutError:
        raise GatewayTimeout from None
    finally:
        exchange.cancel()
