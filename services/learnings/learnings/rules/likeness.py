"""Finding among candidates the learning that says nearly the same (learnings contract, 6.6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from services.learnings.learnings.models import Likeness, Row
from services.learnings.learnings.rules.texts import (
    DETAIL_LOOKED_AT,
    SUMMARY_LOOKED_AT,
    likeness,
    trigrams,
)

SAME_LEARNING: Final = 0.3
"""Likeness of summaries from which on a key's and an installation's learning may be one."""

COMPARISONS: Final = 200
"""Candidates that one transaction compares at most: enough for all but hostile batches."""


@dataclass(slots=True)
class Comparing:
    """Compares within a bound, and remembers what it has cut into trigrams."""

    limits: Likeness
    left: int = COMPARISONS
    _known: dict[tuple[str, int], frozenset[str]] = field(default_factory=dict)

    def closest(self, row: Row, candidates: Iterable[Row]) -> str | None:
        """Give the id of the first candidate that says nearly the same."""
        for other in candidates:
            if other.id == row.id or not (other.stands and other.is_live):
                continue
            if self.left <= 0:
                return None
            self.left -= 1
            if self._are_near(row, other):
                return other.id
        return None

    def _are_near(self, one: Row, other: Row) -> bool:
        mine, theirs = one.content, other.content
        summaries = (
            self._cut(mine.summary, SUMMARY_LOOKED_AT),
            self._cut(theirs.summary, SUMMARY_LOOKED_AT),
        )
        if likeness(*summaries) < self.limits.summary:
            return False
        details = (
            self._cut(mine.detail, DETAIL_LOOKED_AT),
            self._cut(theirs.detail, DETAIL_LOOKED_AT),
        )
        return likeness(*details) >= self.limits.detail

    def _cut(self, text: str, limit: int) -> frozenset[str]:
        key = (text[:limit], limit)
        if key not in self._known:
            self._known[key] = trigrams(text, limit)
        return self._known[key]


def may_be_one(summary: str, other: str) -> bool:
    """Tell whether two summaries are alike enough to be of one learning (section 6.2)."""
    alike = likeness(trigrams(summary, SUMMARY_LOOKED_AT), trigrams(other, SUMMARY_LOOKED_AT))
    return alike >= SAME_LEARNING
