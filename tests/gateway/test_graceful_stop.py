"""Stopping loses no request: 200 callers go on calling while a process or a worker is ended."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.gateway.fake_service import Asked, plain
from tests.gateway.gateway_process import Crowd, GatewayProcess, gateway_process, gone

CALLERS = 200
SOME = 400
"""Answers that show that the crowd is at work."""


async def at_work(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take a while, so that every caller has a request under way at every moment."""
    await asyncio.sleep(0.1)
    writer.write(plain(200, b"x" * 200))


@asynccontextmanager
async def busy(workers: int) -> AsyncIterator[tuple[GatewayProcess, Crowd]]:
    async with gateway_process(workers) as process:
        process.learnings.behave = at_work
        crowd = Crowd(process, CALLERS)
        await crowd.answers(SOME)
        try:
            yield process, crowd
        finally:
            await crowd.stop()


async def test_ending_the_gateway_loses_no_request() -> None:
    async with busy(1) as (process, crowd):
        await end(process, crowd)


async def test_replacing_and_ending_workers_loses_no_request() -> None:
    async with busy(2) as (process, crowd):
        before = process.workers
        process.tell(signal.SIGTERM, before[0])
        await process.until(lambda: process.workers[0] != before[0])
        await crowd.answers(SOME)
        await gone(before[0])
        assert crowd.closes > 0, "the one that ended told its callers"
        assert process.workers[1] == before[1]

        before = process.workers
        process.tell(signal.SIGHUP)
        await process.until(lambda: set(process.workers.values()).isdisjoint(before.values()))
        await gone(*before.values())
        await crowd.answers(SOME)
        assert process.workers.keys() == before.keys()
        assert crowd.lost == []
        assert crowd.refused == 0, "somebody listened all the time"
        assert not process.said("worker ended"), "one that was told to end has not died"

        await end(process, crowd)


async def end(process: GatewayProcess, crowd: Crowd) -> None:
    closes = crowd.closes
    process.tell(signal.SIGTERM)
    status = await process.ended()
    await crowd.stop()
    assert status in (0, -signal.SIGTERM)
    assert crowd.lost == []
    assert crowd.refused == CALLERS, "only who came after the end was turned away"
    assert crowd.closes > closes
    assert not process.said("broken off")
