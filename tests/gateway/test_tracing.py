"""Spans: one for each request, in the caller's trace, exported without disturbing anybody."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from importlib.util import find_spec
from typing import Any

import pytest

from gateway.pipeline.tracing import is_wanted
from tests.gateway.caller import Answer, calling, request
from tests.gateway.collector import Collector, attributes, collecting
from tests.gateway.fake_service import answering, echo, plain
from tests.gateway.gateway_process import ROOT, GatewayProcess, gateway_process

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

needs_extra = pytest.mark.skipif(
    find_spec("opentelemetry") is None and os.environ.get("CI") != "true",
    reason="*** the extra otel is not installed: no span is tested ***",
)


def asking(collector: Collector, **more: str) -> dict[str, str]:
    """Give the variables that switch spans on, exported at once."""
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        **more,
    }


async def ask(process: GatewayProcess, path: str, **headers: str) -> Answer:
    headers.setdefault("authorization", f"Bearer {process.auth.token()}")
    lines = [f"{name}: {value}" for name, value in headers.items()]
    async with calling(process.port) as caller:
        caller.send(request("GET", path, *lines))
        return await caller.answer()


async def spans(collector: Collector, route: str, number: int = 1) -> list[Any]:
    """Wait until the collector has so many spans of a route, and give them."""
    async with asyncio.timeout(20):
        while True:
            found = [one for one in collector.spans if attributes(one)["http.route"] == route]
            if len(found) >= number:
                return found
            await asyncio.sleep(0.01)


Traced = tuple[GatewayProcess, Collector]


@pytest.fixture(scope="module")
async def tracing_gateway() -> AsyncIterator[Traced]:
    with collecting() as collector:
        async with gateway_process(values=asking(collector)) as process:
            yield process, collector


@pytest.fixture
def traced(tracing_gateway: Traced) -> Traced:
    process, collector = tracing_gateway
    process.learnings.behave = echo
    collector.spans.clear()
    return process, collector


@needs_extra
async def test_a_request_becomes_a_span_in_its_callers_trace(traced: Traced) -> None:
    process, collector = traced
    answer = await ask(
        process,
        "/v1/learnings/L-secret?token=hidden",
        traceparent=f"00-{TRACE}-{SPAN}-01",
        tracestate="vendor=1",
    )
    assert answer.status == 200
    [span] = await spans(collector, "/v1")
    assert span.trace_id.hex() == TRACE
    assert span.parent_span_id.hex() == SPAN
    assert (span.name, span.kind) == ("GET /v1", 2)
    assert span.end_time_unix_nano > span.start_time_unix_nano
    found = attributes(span)
    assert found.pop("guildhall.request_id") == answer.header("x-request-id")
    assert found == {
        "http.request.method": "GET",
        "http.response.status_code": "200",
        "http.route": "/v1",
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "guildhall.surface": "learnings",
        "guildhall.upstream": "learnings",
    }
    told = process.learnings.asked[-1]
    assert told.header("traceparent") == f"00-{TRACE}-{span.span_id.hex()}-01"
    assert told.header("tracestate") == "vendor=1"
    assert collector.paths[-1] == "/v1/traces"
    assert collector.resources[-1]["service.name"] == "guildhall-gateway"
    exported = b"".join(collector.bodies)
    assert b"secret" not in exported
    assert b"hidden" not in exported


@needs_extra
async def test_the_parent_decides_what_is_recorded_and_without_one_all_is(traced: Traced) -> None:
    process, collector = traced
    await ask(process, "/v1/a", traceparent=f"00-{TRACE}-{SPAN}-00")
    told = process.learnings.asked[-1].header("traceparent")
    assert told == f"00-{TRACE}-{SPAN}-00", "without a span of ours nothing changes"
    await ask(process, "/v1/b", traceparent="nonsense", tracestate="vendor=1")
    [span] = await spans(collector, "/v1")
    assert span.trace_id.hex() != TRACE
    assert span.parent_span_id == b""
    told_last = process.learnings.asked[-1]
    assert told_last.header("traceparent").split("-")[2] == span.span_id.hex()
    assert told_last.header("tracestate") == ""


@needs_extra
async def test_faults_show_in_the_span(traced: Traced) -> None:
    process, collector = traced
    process.learnings.behave = answering(plain(503, b"", reason="No"))
    await ask(process, "/v1/a")
    [failed] = await spans(collector, "/v1")
    assert failed.status.code == 2
    assert attributes(failed)["error.type"] == "503"
    await ask(process, "/v1/a", authorization="Bearer none")
    refused = (await spans(collector, "/v1", 2))[1]
    assert refused.status.code == 0, "a caller's mistake is no fault of the server"
    assert attributes(refused)["http.response.status_code"] == "401"


@needs_extra
@pytest.mark.parametrize("trouble", ["away", "failing", "hanging"])
async def test_a_collector_in_trouble_disturbs_nobody(trouble: str) -> None:
    with collecting() as collector:
        collector.status = 500 if trouble == "failing" else 200
        if trouble == "hanging":
            collector.answers.clear()
        values = asking(collector, OTEL_BSP_MAX_QUEUE_SIZE="8", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="4")
        if trouble == "away":
            values["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:1"
        async with gateway_process(values=values) as process:
            for _ in range(40):
                assert (await ask(process, "/v1/a")).status == 200
            if trouble == "hanging":
                samples = await process.metrics()
                assert samples["guildhall_gateway_spans_dropped_total"] > 0
            process.tell(signal.SIGTERM)
            await process.ended(15)


@needs_extra
async def test_what_is_left_is_exported_at_the_end() -> None:
    with collecting() as collector:
        values = asking(collector, OTEL_BSP_SCHEDULE_DELAY="600000")
        async with gateway_process(values=values) as process:
            await ask(process, "/v1/a")
            process.tell(signal.SIGTERM)
            await process.ended()
            assert await spans(collector, "/v1")


def test_off_means_that_nothing_of_it_is_imported() -> None:
    program = (
        "import sys, gateway.app; from gateway.pipeline.tracing import open_tracing;"
        "assert open_tracing({}) is None;"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_EXPORTER": "otlp"}, True),
    ],
)
def test_opentelemetrys_own_variables_switch_it_on(
    environment: dict[str, str], expected: bool
) -> None:
    assert is_wanted(environment) is expected
