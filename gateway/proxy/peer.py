"""What the system knows of a caller's connection and the loop does not tell."""

from __future__ import annotations

import asyncio
import select
import socket
import struct
from typing import Final

# Where poll knows no word for the end of one side, RST is still noticed.
_LEFT: Final = getattr(select, "POLLRDHUP", 0)
_AT_ONCE: Final = struct.pack("ii", 1, 0)


def has_left(transport: asyncio.Transport) -> bool:
    """Tell whether the caller has closed their side; the loop hears of it only while it reads."""
    poll = select.poll()
    try:
        poll.register(transport.get_extra_info("socket"), _LEFT)
    except (OSError, ValueError):  # it is closed already
        return False
    return bool(poll.poll(0))


def end_by_reset(transport: asyncio.Transport) -> None:
    """Let a connection end by RST, where an ordinary end would pass for the end of an answer."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
