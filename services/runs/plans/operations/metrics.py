"""What the scheduler counts."""

from __future__ import annotations

from prometheus_client import Counter

BOUNDARIES = Counter(
    "guildhall_runs_plan_boundaries",
    "Boundaries of plans' schedules that this process saw to: fired, late (skipped), full "
    "(skipped, because too many runs of the plan have not ended) or failed.",
    ["outcome"],
)
