"""The log of denied requests: a stable reason and the row, never the path, bounded in number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from shared.errors import Internal, ServiceError
from shared.log import get_logger

PER_SECOND: Final = 20
"""Lines a second; the rest is counted and said in one line, so that a flood does not fill disks."""

log = get_logger()


class Denials:
    """Writes the log.

    Args:
        clock: seconds, only going forward.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since = clock()
        self._written = 0
        self._left_out = 0

    def note(self, error: ServiceError, reason: str, row: str) -> None:
        """Note a request that the gateway answered with an error of its own."""
        now = self._clock()
        if now - self._since >= 1.0:
            if self._left_out:
                log.info("requests denied, not listed", count=self._left_out)
            self._since, self._written, self._left_out = now, 0, 0
        if self._written >= PER_SECOND:
            self._left_out += 1
            return
        self._written += 1
        say = log.warning if error.status >= Internal.status else log.info
        say("request denied", status=error.status, reason=reason, row=row)
