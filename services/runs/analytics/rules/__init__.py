"""What counts of a report, how figures grow with it, and how they are shown."""

from __future__ import annotations

from services.runs.analytics.rules.counting import added, is_late, outcome_of
from services.runs.analytics.rules.showing import rate, shown

__all__ = ("added", "is_late", "outcome_of", "rate", "shown")
