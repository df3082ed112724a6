"""Prometheus metrics of the gateway, cheap enough to count every request.

Counts live in plain lists, found by the row, with the text in front of them made ready, because
whoever writes them out in a thread holds up the requests meanwhile. Every label is bounded by the
route table and the settings.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from prometheus_client import generate_latest

from gateway.route_table import TABLE

if TYPE_CHECKING:
    from gateway.route_table import Row

PREFIX: Final = "guildhall_gateway_"
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_BOUNDS: Final = (*map(str, BUCKETS), "+Inf")

OTHER: Final = "other"
"""The row and surface of requests that no service owns: the gateway's own pages, unknown paths."""

_STATUSES: Final = ("gone", "1xx", "2xx", "3xx", "4xx", "5xx", *(f"{n}xx" for n in range(6, 10)))
"""By the first digit; ``gone`` is a caller who hung up before the answer was whole."""

_REQUESTS: Final = PREFIX + "requests_total"
_SECONDS: Final = PREFIX + "request_seconds"


class _Durations:
    """The histogram of one surface."""

    __slots__ = ("bounds", "buckets", "seconds", "surface")

    def __init__(self, surface: str) -> None:
        self.surface = f'{{surface="{surface}"}}'
        self.bounds = [f'{_SECONDS}_bucket{{surface="{surface}",le="{one}"}}' for one in _BOUNDS]
        self.buckets = [0] * len(_BOUNDS)
        self.seconds = 0.0

    def lines(self) -> Iterator[str]:
        total = 0
        for name, count in zip(self.bounds, tuple(self.buckets), strict=True):
            total += count
            yield f"{name} {total}\n"
        yield f"{_SECONDS}_count{self.surface} {total}\n"
        yield f"{_SECONDS}_sum{self.surface} {self.seconds:.6f}\n"


class _Tally:
    """The counts of one row, by the first digit of the status."""

    __slots__ = ("durations", "names", "statuses")

    def __init__(self, surface: str, upstream: str, row: str, durations: _Durations) -> None:
        labels = f'surface="{surface}",upstream="{upstream}",row="{row}"'
        self.names = [f'{_REQUESTS}{{{labels},status="{status}"}}' for status in _STATUSES]
        self.statuses = [0] * len(_STATUSES)
        self.durations = durations

    def lines(self) -> Iterator[str]:
        for name, count in zip(self.names, tuple(self.statuses), strict=True):
            if count:
                yield f"{name} {count}\n"


@dataclass(frozen=True, slots=True)
class Watched:
    """What another part counts, read when somebody asks, in a thread.

    Attributes:
        name: without the prefix, and without the ``_total`` of a counter.
        text: for people.
        read: gives a number, or numbers by tuples of the labels' values.
        labels: their names; their values are bounded.
        kind: of metric.
    """

    name: str
    text: str
    read: Callable[[], float | Mapping[Any, float]]
    labels: tuple[str, ...] = ()
    kind: Literal["counter", "gauge"] = "gauge"

    def lines(self) -> Iterator[str]:
        """Write Prometheus' text."""
        name = PREFIX + self.name + ("_total" if self.kind == "counter" else "")
        yield _head(name, self.kind, self.text)
        found = self.read()
        if not isinstance(found, Mapping):
            yield f"{name} {found}\n"
            return
        for values, value in found.items():
            pairs = zip(self.labels, values, strict=True)
            labels = ",".join(f'{label}="{_escaped(text)}"' for label, text in pairs)
            yield f"{name}{{{labels}}} {value}\n"


class Metrics:
    """What the gateway counts.

    Args:
        watched: what other parts count.
        table: the rows that requests are counted by.
    """

    def __init__(self, watched: Sequence[Watched] = (), table: Iterable[Row] = TABLE) -> None:
        self._watched = tuple(watched)
        self._durations: dict[str, _Durations] = {}
        self._other = _Tally(OTHER, "none", OTHER, self._of(OTHER))
        self._tallies = {row.prefix: self._tally(row) for row in table}

    def _tally(self, row: Row) -> _Tally:
        surface = row.surface.value
        return _Tally(surface, row.upstream, row.prefix, self._of(surface))

    def _of(self, surface: str) -> _Durations:
        return self._durations.setdefault(surface, _Durations(surface))

    def observe(self, row: str, status: int, seconds: float) -> None:
        """Count a request that is over.

        Args:
            row: its prefix; any other word for requests that no service owns.
            status: of the answer, or 0 if the caller hung up before it was whole.
            seconds: from the request's head to the answer's end.
        """
        tally = self._tallies.get(row, self._other)
        tally.statuses[status // 100] += 1
        durations = tally.durations
        durations.buckets[bisect_left(BUCKETS, seconds)] += 1
        durations.seconds += seconds

    def text(self) -> bytes:
        """Write everything, what the process and the shared parts count too, as Prometheus' text.

        Made by hand, because Prometheus' own types take 6 ms for what this does in a fraction of
        one. May be called in a thread.
        """
        own = "".join(self._lines()).encode()
        return own + generate_latest()

    def _lines(self) -> Iterator[str]:
        yield _head(_REQUESTS, "counter", "Requests that are over, by row and class of status")
        for tally in (*self._tallies.values(), self._other):
            yield from tally.lines()
        yield _head(_SECONDS, "histogram", "Time from a request's head to its answer's end")
        for durations in self._durations.values():
            yield from durations.lines()
        for watched in self._watched:
            yield from watched.lines()


def _head(name: str, kind: str, text: str) -> str:
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
