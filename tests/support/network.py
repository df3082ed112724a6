"""No test leaves this machine: connecting or resolving elsewhere fails at once.

Works on Python's own sockets through an audit hook. What uvloop or a child process opens is not
seen; tests run on asyncio's own loop.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from typing import Any


class NetworkBlocked(OSError):
    """A test tried to reach something that is not this machine."""


class NameBlocked(socket.gaierror):
    """A test tried to resolve a name that is not this machine's."""


def block_other_machines() -> None:
    """Install the hook; it stays for the life of the process."""
    sys.addaudithook(_watch)


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event in {"socket.connect", "socket.sendto"}:
        _, address = arguments
        if isinstance(address, tuple) and not _is_here(address[0]):
            raise NetworkBlocked(f"tests may not reach {address[0]}")
    elif event == "socket.getaddrinfo":
        host = arguments[0]
        text = host.decode() if isinstance(host, bytes) else host
        if text and not _is_literal(text) and text.lower().rstrip(".") != "localhost":
            raise NameBlocked(socket.EAI_NONAME, f"tests may not resolve {text}")


def _is_here(host: object) -> bool:
    if not isinstance(host, str) or host.lower() in {"localhost", ""}:
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool(address.is_loopback or address.is_unspecified or (mapped and mapped.is_loopback))


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
