"""The keep-alive connections to one address of a service: bounded, with timeouts.

No future and no task stands between a service's bytes and the sink; tasks exist only while a new
connection opens. A pool's clock ticks coarsely instead of arming a timer for every request.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gateway.upstream.answer_head import AnswerMemory
from gateway.upstream.breaker import Breaker
from gateway.upstream.connection import Connection
from gateway.upstream.limits import Limits
from shared.errors import Unavailable

if TYPE_CHECKING:
    from gateway.upstream.exchange import Exchange
    from gateway.upstream.upstream import Upstream

__all__ = ["Limits", "Pool"]


class Pool:
    """The connections to one address.

    Args:
        url: ``http://host:port``.
        limits: what is allowed.
        upstream: the service whose address it is.
        breaker: whether the address is worth asking.

    Attributes:
        clock: the loop's, as it will be at the next tick; exact enough for limits of seconds.
        starts: exchanges that began here.
        sockets: connections that are lent out for good, as WebSockets are.
    """

    def __init__(self, url: str, limits: Limits, upstream: Upstream, breaker: Breaker) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"an upstream is http://host:port, not {url!r}")
        self.limits = limits
        self.breaker = breaker
        self.host, self.port = parts.hostname, parts.port or 80
        self.authority = parts.netloc.rpartition("@")[2].encode("ascii")
        self.loop: asyncio.AbstractEventLoop
        self.answers = AnswerMemory()
        self.clock = 0.0
        self.starts = 0
        self.sockets = 0
        self._upstream = upstream
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._waiting: deque[Exchange] = deque()
        self._ticking: asyncio.TimerHandle | None = None
        self._is_closed = False

    @property
    def now(self) -> float:
        """The loop's clock, seconds."""
        return self.loop.time()

    @property
    def busy(self) -> int:
        """How many exchanges are under way or wait."""
        return len(self._open) - len(self._idle) + len(self._waiting)

    @property
    def size(self) -> int:
        """How many connections are open."""
        return len(self._open)

    def open(self) -> None:
        """Begin; connections open when they are needed."""
        self.loop = asyncio.get_running_loop()
        self._is_closed = False
        self.clock = self.now + self.limits.tick
        self._ticking = self.loop.call_later(self.limits.tick, self._tick)

    async def close(self) -> None:
        """Break every connection; exchanges under way hear an error."""
        self._is_closed = True
        if self._ticking is not None:
            self._ticking.cancel()
        for task in tuple(self._opening):
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for exchange in (*self._under_way(), *self._waiting):
            exchange.failed(Unavailable())
        for connection in tuple(self._open):
            connection.abort()
        self._idle.clear()

    # Exchanges come.

    def begin(self, exchange: Exchange) -> None:
        """Take a new exchange."""
        self.starts += 1
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                exchange.began(connection)
                return
        self._enqueue(exchange)

    def take(self, exchange: Exchange, *, is_fresh: bool) -> None:
        """Take an exchange that has not begun, or is to be sent again.

        Args:
            exchange: that is taken.
            is_fresh: whether it must not meet a connection that was kept unused.
        """
        while self._idle and not is_fresh:
            connection = self._idle.pop()
            if connection.is_open:
                exchange.began(connection)
                return
        self._enqueue(exchange)

    def flush(self) -> None:
        """Close the connections that are kept unused."""
        for connection in self._idle:
            connection.abort()
        self._idle.clear()

    def evict(self) -> list[Exchange]:
        """Give back all exchanges that wait for a connection, and open none for them."""
        waiting = [exchange for exchange in self._waiting if not exchange.is_done]
        self._waiting.clear()
        for task in self._opening:
            task.cancel()
        return waiting

    def _enqueue(self, exchange: Exchange) -> None:
        if self._is_closed or len(self._waiting) >= self.limits.waiting:
            exchange.failed(Unavailable(retry_after=1))
            return
        exchange.deadline = self.now + self.limits.connect
        self._waiting.append(exchange)
        self._open_more()

    def _under_way(self) -> list[Exchange]:
        return [one.exchange for one in self._open if one.exchange is not None]

    # Connections open.

    def _open_more(self) -> None:
        while len(self._opening) < len(self._waiting) and (
            len(self._open) + len(self._opening) < self.limits.connections
        ):
            task = self.loop.create_task(self._connect(), name=f"connect {self.host}:{self.port}")
            self._opening.add(task)
            task.add_done_callback(self._connected)

    async def _connect(self) -> None:
        connection = Connection(self)
        try:
            async with asyncio.timeout(self.limits.connect):
                await self.loop.create_connection(lambda: connection, self.host, self.port)
        except (OSError, TimeoutError, UnicodeError):  # the last of a name that is none
            connection.drop()
        except asyncio.CancelledError:
            connection.drop()
            raise
        if connection.is_open:
            self._open.add(connection)
            self.release(connection)
        else:
            self._refused()

    def _refused(self) -> None:
        # Whose attempt it was does not matter: the one that has waited longest is served first.
        exchange = self._waiting.popleft() if self._waiting else None
        self.faulted(exchange, is_reached=False)
        if exchange is not None:
            self._upstream.unreached(exchange)

    def _connected(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        if not self._is_closed and (task.cancelled() or task.exception() is None):
            self._open_more()

    def release(self, connection: Connection) -> None:
        """Take a connection back, for whoever waits or for later."""
        if self._waiting:
            exchange = self._next(connection)
            if exchange is not None:
                exchange.began(connection)
                return
            if len(self._opening) < len(self._waiting):
                connection.abort()  # which makes room for a fresh one
                return
        connection.idle_since = self.now
        self._idle.append(connection)

    def _next(self, connection: Connection) -> Exchange | None:
        """Give who gets a connection: not one that was sent in vain on another that was kept."""
        for index, exchange in enumerate(self._waiting):
            if not (exchange.is_repeated and connection.is_reused):
                del self._waiting[index]
                return exchange
        return None

    def lost(self, connection: Connection) -> None:
        """Hear that a connection is gone."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if self._waiting and not self._is_closed:
            self._open_more()

    # Exchanges end.

    def broken(self, exchange: Exchange, connection: Connection) -> bool:
        """Hear that a connection broke under an exchange; gives whether the exchange goes on."""
        is_stale = connection.is_reused and connection.is_silent
        if is_stale:
            self.breaker.doubt()
        else:
            self.faulted(exchange)
        if self._is_closed or not connection.is_silent or not exchange.may_repeat:
            return False
        return self._upstream.repeat(exchange, is_stale=is_stale)

    def faulted(self, exchange: object, *, is_reached: bool = True) -> None:
        """Hear that the address is at fault."""
        if self.breaker.faulted(exchange, is_reached=is_reached):
            self._upstream.opened(self)

    def forget(self, exchange: object) -> None:
        """Hear that an exchange is over without an answer."""
        self.breaker.forget(exchange)

    def withdraw(self, exchange: Exchange) -> None:
        """Hear that an exchange no longer waits for a connection."""
        if exchange in self._waiting:
            self._waiting.remove(exchange)

    # The clock.

    def _tick(self) -> None:
        now = self.now
        self.clock = now + self.limits.tick
        self._ticking = self.loop.call_later(self.limits.tick, self._tick)
        probe = self.breaker.probe
        for connection in tuple(self._open):
            exchange = connection.exchange
            if exchange is None:
                continue
            if now >= exchange.deadline:
                if _is_silent(exchange, connection):
                    self.faulted(exchange)
                exchange.expired()
            elif exchange is probe and exchange.is_answering:
                # A long answer must not keep everybody else out until it ends.
                self.breaker.answered(exchange)
        for exchange in tuple(self._waiting):
            # One that went elsewhere in the meantime has a deadline to come.
            if now >= exchange.deadline:
                self.withdraw(exchange)
                if exchange is probe:
                    self.faulted(exchange, is_reached=False)
                self._upstream.unreached(exchange)
        oldest = now - self.limits.keep
        for connection in [one for one in self._idle if one.idle_since < oldest]:
            self._idle.remove(connection)
            connection.abort()
        self._upstream.note()


def _is_silent(exchange: Exchange, connection: Connection) -> bool:
    """Tell whether it is the service that is late, not the caller with body or reading."""
    return not exchange.is_paused and (exchange.is_sent or not connection.is_writable)
