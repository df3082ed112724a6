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
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Self

from gateway.pipeline.trace_context import Parent, new_span, new_trace, parent_of
from shared import VERSION
from shared.errors import Internal
from shared.log import get_logger

if TYPE_CHECKING:
    from gateway.pipeline.decisions import Request

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_METHODS: Final = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}
)
_OTHER: Final = "_OTHER"
_QUEUE: Final = 2048
"""Spans that wait, unless the variables say otherwise; OpenTelemetry's own default."""

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

    Attributes:
        lines: the headers by which the service learns of it, each after a line end.
    """

    __slots__ = ("_began", "_parent", "_request", "_span", "_tracing", "lines")

    def __init__(self, tracing: Tracing, request: Request, trace: int, parent: Parent | None):
        self._tracing = tracing
        self._request = request
        self._parent = parent
        self._span = (trace, new_span())
        self._began = time.time_ns()
        self.lines = b"\r\ntraceparent: 00-%032x-%016x-01" % self._span
        if parent is not None:
            for state in states_of(request):
                self.lines += b"\r\ntracestate: " + state

    def end(self, status: int) -> None:
        """End it.

        Args:
            status: of the answer, or 0 if the caller hung up before it was whole.
        """
        self._tracing.export(self._request, self._span, self._parent, self._began, status)


def states_of(request: Request) -> list[bytes]:
    """Give the values of a request's ``tracestate``."""
    return [value for name, value in request.fields.headers if name == b"tracestate"]


class _Exporter:
    """Stands before the exporter, and knows how many spans have left the queue.

    Args:
        exporter: OpenTelemetry's.
    """

    def __init__(self, exporter: Any) -> None:
        self._exporter = exporter
        self.taken = 0

    def export(self, spans: Sequence[Any]) -> Any:
        """Export; called by the processor's thread."""
        self.taken += len(spans)
        return self._exporter.export(spans)

    def shutdown(self) -> None:
        """Give up."""
        self._exporter.shutdown()


class Tracing:
    """Makes spans.

    OpenTelemetry's own tracer takes 60 us for what is done here by hand in a tenth of it. Its
    sampler, its queue with the thread behind it, and its exporter are used as they are.

    Args:
        environment: OpenTelemetry's variables; its parts read the process' own.

    Attributes:
        dropped: spans lost because the queue was full.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBased
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope

        attributes = {"service.version": VERSION, "service.instance.id": str(os.getpid())}
        named = environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
        if not environment.get("OTEL_SERVICE_NAME") and "service.name=" not in named:
            attributes["service.name"] = "guildhall-gateway"
        self._resource = Resource.create(attributes)
        # Asked only for its sampler, which it reads from the environment.
        self._sampler = TracerProvider(shutdown_on_exit=False).sampler
        self._asks_parent = isinstance(self._sampler, ParentBased)
        self._exporter = _Exporter(OTLPSpanExporter())
        self._processor = BatchSpanProcessor(self._exporter)  # type: ignore[arg-type]
        self._capacity = int(environment.get("OTEL_BSP_MAX_QUEUE_SIZE") or _QUEUE)
        self._scope = InstrumentationScope("guildhall.gateway", VERSION)
        self._make = ReadableSpan
        self._api = trace
        self._failed = trace.Status(trace.StatusCode.ERROR)
        self._fine = trace.Status()
        self._ended = 0
        self.dropped = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Export what is left, if the collector takes it in time."""
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def close() -> None:
            self._processor.shutdown()  # type: ignore[no-untyped-call]
            with suppress(RuntimeError):  # the loop did not wait for us
                loop.call_soon_threadsafe(done.set)

        threading.Thread(target=close, name="last spans", daemon=True).start()
        try:
            async with asyncio.timeout(LAST_EXPORT):
                await done.wait()
        except TimeoutError:
            log.info("last spans lost", reason="the collector does not take them")

    def begin(self, request: Request) -> Span | None:
        """Begin the span of a request; None if it is not sampled: its trace passes unchanged."""
        headers = request.fields.headers
        parent = parent_of([value for name, value in headers if name == b"traceparent"])
        if parent is not None and self._asks_parent:
            return Span(self, request, parent.trace, parent) if parent.is_sampled else None
        trace = parent.trace if parent is not None else new_trace()
        destination = request.destination
        attributes = {"http.request.method": destination.method, "http.route": destination.label}
        name, kind = f"{destination.method} {destination.label}", self._api.SpanKind.SERVER
        found = self._sampler.should_sample(None, trace, name, kind, attributes)
        is_sampled = found.decision.is_sampled()  # type: ignore[no-untyped-call]
        return Span(self, request, trace, parent) if is_sampled else None

    def export(
        self,
        request: Request,
        own: tuple[int, int],
        parent: Parent | None,
        began: int,
        status: int,
    ) -> None:
        """Put the span of a request that is over into the queue, or drop it if that is full.

        Args:
            request: itself.
            own: the names of the trace and the span.
            parent: the caller's span.
            began: Unix nanoseconds.
            status: of the answer, or 0.
        """
        if self._ended - self._exporter.taken >= self._capacity:
            self.dropped += 1
            return
        self._ended += 1
        attributes = _attributes(request, status)
        method = attributes["http.request.method"]
        span = self._make(
            name=f"{'HTTP' if method == _OTHER else method} {attributes['http.route']}",
            context=self._context(*own, states=None if parent is None else states_of(request)),
            parent=None
            if parent is None
            else self._context(parent.trace, parent.span, remote=True),
            resource=self._resource,
            attributes=attributes,
            kind=self._api.SpanKind.SERVER,
            status=self._failed if status >= Internal.status else self._fine,
            start_time=began,
            end_time=time.time_ns(),
            instrumentation_scope=self._scope,
        )
        self._processor.on_end(span)

    def _context(
        self, trace: int, span: int, *, remote: bool = False, states: list[bytes] | None = None
    ) -> Any:
        api = self._api
        state = None
        if states:
            state = api.TraceState.from_header([text.decode("latin-1") for text in states])
        return api.SpanContext(trace, span, remote, api.TraceFlags(1), state)


def _attributes(request: Request, status: int) -> dict[str, str | int]:
    destination = request.destination
    found: dict[str, str | int] = {
        "http.request.method": destination.method if destination.method in _METHODS else _OTHER,
        "http.route": destination.label,
        "url.scheme": "http",
        "network.protocol.version": request.fields.version,
        "guildhall.surface": destination.surface.value,
        "guildhall.request_id": request.request_id.decode("ascii"),
    }
    if destination.row is not None:
        found["guildhall.upstream"] = destination.row.upstream
    if status:
        found["http.response.status_code"] = status
    else:
        found["error.type"] = "client_gone"
    if status >= Internal.status:
        found["error.type"] = str(status)
    return found
