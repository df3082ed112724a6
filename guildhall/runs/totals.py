"""From reports to an exit status (runs contract, section 14). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from guildhall.runs.exits import Exit
from guildhall.runs.models import Outcome
from services.runs.engine import evidence

_CUT_SHORT: Final = frozenset({"cancelled", "interrupted"})


@dataclass(frozen=True, slots=True)
class Totals:
    """How many cases came to what."""

    passed: int = 0
    failed: int = 0
    broken: int = 0
    skipped: int = 0

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            self.passed + other.passed,
            self.failed + other.failed,
            self.broken + other.broken,
            self.skipped + other.skipped,
        )

    def __str__(self) -> str:
        return (
            f"{self.passed} passed, {self.failed} failed, {self.broken} broken, "
            f"{self.skipped} skipped"
        )


def totals_of(outcome: Outcome) -> Totals:
    """Count the cases of a run.

    Cases without a verdict are broken. So is the run itself, as one more case, where it was cut
    short or proved nothing and no case says so: nothing that was not observed is a pass.
    """
    try:
        counted = evidence.read(outcome.report).summary
    except ValueError:
        return Totals(broken=1)
    passed, failed, skipped = counted.passed, counted.failed, counted.skipped
    left = max(0, counted.total - passed - failed - counted.broken - skipped)
    broken = counted.broken + left
    proves_nothing = not (passed or failed)
    if not broken and (outcome.status in (*_CUT_SHORT, "broken") or proves_nothing):
        broken = 1
    return Totals(passed, failed, broken, skipped)


def total(outcomes: Iterable[Outcome]) -> Totals:
    """Count the cases of several runs."""
    return sum(map(totals_of, outcomes), Totals())


def exit_of(totals: Totals) -> Exit:
    """Give the exit status: broken outranks failed, and nothing at all is no pass."""
    if totals.broken:
        return Exit.BROKEN
    if totals.failed:
        return Exit.FAILED
    return Exit.PASSED if totals.passed else Exit.BROKEN


def output_line(totals: Totals) -> str:
    """Give the line that CI jobs read."""
    return (
        f"::tripwire-output:: passed={totals.passed} failed={totals.failed} "
        f"broken={totals.broken} skipped={totals.skipped}"
    )
