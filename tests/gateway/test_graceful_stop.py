"""Stopping loses no request: 200 callers go on calling while a process or a worker is ended."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.gateway.fake_service import answering, plain
from tests.gateway.gateway_process import Crowd, GatewayProcess, gateway_process, gone

CALLERS = 200
SOME = 400
"""Answers that show that the crowd is at work."""


@asynccontextmanager
async def busy(workers: int) -> AsyncIterator[tuple[GatewayProcess, Crowd]]:
    async with gateway_process(workers) as process:
        process.learnings.behave = answering(plain(200, b"x" * 200))
        crowd = Crowd(process, CALLERS)
        await crowd.answers(SOME)
        try:
            yield process, crowd
        finally:
            await crowd.stop()


@pytest.mark.parametrize("workers", [1, 2])
async def test_ending_the_gateway_loses_no_request(workers: int) -> None:
    async with busy(workers) as (process, crowd):
        process.tell(signal.SIGTERM)
        status = await process.ended()
        await crowd.stop()
        assert status in (0, -signal.SIGTERM)
        assert crowd.lost == []
        assert crowd.refused == CALLERS
        assert crowd.closes > 0
        assert not process.said("broken off")


async def test_ending_a_worker_loses_no_request() -> None:
    async with busy(2) as (process, crowd):
        first = process.workers[0]
        process.tell(signal.SIGTERM, first)
        await process.until(lambda: process.workers[0] != first)
        await crowd.answers(SOME)
        await gone(first)
        await crowd.answers(SOME)
        await crowd.stop()
        assert crowd.lost == []
        assert crowd.refused == 0
        assert crowd.closes > 0
        assert not process.said("worker ended"), "one that was told to end has not died"


async def test_replacing_all_workers_loses_no_request() -> None:
    async with busy(2) as (process, crowd):
        before = process.workers
        process.tell(signal.SIGHUP)
        await gone(*before.values())
        await crowd.answers(SOME)
        await crowd.stop()
        assert set(before.values()).isdisjoint(process.workers.values())
        assert process.workers.keys() == before.keys()
        assert crowd.lost == []
        assert crowd.refused == 0
