"""The internal port where Prometheus asks for metrics, served by threads beside the event loop."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Final

from shared.log import get_logger

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

PATIENCE: Final = 5.0
"""Seconds that whoever asks may take to do so."""

log = get_logger()


@contextmanager
def serving(text: Callable[[], bytes], host: str, port: int) -> Iterator[None]:
    """Answer every GET at a port with a text; port 0 serves none.

    Args:
        text: gives Prometheus' text format; called in a thread.
        host: to listen at.
        port: to listen at.

    Raises:
        OSError: the address is in use or not ours.
    """
    if not port:
        yield
        return

    class Handler(BaseHTTPRequestHandler):
        timeout = PATIENCE

        def do_GET(self) -> None:
            try:
                content = text()
            except Exception:
                log.exception("metrics not given")
                self.send_error(500)
                return
            self.send_response(200)
            self.send_header("content-type", CONTENT_TYPE)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            """Write no access log."""

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Whoever asked hung up."""

    server = Server((host, port), Handler)
    thread = Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
