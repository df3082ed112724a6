"""The exit status of ``guildhall runs run`` (runs contract, section 14)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guildhall.runs.exits import Exit
from guildhall.runs.totals import Totals, exit_of, output_line, total, totals_of
from tests.guildhall.runs_support import outcome, suite_file

COUNTS = st.integers(0, 5)
COUNTED = st.fixed_dictionaries(
    {"passed": COUNTS, "failed": COUNTS, "broken": COUNTS, "skipped": COUNTS}
)
SUITE = suite_file()


def status_of(counts: dict[str, int]) -> str:
    """Give a run's status as the engine does: nothing that was not observed is a pass."""
    if counts["broken"] or not (counts["passed"] or counts["failed"]):
        return "broken"
    return "failed" if counts["failed"] else "passed"


@given(st.lists(COUNTED, min_size=1, max_size=4))
def test_the_worst_of_all_cases_decides(runs: list[dict[str, int]]) -> None:
    ended = [outcome(status_of(one), one, suite=SUITE) for one in runs]
    expected = Exit.PASSED
    if any(one["failed"] for one in runs):
        expected = Exit.FAILED
    if any(status_of(one) == "broken" for one in runs):
        expected = Exit.BROKEN
    totals = total(ended)
    assert exit_of(totals) == expected
    assert (totals.passed, totals.failed) == tuple(
        sum(one[word] for one in runs) for word in ("passed", "failed")
    )
    numbers = re.fullmatch(
        r"::tripwire-output:: passed=(\d+) failed=(\d+) broken=(\d+) skipped=(\d+)",
        output_line(totals),
    )
    assert numbers is not None
    # Whoever reads the line only comes to the same verdict.
    assert exit_of(Totals(*map(int, numbers.groups()))) == expected


@given(COUNTED, st.integers(0, 9), st.sampled_from(["cancelled", "interrupted"]))
def test_what_was_cut_short_is_never_a_pass(counts: dict[str, int], left: int, status: str) -> None:
    ended = outcome(status, counts, suite=SUITE, left=left)
    assert totals_of(ended).broken >= max(1, left)
    assert exit_of(totals_of(ended)) == Exit.BROKEN


def test_a_report_that_is_none_is_broken() -> None:
    ended = outcome("passed", {"passed": 1}, suite=SUITE)
    assert exit_of(totals_of(ended)) == Exit.PASSED
    for report in ({}, {"run_id": 1}, {**ended.report, "summary": "fine"}):
        wrong = type(ended)(SUITE, "passed", report)
        assert exit_of(totals_of(wrong)) == Exit.BROKEN


@pytest.mark.parametrize("totals", [Totals(), Totals(skipped=3)])
def test_nothing_observed_is_no_pass(totals: Totals) -> None:
    assert exit_of(totals) == Exit.BROKEN
