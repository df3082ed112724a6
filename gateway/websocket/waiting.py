"""Those who wait for a service that is away, and how they come to it when it is back.

One of them asks, then after a pause the next, so that a service that is away is asked four times
a second however many wait. Once one is answered two may ask, then four, up to ``MOST`` at a time:
a service that has just started is not met by all of them at once. Who comes meanwhile stands in
line, or they would be that crowd. A breaker is respected: while it is open, asking costs nothing,
and the checks of health close it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway.websocket.knocking import Knock

PAUSE: Final = 0.25
"""Seconds after which the next may ask."""

MOST: Final = 64
"""Who may ask at a time."""

_JITTER: Final = 0.2


class WaitingRoom:
    """Who waits for one service.

    Args:
        loop: that serves them.
        spread: gives numbers in [0, 1), so that gateways do not ask in step.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, spread: Callable[[], float] = random.random
    ) -> None:
        self._loop = loop
        self._spread = spread
        self._waiting: dict[Knock, None] = {}
        self._asking: set[Knock] = set()
        self._most = 1
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_occupied(self) -> bool:
        """Whether somebody waits."""
        return bool(self._waiting)

    def holds(self, knock: Knock) -> bool:
        """Tell whether somebody waits, and is not asking just now."""
        return knock in self._waiting

    def enter(self, knock: Knock) -> None:
        """Stand in line."""
        self._waiting[knock] = None
        if self._timer is None:
            self._rest()

    def refused(self, knock: Knock) -> None:
        """Hear that somebody asked in vain, and waits from now on."""
        self._asking.discard(knock)
        self._most = 1
        self.enter(knock)

    def answered(self, knock: Knock) -> None:
        """Hear that the service answered somebody, whatever it was."""
        self._asking.discard(knock)
        if self._waiting:
            self._most = min(2 * self._most, MOST)
            self._send(self._most - len(self._asking))

    def leave(self, knock: Knock) -> None:
        """Hear that somebody waits no more."""
        self._waiting.pop(knock, None)
        self._asking.discard(knock)
        if not self._waiting and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rest(self) -> None:
        pause = PAUSE * (1.0 + _JITTER * (2.0 * self._spread() - 1.0))
        self._timer = self._loop.call_later(pause, self._next)

    def _next(self) -> None:
        """Let one ask in any case: an address that answers nobody must not hold up the others."""
        self._send(max(1, self._most - len(self._asking)))
        self._timer = None
        if self._waiting:
            self._rest()

    def _send(self, number: int) -> None:
        number = max(0, min(number, MOST - len(self._asking)))
        for knock in tuple(islice(self._waiting, number)):
            del self._waiting[knock]
            self._asking.add(knock)
            knock.ask()
