"""A service as the gateway sees it: one or several addresses, each with a pool and a breaker.

A request goes to the least busy address whose breaker is closed, ties in turn. One that reached
nobody goes on to another address whatever its method, because nothing of it was said. One that may
have reached somebody is sent again only if its method allows it (RFC 9110 section 9.2.2). Both draw
on one budget. An exchange under way is never broken by a breaker.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from math import ceil

from gateway.upstream.breaker import Breaker, State
from gateway.upstream.budget import RetryBudget
from gateway.upstream.connection import Sink
from gateway.upstream.exchange import Exchange
from gateway.upstream.limits import Limits
from gateway.upstream.pool import Pool
from shared.errors import Unavailable
from shared.log import get_logger

_DOUBTED = 1_000_000
"""What counts as busy on top for an address that made trouble, as long as something is under way
there: it is the last choice."""

log = get_logger()


class Loan:
    """An address that is lent: for a connection of the borrower's own. Give it back with ``close``.

    Args:
        pool: of the address.
        tried: addresses that were of no use before.

    Attributes:
        host: to connect to.
        port: to connect to.
    """

    __slots__ = ("_is_open", "host", "pool", "port", "tried")

    def __init__(self, pool: Pool, tried: tuple[Pool, ...]) -> None:
        self.pool = pool
        self.tried = tried
        self.host, self.port = pool.host, pool.port
        self._is_open = True
        pool.sockets += 1

    def answered(self) -> None:
        """The address answered, whatever it was."""
        self.pool.breaker.answered(self)

    def faulted(self, *, is_reached: bool = True) -> None:
        """The address is at fault, see ``Breaker``; ``is_reached``: there was a connection."""
        self.pool.faulted(self, is_reached=is_reached)

    def close(self) -> None:
        """Give it back; more than once does no harm."""
        if self._is_open:
            self._is_open = False
            self.pool.sockets -= 1
            self.pool.forget(self)


class Upstream:
    """One service.

    Args:
        name: of the service.
        urls: its addresses, ``http://host:port`` each; a host name counts as one, however many
            machines it names.
        limits: what is allowed.
        clock: seconds, only going forward.

    Attributes:
        name: of the service.
        authority: what requests carry as ``host``, whichever address they go to.
        pools: by index of the address.
        loop: that serves it.
    """

    def __init__(
        self,
        name: str,
        urls: Sequence[str],
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not urls:
            raise ValueError(f"{name} has no address")
        self.name = name
        self.limits = limits or Limits()
        trip = self.limits.trip
        self.pools = tuple(
            Pool(url, self.limits, self, Breaker(trip, clock, self._arrange)) for url in urls
        )
        self.authority = self.pools[0].authority
        self.loop: asyncio.AbstractEventLoop
        self._clock = clock
        self._budget = RetryBudget(self.limits.retries, clock)
        self._everyone = _rotate(self.pools)
        self._single: Pool | None = None
        self._rotation: Iterator[tuple[Pool, ...]] | None = None
        self._out: set[Pool] = set()
        self._refused = 0
        self._arrange()

    def open(self) -> None:
        """Begin; connections open when they are needed."""
        self.loop = asyncio.get_running_loop()
        for pool in self.pools:
            pool.open()

    async def close(self) -> None:
        """Break every connection; exchanges under way hear an error."""
        for pool in self.pools:
            await pool.close()

    # Requests come.

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
        pool = self._single or self._least()
        if pool is None:
            return self._start_in_trouble(method, head, sink, sent, chunked, repeatable)
        exchange = Exchange(pool, method, head, sink, sent, chunked, repeatable)
        pool.begin(exchange)
        return exchange

    def _least(self) -> Pool | None:
        """Give the least busy address, if several work and no other wants a probe."""
        rotation = self._rotation
        if rotation is None:
            return None
        best: Pool | None = None
        least = 0
        for pool in next(rotation):
            busy = pool.busy
            if busy and pool.breaker.is_troubled:
                busy += self._doubt(pool)
            if best is None or busy < least:
                best, least = pool, busy
        return best

    def _doubt(self, pool: Pool) -> int:
        return _DOUBTED if self._clock() < pool.breaker.is_doubted_until else 0

    def _start_in_trouble(
        self, method: str, head: bytes, sink: Sink, sent: bool, chunked: bool, repeatable: bool
    ) -> Exchange:
        exchange = Exchange(self.pools[0], method, head, sink, sent, chunked, repeatable)
        pool = self._choose(may_probe=exchange.may_repeat)
        if pool is None:
            self._refused += 1
            exchange.failed(self._unavailable())
        else:
            pool.starts += 1
            self._place(exchange, pool)
        return exchange

    def _choose(
        self, *, may_probe: bool, tried: Sequence[Pool] = (), is_loan: bool = False
    ) -> Pool | None:
        """Give the address to ask; a breaker that is not closed then wants ``send_probe``.

        Args:
            may_probe: whether the request may be a probe although an address works.
            tried: addresses to leave out.
            is_loan: whether sockets count instead of exchanges.
        """
        now = self._clock()
        best: Pool | None = None
        due: Pool | None = None
        least = 0
        for pool in next(self._everyone):
            if pool in tried:
                continue
            if pool.breaker.state is not State.CLOSED:
                if due is None and pool.breaker.is_due(now):
                    due = pool
                continue
            busy = pool.sockets if is_loan else pool.busy
            if busy and pool.breaker.is_troubled:
                busy += self._doubt(pool)
            if best is None or busy < least:
                best, least = pool, busy
        if due is not None and (best is None or may_probe):
            return due
        return best

    def _place(self, exchange: Exchange, pool: Pool, *, is_fresh: bool = False) -> None:
        is_probe = self._probe(pool, exchange)
        exchange.move(pool)
        pool.take(exchange, is_fresh=is_fresh or is_probe)

    def lend(self, instead: Loan | None = None) -> Loan:
        """Give an address to somebody who opens a connection of their own, such as a WebSocket.

        Args:
            instead: an earlier loan that was of no use; the new one is another address.

        Raises:
            Unavailable: there is none, or none more.
        """
        tried = () if instead is None else (*instead.tried, instead.pool)
        pool = self._choose(may_probe=True, tried=tried, is_loan=True)
        if pool is None or (tried and not self._may_retry()):
            self._refused += not tried
            raise self._unavailable()
        pool.starts += not tried
        loan = Loan(pool, tried)
        self._probe(pool, loan)
        return loan

    def _probe(self, pool: Pool, exchange: object) -> bool:
        if pool.breaker.state is State.CLOSED:
            return False
        pool.breaker.send_probe(exchange)
        self._arrange()
        return True

    def _arrange(self) -> None:
        """Prepare the choice among addresses, so that requests find it made."""
        now = self._clock()
        closed = tuple(pool for pool in self.pools if pool.breaker.state is State.CLOSED)
        wants_probe = any(pool.breaker.is_due(now) for pool in self.pools)
        self._single = closed[0] if len(closed) == 1 and not wants_probe else None
        self._rotation = _rotate(closed) if len(closed) > 1 and not wants_probe else None

    def _unavailable(self) -> Unavailable:
        """Say when an address will be tried next."""
        now = self._clock()
        wait = min(pool.breaker.wait(now) for pool in self.pools)
        return Unavailable(retry_after=max(1, ceil(wait)))

    # What pools report.

    def unreached(self, exchange: Exchange) -> None:
        """Take an exchange that reached nobody to another address, or fail it."""
        if not exchange.is_done and not self._elsewhere(exchange, is_fresh=False):
            exchange.failed(self._unavailable())

    def repeat(self, exchange: Exchange, *, is_stale: bool) -> bool:
        """Send an exchange again that was not answered; gives whether it will be.

        Args:
            exchange: that may be sent twice.
            is_stale: whether its connection was kept from before, so that its address may be well.
        """
        if is_stale:
            exchange.pool.flush()  # the others are as old
        exchange.is_repeated = True
        if self._elsewhere(exchange, is_fresh=True):
            return True
        pool = exchange.pool
        if not is_stale or pool.breaker.state is not State.CLOSED or not self._may_retry():
            return False
        self._place(exchange, pool, is_fresh=True)
        return True

    def opened(self, pool: Pool) -> None:
        """Hear that a breaker opened: who waits there goes elsewhere."""
        if pool not in self._out:
            self._out.add(pool)
            # One that never answered is still starting, or not deployed.
            say = log.warning if pool.breaker.has_answered else log.info
            say("address out", service=self.name, address=self.pools.index(pool))
        for exchange in pool.evict():
            self.unreached(exchange)

    def note(self) -> None:
        """Note how many requests there were, and who is back; called at every tick."""
        self._budget.note(self.requests)
        if self._out:
            self._arrange()
        for pool in tuple(self._out):
            if pool.breaker.state is State.CLOSED:
                self._out.discard(pool)
                log.info("address back", service=self.name, address=self.pools.index(pool))

    def _elsewhere(self, exchange: Exchange, *, is_fresh: bool) -> bool:
        if len(self.pools) == 1:
            return False
        tried = (*exchange.tried, exchange.pool)
        pool = self._choose(may_probe=exchange.may_repeat, tried=tried)
        if pool is None or not self._may_retry():
            return False
        exchange.tried = tried
        self._place(exchange, pool, is_fresh=is_fresh)
        return True

    def _may_retry(self) -> bool:
        return self._budget.take(self.requests)

    # What checks report.

    def checked(self, pool: Pool, *, is_well: bool) -> None:
        """Hear of a check. The last address that works is not put out by checks.

        A service whose only address is slow to answer checks is better asked than not.
        """
        if is_well:
            pool.breaker.passed()
            return
        others = any(one.breaker.state is State.CLOSED for one in self.pools if one is not pool)
        if pool.breaker.failed(may_eject=others):
            self.opened(pool)

    # What metrics show.

    @property
    def requests(self) -> int:
        """Requests so far, sent again or not, without those that no address could be found for."""
        return sum(pool.starts for pool in self.pools)

    def states(self) -> tuple[State, ...]:
        """Give the breakers' states by index of the address."""
        return tuple(pool.breaker.state for pool in self.pools)

    def counts(self) -> dict[str, float]:
        """Give what is counted, summed over the addresses; names ending in ``_total`` only grow."""
        breakers = [pool.breaker for pool in self.pools]
        return {
            "requests_total": self.requests,
            "refused_total": self._refused,
            "faults_total": sum(one.faults for one in breakers),
            "opened_total": sum(one.opened for one in breakers),
            "ejections_total": sum(one.ejections for one in breakers),
            "retries_total": self._budget.spent,
            "retries_exhausted_total": self._budget.exhausted,
            "busy": sum(pool.busy for pool in self.pools),
            "connections": sum(pool.size for pool in self.pools),
            "sockets": sum(pool.sockets for pool in self.pools),
        }


def _rotate(pools: tuple[Pool, ...]) -> Iterator[tuple[Pool, ...]]:
    """Give the pools again and again, each time beginning with the next."""
    return cycle([pools[turn:] + pools[:turn] for turn in range(len(pools))])
