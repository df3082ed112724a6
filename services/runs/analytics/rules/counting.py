"""What counts of a report, and how a case's figures grow with an outcome (contract 13)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from services.runs.analytics.models import DURATIONS, WINDOW, Aggregate, Outcome, RunOutcome

COUNTED: Final = ("passed", "failed", "broken")
"""Verdicts of cases, and states of runs, that count; the others say nothing of a case."""

MOST_CASES: Final = 1_000

LONGEST_ID: Final = 210
"""Characters of a suite's or case's id: what a suite allows, and the row of its data."""

LONGEST_TITLE: Final = 1_000
LONGEST_MS: Final = 86_400_000


def outcome_of(report: Mapping[str, Any]) -> RunOutcome | None:
    """Read what counts out of a report (contract 8.3); None where nothing does.

    Of a case that was tried several times the last verdict counts, and that it was flaky.
    """
    suite_id, run_id = _text(report.get("suite_id")), _text(report.get("run_id"))
    if report.get("status") not in COUNTED or not 0 < len(suite_id) <= LONGEST_ID or not run_id:
        return None
    outcomes: dict[str, Outcome] = {}
    for case in list(report.get("cases") or ())[:MOST_CASES]:
        one = _outcome(case)
        if one is not None:
            outcomes.setdefault(one.case_id, one)
    if not outcomes:
        return None
    return RunOutcome(
        run_id=run_id,
        suite_id=suite_id,
        file=_text(report.get("file")),
        ended_at=_time(report.get("finished_at")),
        outcomes=[outcomes[case_id] for case_id in sorted(outcomes)],
    )


def _outcome(case: object) -> Outcome | None:
    if not isinstance(case, Mapping):
        return None
    case_id, verdict = _text(case.get("id")), case.get("verdict")
    if verdict not in COUNTED or not 0 < len(case_id) <= LONGEST_ID:
        return None
    took = case.get("duration_ms")
    return Outcome(
        case_id=case_id,
        title=(_text(case.get("title")) or case_id)[:LONGEST_TITLE],
        verdict=verdict,
        is_flaky=case.get("flaky") is True,
        duration_ms=min(max(int(took), 0), LONGEST_MS) if isinstance(took, int) else 0,
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        return ""
    return value.replace("\0", "").encode("utf-8", "replace").decode()


def _time(value: object) -> datetime:
    """Read a time; now where there is none, because the run ends now."""
    try:
        read = datetime.fromisoformat(str(value))
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return datetime.now(UTC)


def is_late(known: Aggregate | None, ended_at: datetime) -> bool:
    """Tell whether a newer outcome is known, so that this one does not stand at the front."""
    return known is not None and bool(known.recent_at) and ended_at < known.recent_at[0]


def added(known: Aggregate | None, outcome: Outcome, ended_at: datetime) -> Aggregate:
    """Give a case's figures with one more outcome, the newest.

    The sums are right for an outcome that came late, too; what is recent is not.
    """
    before = known or Aggregate(outcome.case_id, "", 0, 0, 0, (), (), (), (), 0, None)
    failures = 0 if outcome.is_passed else before.consecutive_failures + 1
    return Aggregate(
        case_id=outcome.case_id,
        title=outcome.title,
        runs=before.runs + 1,
        passed=before.passed + outcome.is_passed,
        total_ms=before.total_ms + outcome.duration_ms,
        recent_at=[ended_at, *before.recent_at][:WINDOW],
        recent_verdict=[outcome.verdict, *before.recent_verdict][:WINDOW],
        recent_flaky=[outcome.is_flaky, *before.recent_flaky][:WINDOW],
        durations=[outcome.duration_ms, *before.durations][:DURATIONS],
        consecutive_failures=failures,
        failing_since=None if outcome.is_passed else before.failing_since or ended_at,
    )
