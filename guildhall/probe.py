"""Health checks from inside a container: the images carry no curl.

``python -m guildhall.probe http://127.0.0.1:8000/health/ready`` succeeds when the answer is 200.
``python -m guildhall.probe --holds rabbitmq:5672`` succeeds when this container holds an open
connection to that address: the sign of life of a worker, which answers no HTTP. Linux only, since
it reads ``/proc/net/tcp``.

Exit status 0 is healthy, 1 is not; the reason goes to standard error, where ``docker inspect``
shows it.
"""

from __future__ import annotations

import http.client
import socket
import struct
import sys
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

TIMEOUT: Final = 3.0
"""Seconds that the whole probe may wait for an answer."""

_ESTABLISHED: Final = "01"
_CONNECTIONS: Final = Path("/proc/net/tcp")


def answers(url: str) -> str | None:
    """Say why ``url`` does not answer 200 within the timeout, or None if it does."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        return f"{url} is not an http:// address"
    # Not urllib.request, which takes twice the CPU to import, and proxies from the environment.
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT)
    try:
        connection.request("GET", parts.path or "/")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"{url} does not answer: {error}"
    finally:
        connection.close()
    return None if status == 200 else f"{url} answers {status}"


def holds(address: str, connections: Path = _CONNECTIONS) -> str | None:
    """Say why no connection to ``host:port`` (IPv4) is open, or None if one is."""
    host, _, port = address.rpartition(":")
    try:
        wanted = {_kernel_form(ip, int(port)) for ip in socket.gethostbyname_ex(host)[2]}
    except (OSError, ValueError) as error:
        return f"{address} is not known: {error}"
    for line in connections.read_text().splitlines()[1:]:
        _, _, remote, state, *_ = line.split()
        if remote in wanted and state == _ESTABLISHED:
            return None
    return f"no open connection to {address}"


def _kernel_form(ip: str, port: int) -> str:
    """Write an address as ``/proc/net/tcp`` does: the word in the machine's own byte order."""
    (word,) = struct.unpack("=I", socket.inet_aton(ip))
    return f"{word:08X}:{port:04X}"


def main(arguments: list[str]) -> int:
    """Probe what the arguments name, and give the exit status."""
    match arguments:
        case ["--holds", address]:
            trouble = holds(address)
        case [url]:
            trouble = answers(url)
        case _:
            trouble = "usage: python -m guildhall.probe URL | --holds HOST:PORT"
    if trouble is not None:
        sys.stderr.write(f"{trouble}\n")
    return 1 if trouble else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
