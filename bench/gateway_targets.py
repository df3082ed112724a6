"""What the gateway is meant to reach, beside what was seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.gateway_bodies import Carried
from bench.gateway_idle import SOCKET, Held
from bench.gateway_requests import ENVOY_CHECKS, HAPROXY_CHECKS, Result
from bench.load_bodies import DIRECTIONS
from bench.table import Table, number

OURS: Final = "Guildhall"
JWT: Final = f"{OURS}, JWT cached"
API_KEY: Final = f"{OURS}, API key cached"
NEW_PATHS: Final = f"{OURS}, JWT cached, each path new"
FIRST_SIGHT: Final = f"{OURS}, JWT at first sight"
NEW_SESSIONS: Final = f"{OURS}, JWT and session at first sight"
HAPROXY: Final = "HAProxy"

MEASURE_OF_MACHINE: Final = 18.0
"""Microseconds of HAProxy with checks where the targets in microseconds were set."""


@dataclass
class Figures:
    """All that a run has seen; empty where it did not look.

    Attributes:
        requests: small requests.
        bodies: large bodies.
        held: idle connections.
        idle: bytes of memory of each proxy that has done nothing.
    """

    requests: Sequence[Result] = ()
    bodies: Sequence[Carried] = ()
    held: Sequence[Held] = ()
    idle: dict[str, int] | None = None

    def request(self, name: str) -> Result | None:
        """Find a row of the small requests."""
        return next((one for one in self.requests if one.name == name), None)

    def rate(self, name: str, direction: str) -> float | None:
        """Find megabytes a second."""
        found = (one for one in self.bodies if (one.name, one.direction) == (name, direction))
        return next((one.rate for one in found), None)


def table(figures: Figures) -> Table:
    """Draw the targets beside the figures."""
    drawn = Table(
        ("measure", "target", "stretch", "seen", f"at HAProxy's {MEASURE_OF_MACHINE:.0f} us")
    )
    drawn.rows += _processor_time(figures)
    drawn.rows += _latency(figures)
    drawn.rows += _bodies(figures)
    drawn.rows += _memory(figures)
    return drawn


_COSTS: Final = (
    (JWT, "25", "18"),
    (NEW_PATHS, "25", "18"),
    (API_KEY, "27", "-"),
    (FIRST_SIGHT, "75", "-"),
    (NEW_SESSIONS, "-", "-"),
)


def _processor_time(figures: Figures) -> list[Sequence[str]]:
    haproxy = figures.request(HAPROXY_CHECKS)
    scale = MEASURE_OF_MACHINE / haproxy.cost if haproxy else None
    rows: list[Sequence[str]] = []
    for name, target, stretch in _COSTS:
        seen = figures.request(name)
        cost = seen.cost if seen else None
        scaled = cost * scale if cost and scale else None
        what = f"us a request: {name.removeprefix(OURS + ', ')}"
        rows.append(
            (
                what,
                target if target == "-" else f"<= {target}",
                stretch,
                number(cost, 1),
                number(scaled, 1),
            )
        )
    ours, envoy = figures.request(JWT), figures.request(ENVOY_CHECKS)
    seen_ratio = ours.cost / envoy.cost if ours and envoy else None
    rows.append(("times Envoy, the same checks", "<= 0.50", "-", number(seen_ratio, 2), ""))
    return rows


def _latency(figures: Figures) -> list[Sequence[str]]:
    ours, haproxy = figures.request(JWT), figures.request(HAPROXY_CHECKS)
    seen = ours.p99 / haproxy.p99 if ours and haproxy else None
    return [("p99, times HAProxy", "<= 2.00", "1.30", number(seen, 2), "")]


def _bodies(figures: Figures) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = []
    for direction in DIRECTIONS:
        ours, haproxy = figures.rate(OURS, direction), figures.rate(HAPROXY, direction)
        seen = ours / haproxy if ours and haproxy else None
        what = f"10 MB {direction}, throughput, times HAProxy"
        rows.append((what, ">= 0.70", "-", number(seen, 2), ""))
    growth = max((one.growth for one in figures.bodies if one.name == OURS), default=None)
    rows.append(("10 MB, memory at the peak, MB more", "flat", "-", number(growth, 1), ""))
    return rows


def _memory(figures: Figures) -> list[Sequence[str]]:
    socket = next((o.each for o in figures.held if (o.name, o.kind) == (OURS, SOCKET)), None)
    idle = (figures.idle or {}).get(OURS)
    megabytes = idle / 1e6 if idle else None
    return [
        ("KiB an idle WebSocket, both legs", "<= 40", "-", number(socket, 1), ""),
        ("MB resident, idle", "<= 60", "-", number(megabytes), ""),
    ]
