"""Bodies of 10 MB through each proxy in turn: throughput, processor time, and peak memory."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.process import cpu, peak, reset_peak, resident
from bench.rivals import Server
from bench.table import Table, number, ratio

SIZE: Final = 10_000_000
CONNECTIONS: Final = 4
PATH: Final = "/v1/releases/body"


@dataclass(frozen=True, slots=True)
class Transfer:
    """What one turn carried, and what it cost the proxy in seconds of processor time."""

    bytes: int
    bodies: int
    failures: int
    seconds: float
    cpu: float

    @classmethod
    def parse(cls, output: str, cpu: float) -> Transfer:
        """Read what ``bench.load_bodies`` wrote.

        Raises:
            RuntimeError: it holds no result; with what was written.
        """
        found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+)", output)
        if found is None:
            raise RuntimeError(output)
        size, bodies, failures, milliseconds = (int(text) for text in found.groups())
        return cls(size, bodies, failures, milliseconds / 1e3, cpu)


@dataclass
class Carrier:
    """A proxy that carries bodies.

    Attributes:
        name: its row in the table.
        server: that runs, fresh.
        token: that it lets pass.
        before: bytes of memory before the first turn.
        highest: bytes of memory at the peak of all turns.
        turns: what they gave.
    """

    name: str
    server: Server
    token: str
    before: int = 0
    highest: int = 0
    turns: list[Transfer] = field(default_factory=list)

    def warm_up(self, direction: str, body: Path) -> None:
        """Carry a little, so that what is allocated once is there before."""
        _carry(self, direction, body, 0.2, 1)
        self.before = resident(self.server.pid)

    def take_turn(self, direction: str, body: Path, seconds: float) -> None:
        """Measure once."""
        reset_peak(self.server.pid)
        self.turns.append(_carry(self, direction, body, seconds, CONNECTIONS))
        self.highest = max(self.highest, peak(self.server.pid))

    def result(self, direction: str) -> Carried:
        """Sum the turns up."""
        return Carried(
            self.name,
            direction,
            rate=statistics.median(turn.bytes / turn.seconds for turn in self.turns) / 1e6,
            cost=statistics.median(turn.cpu / max(1, turn.bodies) for turn in self.turns) * 1e3,
            growth=max(0, self.highest - self.before) / 1e6,
            failures=sum(turn.failures for turn in self.turns),
        )


@dataclass(frozen=True, slots=True)
class Carried:
    """The medians of all turns of a proxy, one way.

    Attributes:
        name: of the proxy.
        direction: down or up.
        rate: megabytes a second.
        cost: milliseconds of processor time a body.
        growth: megabytes of memory at the peak beyond those before.
        failures: of all turns together.
    """

    name: str
    direction: str
    rate: float
    cost: float
    growth: float
    failures: int


def _carry(
    carrier: Carrier, direction: str, body: Path, seconds: float, connections: int
) -> Transfer:
    port = carrier.server.port
    arguments = (port, direction, PATH, body, connections, seconds)
    before = cpu(carrier.server.pid).total
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "bench.load_bodies", *map(str, arguments)],
        input=carrier.token + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    spent = cpu(carrier.server.pid).total - before
    return Transfer.parse(done.stdout + done.stderr, spent)


def measure(
    carriers: Sequence[Carrier], direction: str, body: Path, rounds: int, seconds: float
) -> list[Carried]:
    """Let the proxies take turns one way; give their results in the same order."""
    for carrier in carriers:
        carrier.warm_up(direction, body)
    for turn in range(rounds):
        for carrier in carriers if turn % 2 else reversed(carriers):
            carrier.take_turn(direction, body, seconds)
    return [carrier.result(direction) for carrier in carriers]


def table(results: Sequence[Carried], base: str) -> Table:
    """Draw the results, beside those of the proxy named ``base``."""
    bases = {one.direction: one for one in results if one.name == base}
    drawn = Table(
        ("10 MB", "way", "MB/s", "x HAProxy", "CPU ms", "x HAProxy", "memory +MB", "failed")
    )
    for one in results:
        beside = bases.get(one.direction)
        drawn.rows.append(
            (
                one.name,
                one.direction,
                number(one.rate),
                ratio(one.rate, beside.rate if beside else None),
                number(one.cost, 1),
                ratio(one.cost, beside.cost if beside else None),
                number(one.growth, 1),
                str(one.failures),
            )
        )
    return drawn
