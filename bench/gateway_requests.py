"""Small requests through each proxy in turn: processor time a request, rate, and latency."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from bench.load import Load, Requests, run
from bench.process import Cpu, cpu
from bench.table import Table, number, ratio

Making = Callable[[int, int], Requests]
"""Makes the requests of a turn: its number, where 0 warms up, and how many it needs at most."""

HAPROXY_CHECKS: Final = "HAProxy, checks"
ENVOY_CHECKS: Final = "Envoy, checks"

WARM_UP: Final = 4_000
"""Requests that the warm-up of one second needs at most, where each must be new."""

MARGIN: Final = 3.0
"""By how much a turn may be faster than those before it."""


@dataclass
class Candidate:
    """Something that is measured: a proxy, and the requests it is asked.

    Attributes:
        name: its row in the table.
        pid: whose processor time is counted, with that of its children.
        port: where it listens on 127.0.0.1.
        requests: those of each turn.
        turns: what the turns so far gave.
        warming: seconds of load before the first turn.
        fastest: requests a second, the most so far.
    """

    name: str
    pid: int
    port: int
    requests: Making
    turns: list[Turn] = field(default_factory=list)
    warming: int = 1
    fastest: float = 0.0

    def warm_up(self, connections: int) -> None:
        """Run until it is warm, and see how fast it is."""
        load = run(self.port, self.requests(0, WARM_UP), self.warming, connections)
        self.fastest = load.requests / load.seconds

    def take_turn(self, number: int, seconds: int, connections: int) -> None:
        """Measure once."""
        asked = self.requests(number, round(self.fastest * seconds * MARGIN))
        before = cpu(self.pid)
        load = run(self.port, asked, seconds, connections)
        self.turns.append(Turn(cpu(self.pid) - before, load))
        self.fastest = max(self.fastest, load.requests / load.seconds)

    def result(self) -> Result:
        """Sum the turns up."""
        return Result.of(self.name, self.turns)


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn used and gave."""

    cpu: Cpu
    load: Load


@dataclass(frozen=True, slots=True)
class Result:
    """The medians of all turns of a candidate.

    Attributes:
        name: of the candidate.
        cost: microseconds of processor time a request, user and system.
        user: those of them spent outside the kernel.
        rate: requests a second.
        median: latency in microseconds.
        p99: the same, of the slowest in a hundred.
        failures: answers that were errors, and connections that broke, in all turns together.
    """

    name: str
    cost: float
    user: float
    rate: float
    median: float
    p99: float
    failures: int

    @classmethod
    def of(cls, name: str, turns: Sequence[Turn]) -> Result:
        """Take the medians."""

        def middle(figure: Callable[[Turn], float]) -> float:
            return statistics.median(figure(turn) for turn in turns)

        return cls(
            name,
            cost=middle(lambda turn: turn.cpu.total / max(1, turn.load.requests) * 1e6),
            user=middle(lambda turn: turn.cpu.user / max(1, turn.load.requests) * 1e6),
            rate=middle(lambda turn: turn.load.requests / turn.load.seconds),
            median=middle(lambda turn: turn.load.median),
            p99=middle(lambda turn: turn.load.p99),
            failures=sum(turn.load.failures for turn in turns),
        )


def measure(
    candidates: Sequence[Candidate], rounds: int, seconds: int, connections: int
) -> list[Result]:
    """Let the candidates take turns; give their results in the same order.

    Every second round goes the other way, so that none always follows the same one.
    """
    for candidate in candidates:
        candidate.warm_up(connections)
    for turn in range(1, rounds + 1):
        for candidate in candidates if turn % 2 else reversed(candidates):
            candidate.take_turn(turn, seconds, connections)
    return [candidate.result() for candidate in candidates]


def table(results: Sequence[Result]) -> Table:
    """Draw the results, beside HAProxy and Envoy with checks."""
    found = {one.name: one for one in results}
    haproxy, envoy = found.get(HAPROXY_CHECKS), found.get(ENVOY_CHECKS)
    drawn = Table(
        (
            *("small requests", "CPU us", "of it user", "x HAProxy", "x Envoy", "req/s"),
            *("p50 us", "p99 us", "p99 x HAProxy", "failed"),
        )
    )
    for one in results:
        drawn.rows.append(
            (
                one.name,
                number(one.cost, 1),
                number(one.user, 1),
                ratio(one.cost, haproxy.cost if haproxy else None),
                ratio(one.cost, envoy.cost if envoy else None),
                number(one.rate),
                number(one.median),
                number(one.p99),
                ratio(one.p99, haproxy.p99 if haproxy else None),
                str(one.failures),
            )
        )
    return drawn
