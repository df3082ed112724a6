"""When a model service is asked again, and what its refusals mean to the session's people."""

from __future__ import annotations

import datetime
import re
from email.utils import parsedate_to_datetime
from typing import Final

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 8.0
"""Between two requests, where the service does not say how long to wait."""

_SECONDS: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,3})?")


def is_worth_repeating(status: int) -> bool:
    """Tell whether the same request may fare better a little later."""
    return status in (408, 429) or status >= 500


def pause_before(attempt: int, retry_after: str, now: datetime.datetime) -> float:
    """Give the seconds to wait before a request is repeated.

    Args:
        attempt: how often it was repeated before.
        retry_after: the header of that name (RFC 9110, section 10.2.3), or empty.
        now: in UTC.
    """
    own = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * (1 << min(attempt, 10)))
    text = retry_after.strip()
    if _SECONDS.fullmatch(text):
        return max(own, float(text))
    try:
        then = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return own
    if then.tzinfo is None:
        then = then.replace(tzinfo=datetime.UTC)
    return max(own, (then - now).total_seconds())


def reason_of(status: int) -> str:
    """Say what a status other than success means, to the session's people."""
    if 300 <= status < 400:
        return "The model service sent us elsewhere, where we do not follow."
    if status in (401, 403):
        return "The model service did not accept our key; an operator must look at its settings."
    if status == 404:
        return "The model service does not know this agent's model."
    if status == 429:
        return "The model service is busy; try again later."
    if status >= 500 or status == 408:
        return "The model service has trouble; try again later."
    return "The model service did not take the question; it may be too long for this agent's model."
