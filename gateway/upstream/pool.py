"""Keep-alive pools to the services: bounded, with timeouts, streaming with backpressure both ways.

    Pool      the connections to one service; starts exchanges
    Exchange  one request and its answer, written by the caller, heard by the caller's sink

No future and no task stands between a service's bytes and the sink; tasks exist only while a new
connection opens. A pool's clock ticks coarsely instead of arming a timer for every request.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from urllib.parse import urlsplit

from gateway.upstream.answer_head import AnswerMemory
from gateway.upstream.connection import Connection, Sink
from gateway.upstream.exchange import Exchange
from shared.errors import Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a pool allows. Times in seconds.

    Attributes:
        connections: most connections to the service.
        waiting: most exchanges that wait for one.
        connect: to open a connection, or to get one.
        head: from the end of the request to the answer's head.
        idle: between two pieces of the answer, or of the request.
        stall: that a reader of the answer may leave it lying.
        keep: that an unused connection is kept; less than the services keep theirs.
        tick: between two looks at all of these.
    """

    connections: int = 128
    waiting: int = 1024
    connect: float = 2.0
    head: float = 30.0
    idle: float = 60.0
    stall: float = 60.0
    keep: float = 30.0
    tick: float = 0.5


class Pool:
    """The connections to one service.

    Args:
        url: ``http://host:port``.
        limits: what is allowed.
    """

    def __init__(self, url: str, limits: Limits | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"an upstream is http://host:port, not {url!r}")
        self.limits = limits or Limits()
        self.host, self.port = parts.hostname, parts.port or 80
        self.authority = parts.netloc.rpartition("@")[2].encode("ascii")
        self.loop: asyncio.AbstractEventLoop
        self.answers = AnswerMemory()
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._waiting: deque[Exchange] = deque()
        self._active: set[Exchange] = set()
        self._ticking: asyncio.TimerHandle | None = None
        self._is_closed = False

    @property
    def now(self) -> float:
        """The loop's clock, seconds."""
        return self.loop.time()

    def open(self) -> None:
        """Begin; connections open when they are needed."""
        self.loop = asyncio.get_running_loop()
        self._is_closed = False
        self._ticking = self.loop.call_later(self.limits.tick, self._tick)

    async def close(self) -> None:
        """Break every connection; exchanges under way hear an error."""
        self._is_closed = True
        if self._ticking is not None:
            self._ticking.cancel()
        for task in tuple(self._opening):
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for exchange in (*self._active, *self._waiting):
            exchange.failed(Unavailable())
        for connection in tuple(self._open):
            connection.abort()
        self._idle.clear()

    def start(
        self,
        method: str,
        head: bytes,
        sink: Sink,
        *,
        sent: bool = True,
        chunked: bool = False,
        repeatable: bool = False,
    ) -> Exchange:
        """Start an exchange. Errors come to the sink, perhaps before this returns.

        Args:
            method: upper case.
            head: the whole request, or its head.
            sink: who wants the answer.
            sent: whether ``head`` is the whole request.
            chunked: whether what follows is to be framed in chunks.
            repeatable: whether the request may be sent twice whatever its method and body.
        """
        exchange = Exchange(self, method, head, sink, sent, chunked, repeatable)
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                self._active.add(exchange)
                exchange.began(connection)
                return exchange
        self._enqueue(exchange)
        return exchange

    def again(self, exchange: Exchange) -> None:
        """Send an exchange again, on a connection that is surely fresh."""
        exchange.deadline = self.now + self.limits.connect
        self._active.discard(exchange)
        for connection in self._idle:
            connection.abort()
        self._idle.clear()
        self._enqueue(exchange)

    def _enqueue(self, exchange: Exchange) -> None:
        if self._is_closed or len(self._waiting) >= self.limits.waiting:
            exchange.failed(Unavailable(retry_after=1))
            return
        self._waiting.append(exchange)
        self._open_more()

    def _open_more(self) -> None:
        while len(self._opening) < len(self._waiting) and (
            len(self._open) + len(self._opening) < self.limits.connections
        ):
            task = self.loop.create_task(self._connect(), name=f"connect {self.host}:{self.port}")
            self._opening.add(task)
            task.add_done_callback(self._connected)

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(self.limits.connect):
                _, connection = await self.loop.create_connection(
                    lambda: Connection(self), self.host, self.port
                )
        except (OSError, TimeoutError):
            self._refused()
            return
        if not connection.is_open:
            self._refused()
            return
        self._open.add(connection)
        self.release(connection)

    def _refused(self) -> None:
        if self._waiting:
            self._waiting.popleft().failed(Unavailable())

    def _connected(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        if not task.cancelled() and task.exception() is None and not self._is_closed:
            self._open_more()

    def release(self, connection: Connection) -> None:
        """Take a connection back, for whoever waits or for later."""
        while self._waiting:
            exchange = self._waiting.popleft()
            if not exchange.is_done:
                self._active.add(exchange)
                exchange.began(connection)
                return
        connection.idle_since = self.now
        self._idle.append(connection)

    def lost(self, connection: Connection) -> None:
        """Hear that a connection is gone."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if self._waiting and not self._is_closed:
            self._open_more()

    def forget(self, exchange: Exchange) -> None:
        """Hear that an exchange is over."""
        self._active.discard(exchange)

    def withdraw(self, exchange: Exchange) -> None:
        """Hear that an exchange no longer waits for a connection."""
        if exchange in self._waiting:
            self._waiting.remove(exchange)

    def _tick(self) -> None:
        now = self.now
        self._ticking = self.loop.call_later(self.limits.tick, self._tick)
        for exchange in (*self._active, *self._waiting):
            if now >= exchange.deadline:
                exchange.expired()
        oldest = now - self.limits.keep
        for connection in [one for one in self._idle if one.idle_since < oldest]:
            self._idle.remove(connection)
            connection.abort()
