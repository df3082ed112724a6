"""Ten thousand sockets that say nothing: a service and callers as lean processes of their own.

    python -m tests.gateway.idle_sockets serve
    python -m tests.gateway.idle_sockets call PORT NUMBER

The service says its port and ends with a line; the callers say what they want and wait for a line
before each step.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from typing import cast

import uvloop

from tests.gateway.socket_bytes import agreed, frame, handshake

PING, PONG = frame(9, b"?"), frame(10, b"?", mask=False)
AT_ONCE = 250
PATIENCE = 120.0


class Serving(asyncio.Protocol):
    """The service's end: agrees to everything, answers pings."""

    __slots__ = ("_transport",)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._transport.write(agreed() if data.startswith(b"GET ") else PONG)


class Calling(asyncio.Protocol):
    """A caller's end: asks for a socket and holds it."""

    __slots__ = ("_said", "_transport", "answered")

    def __init__(self, target: str) -> None:
        self._said = handshake(target)
        self._transport: asyncio.Transport
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._said)

    def data_received(self, data: bytes) -> None:
        if data == PONG or data.startswith(b"HTTP/1.1 101 "):
            self.answered.set_result(None)
        else:
            self.answered.set_exception(ConnectionError(data))

    def connection_lost(self, error: Exception | None) -> None:
        if not self.answered.done():
            self.answered.set_exception(ConnectionError("the socket ended"))

    async def ping(self) -> None:
        """Say a word and wait for the answer."""
        self.answered = asyncio.get_running_loop().create_future()
        self._transport.write(PING)
        await self.answered


def say(word: object) -> None:
    """Write a line to whoever started this."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def heard() -> str:
    """Wait for a line from whoever started this."""
    loop = asyncio.get_running_loop()
    line: str = await loop.run_in_executor(None, sys.stdin.readline)
    return line.strip()


async def serve() -> None:
    """Be the service."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Serving, "127.0.0.1", 0, backlog=1024)
    say(server.sockets[0].getsockname()[1])
    await heard()


async def call(port: int, number: int) -> None:
    """Be the callers: ask for a target for every few of them, stand, ping, leave."""
    loop = asyncio.get_running_loop()
    callers: list[Calling] = []

    async def one(target: str) -> None:
        _, caller = await loop.create_connection(lambda: Calling(target), "127.0.0.1", port)
        await caller.answered
        callers.append(caller)

    async with asyncio.timeout(PATIENCE):
        while len(callers) < number:
            say("more")
            target = await heard()
            some = min(AT_ONCE, number - len(callers))
            await asyncio.gather(*(one(target) for _ in range(some)))
        say("stand")
        await heard()
        await asyncio.gather(*(caller.ping() for caller in callers))
        say("alive")
        await heard()


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    words = sys.argv[1:]
    uvloop.run(serve() if words[0] == "serve" else call(int(words[1]), int(words[2])))
