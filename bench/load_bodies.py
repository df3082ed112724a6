"""Large bodies, one way.

    python -m bench.load_bodies PORT DIRECTION PATH FILE CONNECTIONS SECONDS

Reads a bearer token from its input. Each connection is a thread that waits in the kernel, so that
the proxy is what limits the run. Says ``RESULT`` with bytes, bodies, failures and milliseconds.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from pathlib import Path
from typing import Final

DOWN: Final = "down"
UP: Final = "up"
DIRECTIONS: Final = (DOWN, UP)
TIMEOUT: Final = 30.0
PIECE: Final = 2**20

# Linux drops what is received so, without copying it.
_DROP: Final = socket.MSG_TRUNC if sys.platform == "linux" else socket.MsgFlag(0)


def drain(connection: socket.socket, size: int, buffer: bytearray) -> int:
    """Receive so many bytes and forget them; gives how many came before the end."""
    left = size
    while left and (got := connection.recv_into(buffer, min(left, len(buffer)), _DROP)):
        left -= got
    return size - left


def read_head(connection: socket.socket) -> tuple[bytes, bytes]:
    """Receive the head of a message; gives it in lower case, and what came after it.

    Raises:
        ConnectionError: the connection ended before.
    """
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(4096)
        if not piece:
            raise ConnectionError
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head.lower(), rest


def length_of(head: bytes) -> int:
    """Read the content length out of a head in lower case; 0 if there is none."""
    _, found, rest = head.partition(b"\r\ncontent-length:")
    return int(rest.split(b"\r\n", 1)[0]) if found else 0


class _Lane(threading.Thread):
    def __init__(self, port: int, head: bytes, body: Path | None, deadline: float) -> None:
        super().__init__()
        self._port = port
        self._head = head
        self._body = body
        self._deadline = deadline
        self.bytes = 0
        self.bodies = 0
        self.failures = 0

    def run(self) -> None:
        try:
            self._loop()
        except OSError:
            self.failures += 1

    def _loop(self) -> None:
        buffer = bytearray(PIECE)
        with socket.create_connection(("127.0.0.1", self._port), TIMEOUT) as connection:
            while time.perf_counter() < self._deadline:
                connection.sendall(self._head)
                sent = self._send(connection)
                head, rest = read_head(connection)
                size = length_of(head)
                got = len(rest) + drain(connection, size - len(rest), buffer)
                self.failures += not head.startswith(b"http/1.1 2") or got != size
                self.bytes += sent or got
                self.bodies += 1

    def _send(self, connection: socket.socket) -> int:
        if self._body is None:
            return 0
        with self._body.open("rb") as file:
            return connection.sendfile(file)


def main() -> None:
    """Run and say the result."""
    _, port, direction, path, file, connections, seconds = sys.argv
    token = sys.stdin.readline().strip()
    body = Path(file) if direction == UP else None
    size = f"content-length: {body.stat().st_size}\r\n" if body else ""
    method = "POST" if body else "GET"
    head = f"{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n{size}\r\n"
    started = time.perf_counter()
    deadline = started + float(seconds)
    lanes = [_Lane(int(port), head.encode(), body, deadline) for _ in range(int(connections))]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    took = (time.perf_counter() - started) * 1e3
    figures = [
        sum(getattr(lane, name) for lane in lanes) for name in ("bytes", "bodies", "failures")
    ]
    sys.stdout.write(f"RESULT {' '.join(map(str, figures))} {took:.0f}\n")


if __name__ == "__main__":
    main()
