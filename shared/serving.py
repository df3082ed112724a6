"""Serving an ASGI app as a process: uvicorn, and an orderly end."""

from __future__ import annotations

from socket import socket
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

from shared.log import get_logger
from shared.streams import Draining

GRACE: Final = 15
"""Seconds that requests in flight get when the process is told to stop."""

log = get_logger()


def serve_app(
    app: ASGIApp, host: str, port: int, draining: Draining | None = None, **options: Any
) -> None:
    """Serve an app with uvicorn until SIGTERM, then drain for at most 15 s.

    Args:
        app: any ASGI app.
        host: address to listen on.
        port: port to listen on.
        draining: told when the process is to stop, before requests in flight are waited for.
        options: further ``uvicorn.Config`` options.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http=options.pop("http", "httptools"),
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=75,
        backlog=2048,
        lifespan="on",
        **options,
    )
    log.info("serving", host=host, port=port)
    _Server(config, draining or Draining()).run()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, draining: Draining) -> None:
        super().__init__(config)
        self._draining = draining

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Say in our own words that requests in flight are being finished."""
        log.info("draining")
        self._draining.begin()
        await super().shutdown(sockets)
