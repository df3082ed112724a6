"""Prometheus metrics of the gateway, cheap enough to count every request.

Counts live in plain dictionaries and lists; Prometheus' own types are built when somebody asks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import REGISTRY, Collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics(Collector):
    """What the gateway counts.

    Args:
        gauges: name to what reads it, such as the number of remembered credentials.
    """

    def __init__(self, gauges: Mapping[str, Callable[[], float]] | None = None) -> None:
        self._gauges = dict(gauges or {})
        self._requests: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._buckets = [0] * (len(BUCKETS) + 1)
        self._seconds = 0.0

    def observe(self, row: str, status: int, seconds: float) -> None:
        """Count an answered request; status 0 is a caller who hung up."""
        self._requests[row, status] += 1
        self._buckets[bisect_left(BUCKETS, seconds)] += 1
        self._seconds += seconds

    def collect(self) -> Iterable[Metric]:
        """Build Prometheus' types."""
        requests = CounterMetricFamily(
            "guildhall_gateway_requests",
            "Requests answered, by row of the route table and status",
            labels=["row", "status"],
        )
        for (row, status), number in tuple(self._requests.items()):
            requests.add_metric([row, str(status)], number)
        yield requests
        duration = HistogramMetricFamily(
            "guildhall_gateway_request_seconds", "Time from a request's head to the answer's end"
        )
        total, cumulated = 0, []
        for bound, number in zip((*map(str, BUCKETS), "+Inf"), tuple(self._buckets), strict=True):
            total += number
            cumulated.append((bound, float(total)))
        duration.add_metric([], cumulated, self._seconds)
        yield duration
        for name, value in self._gauges.items():
            yield GaugeMetricFamily(f"guildhall_gateway_{name}", name.replace("_", " "), value())


class _Process(Collector):
    """What the process itself and the shared parts count, from Prometheus' own registry."""

    def collect(self) -> Iterable[Metric]:
        yield from REGISTRY.collect()


@contextmanager
def served(metrics: Metrics, host: str, port: int) -> Iterator[None]:
    """Serve the metrics at an internal port, from a thread of its own; port 0 serves none."""
    if not port:
        yield
        return
    registry = CollectorRegistry()
    registry.register(_Process())
    registry.register(metrics)
    server, thread = start_http_server(port, host, registry)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
