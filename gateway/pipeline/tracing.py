"""Spans for OpenTelemetry: one for each request, exported by OTLP over HTTP.

Off unless OpenTelemetry's own variables name a collector (``OTEL_EXPORTER_OTLP_ENDPOINT`` or
``OTEL_EXPORTER_OTLP_TRACES_ENDPOINT``); then nothing of it is even imported. Needs the extra
``otel``. All of its ``OTEL_*`` variables count: sampler (by the parent, else all), queue, headers,
service name. A thread exports from a bounded queue; what a collector does not take is dropped.

Spans follow the semantic conventions for HTTP servers, except that they name the row of the route
table and never the path, which may hold a secret.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Self

from gateway.pipeline.trace_context import parent_of
from shared import VERSION
from shared.log import get_logger

if TYPE_CHECKING:
    from gateway.pipeline.decisions import Request
    from gateway.pipeline.request_head import Headers

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_METHODS: Final = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}
)

LAST_EXPORT: Final = 2.0
"""Seconds that the last spans get when the process stops."""

log = get_logger()


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Tell whether OpenTelemetry's variables ask for spans."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporters = environment.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp"
    return exporters == "otlp" and any(environment.get(name, "").strip() for name in _ENDPOINTS)


def open_tracing(environment: Mapping[str, str] = os.environ) -> Tracing | None:
    """Give what makes spans, or None where they are not wanted or cannot be made."""
    if not is_wanted(environment):
        return None
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.exporter") is None:
        log.warning("no spans", reason="pip install guildhall[otel]")
        return None
    protocol = next((environment[name] for name in _PROTOCOLS if environment.get(name)), "")
    if protocol not in ("", "http/protobuf"):
        log.warning("spans go by http/protobuf only", asked=protocol)
    return Tracing(environment)


class Span:
    """The span of one request.

    Args:
        span: OpenTelemetry's.
        failed: OpenTelemetry's word for an error.

    Attributes:
        lines: the headers by which the service learns of it, each after a line end.
    """

    __slots__ = ("_failed", "_span", "lines")

    def __init__(self, span: Any, failed: Any) -> None:
        self._span = span
        self._failed = failed
        own = span.get_span_context()
        self.lines = (
            f"\r\ntraceparent: 00-{own.trace_id:032x}-{own.span_id:016x}-{own.trace_flags:02x}"
        ).encode()
        if own.trace_state:
            self.lines += b"\r\ntracestate: " + own.trace_state.to_header().encode("latin-1")

    def end(self, status: int) -> None:
        """End it.

        Args:
            status: of the answer, or 0 if the caller hung up before it was whole.
        """
        span = self._span
        if span.is_recording():
            if status:
                span.set_attribute("http.response.status_code", status)
            else:
                span.set_attribute("error.type", "client_gone")
            if status >= 500:
                span.set_attribute("error.type", str(status))
                span.set_status(self._failed)
        span.end()


class Tracing:
    """Makes spans.

    Args:
        environment: OpenTelemetry's variables; the exporter reads the process' own.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        attributes = {"service.version": VERSION, "service.instance.id": str(os.getpid())}
        named = environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
        if not environment.get("OTEL_SERVICE_NAME") and "service.name=" not in named:
            attributes["service.name"] = "guildhall-gateway"
        # Not at exit: an exporter whose collector is away would hold the process up.
        self._provider = TracerProvider(
            resource=Resource.create(attributes), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("guildhall.gateway", VERSION)
        self._api = trace
        self._failed = trace.Status(trace.StatusCode.ERROR)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Export what is left, if the collector takes it in time."""
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def close() -> None:
            self._provider.shutdown()
            loop.call_soon_threadsafe(done.set)

        threading.Thread(target=close, name="last spans", daemon=True).start()
        try:
            async with asyncio.timeout(LAST_EXPORT):
                await done.wait()
        except TimeoutError:
            log.info("last spans lost", reason="the collector does not take them")

    def begin(self, request: Request) -> Span:
        """Begin the span of a request."""
        destination = request.destination
        method = destination.method if destination.method in _METHODS else "_OTHER"
        attributes: dict[str, Any] = {
            "http.request.method": method,
            "http.route": destination.label,
            "url.scheme": "http",
            "network.protocol.version": request.fields.version,
            "guildhall.surface": destination.surface.value,
            "guildhall.request_id": request.request_id.decode("ascii"),
        }
        if destination.row is not None:
            attributes["guildhall.upstream"] = destination.row.upstream
        span = self._tracer.start_span(
            f"{'HTTP' if method == '_OTHER' else method} {destination.label}",
            context=self._caller(request.fields.headers),
            kind=self._api.SpanKind.SERVER,
            attributes=attributes,
        )
        return Span(span, self._failed)

    def _caller(self, headers: Headers) -> Any:
        """Give the context of the caller's span; empty where there is none."""
        api = self._api
        parent = parent_of([value for name, value in headers if name == b"traceparent"])
        if parent is None:
            # Not None, which would mean the context of whatever runs here.
            return api.set_span_in_context(api.INVALID_SPAN)
        states = [value.decode("latin-1") for name, value in headers if name == b"tracestate"]
        context = api.SpanContext(
            trace_id=int(parent.trace, 16),
            span_id=int(parent.span, 16),
            is_remote=True,
            trace_flags=api.TraceFlags(parent.flags & 1),
            trace_state=api.TraceState.from_header(states),
        )
        return api.set_span_in_context(api.NonRecordingSpan(context))
