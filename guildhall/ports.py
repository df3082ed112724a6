"""Looking whether the ports are free before anything is started."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from typing import Final

from guildhall.failures import Failure

_POLL: Final = 0.2


class PortTaken(Failure):
    """A port the system needs is in use; the text says which and what to do."""


def taken(host: str, ports: Mapping[str, int]) -> dict[str, int]:
    """List those of the named ports that something else listens on."""
    return {name: port for name, port in ports.items() if not is_free(host, port)}


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do, so that connections still in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


async def wait_until_free(host: str, ports: Mapping[str, int], patience: float) -> None:
    """Return when all are free.

    Args:
        host: the address to listen on.
        ports: by what needs them.
        patience: seconds to wait for an earlier run's processes to go.

    Raises:
        PortTaken: some are not free after that time.
    """
    deadline = asyncio.get_running_loop().time() + patience
    while busy := taken(host, ports):
        if asyncio.get_running_loop().time() >= deadline:
            listed = ", ".join(f"{port} ({name})" for name, port in busy.items())
            raise PortTaken(
                f"In use by another program: port {listed}. "
                "Stop that program, or choose other ports with GUILDHALL_PORT."
            )
        await asyncio.sleep(_POLL)
