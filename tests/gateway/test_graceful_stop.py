"""Stopping loses no request: 200 callers go on calling while a process or a worker is ended."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.gateway.gateway_process import Crowd, GatewayProcess, at_work, gateway_process, gone

CALLERS = 200
SOME = 400
"""Answers that show that the crowd is at work."""


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
