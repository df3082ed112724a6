"""How often requests may be sent again: a share of the recent ones, so that trouble cannot grow.

Without it every request of a bad minute would come twice, just when services can bear it least.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_MARKS: Final = 10
"""Into how many pieces a window is cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """What is allowed within any window: ``minimum + share * requests``.

    Attributes:
        share: of the requests of a window.
        minimum: that an idle gateway may send again, too.
        window: seconds.
    """

    share: float = 0.1
    minimum: int = 10
    window: float = 10.0


class RetryBudget:
    """The budget of one service, over all its addresses.

    Args:
        allowed: how much.
        clock: seconds, only going forward.

    Attributes:
        spent: requests sent again so far.
        exhausted: how often one was not, for want of budget.
    """

    def __init__(self, allowed: Retries, clock: Callable[[], float]) -> None:
        self._allowed = allowed
        self._clock = clock
        self._marks: deque[tuple[float, int, int]] = deque()
        self.spent = 0
        self.exhausted = 0

    def note(self, requests: int) -> None:
        """Note how many requests there have been; call it several times in a window."""
        now, marks = self._clock(), self._marks
        if not marks or now - marks[-1][0] >= self._allowed.window / _MARKS:
            marks.append((now, requests, self.spent))
        # The first mark is the last one that is as old as the window or older.
        while len(marks) > 1 and marks[1][0] <= now - self._allowed.window:
            marks.popleft()

    def take(self, requests: int) -> bool:
        """Spend one retry if the window has one left.

        Args:
            requests: how many there have been.
        """
        self.note(requests)
        _, requests_before, spent_before = self._marks[0]
        allowed = self._allowed.minimum + self._allowed.share * (requests - requests_before)
        if self.spent - spent_before + 1 > allowed:
            self.exhausted += 1
            return False
        self.spent += 1
        return True
