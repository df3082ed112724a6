"""Rate limits: a token bucket per class and caller, in memory.

A bucket holds as many tokens as its class allows in a window and fills evenly, so a caller may
burst once and is then held to the average. The teams surface's buckets fill at once when a window
that began with their first request has passed (teams contract, section 9). A bucket that nobody has
used for a window is full, and a full bucket is the same as none, so the least recently used ones
may be forgotten.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

MAX_BUCKETS: Final = 100_000
"""Buckets remembered, about 30 MB at most; an attacker with more addresses resets idle ones."""

NEVER_REFUSED: Final = frozenset({"device", "health"})
"""Classes that are counted but never answer 429: a 429 would abort a device login (learnings
contract, section 2.2), and a throttled liveness probe would restart the process."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in so many seconds."""

    limit: int
    window: float


_DEFAULTS: Final = {
    "learnings": Rate(500, 60),
    "sync": Rate(500, 60),
    "telemetry": Rate(500, 60),
    "auth": Rate(120, 60),
    "device": Rate(600, 60),
    "runs": Rate(600, 60),
    "signed": Rate(60, 60),
    "signed_address": Rate(600, 60),
    "failed_signature": Rate(120, 60),
    "clone": Rate(60, 60),
    "device_start": Rate(10, 60),
    "device_poll": Rate(60, 60),
    "claim": Rate(10, 60),
    "claim_address": Rate(30, 60),
    "account": Rate(60, 60),
    "agents": Rate(1200, 60),
    "web_login": Rate(10, 60),
    "pages": Rate(600, 60),
    "health": Rate(600, 60),
}

CLASSES: Final = frozenset(_DEFAULTS)

FIXED_WINDOWS: Final = frozenset(
    {
        "signed",
        "signed_address",
        "failed_signature",
        "clone",
        "device_start",
        "device_poll",
        "claim",
        "claim_address",
        "web_login",
        "account",
    }
)
"""Classes whose buckets fill at once, a window after their first request."""


def default_rates() -> dict[str, Rate]:
    """Give the contracts' rates by class."""
    return dict(_DEFAULTS)


def parse_rates(text: str) -> dict[str, Rate]:
    """Read ``learnings=500/60 auth=120/60``: requests per seconds, separated by white space.

    Raises:
        ValueError: naming the entry that is not understood.
    """
    rates: dict[str, Rate] = {}
    for entry in text.split():
        name, _, value = entry.partition("=")
        limit, _, window = value.partition("/")
        if name not in CLASSES:
            raise ValueError(f"{name!r} is no class; classes are {', '.join(sorted(CLASSES))}")
        if name in rates:
            raise ValueError(f"{name} stands twice")
        if not (limit.isdecimal() and window.isdecimal() and int(limit) and int(window)):
            raise ValueError(f"{entry!r} is not class=requests/seconds")
        rates[name] = Rate(int(limit), float(int(window)))
    return rates


@dataclass(slots=True)
class Verdict:
    """What a bucket said.

    Attributes:
        allowed: whether the request may pass.
        limit: of the class.
        remaining: whole requests that would pass now.
        reset: seconds until the bucket is full again.
        retry: whole seconds until the next request passes; 0 when allowed.
    """

    allowed: bool
    limit: int
    remaining: int
    reset: float
    retry: int
    name: bytes = b""
    policy: bytes = b""
    is_closed: bool = False


class _Bucket:
    __slots__ = ("stamp", "tokens")

    def __init__(self, tokens: float, stamp: float) -> None:
        self.tokens = tokens
        self.stamp = stamp

    def fill(self, rate: Rate, now: float) -> None:
        """Give what has come in since the last look; ``stamp`` is that look."""
        gained = max(0.0, now - self.stamp) * rate.limit / rate.window
        self.tokens = min(float(rate.limit), self.tokens + gained)
        self.stamp = now

    def renew(self, rate: Rate, now: float) -> None:
        """Give everything when the window is over; ``stamp`` is its beginning."""
        if now - self.stamp >= rate.window - 1e-6:
            self.tokens, self.stamp = float(rate.limit), now


class RateLimiter:
    """The buckets of one process.

    Args:
        rates: by class; every class of ``CLASSES`` that is asked for.
        capacity: buckets remembered.
    """

    def __init__(self, rates: Mapping[str, Rate], capacity: int = MAX_BUCKETS) -> None:
        self._rates = dict(rates)
        self._capacity = capacity
        self._buckets: OrderedDict[tuple[str, str], _Bucket] = OrderedDict()

    is_shared = False

    def __len__(self) -> int:
        return len(self._buckets)

    def lacks(self, wants: object, now: float) -> bool:
        return False

    async def prepare(self, wants: object) -> None:
        pass

    def take(self, name: str, caller: str, now: float) -> Verdict:
        """Take one token.

        Args:
            name: the class.
            caller: principal or address.
            now: seconds of a clock that only goes forward.
        """
        return self._ask(name, caller, now, 1.0)

    def peek(self, name: str, caller: str, now: float) -> Verdict:
        """Ask what ``take`` would say, taking nothing and remembering nothing."""
        if (name, caller) not in self._buckets:
            limit = self._rates[name].limit
            return Verdict(
                True, limit, limit, 0.0, 0, name.encode(), b"x-ratelimit-limit: %d\r\n" % limit
            )
        return self._ask(name, caller, now, 0.0)

    def _ask(self, name: str, caller: str, now: float, cost: float) -> Verdict:
        rate = self._rates[name]
        limit, key = rate.limit, (name, caller)
        is_fixed = name in FIXED_WINDOWS
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(float(limit), now)
            if len(self._buckets) > self._capacity:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
            (bucket.renew if is_fixed else bucket.fill)(rate, now)
        # A hair of tolerance, so that a caller who waits as told is not refused by rounding.
        if bucket.tokens >= 1.0 - 1e-9:
            bucket.tokens = max(0.0, bucket.tokens - cost)
            retry, allowed = 0, True
        else:
            missing = (1.0 - bucket.tokens) * rate.window / limit
            if is_fixed:
                missing = bucket.stamp + rate.window - now
            allowed = name in NEVER_REFUSED
            retry = 0 if allowed else max(1, math.ceil(missing - 1e-6))
        reset = (limit - bucket.tokens) * rate.window / limit
        if is_fixed:
            reset = bucket.stamp + rate.window - now
        return Verdict(
            allowed,
            limit,
            int(bucket.tokens + 1e-9),
            reset,
            retry,
            name.encode(),
            b"x-ratelimit-limit: %d\r\n" % limit,
        )
