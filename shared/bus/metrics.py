"""What the bus counts, in the process's default Prometheus registry."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

PUBLISHED = Counter(
    "guildhall_bus_published_total", "Events the relay has published", ["publisher", "kind"]
)
HANDLED = Counter(
    "guildhall_bus_handled_total", "Events whose effect is committed", ["service", "consumer"]
)
RETRIED = Counter(
    "guildhall_bus_retried_total",
    "Attempts that failed and will be made again",
    ["service", "consumer"],
)
PARKED = Counter("guildhall_bus_parked_total", "Events given up on", ["service", "consumer"])
DURATION = Histogram(
    "guildhall_bus_handling_seconds",
    "Time a handler took, its transaction included",
    ["service", "consumer"],
)
OUTBOX_DEPTH = Gauge(
    "guildhall_bus_outbox_depth", "Events not yet published, counted up to 10,000", ["publisher"]
)
PARKED_NOW = Gauge(
    "guildhall_bus_parked_waiting",
    "Events parked and waiting for a person, up to 10,000",
    ["service"],
)
