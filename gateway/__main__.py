"""``python -m gateway``: serve until SIGTERM, in this process or in several workers.

A worker is the same module, told by its parent: ``python -m gateway worker NUMBER LINE SOCKET...``.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Sequence
from typing import Final

import structlog

from gateway.settings import GatewaySettings
from gateway.workers.listening import bind
from gateway.workers.worker import WORKER
from shared.log import configure, get_logger
from shared.settings import read_or_exit

SETTLING: Final = 5.0
"""Seconds that a worker waits for auth's keys before it takes the place of one that has them."""

log = get_logger()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the gateway; exits with 1 if the port cannot be had, 78 if a setting is wrong."""
    words = sys.argv[1:] if arguments is None else arguments
    settings = read_or_exit(GatewaySettings)
    configure("gateway", settings.log_level, settings.log_format)
    if words and words[0] == WORKER:
        number, line, *sockets = map(int, words[1:])
        _work(settings, number, line, sockets)
        return
    try:
        places = bind(settings.host, settings.port, settings.processes)
    except OSError as error:
        log.error("cannot listen", host=settings.host, port=settings.port, reason=error.strerror)
        raise SystemExit(1) from None
    log.info("serving", host=settings.host, port=settings.port, workers=len(places))
    if len(places) == 1:
        _serve(settings, places[0])
    else:
        raise SystemExit(asyncio.run(_lead(settings, places)))


# Imported where they are needed: a parent has no use for what its workers are made of.


def _serve(settings: GatewaySettings, sockets: Sequence[socket.socket]) -> None:
    from gateway.app import create_app
    from gateway.workers.serving import Server

    Server(create_app(settings), sockets).serve_forever()


def _work(settings: GatewaySettings, number: int, line: int, sockets: Sequence[int]) -> None:
    from gateway.app import create_app
    from gateway.workers.serving import WorkerServer

    structlog.contextvars.bind_contextvars(worker=number)
    # The parent serves the metrics of all at the one port there is.
    app = create_app(settings.model_copy(update={"metrics_port": 0}), SETTLING)
    inherited = [socket.socket(fileno=descriptor) for descriptor in sockets]
    WorkerServer(app, inherited, socket.socket(fileno=line)).serve_forever()


async def _lead(settings: GatewaySettings, places: Sequence[Sequence[socket.socket]]) -> int:
    from gateway.pipeline.exposition import serving
    from gateway.workers import scrape
    from gateway.workers.parent import Parent

    if settings.rate_limit_url is None:
        log.warning("rate limits count for each worker", effect=f"{len(places)} times as much")
    parent = Parent(places)
    with serving(scrape.text(parent), settings.host, settings.metrics):
        return await parent.run()


if __name__ == "__main__":
    main()
