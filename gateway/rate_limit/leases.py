"""Leases: the tokens of shared buckets that this process may use without asking.

Callers who use up one lease in time get twice as many tokens with the next, up to about a hundredth
of the limit; so small limits are counted one by one, and nobody pays a round trip for each request
of a flood. What is not used in time is given back.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Iterator
from hashlib import blake2b
from typing import Final

from gateway.rate_limit.buckets import RateClass
from gateway.rate_limit.script import hold
from gateway.rate_limit.store import NAMESPACE, Grant, Order
from gateway.rate_limit.verdict import Verdict

CHUNK: Final = 100
"""The largest lease is the limit divided by this, or one token."""

GRACE: Final = 0.05
"""Seconds that a lease holds at least once it is here, so that who waited for it can use it."""


class Lease:
    """What this process knows of one shared bucket.

    Attributes:
        key: of the bucket in the store.
        left: tokens to use.
        until: when they lapse.
        granted: tokens of the last grant.
        empty_until: until when the store has none.
        full_at: when the store's bucket is full, our tokens used.
        spare: tokens left in the store's fixed window.
        debt: tokens used that the store does not know of.
        waiters: requests that wait for the flight.
        waived: requests that waited in vain, and are judged in memory.
        flight: done when the store has answered.
    """

    __slots__ = (
        "debt",
        "empty_until",
        "flight",
        "full_at",
        "granted",
        "key",
        "left",
        "spare",
        "until",
        "waiters",
        "waived",
    )

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.left = self.granted = self.spare = self.debt = self.waiters = 0
        self.waived = 0
        self.until = self.empty_until = self.full_at = 0.0
        self.flight: asyncio.Future[None] | None = None

    def is_ready(self, now: float) -> bool:
        """Tell whether a request can be judged without asking the store."""
        return (self.left > 0 and now < self.until) or now < self.empty_until or self.waived > 0


class Shelf:
    """The leases of one class, in two generations as buckets are.

    Args:
        kind: the class.
        secret: under which callers are hashed.
        patience: seconds an answer may take.

    Attributes:
        kind: the class.
        young: by caller, what was used since the last turn.
        old: what was not.
    """

    def __init__(self, kind: RateClass, secret: bytes, patience: float) -> None:
        self.kind = kind
        self.young: dict[str, Lease] = {}
        self.old: dict[str, Lease] = {}
        self._secret = secret
        self._patience = patience
        self._salt = f"{kind.name} {kind.limit}/{kind.window} ".encode()
        self._hold = hold(kind.window)
        self._chunk = max(1, kind.limit // CHUNK)
        self._mode = b"fixed" if kind.is_fixed else b"even"
        self._microseconds = round(kind.window * 1e6)
        self._due: deque[tuple[float, Lease]] = deque()

    def __len__(self) -> int:
        return len(self.young) + len(self.old)

    def make(self, caller: str) -> Lease:
        """Bring a lease into the young generation."""
        lease = self.old.pop(caller, None)
        if lease is None:
            name = blake2b(self._salt + caller.encode(), digest_size=16, key=self._secret)
            lease = Lease(NAMESPACE + name.hexdigest().encode())
        self.young[caller] = lease
        return lease

    def turn(self) -> None:
        """Forget what was not used since the last turn."""
        self.young, self.old = {}, self.young

    def clear(self) -> None:
        """Forget every lease."""
        self.young, self.old = {}, {}
        self._due.clear()

    def order(self, lease: Lease, now: float) -> Order:
        """Say what to ask of the store; what is left of the lease goes back with it."""
        size = 1
        if lease.granted and not lease.left and now < lease.until:
            size = min(self._chunk, 2 * lease.granted)
        need, debt = lease.waiters, lease.debt - self._unused(lease, now)
        lease.debt = 0
        return self._order(lease, need, max(need, size), debt)

    def credit(self, lease: Lease, order: Order, grant: Grant, sent: float, now: float) -> None:
        """Enter what the store granted to an order, and let those who wait for it go on."""
        kind, rest = self.kind, grant.rest / 1e6
        lease.left = lease.granted = grant.tokens
        lease.spare = grant.spare
        lease.full_at = now + rest
        lease.until = max(sent + self._hold, now + GRACE)
        if kind.is_fixed:
            lease.until = min(lease.until, sent + rest)
        lease.empty_until = 0.0
        if grant.tokens < order.want:
            lease.empty_until = now + (rest if kind.is_fixed else rest - kind.window + kind.step)
        if grant.tokens:
            self._due.append((lease.until, lease))
        settle(lease)

    def lapsed(self, now: float) -> Iterator[Order]:
        """Give back what was not used in time."""
        while self._due and self._due[0][0] <= now:
            until, lease = self._due.popleft()
            # One that was renewed stands here again; one that is asked about gives back by that.
            if lease.until == until and lease.flight is None:
                unused = self._unused(lease, now)
                if unused:
                    yield self._order(lease, 0, 0, -unused)

    def next_lapse(self) -> float:
        """Give when the next lease lapses that may have tokens left."""
        return self._due[0][0] if self._due else math.inf

    def verdict(self, lease: Lease, now: float) -> Verdict:
        """Say that a token of the lease was taken: the store's view and what is left of ours."""
        kind = self.kind
        wait = max(0.0, lease.full_at - now)
        if kind.is_fixed:
            remaining = lease.spare + lease.left
        else:
            wait = max(0.0, wait - lease.left * kind.step)
            remaining = int(kind.limit - wait * kind.pace + kind.grain)
        return tuple.__new__(
            Verdict,
            (True, kind.limit, remaining, wait, 0, kind.name, kind.window, kind.policy, False),
        )

    def _unused(self, lease: Lease, now: float) -> int:
        """Take away what is left of a lease, and tell how much of it may be given back."""
        unused, lease.left = lease.left, 0
        # In the next window it would be somebody else's.
        is_over = self.kind.is_fixed and now + self._patience >= lease.full_at
        return 0 if is_over else unused

    def _order(self, lease: Lease, need: int, want: int, debt: int) -> Order:
        kind = self.kind
        return Order(lease.key, self._mode, kind.limit, self._microseconds, need, want, debt)


def settle(lease: Lease) -> None:
    """Let those who wait for a flight go on."""
    lease.waiters = 0
    if lease.flight is not None:
        lease.flight.set_result(None)
        lease.flight = None
