"""What the gateway counts, as Prometheus' own parser reads it."""

from __future__ import annotations

from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from gateway.pipeline.metrics import BUCKETS, Metrics, Watched
from gateway.route_table import TABLE
from gateway.upstream.breaker import Trip
from gateway.workers.scrape import joined
from tests.gateway.conftest import QUICK, house

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: str) -> Samples:
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def value(found: Samples, name: str, **labels: str) -> float:
    return found["guildhall_gateway_" + name, tuple(sorted(labels.items()))]


def requests(found: Samples) -> Samples:
    return {key: count for key, count in found.items() if key[0].endswith("requests_total")}


def test_requests_are_counted_by_surface_service_row_and_class() -> None:
    metrics = Metrics()
    for status in (200, 201, 404, 503, 0, 101, 999):
        metrics.observe("/v1/auth", status, 0.2)
    metrics.observe("/nowhere", 404, 0.2)
    found = samples(metrics.text().decode())
    row = {"surface": "learnings", "upstream": "auth", "row": "/v1/auth"}
    assert value(found, "requests_total", **row, status="2xx") == 2
    assert value(found, "requests_total", **row, status="4xx") == 1
    assert value(found, "requests_total", **row, status="5xx") == 1
    assert value(found, "requests_total", **row, status="1xx") == 1
    assert value(found, "requests_total", **row, status="gone") == 1
    none = {"surface": "other", "upstream": "none", "row": "other"}
    assert value(found, "requests_total", **none, status="4xx") == 1
    assert sum(requests(found).values()) == 8


def test_whatever_comes_the_number_of_series_is_bounded() -> None:
    metrics = Metrics()
    for row in (*TABLE, None):
        for status in range(0, 1000):
            metrics.observe(row.prefix if row else "other", status, 0.0)
    for number in range(1000):
        metrics.observe(f"/path/{number}", 404, 0.0)
    assert len(requests(samples(metrics.text().decode()))) <= (len(TABLE) + 1) * 10


def test_the_histogram_is_cumulative_and_by_surface() -> None:
    metrics = Metrics()
    for seconds in (0.0, 0.001, 0.0011, 9.0, 11.0):
        metrics.observe("/api/v1", 200, seconds)
    found = samples(metrics.text().decode())

    def bucket(bound: str) -> float:
        return value(found, "request_seconds_bucket", surface="runs", le=bound)

    assert bucket("0.001") == 2, "a bound belongs to its bucket"
    assert bucket("0.0025") == 3
    assert bucket("10.0") == 4
    assert bucket("+Inf") == value(found, "request_seconds_count", surface="runs") == 5
    assert value(found, "request_seconds_sum", surface="runs") == 20.0021
    assert value(found, "request_seconds_count", surface="teams") == 0
    assert len(BUCKETS) == 13


def test_what_others_count_is_read_when_asked() -> None:
    states = {("runs", 'a "b"\\\n'): 1.0}
    watched = (
        Watched("sockets", "Open sockets", lambda: 3),
        Watched("tries", "Tries", lambda: states, ("upstream", "state"), "counter"),
    )
    metrics = Metrics(watched)
    found = samples(metrics.text().decode())
    assert value(found, "sockets") == 3
    assert value(found, "tries_total", upstream="runs", state='a "b"\\\n') == 1
    states["teams", "x"] = 2.0
    assert value(samples(metrics.text().decode()), "tries_total", upstream="teams", state="x") == 2


async def test_the_parts_are_shown() -> None:
    async with house(replace(QUICK, trip=Trip(faults=3))) as home:
        token = home.bearer()
        for _ in range(3):
            assert (await home.client.get("/v1/learnings", headers=token)).status_code == 200
        bad = {"authorization": f"Bearer {home.auth.api_key(active=False)}"}
        for _ in range(2):
            assert (await home.client.get("/v1/learnings", headers=bad)).status_code == 401
        found = samples(home.gateway.metrics.text().decode())
        assert value(found, "credentials") == 2
        assert value(found, "credential_lookups_total", result="hit") == 2
        assert value(found, "credential_lookups_total", result="miss") == 2
        assert value(found, "credential_lookups_total", result="refused") == 1
        assert value(found, "client_connections") == 1
        assert value(found, "open_sockets") == 0
        assert value(found, "upstream_requests_total", upstream="learnings") == 3
        assert value(found, "upstream_connections", upstream="learnings") == 1
        assert value(found, "upstream_busy", upstream="learnings") == 0
        learnings = {"upstream": "learnings", "address": f"127.0.0.1:{home.learnings.port}"}
        assert value(found, "upstream_breaker_state", **learnings) == 0
        decided = {key: count for key, count in found.items() if "decisions" in key[0]}
        assert sum(decided.values()) == 5
        row = {"surface": "learnings", "upstream": "learnings", "row": "/v1"}
        assert value(found, "requests_total", **row, status="2xx") == 3
        assert value(found, "requests_total", **row, status="4xx") == 2

        await home.learnings.stop()
        home.learnings.hang_up()
        states = set()
        for _ in range(20):
            await home.client.get("/v1/learnings", headers=token)
            found = samples(home.gateway.metrics.text().decode())
            states.add(value(found, "upstream_breaker_state", **learnings))
        assert 2 in states, "the breaker opened"
        assert value(found, "upstream_faults_total", upstream="learnings") > 0


def test_workers_are_joined_under_a_label() -> None:
    first, second = Metrics(), Metrics()
    first.observe("/v1", 200, 0.1)
    second.observe("/v1", 200, 0.1)
    second.observe("/v1", 200, 0.1)
    found = samples(joined({"0": first.text().decode(), "1": second.text().decode()}).decode())
    row = {"surface": "learnings", "upstream": "learnings", "row": "/v1", "status": "2xx"}
    assert value(found, "requests_total", **row, worker="0") == 1
    assert value(found, "requests_total", **row, worker="1") == 2
    assert value(found, "request_seconds_bucket", surface="learnings", le="+Inf", worker="1") == 2
    assert ("process_open_fds", (("worker", "0"),)) in found
    apart = [samples(one.text().decode()) for one in (first, second)]
    assert len(found) == sum(map(len, apart))
