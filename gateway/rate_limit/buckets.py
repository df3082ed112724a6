"""Buckets in memory: the limiter of one process.

A bucket holds as many tokens as its class allows in a window and fills evenly, so a caller may
burst once and is then held to the average. All it has to remember is when it will be full (the
"generic cell rate algorithm"): one number. The teams surface's buckets fill at once when a window
that began with their first request has passed (teams contract, section 9).

A bucket that nobody has used for a window is full, and a full bucket is the same as none. So
buckets live in two generations: what was used since the last turn is young, the rest is old, and a
turn, which comes when the longest window has passed or memory is used up, forgets the old ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from gateway.rate_limit.rates import FIXED_WINDOWS, NEVER_REFUSED, Rate
from gateway.rate_limit.verdict import Verdict

MAX_BUCKETS: Final = 100_000
"""Buckets remembered, about 20 MB at most; an attacker with more addresses resets idle ones."""

_HAIR: Final = 5e-7
"""Seconds of tolerance, so that a caller who waits as told is not refused by rounding."""

_verdict: Final = tuple.__new__


class Window:
    """A bucket that fills at once: ``left`` tokens until ``ends``."""

    __slots__ = ("ends", "left")

    def __init__(self, ends: float, left: int) -> None:
        self.ends = ends
        self.left = left


class RateClass:
    """What holds for all buckets of a class, ready for use, and the class's counts.

    Attributes:
        name: of the class.
        limit: tokens of a full bucket.
        window: seconds in which an empty bucket fills.
        is_fixed: whether buckets fill at once.
        is_refusing: whether an empty bucket refuses.
        step: seconds that one token takes to come in.
        pace: tokens that come in in a second.
        brink: a bucket that is full in more seconds than these is empty.
        grain: tokens that count as rounding.
        policy: see ``Verdict``.
        allowed: requests that passed.
        refused: requests that did not.
        closed: requests that were not counted because the shared store was away.
        young: what was used since the last turn, by caller: when an even bucket is full.
        old: what was not.
        windows: ``young`` for buckets that fill at once.
        old_windows: ``old`` for those.
    """

    __slots__ = (
        "allowed",
        "brink",
        "closed",
        "grain",
        "is_fixed",
        "is_refusing",
        "limit",
        "name",
        "old",
        "old_windows",
        "pace",
        "policy",
        "refused",
        "step",
        "window",
        "windows",
        "young",
    )

    def __init__(self, name: str, rate: Rate) -> None:
        self.name = name
        self.limit = rate.limit
        self.window = rate.window
        self.is_fixed = name in FIXED_WINDOWS
        self.is_refusing = name not in NEVER_REFUSED
        self.step = rate.window / rate.limit
        self.pace = rate.limit / rate.window
        hair = min(_HAIR, self.step / 1000)
        self.brink = rate.window - self.step + hair
        self.grain = hair * self.pace
        self.policy = b'ratelimit-policy: "%b";q=%d;w=%d\r\nx-ratelimit-limit: %d\r\n' % (
            name.encode(),
            rate.limit,
            rate.window,
            rate.limit,
        )
        self.allowed = self.refused = self.closed = 0
        self.young: dict[str, float] = {}
        self.old: dict[str, float] = {}
        self.windows: dict[str, Window] = {}
        self.old_windows: dict[str, Window] = {}

    def __len__(self) -> int:
        return len(self.young) + len(self.old) + len(self.windows) + len(self.old_windows)

    def turn(self) -> None:
        """Forget what was not used since the last turn."""
        self.young, self.old = {}, self.young
        self.windows, self.old_windows = {}, self.windows

    def full(self) -> Verdict:
        """Say what a bucket says that nobody has used."""
        return Verdict(
            True, self.limit, self.limit, 0.0, 0, self.name, self.window, self.policy, False
        )

    def refuse(self, seconds: float, reset: float) -> Verdict:
        """Count a request that finds its bucket empty, and say for how long it is."""
        if self.is_refusing:
            self.refused += 1
        else:
            self.allowed += 1
        return self.refusal(seconds, reset)

    def refusal(self, seconds: float, reset: float) -> Verdict:
        """Say that a bucket is empty, and for how long."""
        allowed = not self.is_refusing
        retry = 0 if allowed else max(1, math.ceil(min(seconds, self.window) - 2 * _HAIR))
        rest = min(reset, self.window)
        return Verdict(
            allowed, self.limit, 0, rest, retry, self.name, self.window, self.policy, False
        )


class RateLimiter:
    """Counts in the memory of this process.

    Args:
        rates: by class; every class of ``CLASSES`` that is asked for.
        capacity: buckets remembered.
    """

    is_shared = False
    """Whether ``lacks`` can ever be true."""

    def __init__(self, rates: Mapping[str, Rate], capacity: int = MAX_BUCKETS) -> None:
        self._classes = {name: RateClass(name, rate) for name, rate in rates.items()}
        self._longest = max((rate.window for rate in rates.values()), default=0.0)
        self._half = max(1, capacity // 2)
        self._since_turn = 0
        self._turn_at = -math.inf

    def __len__(self) -> int:
        return sum(map(len, self._classes.values()))

    def take(self, name: str, caller: str, now: float) -> Verdict:
        """Take one token.

        Args:
            name: the class.
            caller: principal or address.
            now: seconds of a clock that only goes forward.
        """
        kind = self._classes[name]
        if kind.is_fixed:
            return self._take_window(kind, caller, now)
        full = kind.young.get(caller)
        if full is None:
            self._make_room(now)
            full = kind.young[caller] = kind.old.pop(caller, now)
        wait = full - now
        if wait > kind.brink:
            return kind.refuse(wait - kind.window + kind.step, wait)
        wait = wait + kind.step if wait > 0.0 else kind.step
        kind.young[caller] = now + wait
        kind.allowed += 1
        limit = kind.limit
        left = int(limit - wait * kind.pace + kind.grain)
        return _verdict(
            Verdict, (True, limit, left, wait, 0, kind.name, kind.window, kind.policy, False)
        )

    def _take_window(self, kind: RateClass, caller: str, now: float) -> Verdict:
        bucket = kind.windows.get(caller)
        if bucket is None:
            self._make_room(now)
            bucket = kind.old_windows.pop(caller, None) or Window(now, 0)
            kind.windows[caller] = bucket
        rest = bucket.ends - now
        if rest <= _HAIR:
            rest = kind.window
            bucket.ends, bucket.left = now + rest, kind.limit
        elif rest > kind.window:  # a request that has waited since ``now``
            rest = kind.window
        left = bucket.left
        if not left:
            return kind.refuse(rest, rest)
        bucket.left = left = left - 1
        kind.allowed += 1
        return _verdict(
            Verdict, (True, kind.limit, left, rest, 0, kind.name, kind.window, kind.policy, False)
        )

    def peek(self, name: str, caller: str, now: float) -> Verdict:
        """Ask what ``take`` would say, taking nothing and remembering nothing."""
        kind = self._classes[name]
        if kind.is_fixed:
            bucket = kind.windows.get(caller) or kind.old_windows.get(caller)
            if bucket is None or bucket.ends - now <= _HAIR:
                return kind.full()
            rest = bucket.ends - now
            if not bucket.left:
                return kind.refusal(rest, rest)
            return kind.full()._replace(remaining=bucket.left, reset=rest)
        full = kind.young.get(caller) or kind.old.get(caller)
        if full is None or full <= now:
            return kind.full()
        wait = full - now
        if wait > kind.brink:
            return kind.refusal(wait - kind.window + kind.step, wait)
        left = int(kind.limit - wait * kind.pace + kind.grain)
        return kind.full()._replace(remaining=left, reset=wait)

    def lacks(self, wants: Sequence[tuple[str, str]], now: float) -> bool:
        """Tell whether ``prepare`` must be awaited before these (class, caller) can be taken."""
        return False

    async def prepare(self, wants: Sequence[tuple[str, str]]) -> None:
        """Make ``take`` of each (class, caller) true; never raises, and waits a bounded time."""

    async def open(self) -> None:
        """Begin to work."""

    async def close(self) -> None:
        """End what was begun."""

    def counts(self) -> dict[tuple[str, ...], float]:
        """Give what was decided so far, by class and ``allowed``, ``refused`` or ``closed``."""
        counts: dict[tuple[str, ...], float] = {}
        for kind in self._classes.values():
            counts[kind.name, "allowed"] = kind.allowed
            counts[kind.name, "refused"] = kind.refused
            counts[kind.name, "closed"] = kind.closed
        return counts

    def _make_room(self, now: float) -> None:
        """See to it that one more young bucket may be remembered."""
        if now >= self._turn_at or self._since_turn >= self._half:
            for kind in self._classes.values():
                kind.turn()
            self._turn_at = now + self._longest
            self._since_turn = 0
        self._since_turn += 1
