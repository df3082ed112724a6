"""Serving the shop in a thread of its own, so that no test's loop holds it up."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import uvicorn

from tests.support.shop.app import create_app
from tests.support.shop.state import Shop

START_LIMIT = 20.0


@dataclass(frozen=True)
class Served:
    """A shop that can be visited.

    Attributes:
        url: of the shop, without a slash at its end.
        other: the same application at another site (``localhost`` and another port).
        shop: what it remembers.
    """

    url: str
    other: str
    shop: Shop


class _Server(uvicorn.Server):
    """uvicorn that leaves the test run's signal handlers alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _server(shop: Shop) -> _Server:
    config = uvicorn.Config(
        create_app(shop),
        host="127.0.0.1",
        port=0,
        http="httptools",
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    return _Server(config)


@contextlib.asynccontextmanager
async def serving(shop: Shop | None = None) -> AsyncIterator[Served]:
    """Serve a shop on two origins for as long as the context lasts."""
    kept = shop or Shop()
    servers = [_server(kept), _server(kept)]
    threads = [threading.Thread(target=server.run, daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    try:
        deadline = time.monotonic() + START_LIMIT
        while not all(server.started for server in servers):
            assert time.monotonic() < deadline, "the shop does not start"
            await asyncio.sleep(0.01)
        ports = [server.servers[0].sockets[0].getsockname()[1] for server in servers]
        kept.other = f"http://localhost:{ports[1]}"
        yield Served(f"http://127.0.0.1:{ports[0]}", kept.other, kept)
    finally:
        for server in servers:
            server.should_exit = True
            server.force_exit = True
        for thread in threads:
            await asyncio.to_thread(thread.join, 10)
