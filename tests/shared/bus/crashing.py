"""Processes that the tests kill, or that kill themselves in the middle of their work.

``python -m tests.shared.bus.crashing take URL QUEUE KIND`` takes one message and holds it.
``python -m tests.shared.bus.crashing handle URL DATABASE SCHEMA`` dies inside its handler.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import ClassVar

from shared.bus import Subscription, Worker
from shared.db import Connection, Database
from shared.log import configure
from tests.shared.bus.harness import NotedBase, open_transport


async def take(url: str, queue: str, kind: str) -> None:
    transport = open_transport(url)
    await transport.declare(queue, [kind])
    async with transport.consume(queue, 5) as deliveries:
        await anext(deliveries)
        sys.stdout.write("taken\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


async def handle(url: str, database_url: str, schema: str) -> None:
    class Noted(NotedBase):
        kind: ClassVar[str] = f"{schema}.noted.v1"
        publisher: ClassVar[str] = schema

    async def handler(connection: Connection, event: Noted) -> None:
        if event.note == "poison":
            os.kill(os.getpid(), signal.SIGKILL)

    database = await Database.connect(database_url)
    subscription = Subscription("crasher", Noted, handler)
    async with Worker(database, schema, open_transport(url), [subscription]):
        await asyncio.Event().wait()


if __name__ == "__main__":
    configure("crashing")  # the log goes to stderr
    asyncio.run({"take": take, "handle": handle}[sys.argv[1]](*sys.argv[2:]))
