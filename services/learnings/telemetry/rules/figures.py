"""Figures from sums and histograms."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

from services.learnings.telemetry.models import DayFigures, Summary, ToolFigures, Totals


def rate(errors: int, ended: int) -> float:
    """Give the share of errors; 0 where nothing ended."""
    return round(errors / ended, 6) if ended else 0.0


def percentile(histogram: Mapping[int, int], share: float) -> float | None:
    """Estimate the duration in ms below which a share of the calls stayed.

    Args:
        histogram: calls by step; step 0 is below 1 ms, step n from ``2 ** ((n - 1) / 2)`` on.
        share: such as 0.95.
    """
    total = sum(histogram.values())
    if not total:
        return None
    wanted, below = share * total, 0
    for step in sorted(histogram):
        count = histogram[step]
        if below + count >= wanted:
            part = (wanted - below) / count
            value = part if step == 0 else float(2 ** ((step - 1 + part) / 2))
            return round(value, 3)
        below += count
    raise AssertionError("a share is at most 1")


def summary_of(found: Mapping[str, Any], first: date, last: date) -> Summary:
    """Make the answer of what the database counted."""
    days = {row["day"]: row for row in found["days"]}
    total = Counter[str]()
    for row in days.values():
        total.update({name: row[name] or 0 for name in (*_SUMS, "ended")})
    return Summary(
        first_day=first.isoformat(),
        last_day=last.isoformat(),
        totals=Totals(
            events=total["events"],
            errors=total["errors"],
            error_rate=rate(total["errors"], total["ended"]),
            active_installations=found["installations"],
            sessions=sum(found["sessions"].values()),
            input_tokens=total["input_tokens"],
            output_tokens=total["output_tokens"],
            cost_usd=sum(row["cost_usd"] for row in days.values()),
        ),
        tools=_tools(found),
        by_day=[
            _day(found, days, first + timedelta(days=number))
            for number in range((last - first).days + 1)
        ],
    )


_SUMS: Final = ("events", "calls", "errors", "input_tokens", "output_tokens")


def _day(found: Mapping[str, Any], days: Mapping[str, Any], day: date) -> DayFigures:
    name = day.isoformat()
    row = days.get(name, {})
    return DayFigures(
        day=name,
        **{field: row.get(field) or 0 for field in (*_SUMS, "cost_usd")},
        active_installations=found["present"].get(name, 0),
        sessions=found["sessions"].get(name, 0),
    )


def _tools(found: Mapping[str, Any]) -> list[ToolFigures]:
    histograms: dict[str, dict[int, int]] = defaultdict(dict)
    for row in found["steps"]:
        histograms[row["tool_name"]][row["step"]] = row["count"]
    return [
        ToolFigures(
            tool=row["tool_name"],
            calls=row["calls"],
            errors=row["errors"] or 0,
            error_rate=rate(row["errors"] or 0, row["ended"] or 0),
            mean_duration_ms=round(row["duration_ms"] / row["timed"], 3) if row["timed"] else None,
            p50_duration_ms=percentile(histograms[row["tool_name"]], 0.5),
            p95_duration_ms=percentile(histograms[row["tool_name"]], 0.95),
        )
        for row in found["tools"]
    ]
