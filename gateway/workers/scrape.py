"""Metrics of all workers as one: each worker's, with the label ``worker``, beside the parent's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import REGISTRY, Collector

from gateway.workers.parent import Parent

PATIENCE: Final = 2.0
"""Seconds that a worker has to give its metrics; one that is late is left out and counted down."""

LABEL: Final = "worker"
PARENT: Final = "parent"


class Workers(Collector):
    """What the workers and their parent count; collected in a thread, asked for on the loop.

    Args:
        parent: of the workers.
        loop: it runs on.
    """

    def __init__(self, parent: Parent, loop: asyncio.AbstractEventLoop) -> None:
        self._parent = parent
        self._loop = loop

    def collect(self) -> Iterable[Metric]:
        """Ask every worker, and join what they say."""
        asked = asyncio.run_coroutine_threadsafe(self._ask(), self._loop)
        texts = asked.result(PATIENCE + 1)
        up = GaugeMetricFamily(
            "guildhall_gateway_worker_up", "Whether a worker answers", labels=[LABEL]
        )
        for number in range(self._parent.size):
            up.add_metric([str(number)], float(texts.get(number) is not None))
        yield up
        deaths = "guildhall_gateway_worker_deaths"
        yield CounterMetricFamily(deaths, "Workers that ended by themselves", self._parent.deaths)
        yield from joined(texts)

    async def _ask(self) -> dict[int, str | None]:
        workers = self._parent.workers
        found = await asyncio.gather(*(one.metrics(PATIENCE) for one in workers.values()))
        pairs = zip(workers, found, strict=True)
        return {number: None if text is None else text.decode() for number, text in pairs}


def text(parent: Parent) -> Callable[[], bytes]:
    """Make what gives the metrics of all; call it on the loop, and the result in a thread."""
    registry = CollectorRegistry()
    registry.register(Workers(parent, asyncio.get_running_loop()))
    return lambda: generate_latest(registry)


def joined(texts: Mapping[int, str | None]) -> Iterable[Metric]:
    """Join the expositions of workers, and of this process, under a label.

    Args:
        texts: Prometheus' text by the worker's number; None for one that did not answer.
    """
    families: dict[str, Metric] = {}
    for number, text in texts.items():
        if text is not None:
            _add(families, str(number), text_string_to_metric_families(text))
    _add(families, PARENT, REGISTRY.collect())
    return families.values()


def _add(families: dict[str, Metric], worker: str, metrics: Iterable[Metric]) -> None:
    for metric in metrics:
        family = families.get(metric.name)
        if family is None:
            family = Metric(metric.name, metric.documentation, metric.type)
            families[metric.name] = family
        for name, labels, value, *_ in metric.samples:
            family.add_sample(name, {LABEL: worker, **labels}, value)
