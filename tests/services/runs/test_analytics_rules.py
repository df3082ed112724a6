"""How figures grow with outcomes, and how they read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.runs.analytics.models import Aggregate, CaseFigures, Outcome, Verdict
from services.runs.analytics.rules import added, is_late, outcome_of, rate, shown
from services.runs.analytics.rules.showing import percentile
from tests.services.runs.reports_support import case, report

START = datetime(2026, 3, 2, tzinfo=UTC)
WORDS: dict[str, Verdict] = {"p": "passed", "f": "failed", "b": "broken", "*": "passed"}


def grown(history: str, ms: int = 100) -> Aggregate:
    """Let a case have outcomes, oldest first; ``*`` passed when tried again."""
    known: Aggregate | None = None
    for number, letter in enumerate(history):
        outcome = Outcome("pay", "Pay", WORDS[letter], letter == "*", ms + number)
        known = added(known, outcome, START + timedelta(hours=number))
    assert known is not None
    return known


def figures(history: str, since: datetime | None = None) -> CaseFigures:
    return shown("checkout", grown(history), since)


def test_the_documented_numbers_of_pass_fail_pass() -> None:
    one = figures("pfp")
    assert (one.runs, one.passed, one.failed) == (3, 2, 1)
    assert (one.pass_rate, one.flake_rate, one.flaky) == (0.6667, 0.3333, True)
    assert one.history == ["passed", "failed", "passed"]
    assert one.avg_duration_ms == 101
    long = figures("pf" * 10)
    assert (long.runs, long.pass_rate, long.flake_rate, long.flaky) == (20, 0.5, 0.5, True)
    assert long.history == ["failed", "passed"] * 5


def test_only_the_newest_ten_are_the_window() -> None:
    one = figures("f" * 5 + "p" * 10)
    assert (one.flaky, one.flake_rate) == (False, 0.0)
    assert (one.pass_rate, len(one.history)) == (0.6667, 10)


def test_a_run_that_marked_it_makes_a_case_flaky_until_it_leaves_the_window() -> None:
    marked = figures("pp*pp")
    assert (marked.flaky, marked.flake_rate, marked.state) == (True, 0.0, "flaky")
    assert figures("*" + "p" * 10).flaky is False


@pytest.mark.parametrize(
    ("history", "state", "flip_rate", "failures"),
    [
        ("p", "new", 0.0, 0),
        ("ff", "new", 0.0, 2),
        ("ppp", "stable", 0.0, 0),
        ("fff", "failing", 0.0, 3),
        ("bbb", "failing", 0.0, 3),
        ("pfp", "flaky", 1.0, 0),
        ("pfpfpfpfpf", "flaky", 1.0, 1),
        # Nine failures after a pass are no flake, and neither is the first pass after them.
        ("p" + "f" * 9, "failing", 0.1111, 9),
        ("f" * 9 + "p", "failing", 0.1111, 0),
        # It broke just now; it was mended a while ago.
        ("p" * 9 + "f", "failing", 0.1111, 1),
        ("f" * 5 + "p" * 5, "stable", 0.1111, 0),
        ("p" * 5 + "f" + "p" * 4, "flaky", 0.2222, 0),
    ],
)
def test_states(history: str, state: str, flip_rate: float, failures: int) -> None:
    one = figures(history)
    assert (one.state, one.flip_rate, one.consecutive_failures) == (state, flip_rate, failures)


def test_nine_failures_and_a_pass_keep_the_documented_numbers() -> None:
    one = figures("p" + "f" * 9)
    assert (one.flaky, one.flake_rate, one.pass_rate) == (True, 0.9, 0.1)
    assert one.failing_since == START + timedelta(hours=1)
    assert figures("f" * 9 + "p").failing_since is None


def test_failures_are_counted_beyond_the_window() -> None:
    one = figures("p" + "f" * 250)
    assert (one.consecutive_failures, len(one.history)) == (250, 10)
    assert one.failing_since == START + timedelta(hours=1)
    assert len(grown("p" * 250).durations) == 100


def test_percentiles_are_of_the_newest_hundred() -> None:
    assert (percentile([], 50), percentile([7], 95)) == (0, 7)
    assert percentile(list(range(1, 101)), 95) == 95
    assert percentile([1, 2, 3], 50) == 2
    one = shown("checkout", grown("p" * 200, ms=0), None)
    assert (one.p50_duration_ms, one.p95_duration_ms) == (149, 194)


def test_what_was_before_the_days_asked_for_stands_in_no_history() -> None:
    one = figures("ffffpp", since=START + timedelta(hours=4))
    assert (one.history, one.flaky, one.flake_rate) == (["passed"] * 2, False, 0.0)
    assert one.state == "new"


def test_an_outcome_that_is_older_than_the_newest_is_late() -> None:
    known = grown("pp")
    assert is_late(known, START)
    assert not is_late(known, START + timedelta(hours=1))
    assert not is_late(None, START)


def test_rates_of_nothing_are_nothing() -> None:
    assert rate(0, 0) == 0.0


def test_skipped_and_unfinished_cases_do_not_count() -> None:
    said = report(
        case("b", "passed"),
        case("a", "broken"),
        case("skipped", "skipped"),
        case("under-way", verdict=None),  # type: ignore[arg-type]
        case("b"),
        {"id": 3},
        {"id": "x" * 500, "verdict": "passed"},
        "none",  # type: ignore[arg-type]
    )
    found = outcome_of(said)
    assert found is not None
    assert [(one.case_id, one.verdict) for one in found.outcomes] == [
        ("a", "broken"),
        ("b", "passed"),
    ]
    assert found.passed == 1
    assert found.ended_at == datetime(2026, 3, 2, 10, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "cancelled"},
        {"status": "interrupted"},
        {"status": "running"},
        {"cases": []},
        {"cases": None},
        {"suite_id": ""},
        {"run_id": None},
        {"cases": [case(verdict="skipped")]},
    ],
)
def test_a_run_that_says_nothing_of_a_case_is_none(fields: dict[str, Any]) -> None:
    assert outcome_of(report(case()) | fields) is None


@pytest.mark.parametrize("finished", [None, "soon", 3, "0001-01-01T00:00:00+14:00"])
def test_a_time_that_cannot_be_read_is_now(finished: object) -> None:
    found = outcome_of(report(case(duration_ms=-5), finished_at=finished))
    assert found is not None
    assert datetime.now(UTC) - found.ended_at < timedelta(minutes=1)
    assert found.outcomes[0].duration_ms == 0
