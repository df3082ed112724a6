"""What the worker counts."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

HELD = Gauge("guildhall_agents_sessions_held", "Sessions that this process works on.")
TURNS = Counter("guildhall_agents_turns", "Turns that ended, by the role of the reply.", ["role"])
SECONDS = Histogram(
    "guildhall_agents_turn_seconds",
    "Seconds from the beginning of a turn to its answer, before it is written down.",
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 120),
)
