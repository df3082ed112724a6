"""A process as the supervisor sees one: ``answer.py`` listens on $PORT and says 200.

It writes a line at start and one at SIGTERM. $IGNORE makes it deaf to SIGTERM.
"""

from __future__ import annotations

import http.server
import os
import signal
import sys
import threading


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Stay quiet."""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


def main() -> None:
    server = Server(("127.0.0.1", int(os.environ["PORT"])), Answer)

    def stop(*_: object) -> None:
        sys.stderr.write("told to stop\n")
        sys.stderr.flush()
        if "IGNORE" not in os.environ:
            threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    sys.stderr.write(f"started {os.getpid()} {' '.join(sys.argv[1:])}\n")
    sys.stderr.flush()
    server.serve_forever(poll_interval=0.02)
    server.server_close()


main()
