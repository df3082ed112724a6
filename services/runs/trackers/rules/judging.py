"""What follows from a tracker's answer, or from there being none."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from services.runs.trackers.models import NAMES, Kind, Outcome, TrackerFailed
from shared.fetch import NO_ADDRESS, NOT_ALLOWED

DELAYS: Final = (10.0, 60.0, 300.0, 900.0, 3600.0, 7200.0, 14_400.0, 28_800.0)
"""Seconds before the second and each later attempt: nine attempts over some fifteen hours."""

RARE_DELAYS: Final = (3600.0, 21_600.0, 86_400.0)
"""The same where somebody has to change a setting or a right first."""

JITTER: Final = 0.2
"""Share by which a delay may be longer, so that what failed at once is not retried at once."""

LONGEST_WAIT: Final = 86_400.0
RATE_WAIT: Final = 60.0
"""Seconds to wait where a limit was met and nobody said for how long."""

_SETUP: Final = {
    401: "the credentials are not valid",
    403: "the credentials do not allow it",
    404: "the project does not exist, or the credentials do not allow to see it",
    410: "issues are switched off there",
}


def failure_of_fetch(provider: str, reason: str, *, changes: bool) -> TrackerFailed:
    """Say what follows where there was no answer.

    Args:
        provider: who was asked.
        reason: of ``FetchFailed``.
        changes: whether it was asked to change something.
    """
    if reason in (NOT_ALLOWED, NO_ADDRESS):
        # Of the host that is configured: a name that resolves inwards, or none at all.
        return TrackerFailed(
            f"{NAMES[provider]}: its address may not be reached; GUILDHALL_URL_ALLOW "
            "(or TRIPWIRE_URL_ALLOW) can list its host",
            Kind.SETUP,
            is_for_all=True,
        )
    return TrackerFailed(
        f"{NAMES[provider]} could not be reached: {reason}",
        Kind.LATER,
        is_unheard=changes,
        is_for_all=True,
    )


def failure_of_answer(
    provider: str, status: int, retry_after: str, beginning: bytes, *, changes: bool
) -> TrackerFailed | None:
    """Say what follows from an answer; None where it is a success.

    Args:
        provider: who answered.
        status: of the answer.
        retry_after: the header of that name, or empty.
        beginning: of the body; looked at, and never repeated.
        changes: whether it was asked to change something.
    """
    if 200 <= status < 300:
        return None
    name, later = NAMES[provider], seconds_to_wait(retry_after)
    is_limit = status == 403 and (later > 0 or b"rate limit" in beginning.lower())
    if status == 429 or is_limit:
        reason, wait = f"{name} answered {status}: too many requests", later or RATE_WAIT
        return TrackerFailed(reason, Kind.LATER, wait, is_for_all=True)
    if status >= 500 or status == 408:
        reason = f"{name} answered {status}"
        return TrackerFailed(reason, Kind.LATER, later, is_unheard=changes, is_for_all=True)
    if status in _SETUP:
        # 403 and 404 may be of one issue alone, such as one whose conversation is locked.
        reason = f"{name} answered {status}: {_SETUP[status]}"
        return TrackerFailed(reason, Kind.SETUP, is_for_all=status == 401)
    if 300 <= status < 400:
        why = "it has moved, set its new name or address"
        return TrackerFailed(f"{name} answered {status}: {why}", Kind.SETUP)
    return TrackerFailed(f"{name} answered {status}: it does not take this issue", Kind.FINAL)


def outcome_of_failure(attempt: int, failed: TrackerFailed) -> Outcome:
    """Say whether and when a filing is tried again.

    Args:
        attempt: that failed, from 1.
        failed: why.
    """
    delays = RARE_DELAYS if failed.kind is Kind.SETUP else DELAYS
    if failed.kind is Kind.FINAL or attempt > len(delays):
        return Outcome(failed.reason)
    delay = delays[attempt - 1] * random.uniform(1, 1 + JITTER)  # noqa: S311 - spreads load
    return Outcome(failed.reason, max(delay, failed.later_s), is_for_all=failed.is_for_all)


def seconds_to_wait(text: str) -> float:
    """Read ``Retry-After``: seconds, or a date; what is neither asks for nothing."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return 0.0
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return min(max((until - datetime.now(UTC)).total_seconds(), 0.0), LONGEST_WAIT)
