"""What workers count."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

HELD = Gauge("guildhall_runs_held", "Runs that this process executes.")
ENDED = Counter("guildhall_runs_ended", "Runs that ended here, by how.", ["status"])
SECONDS = Histogram(
    "guildhall_runs_seconds",
    "Seconds from the beginning of a run to its end.",
    buckets=(1, 3, 10, 30, 60, 120, 300, 600, 1800, 3600),
)
