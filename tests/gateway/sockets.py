"""Services and callers of WebSockets: the library's on both sides, and plain sockets for liars."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from gateway.upstream import Limits
from gateway.websocket.sockets import SocketLimits
from tests.gateway.conftest import PLENTY, QUICK, House, house, until
from tests.gateway.fake_service import Asked, Behaviour, Hangup
from tests.gateway.machines import Machine
from tests.gateway.socket_bytes import handshake

MACHINE = Machine(b"w" * 32)
UNHURRIED = SocketLimits(each=1000, idle=60.0, wait=0.0, farewell=0.0, linger=30.0, tick=0.02)


def target(machine: Machine = MACHINE) -> str:
    """Give the address of a socket, with a ticket of now."""
    return f"/socket/websocket?ticket={machine.ticket()}&vsn=2.0.0"


Handler = Callable[[ServerConnection], Awaitable[None]]


async def echo(socket: ServerConnection) -> None:
    """Send everything back."""
    async for message in socket:
        await socket.send(message)


@dataclass
class SocketHouse:
    """A gateway before a service that speaks WebSocket."""

    home: House
    service: SocketService

    @asynccontextmanager
    async def socket(
        self, machine: Machine = MACHINE, path: str = "", **options: Any
    ) -> AsyncIterator[ClientConnection]:
        """Open a socket through the gateway."""
        url = f"ws://127.0.0.1:{self.home.port}{path or target(machine)}"
        options = {"max_size": None, "ping_interval": None} | options
        async with connect(url, **options) as socket:
            yield socket

    @asynccontextmanager
    async def plain(
        self, *lines: str, path: str = ""
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """Open a socket whose caller writes bytes of their own; the answer is read already."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.home.port)
        try:
            writer.write(handshake(path or target(), *lines))
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            assert head.startswith(b"HTTP/1.1 101 "), head
            yield reader, writer
        finally:
            writer.close()

    @property
    def open(self) -> int:
        return len(self.home.gateway.sockets)

    async def emptied(self) -> None:
        """Wait until no socket is left."""
        await until(lambda: not self.open)


class SocketService:
    """A service of the library's; set ``handler`` to what it should do with the next socket."""

    def __init__(self) -> None:
        self.handler: Handler = echo
        self.options: dict[str, Any] = {}
        self.sockets: list[ServerConnection] = []

    async def handle(self, socket: ServerConnection) -> None:
        """Serve a socket."""
        self.sockets.append(socket)
        with suppress(ConnectionClosed):
            await self.handler(socket)

    @property
    def last(self) -> ServerConnection:
        return self.sockets[-1]


@asynccontextmanager
async def socket_house(
    limits: Limits = QUICK, sockets: SocketLimits = UNHURRIED, **changes: object
) -> AsyncIterator[SocketHouse]:
    """Build a house whose teams service speaks WebSocket; keyword arguments are settings."""
    service = SocketService()
    async with serve(
        service.handle, "127.0.0.1", 0, max_size=None, ping_interval=None, close_timeout=5
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        changes = {
            "teams_url": f"http://127.0.0.1:{port}",
            "rate_limits": PLENTY,
            **changes,
        }
        async with house(limits, **changes) as home:
            limit(home, sockets)
            yield SocketHouse(home, service)


async def ended(end: ClientConnection | ServerConnection) -> tuple[int | None, str | None]:
    """Wait until an end is over; give why."""
    await asyncio.wait_for(end.wait_closed(), 10)
    return end.close_code, end.close_reason


def limit(home: House, sockets: SocketLimits) -> None:
    """Change what is allowed of sockets, from now on."""
    gateway = home.gateway.sockets
    gateway.limits = sockets
    gateway.look()


def answering_handshakes(data: bytes, then: Behaviour | None = None) -> Behaviour:
    """Answer a handshake with these bytes, and hang up or go on as another behaviour does."""

    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(data)
        await writer.drain()
        if then is None:
            raise Hangup
        await then(asked, reader, writer)

    return behave


async def stay(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read until the gateway closes."""
    while await reader.read(65_536):
        pass
    raise Hangup
