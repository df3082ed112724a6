"""A collector of OpenTelemetry's traces: OTLP over HTTP, in protobuf, on a thread of its own."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Collector:
    """Keeps what it is sent.

    Attributes:
        spans: decoded, in the order they came.
        resources: of each export.
        bodies: as they came, unpacked.
        status: of every answer.
    """

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.resources: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.paths: list[str] = []
        self.status = 200
        self.answers = threading.Event()
        self.answers.set()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def take(self, path: str, body: bytes) -> None:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
            ExportTraceServiceRequest,
        )

        request = ExportTraceServiceRequest.FromString(body)
        self.paths.append(path)
        self.bodies.append(body)
        for group in request.resource_spans:
            self.resources.append(attributes(group.resource))
            for scope in group.scope_spans:
                self.spans.extend(scope.spans)


def attributes(holder: Any) -> dict[str, str]:
    """Give the attributes of a span or resource as texts."""
    found = {}
    for one in holder.attributes:
        value = one.value
        found[one.key] = str(getattr(value, value.WhichOneof("value")))
    return found


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            collector.answers.wait()
            if collector.status == 200:
                collector.take(self.path, body)
            self.send_response(collector.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Write nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector.port = server.server_port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield collector
    finally:
        collector.answers.set()
        server.shutdown()
        server.server_close()
        thread.join()
