"""What all callers' connections share: the pipeline, the services, and the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final

from gateway.proxy.connection import Connection
from gateway.proxy.heads import HeadMemory
from gateway.websocket.files import allow, reserve

if TYPE_CHECKING:
    from uvicorn import Config
    from uvicorn.server import ServerState

    from gateway.documentation.pages import OwnPages
    from gateway.pipeline.chain import Pipeline
    from gateway.pipeline.metrics import Metrics
    from gateway.pipeline.security_headers import SecurityHeaders
    from gateway.upstream.upstream import Upstream
    from gateway.websocket.sockets import Sockets

CROWDED: Final = 5.0
"""Seconds that a connection stays open between two requests while files run short."""

TICK: Final = 1.0
"""Seconds between two looks at the connections."""


class DataPath:
    """Makes connections for uvicorn, and looks after them.

    Args:
        pipeline: decides.
        upstreams: by service.
        sockets: all WebSockets.
        pages: the gateway's own.
        metrics: counts.
        security: headers of every answer.
        patience: seconds between two pieces of a request body.
        stall: seconds that a caller may leave an answer unread.
        head_patience: seconds that a head may take from its first byte to its last.
        tick: seconds between two looks at the connections.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        upstreams: Mapping[str, Upstream],
        sockets: Sockets,
        pages: OwnPages,
        metrics: Metrics,
        security: SecurityHeaders,
        patience: float,
        stall: float,
        head_patience: float,
        tick: float = TICK,
    ) -> None:
        self.pipeline = pipeline
        self.heads = HeadMemory(pipeline)
        self.upstreams = dict(upstreams)
        self.sockets = sockets
        self.pages = pages
        self.metrics = metrics
        self.security = security
        self.patience = patience
        self.stall = stall
        self.head_patience = head_patience
        self.connections: set[Connection] = set()
        self.is_draining = False
        self.gathered = 0
        self.files = 0
        self.date = b""
        self._tick = tick
        self._ticking: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def protocol(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> Connection:
        """Make a connection; uvicorn's ``http`` option."""
        return Connection(self, server_state, _loop or asyncio.get_running_loop())

    def open(self) -> None:
        """Start the clock."""
        loop = asyncio.get_running_loop()
        self.date = _date()
        self.files = allow()
        self._ticking = loop.call_later(self._tick, self._look, loop)

    def drain(self) -> None:
        """Close each connection with its next answer, and end streams that have no end."""
        self.is_draining = True
        self.heads = HeadMemory(self.pipeline)  # who is remembered is thought to stay
        for connection in tuple(self.connections):
            connection.drain()

    def close_idle(self, grace: float) -> None:
        """Close the connections on which nothing came or went for so many seconds."""
        before = asyncio.get_running_loop().time() - grace
        for connection in tuple(self.connections):
            connection.close_idle(before)

    async def close(self) -> None:
        """Stop the clock, and what is still being asked or made."""
        if self._ticking is not None:
            self._ticking.cancel()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def own(self, task: asyncio.Task[None]) -> None:
        """Keep a turn's task until it is done."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @property
    def _spare(self) -> int:
        """Files that may still be opened before those kept for everything else."""
        return self.files - reserve(self.files) - len(self.connections) - 2 * len(self.sockets)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._ticking = loop.call_later(self._tick, self._look, loop)
        self.date = _date()
        now = loop.time()
        if self.files and self._spare < 0:
            # Idle callers must not keep others out, nor leave no file for a service's connection.
            self.close_idle(CROWDED)
        for connection in tuple(self.connections):
            connection.look(now)


def _date() -> bytes:
    """Write the ``Date`` line of this second."""
    return f"date: {formatdate(usegmt=True)}\r\n".encode()
