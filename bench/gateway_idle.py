"""What a proxy keeps in memory for connections that do nothing."""

from __future__ import annotations

import base64
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from bench.process import resident
from bench.rivals import Server
from bench.table import Table, number, ratio
from shared.secret import encode_base64url
from shared.tokens import SigningKey

HTTP: Final = "keep-alive"
SOCKET: Final = "WebSocket"
CONNECTIONS: Final = 1_000
WARM_UP: Final = 50
SETTLING: Final = 1.0
"""Seconds after which what the opening needed for a moment has been given back."""

Heads = Callable[[int], list[str]]
"""Makes the heads of so many requests."""


def http_heads(path: str, token: str) -> Heads:
    """Ask for a path with a bearer token."""
    lines = (f"GET {path} HTTP/1.1", "Host: bench", f"Authorization: Bearer {token}")
    return lambda count: [_head(*lines)] * count


def socket_heads(path: str, token: str) -> Heads:
    """Ask for WebSockets with a bearer token."""
    return lambda count: [_handshake(path, f"Authorization: Bearer {token}") for _ in range(count)]


def ticket_heads(count: int) -> list[str]:
    """Ask for WebSockets, each as another machine with a ticket (teams contract, section 10.1)."""
    return [_handshake(f"/socket/websocket?ticket={_ticket()}&vsn=2.0.0") for _ in range(count)]


def _ticket() -> str:
    key = SigningKey(secrets.token_bytes(32))
    signed = f"{int(time.time())}.trc_ak_{encode_base64url(key.verify_key.public)}"
    return quote(f"{signed}.{encode_base64url(key.sign(signed.encode()))}", safe="")


def _handshake(path: str, *lines: str) -> str:
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
    return _head(
        f"GET {path} HTTP/1.1", "Host: bench", *upgrade, f"Sec-WebSocket-Key: {key}", *lines
    )


def _head(*lines: str) -> str:
    return "".join(line + r"\r\n" for line in (*lines, ""))


@dataclass(frozen=True, slots=True)
class Held:
    """What connections cost a proxy.

    Attributes:
        name: of the proxy.
        kind: of connection.
        each: KiB for each; none if they could not be opened.
        count: how many were open to the end.
        trouble: why fewer than asked for, if so.
    """

    name: str
    kind: str
    each: float | None
    count: int
    trouble: str = ""


def measure(
    name: str, kind: str, server: Server, heads: Heads, folder: Path, count: int = CONNECTIONS
) -> Held:
    """Open connections through a proxy that was started for this, and see what it grows by."""
    with _Holder(server.port, heads(WARM_UP), folder) as warm:
        if not warm.opened:
            return Held(name, kind, None, 0, f"the handshake was answered with {warm.bad}")
    time.sleep(SETTLING)
    before = resident(server.pid)
    with _Holder(server.port, heads(count), folder) as holder:
        time.sleep(SETTLING)
        grown = resident(server.pid) - before
        still = holder.end()
    trouble = ""
    if still < count:
        trouble = f"{holder.opened} of {count} were opened, {still} held; {holder.bad}"
    each = max(0, grown) / holder.opened / 1024 if holder.opened else None
    return Held(name, kind, each, still, trouble)


class _Holder:
    """``bench.load_idle`` as a process.

    Attributes:
        opened: how many connections were answered as they should.
        bad: the status of one that was not.
    """

    def __init__(self, port: int, heads: Sequence[str], folder: Path) -> None:
        file = folder / "heads"
        file.write_text("\n".join(heads) + "\n")
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "bench.load_idle", str(port), str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        _, opened, self.bad = self._process.stdout.readline().split()
        self.opened = int(opened)

    def __enter__(self) -> _Holder:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def end(self) -> int:
        """Let go of the connections; tells how many were still open."""
        said, _ = self._process.communicate()
        return int(said.split()[-1])


def table(results: Sequence[Held], idle: dict[str, int], base: str) -> Table:
    """Draw the results.

    Args:
        results: of all proxies and kinds.
        idle: bytes of memory of each proxy that has done nothing.
        base: the proxy beside which the others stand.
    """
    each = {(one.name, one.kind): one.each for one in results}
    drawn = Table(
        ("memory", "idle MB", "KiB a keep-alive", "x HAProxy", "KiB a WebSocket", "x HAProxy")
    )
    for name, held in idle.items():
        cells = [name, number(held / 1e6)]
        for kind in (HTTP, SOCKET):
            value = each.get((name, kind))
            cells += [number(value, 1), ratio(value, each.get((base, kind)))]
        drawn.rows.append(cells)
    return drawn
