"""Whether an address of a service is worth asking: a circuit breaker as a pure state machine.

    closed ── faults in a row, a share of faults, failed checks ──> open
    open ── the pause is over, one exchange goes as a probe ──> half-open
    half-open ── the probe is answered ──> closed
    half-open ── the probe finds a fault ──> open, for longer
    open ── checks pass in a row ──> closed

A fault is an address that cannot be reached in time, breaks before or in the middle of an answer,
says what is not HTTP, or stays silent. An answer is none, whatever its status: a service that says
503 speaks for itself. A caller who leaves is none, nor is a kept connection that closes unanswered,
because services may close those whenever they like; that only raises a doubt for a moment.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

DOUBT: Final = 1.0
"""Seconds for which an address that made trouble gets one exchange at a time if others are free."""

_MOST_LEVEL: Final = 16


class State(IntEnum):
    """What a breaker lets through; the numbers are what metrics show."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """When a breaker opens, and for how long. Times in seconds.

    Attributes:
        faults: in a row that open it.
        share: of faults among what ended within a window that opens it.
        volume: least number that must have ended within the window for the share to count.
        window: that the share looks at; it begins with a fault. Also how long a breaker has been
            closed when its earlier pauses are forgotten.
        pause: until the first probe; doubles with each probe that fails.
        longest: pause.
        jitter: by which share a pause may be shorter or longer, so that gateways do not probe in
            step.
        failures: of checks in a row that put an address out.
        passes: of checks in a row that bring it back.
    """

    faults: int = 5
    share: float = 0.5
    volume: int = 50
    window: float = 10.0
    pause: float = 0.5
    longest: float = 10.0
    jitter: float = 0.2
    failures: int = 3
    passes: int = 2


class Breaker:
    """The breaker of one address.

    Args:
        trip: when it opens, and for how long.
        clock: seconds, only going forward.
        on_change: called whenever it has opened or closed.
        spread: gives numbers in [0, 1) for the jitter.

    Attributes:
        state: what it lets through.
        has_answered: whether there was an answer before the last fault.
        is_troubled: whether anything but answers came lately; False is the ordinary case.
        is_doubted_until: by the clock.
        retry_at: when an open one takes a probe, by the clock.
        probe: what goes through a half-open one.
        opened: how often it opened.
        ejections: how often because of checks.
        faults: found so far.
    """

    __slots__ = (
        "_answers",
        "_clock",
        "_closed_at",
        "_failures",
        "_is_reached",
        "_level",
        "_on_change",
        "_passes",
        "_recent",
        "_row",
        "_since",
        "_spread",
        "_trip",
        "ejections",
        "faults",
        "has_answered",
        "is_doubted_until",
        "is_troubled",
        "opened",
        "probe",
        "retry_at",
        "state",
    )

    def __init__(
        self,
        trip: Trip,
        clock: Callable[[], float],
        on_change: Callable[[], None],
        spread: Callable[[], float] = random.random,
    ) -> None:
        self._trip = trip
        self._clock = clock
        self._on_change = on_change
        self._spread = spread
        self._answers = 0
        self._recent = 0
        self._row = 0
        self._since = float("-inf")
        self._closed_at = float("-inf")
        self._level = 0
        self._is_reached = True
        self._failures = 0
        self._passes = 0
        self.state = State.CLOSED
        self.has_answered = False
        self.is_troubled = False
        self.is_doubted_until = float("-inf")
        self.retry_at = 0.0
        self.probe: object = None
        self.opened = 0
        self.ejections = 0
        self.faults = 0

    # What exchanges report.

    def answered(self, exchange: object) -> None:
        """Hear that an exchange was answered."""
        self._answers += 1
        if self.is_troubled:
            if self.state is State.CLOSED:
                self._row = 0
                self.is_troubled = False
            elif exchange is self.probe:
                self._close()
            # Else it began before the breaker opened, and says nothing about what is now.

    def faulted(self, exchange: object, *, is_reached: bool = True) -> bool:
        """Hear of a fault; gives whether it opened the breaker.

        Args:
            exchange: that met it, or None.
            is_reached: whether there was a connection.
        """
        self.faults += 1
        if self.state is not State.CLOSED:
            if exchange is None or exchange is not self.probe:
                return False
            self._open(is_reached)
            return True
        trip, now = self._trip, self._clock()
        self.has_answered = self.has_answered or self._answers > 0
        if now - self._since >= trip.window:
            self._since, self._answers, self._recent = now, 0, 0
        self._recent += 1
        self._row += 1
        self.is_troubled = True
        self.is_doubted_until = now + DOUBT
        total = self._recent + self._answers
        is_share = total >= trip.volume and self._recent >= trip.share * total
        if not is_share and self._row < trip.faults:
            return False
        self._open(is_reached)
        return True

    def doubt(self) -> None:
        """Hear that a kept connection closed unanswered."""
        if self.state is State.CLOSED:
            self.is_troubled = True
            self.is_doubted_until = self._clock() + DOUBT

    def forget(self, exchange: object) -> None:
        """Hear that an exchange ended without a verdict; if it was the probe, another may go."""
        if self.state is State.HALF_OPEN and exchange is self.probe:
            self.probe = None
            self.retry_at = self._clock()
            self.state = State.OPEN

    # What the choice among addresses asks.

    def is_due(self, now: float) -> bool:
        """Whether a probe may go now.

        One that takes very long to be answered gives its place to another, which then decides.
        """
        return self.state is not State.CLOSED and now >= self.retry_at

    def wait(self, now: float) -> float:
        """Give the seconds until a probe may go; 0 where one goes now or nothing is wrong."""
        return max(0.0, self.retry_at - now) if self.state is State.OPEN else 0.0

    def send_probe(self, exchange: object) -> None:
        """Let one exchange through; only when it is due."""
        self.state = State.HALF_OPEN
        self.probe = exchange
        self.retry_at = self._clock() + self._trip.longest

    # What checks report.

    def passed(self) -> bool:
        """Hear that a check passed; gives whether it closed the breaker.

        An address that could not be reached comes back by checks at any time. One that was reached
        and answered wrongly comes back by checks only after its pause, because a check says little
        about what it does with requests.
        """
        self._failures = 0
        if self.state is State.CLOSED:
            return False
        self._passes += 1
        if self._passes < self._trip.passes:
            return False
        if self._is_reached and self._clock() < self.retry_at:
            return False
        self._close()
        return True

    def failed(self, *, may_eject: bool) -> bool:
        """Hear that a check failed; gives whether it opened the breaker."""
        self._passes = 0
        self._failures += 1
        if self.state is not State.CLOSED or not may_eject or self._failures < self._trip.failures:
            return False
        self.ejections += 1
        self._open(is_reached=False)
        return True

    @property
    def has_failed_check(self) -> bool:
        """Whether the last check failed."""
        return self._failures > 0

    # Its two ways.

    def _open(self, is_reached: bool) -> None:
        trip, now = self._trip, self._clock()
        if self.state is State.CLOSED and now - self._closed_at >= trip.window:
            self._level = 0
        pause = min(trip.longest, trip.pause * 2**self._level)
        pause *= 1.0 + trip.jitter * (2.0 * self._spread() - 1.0)
        self._level = min(self._level + 1, _MOST_LEVEL)
        self._is_reached = is_reached
        self._passes = 0
        self.retry_at = now + pause
        self.opened += 1
        self.probe = None
        self.is_troubled = True
        self.state = State.OPEN
        self._on_change()

    def _close(self) -> None:
        self._closed_at = self._clock()
        self._since = float("-inf")
        self._row = 0
        self._failures = 0
        self.probe = None
        self.is_troubled = False
        self.is_doubted_until = float("-inf")
        self.state = State.CLOSED
        self._on_change()
