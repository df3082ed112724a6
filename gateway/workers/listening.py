"""Listening sockets: one for each worker at the same address, and how one is left without loss.

When a listening socket closes, the system resets every connection that waits in its queue, and
every handshake that is under way. So before the last close, new handshakes are kept out by a
socket filter that drops SYN packets; what is under way completes and is accepted. Who was dropped
repeats the SYN a second later and is then refused, or reaches the next process.
"""

from __future__ import annotations

import ctypes
import select
import socket
import struct
import sys
from collections.abc import Sequence
from typing import Final

from shared.log import get_logger

BACKLOG: Final = 2048

_SO_ATTACH_FILTER: Final = 26
# Classic BPF over the TCP header: a packet with SYN among its flags is dropped, all else passes.
_LOAD_FLAGS: Final = (0x30, 0, 0, 13)
_IF_SYN_ELSE_SKIP: Final = (0x45, 0, 1, 0x02)
_DROP: Final = (0x06, 0, 0, 0)
_PASS: Final = (0x06, 0, 0, 0xFFFFFFFF)
_DROP_SYN: Final = (_LOAD_FLAGS, _IF_SYN_ELSE_SKIP, _DROP, _PASS)

log = get_logger()


def bind(host: str, port: int, workers: int = 1) -> list[list[socket.socket]]:
    """Bind the sockets of every worker; whoever serves them listens.

    Args:
        host: an address or a name; each of its addresses gets a socket.
        port: to bind.
        workers: how many share the port.

    Raises:
        OSError: the address is in use or not ours, or the name is unknown.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    addresses = list(dict.fromkeys((family, address) for family, _, _, _, address in found))
    if workers > 1:
        # Sharing is for our own workers: another program at the port must still be noticed.
        for family, address in addresses:
            _bound(family, address, is_shared=False).close()
    return [
        [_bound(family, address, is_shared=workers > 1) for family, address in addresses]
        for _ in range(workers)
    ]


def _bound(family: int, address: tuple[object, ...], *, is_shared: bool) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address)
        bound.setblocking(False)
    except OSError:
        bound.close()
        raise
    return bound


def keep_newcomers_out(sockets: Sequence[socket.socket]) -> None:
    """Let no new handshake begin; those under way complete. Does nothing where it cannot."""
    if sys.platform != "linux":
        return
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in _DROP_SYN))
    program = struct.pack("HP", len(_DROP_SYN), ctypes.addressof(code))
    for one in sockets:
        try:
            one.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
        except OSError as error:
            log.info("no socket filter", reason=error.strerror)


def has_waiting(sockets: Sequence[socket.socket]) -> bool:
    """Tell whether a connection waits to be accepted."""
    poll = select.poll()
    for one in sockets:
        poll.register(one.fileno(), select.POLLIN)
    return bool(poll.poll(0))
