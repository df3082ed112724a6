"""A service that takes large bodies and forgets them: ``python -m bench.stub_bodies PORT``."""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import suppress

from bench.load_bodies import PIECE, drain, length_of, read_head


def _serve(connection: socket.socket) -> None:
    buffer = bytearray(PIECE)
    with connection, suppress(OSError):
        while True:
            head, rest = read_head(connection)
            if b"\r\nexpect:" in head:
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            drain(connection, length_of(head) - len(rest), buffer)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")


if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=256) as listener:
        while True:
            accepted, _ = listener.accept()
            threading.Thread(target=_serve, args=(accepted,), daemon=True).start()
