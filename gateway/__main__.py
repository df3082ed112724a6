"""``python -m gateway``: serve until SIGTERM, in this process or in several workers.

A worker is the same module, told by its parent: ``python -m gateway worker NUMBER LINE SOCKET...``.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

import structlog

from gateway.pipeline.exposition import serving
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
        raise _taken(settings.host, settings.port, error) from None
    log.info("serving", host=settings.host, port=settings.port, workers=len(places))
    if len(places) == 1:
        _serve(settings, places[0])
    else:
        raise SystemExit(asyncio.run(_lead(settings, places)))


# Imported where they are needed: a parent has no use for what its workers are made of.


def _serve(settings: GatewaySettings, sockets: Sequence[socket.socket]) -> None:
    from gateway.app import create_app
    from gateway.workers.serving import Server

    app = create_app(settings)
    with _measured(app.metrics.text, settings):
        Server(app, sockets).serve_forever()


def _work(settings: GatewaySettings, number: int, line: int, sockets: Sequence[int]) -> None:
    from gateway.app import create_app
    from gateway.workers.serving import WorkerServer

    structlog.contextvars.bind_contextvars(worker=number)
    inherited = [socket.socket(fileno=descriptor) for descriptor in sockets]
    app = create_app(settings, SETTLING)
    WorkerServer(app, inherited, socket.socket(fileno=line)).serve_forever()


async def _lead(settings: GatewaySettings, places: Sequence[Sequence[socket.socket]]) -> int:
    from gateway.workers import scrape
    from gateway.workers.parent import Parent

    if settings.rate_limit_url is None:
        log.warning("rate limits count for each worker", effect=f"{len(places)} times as much")
    parent = Parent(places)
    with _measured(scrape.text(parent), settings):
        return await parent.run()


@contextmanager
def _measured(text: Callable[[], bytes], settings: GatewaySettings) -> Iterator[None]:
    """Serve the metrics at their port."""
    with ExitStack() as stack:
        try:
            stack.enter_context(serving(text, settings.host, settings.metrics))
        except OSError as error:
            raise _taken(settings.host, settings.metrics, error) from None
        yield


def _taken(host: str, port: int, error: OSError) -> SystemExit:
    log.error("cannot listen", host=host, port=port, reason=error.strerror)
    return SystemExit(1)


if __name__ == "__main__":
    main()
