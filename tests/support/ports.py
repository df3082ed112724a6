"""Ports that nothing listens on and that no other worker of the run is handed."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import IO, Final

# Below the range that the system hands out by itself, so that no outgoing connection takes one.
_FIRST: Final = 12_000
_LAST: Final = 30_000
_BLOCK: Final = 10

_held: list[IO[str]] = []


def free_ports(count: int = _BLOCK) -> int:
    """Give the first of ``count`` ports in a row (at most 10), ours until the process ends."""
    assert count <= _BLOCK
    folder = Path(tempfile.gettempdir()) / f"guildhall-test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for first in random.sample(range(_FIRST, _LAST, _BLOCK), k=200):
        lock = (folder / str(first)).open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        if all(_is_free(port) for port in range(first, first + count)):
            _held.append(lock)
            return first
        lock.close()
    raise RuntimeError("no free ports")


def free_port() -> int:
    """Give one port, ours until the process ends."""
    return free_ports(1)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
