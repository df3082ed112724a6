"""How a case's figures read (contract 13), and in which state it is.

``flaky``, ``flake_rate`` and ``pass_rate`` have their documented numbers. ``state`` tells apart
what those mix up: a case that broke once and stayed broken changed its mind once; a flaky one went
there and came back, so it changed its mind at least twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final

from services.runs.analytics.models import Aggregate, CaseFigures, State, Verdict

NEW: Final = 3
"""Outcomes below which nothing can be said."""

TO_AND_FRO: Final = 2
"""Changes of mind from which on a case is flaky."""

_DIGITS: Final = 4


def rate(part: int, whole: int) -> float:
    """Give a share, 0 to 1; 0 of nothing."""
    return round(part / whole, _DIGITS) if whole else 0.0


def shown(suite_id: str, case: Aggregate, since: datetime | None) -> CaseFigures:
    """Show a case.

    Args:
        suite_id: of its suite.
        case: its sums, which are of the days asked for, and its newest outcomes.
        since: what was before stands in no history.
    """
    count = sum(since is None or at >= since for at in case.recent_at)
    history = list(case.recent_verdict[:count])
    marked = any(case.recent_flaky[:count])
    bad = sum(verdict != "passed" for verdict in history)
    flips = flips_of(history)
    durations = sorted(case.durations)
    # Nothing to validate: it was when it was counted, and there are hundreds to an answer.
    return CaseFigures.model_construct(
        suite_id=suite_id,
        case_id=case.case_id,
        title=case.title,
        runs=case.runs,
        passed=case.passed,
        failed=case.runs - case.passed,
        pass_rate=rate(case.passed, case.runs),
        flaky=0 < bad < count or marked,
        flake_rate=rate(bad, count),
        history=history,
        avg_duration_ms=round(case.total_ms / case.runs) if case.runs else 0,
        flip_rate=rate(flips, count - 1),
        consecutive_failures=case.consecutive_failures,
        failing_since=case.failing_since,
        state=state_of(history, marked),
        p50_duration_ms=percentile(durations, 50),
        p95_duration_ms=percentile(durations, 95),
        last_run_at=case.recent_at[0],
    )


def flips_of(history: Sequence[Verdict]) -> int:
    """Count how often a case changed its mind between passing and not."""
    passes = [verdict == "passed" for verdict in history]
    return sum(one != other for one, other in pairwise(passes))


def state_of(history: Sequence[Verdict], marked: bool) -> State:
    """Name the state that a history, newest first, shows.

    One change of mind is no flake: either the case broke, or it was mended, which is believed once
    it passed as often as it failed before.
    """
    if len(history) < NEW:
        return "new"
    flips = flips_of(history)
    if flips >= TO_AND_FRO:
        return "flaky"
    bad = sum(verdict != "passed" for verdict in history)
    if history[0] != "passed" or bad * 2 > len(history):
        return "failing"
    return "flaky" if marked else "stable"


def percentile(ordered: Sequence[int], share: int) -> int:
    """Give the nearest-rank percentile of values in ascending order; 0 of nothing."""
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)] if ordered else 0
