"""Buckets that several gateways share through Valkey or Redis.

Tokens are leased (``leases``), so most requests are judged here and now. One task speaks to the
store, one call at a time; what is wanted meanwhile goes along with the next.

While the store is away nobody waits for it: a task probes it. Classes that guard secrets close,
because each gateway alone would let through a limit's worth of guesses; all others are counted in
the memory of this process. So are the classes that are never refused, at all times.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from gateway.rate_limit.buckets import MAX_BUCKETS, RateClass, RateLimiter
from gateway.rate_limit.leases import Lease, Shelf, settle
from gateway.rate_limit.rates import GUARDS_SECRETS, NEVER_REFUSED, Rate
from gateway.rate_limit.store import Store, StoreAway
from gateway.rate_limit.verdict import Verdict
from shared.log import get_logger

CLOSED_RETRY: Final = 5
"""What callers of a closed class are told to wait, in seconds."""

FIRST_PROBE: Final = 0.25
LAST_PROBE: Final = 1.0
"""Seconds between probes of a store that is away: at first, and after some."""

MAX_WAITING: Final = 10_000
"""Buckets that may wait for the store; more are counted in memory."""

_SWEEP: Final = 0.1
_BATCH: Final = 128
_ROUNDS: Final = 3

log = get_logger()


class SharedRateLimiter(RateLimiter):
    """Counts in a store that other processes count in too.

    Args:
        rates: by class; every class of ``CLASSES`` that is asked for.
        store: to count in; closed with the limiter.
        secret: under which callers are hashed; the same in every process that shares the store.
        patience: seconds an answer of the store may take.
        capacity: buckets, and leases, remembered.
        clock: seconds, only going forward; that of the ``now`` given to the other methods.

    Attributes:
        calls: of the store so far.
        failures: calls that failed.
        outages: times that the store was found away.
    """

    is_shared = True

    def __init__(
        self,
        rates: Mapping[str, Rate],
        store: Store,
        secret: bytes,
        patience: float,
        capacity: int = MAX_BUCKETS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(rates, capacity)
        self._store = store
        self._clock = clock
        shared = {name: kind for name, kind in self._classes.items() if name not in NEVER_REFUSED}
        self._shelves = {name: Shelf(kind, secret, patience) for name, kind in shared.items()}
        self._is_up = False
        self._waiting: list[tuple[Shelf, Lease]] = []
        self._asked: list[tuple[Shelf, Lease]] = []
        self._bell = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._leases_since_turn = 0
        self._leases_turn_at = -math.inf
        self.calls = self.failures = self.outages = 0

    # Each looks at the clock itself: a request may have waited since ``now`` for what it needed,
    # longer than a lease holds.

    def take(self, name: str, caller: str, now: float) -> Verdict:
        """Take one token; true if ``prepare`` was awaited wherever ``lacks`` said so."""
        shelf, now = self._shelves.get(name), self._clock()
        if shelf is None:
            return super().take(name, caller, now)
        if not self._is_up:
            if name in GUARDS_SECRETS:
                shelf.kind.closed += 1
                return _closed(shelf.kind)
            return super().take(name, caller, now)
        lease = shelf.young.get(caller) or self._lease(shelf, caller, now)
        if lease.left and now < lease.until:
            lease.left -= 1
            shelf.kind.allowed += 1
            return shelf.verdict(lease, now)
        if now < lease.empty_until:
            return shelf.kind.refuse(lease.empty_until - now, lease.full_at - now)
        # Nobody asked the store before, or it had no time. It is told afterwards.
        lease.waived = max(0, lease.waived - 1)
        verdict = super().take(name, caller, now)
        if verdict.allowed:
            lease.debt += 1
            self._board(shelf, lease)
        return verdict

    def peek(self, name: str, caller: str, now: float) -> Verdict:
        """Ask what ``take`` would say, as far as it is known here, taking nothing."""
        shelf, now = self._shelves.get(name), self._clock()
        if shelf is None:
            return super().peek(name, caller, now)
        kind = shelf.kind
        if not self._is_up:
            return _closed(kind) if name in GUARDS_SECRETS else super().peek(name, caller, now)
        lease = shelf.young.get(caller) or shelf.old.get(caller)
        if lease is not None:
            if lease.left and now < lease.until:
                return shelf.verdict(lease, now)
            if now < lease.empty_until:
                return kind.refusal(lease.empty_until - now, lease.full_at - now)
        return kind.full()

    def lacks(self, wants: Sequence[tuple[str, str]], now: float) -> bool:
        """Tell whether ``prepare`` must be awaited before these (class, caller) can be taken."""
        if self._is_up:
            now = self._clock()
            for name, caller in wants:
                shelf = self._shelves.get(name)
                if shelf is not None:
                    lease = shelf.young.get(caller) or shelf.old.get(caller)
                    if lease is None or not lease.is_ready(now):
                        return True
        return False

    async def prepare(self, wants: Sequence[tuple[str, str]]) -> None:
        """Make ``take`` of each (class, caller) true; never raises, and waits a bounded time."""
        for _ in range(_ROUNDS):
            boarded = [self._board(*missing, waits=True) for missing in self._missing(wants)]
            flights = [flight for flight in boarded if flight is not None]
            if not flights:
                break
            # Others wait for the same flight, so it must not be cancelled with one of them.
            await asyncio.wait(flights)
        for _, lease in self._missing(wants):
            lease.waived += 1

    async def open(self) -> None:
        """Try the store, and begin to speak to it; does not fail when it is away."""
        assert self._task is None
        try:
            await self._store.probe()
        except StoreAway as error:
            self._fall(str(error))
        else:
            self._is_up = True
        self._task = asyncio.create_task(self._run(), name="rate limit store")

    async def close(self) -> None:
        """Stop speaking to the store; what is leased lapses."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        self._is_up = False
        self._forget()
        await self._store.close()

    @property
    def is_up(self) -> bool:
        """Whether the store is there."""
        return self._is_up

    @property
    def leases(self) -> int:
        """How many leases are remembered."""
        return sum(map(len, self._shelves.values()))

    # Waiting for the store.

    def _lease(self, shelf: Shelf, caller: str, now: float) -> Lease:
        if now >= self._leases_turn_at or self._leases_since_turn >= self._half:
            for each in self._shelves.values():
                each.turn()
            self._leases_turn_at = now + self._longest
            self._leases_since_turn = 0
        self._leases_since_turn += 1
        return shelf.make(caller)

    def _missing(self, wants: Sequence[tuple[str, str]]) -> list[tuple[Shelf, Lease]]:
        """Find the buckets that the store must be asked about."""
        missing = []
        if self._is_up:
            now = self._clock()
            for name, caller in wants:
                shelf = self._shelves.get(name)
                if shelf is not None:
                    lease = shelf.young.get(caller) or self._lease(shelf, caller, now)
                    if not lease.is_ready(now):
                        missing.append((shelf, lease))
        return missing

    def _board(
        self, shelf: Shelf, lease: Lease, *, waits: bool = False
    ) -> asyncio.Future[None] | None:
        """Have the store asked about a bucket; None if too many wait for it."""
        if lease.flight is None:
            if len(self._waiting) >= MAX_WAITING:
                return None
            lease.flight = asyncio.get_running_loop().create_future()
            self._waiting.append((shelf, lease))
            self._bell.set()
        lease.waiters += waits
        return lease.flight

    # Speaking to the store.

    async def _run(self) -> None:
        while True:
            try:
                if self._is_up:
                    await self._wait()
                    await self._ask()
                else:
                    await self._recover()
            except Exception as error:
                log.exception("rate limits failed")
                self._fall(type(error).__name__)

    async def _wait(self) -> None:
        """Wait until there is something to ask or to give back."""
        if self._waiting:
            return
        self._bell.clear()
        lapse = min(map(Shelf.next_lapse, self._shelves.values()), default=math.inf)
        # Some at once, rather than a turn for each.
        pause = None if lapse == math.inf else max(_SWEEP, lapse - self._clock())
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._bell.wait()

    async def _ask(self) -> None:
        self._asked, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
        sent = self._clock()
        orders = [shelf.order(lease, sent) for shelf, lease in self._asked]
        for shelf in self._shelves.values():
            orders += shelf.lapsed(sent)
        if not orders:
            return
        try:
            self.calls += 1
            grants = await self._store.ask(orders)
        except StoreAway as error:
            self.failures += 1
            self._fall(str(error))
            return
        now = self._clock()
        # What was given back stands last and needs no answer.
        for (shelf, lease), order, grant in zip(self._asked, orders, grants, strict=False):
            shelf.credit(lease, order, grant, sent, now)
        self._asked = []

    async def _recover(self) -> None:
        """Probe the store until it is there."""
        pause = FIRST_PROBE
        while True:
            await asyncio.sleep(pause)
            pause = min(LAST_PROBE, 2 * pause)
            self.calls += 1
            try:
                await self._store.probe()
            except StoreAway:
                self.failures += 1
            else:
                self._is_up = True
                log.info("rate limit store back")
                return

    def _fall(self, reason: str) -> None:
        """Go on without the store."""
        self._is_up = False
        self.outages += 1
        self._forget()
        log.error(
            "rate limit store away",
            reason=reason,
            effect="logins are closed, other limits are counted by each process alone",
        )

    def _forget(self) -> None:
        waiting = self._asked + self._waiting
        self._asked, self._waiting = [], []
        for shelf in self._shelves.values():
            shelf.clear()
        for _, lease in waiting:
            settle(lease)


def _closed(kind: RateClass) -> Verdict:
    retry = CLOSED_RETRY
    return Verdict(
        False, kind.limit, 0, float(retry), retry, kind.name, kind.window, kind.policy, True
    )
