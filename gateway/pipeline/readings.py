"""What the gateway's parts count, as metrics; their labels are services and addresses we are set
up with, and a few fixed words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from gateway.pipeline.metrics import Watched

if TYPE_CHECKING:
    from gateway.credentials.memory import Credentials
    from gateway.pipeline.tracing import Tracing
    from gateway.upstream.upstream import Upstream

_TOTAL: Final = "_total"

_COUNTS: Final = {
    "requests_total": "Requests sent to a service",
    "refused_total": "Requests not sent, because no address of the service could take them",
    "faults_total": "Requests that a service did not answer as it should",
    "opened_total": "Times that a breaker opened",
    "ejections_total": "Times that checks put an address out",
    "retries_total": "Requests sent a second time",
    "retries_exhausted_total": "Requests not sent a second time, because the budget was used up",
    "busy": "Requests at a service, or waiting for a connection to it",
    "connections": "Connections open to a service",
    "sockets": "Connections to a service lent out as WebSockets",
}


def of_credentials(credentials: Credentials) -> list[Watched]:
    """Give what the memory of credentials counts."""

    def lookups() -> Mapping[tuple[str], float]:
        return {
            ("hit",): credentials.hits,
            ("refused",): credentials.refusals,
            ("miss",): credentials.misses,
        }

    return [
        Watched("credentials", "Credentials remembered", credentials.__len__),
        Watched(
            "credential_lookups",
            "Credentials looked up, by what was known of them",
            lookups,
            ("result",),
            "counter",
        ),
    ]


def of_upstreams(upstreams: Mapping[str, Upstream]) -> list[Watched]:
    """Give what the connections to the services count, and the state of each address' breaker."""

    def count(name: str) -> Mapping[tuple[str], float]:
        return {(upstream,): one.counts()[name] for upstream, one in upstreams.items()}

    def states() -> Mapping[tuple[str, str], float]:
        return {
            (name, pool.authority.decode("ascii")): float(pool.breaker.state)
            for name, upstream in upstreams.items()
            for pool in upstream.pools
        }

    return [
        *(_of_count(name, text, partial(count, name)) for name, text in _COUNTS.items()),
        Watched(
            "upstream_breaker_state",
            "Whether an address is let through: 0 closed, 1 half open, 2 open",
            states,
            ("upstream", "address"),
        ),
    ]


def of_tracing(tracing: Tracing | None) -> list[Watched]:
    """Give what is lost of spans, where they are made."""
    if tracing is None:
        return []
    text = "Spans lost, because the collector did not take them as fast"
    return [Watched("spans_dropped", text, lambda: tracing.dropped, (), "counter")]


def _of_count(name: str, text: str, read: Callable[[], Mapping[tuple[str], float]]) -> Watched:
    if name.endswith(_TOTAL):
        name = name.removesuffix(_TOTAL)
        return Watched(f"upstream_{name}", text, read, ("upstream",), "counter")
    return Watched(f"upstream_{name}", text, read, ("upstream",))
