"""Analytics on the wire, and what is kept of outcomes (runs contract, section 13)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Final, Literal

from pydantic import Field

from shared.api import Answer, Query
from shared.pagination import MOST_ITEMS, ItemLimit

WINDOW: Final = 10
"""Outcomes that flakiness is judged by: the newest."""

DURATIONS: Final = 100
"""Outcomes that percentiles are of: the newest."""

SLOWEST: Final = 10

Verdict = Literal["passed", "failed", "broken"]
State = Literal["stable", "flaky", "failing", "new"]


class AnalyticsQuery(Query):
    """``GET /api/v1/analytics``.

    Attributes:
        suite_id: of one suite; its own id.
        days: of so many days of UTC, today among them; None: the whole history.
        limit: most cases, and most points of the trend.
    """

    suite_id: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    days: Annotated[int, Field(ge=1, le=3_650)] | None = None
    limit: ItemLimit = MOST_ITEMS


class CaseFigures(Answer):
    """Figures of a case. Rates are 0 to 1; ``failed`` counts broken ones, too.

    Attributes:
        suite_id, case_id, title: of the case; the title is the newest.
        runs, passed, failed: outcomes.
        pass_rate: passed of all.
        flaky: among the newest outcomes are passes and others, or one passed when tried again.
        flake_rate: share of the newest outcomes that are not passes.
        history: the newest outcomes, newest first, at most ten.
        avg_duration_ms: of all.
        flip_rate: share of neighbours in the history that differ.
        consecutive_failures: outcomes since it passed last.
        failing_since: of the first of those.
        state: ``new`` below three outcomes; ``failing`` when it broke and stayed so; ``flaky`` when
            it went to and fro; else ``stable``.
        p50_duration_ms, p95_duration_ms: of the newest hundred.
        last_run_at: when its newest outcome was.
    """

    suite_id: str
    case_id: str
    title: str
    runs: int
    passed: int
    failed: int
    pass_rate: float
    flaky: bool
    flake_rate: float
    history: list[Verdict]
    avg_duration_ms: int
    flip_rate: float
    consecutive_failures: int
    failing_since: datetime | None
    state: State
    p50_duration_ms: int
    p95_duration_ms: int
    last_run_at: datetime


class Point(Answer):
    """A run in the trend; ``suite`` is its file, ``cases`` are those that counted."""

    run_id: str
    ts: datetime
    suite: str
    cases: int
    pass_rate: float


class Analytics(Answer):
    """The answer; ``trend`` is oldest first, ``cases`` flakiest first."""

    total_runs: int
    overall_pass_rate: float
    flaky_cases: list[CaseFigures]
    cases: list[CaseFigures]
    trend: list[Point]
    slowest_cases: list[CaseFigures]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case in a run."""

    case_id: str
    title: str
    verdict: Verdict
    is_flaky: bool
    duration_ms: int

    @property
    def is_passed(self) -> bool:
        """Whether it passed."""
        return self.verdict == "passed"


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What came of a run: of each case that counts its outcome, in the order of their ids."""

    run_id: str
    suite_id: str
    file: str
    ended_at: datetime
    outcomes: Sequence[Outcome]

    @property
    def passed(self) -> int:
        """How many cases passed."""
        return sum(one.is_passed for one in self.outcomes)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What is kept of a case: sums over all outcomes, and the newest ones, newest first."""

    case_id: str
    title: str
    runs: int
    passed: int
    total_ms: int
    recent_at: Sequence[datetime]
    recent_verdict: Sequence[Verdict]
    recent_flaky: Sequence[bool]
    durations: Sequence[int]
    consecutive_failures: int
    failing_since: datetime | None


@dataclass(frozen=True, slots=True)
class Scope:
    """What is asked for: an organization, a suite of it or all, since a day or ever."""

    org_id: str
    suite_id: str | None
    since: date | None


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over runs."""

    runs: int
    outcomes: int
    passed: int
