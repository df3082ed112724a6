"""Connections that do nothing: ``python -m bench.load_idle PORT HEADS``.

Opens one connection for each line of the file HEADS, sends that line as the head of a request, its
line breaks written ``\\r\\n``, and reads the answer. Says ``READY``, how many were answered as they
should, and the status of the last that was not; holds them until its input ends; then says
``OPEN`` and how many the proxy still held.
"""

from __future__ import annotations

import select
import socket
import sys
from pathlib import Path
from typing import Final

from bench.load_bodies import drain, length_of, read_head

TIMEOUT: Final = 30.0
EXPECTED: Final = (b"200", b"101")


def _open(port: int, head: bytes) -> tuple[socket.socket, bytes]:
    connection = socket.create_connection(("127.0.0.1", port), TIMEOUT)
    connection.sendall(head)
    answer, rest = read_head(connection)
    status = answer[9:12]
    if status != b"101":
        drain(connection, length_of(answer) - len(rest), bytearray(4096))
    return connection, status


def _is_open(connection: socket.socket) -> bool:
    """Tell whether the other end holds a connection; what it may have sent is not looked at."""
    while _is_readable(connection):
        try:
            if not connection.recv(65_536):
                return False
        except OSError:
            return False
    return True


def _is_readable(connection: socket.socket) -> bool:
    # select() knows no numbers from 1,024 on
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


def main() -> None:
    """Open, say, hold, say."""
    _, port, heads = sys.argv
    held: list[socket.socket] = []
    bad = b"-"
    for line in Path(heads).read_text().splitlines():
        try:
            connection, status = _open(int(port), line.replace(r"\r\n", "\r\n").encode())
        except OSError as error:
            bad = type(error).__name__.encode()
            continue
        if status in EXPECTED:
            held.append(connection)
        else:
            bad = status
            connection.close()
    sys.stdout.write(f"READY {len(held)} {bad.decode()}\n")
    sys.stdout.flush()
    sys.stdin.read()
    sys.stdout.write(f"OPEN {sum(map(_is_open, held))}\n")


if __name__ == "__main__":
    main()
