"""Serving until told to stop, and stopping so that no request under way is lost.

Order of the stop: readiness says no; every answer now closes its connection; newcomers are kept
out, and who has connected is accepted; listening ends; idle connections are closed once they had
time for a request that was on its way; what is under way gets its time; the rest is broken off.
"""

from __future__ import annotations

import contextlib
import gc
import signal
import socket
import time
from asyncio import sleep
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Final

import uvicorn

from gateway.app import Gateway
from gateway.workers import link, listening
from shared.log import get_logger

ACCEPTING: Final = 0.5
"""Seconds that handshakes under way get when listening ends for good: a long round trip."""

IDLE_GRACE: Final = 1.0
"""Seconds in which a request may still arrive on a connection that was idle."""

REPLACEMENT: Final = 10.0
"""Seconds that a worker told to end waits for the one that takes its place."""

_GLANCE: Final = 0.05

_YOUNG: Final = 20_000
"""Objects that may come into being between two looks of the collector; requests leave no cycles."""

log = get_logger()


class Server(uvicorn.Server):
    """uvicorn's server with a stop of our own.

    Args:
        gateway: what is served.
        sockets: bound.
        level: of the log of uvicorn itself.
    """

    def __init__(self, gateway: Gateway, sockets: Sequence[socket.socket]) -> None:
        config = uvicorn.Config(
            gateway,
            loop="uvloop",
            http=gateway.data_path.protocol,  # type: ignore[arg-type]  # called like one
            ws="none",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            backlog=listening.BACKLOG,
            lifespan="on",
        )
        super().__init__(config)
        self._gateway = gateway
        self._sockets = list(sockets)
        self._is_replaced = False

    def serve_forever(self) -> None:
        """Serve until told to stop."""
        with contextlib.suppress(KeyboardInterrupt):  # which is said again when all is done
            self.run(self._sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note that the process is to stop; the second time, at once."""
        self.force_exit = self.should_exit
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start. What is here by then stays, so the collector need not look at it again."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()
        gc.set_threshold(_YOUNG)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop; see the module."""
        log.info("draining")
        until = time.monotonic() + link.GRACE
        self._gateway.drain()
        if not self._is_replaced:
            listening.keep_newcomers_out(self._sockets)
            await sleep(ACCEPTING)
            while listening.has_waiting(self._sockets) and not self._is_over(until):  # noqa: ASYNC110
                await sleep(_GLANCE)
        for server in self.servers:
            server.close()
        await self._finish(until)
        if self.server_state.connections:
            log.warning("broken off", connections=len(self.server_state.connections))
        await self.lifespan.shutdown()

    async def _finish(self, until: float) -> None:
        while self.server_state.connections and not self._is_over(until):
            self._gateway.data_path.close_idle(IDLE_GRACE)
            await sleep(_GLANCE)

    def _is_over(self, until: float) -> bool:
        return self.force_exit or time.monotonic() >= until


class WorkerServer(Server):
    """The server of one worker among several, which its parent ends.

    Args:
        gateway: what is served.
        sockets: inherited.
        line: to the parent.
    """

    def __init__(
        self, gateway: Gateway, sockets: Sequence[socket.socket], line: socket.socket
    ) -> None:
        super().__init__(gateway, sockets)
        self._link = link.Link(line, gateway.metrics.text, self._hear)
        self._was_told = False
        self._leaves_at: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and tell the parent."""
        self._link.open()
        await super().startup(sockets)
        self._link.say(link.READY)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave Ctrl-C, which every process of a terminal gets, to the parent."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self.handle_exit)
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note that this worker alone is to end."""
        self._was_told = True

    async def on_tick(self, counter: int) -> bool:
        """Ask for a replacement when told to end, and accept until it is there."""
        if self._was_told and self._leaves_at is None:
            self._leaves_at = time.monotonic() + REPLACEMENT
            self._link.say(link.LEAVING)
        if self._leaves_at is not None and time.monotonic() > self._leaves_at:
            # Whoever comes now waits in the queue, which the parent keeps.
            self._is_replaced = self.should_exit = True
        return await super().on_tick(counter)

    def _hear(self, word: bytes) -> None:
        self._is_replaced = word == link.REPLACED
        self.should_exit = True
