"""A service that has several addresses, and a gateway before it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpx

from gateway.upstream import Limits, Upstream
from gateway.upstream.breaker import Breaker
from gateway.upstream.budget import Retries
from tests.gateway.conftest import PLENTY, House, house, until
from tests.gateway.fake_service import Asked, Behaviour, FakeService, Hangup, running
from tests.support.ports import free_port

PATH = "/v1/learnings"
MANY = Retries(minimum=1000)
"""Retries that are not short, where something else is looked at."""


def limits(**changes: object) -> Limits:
    """Give limits that are quick, but far longer than what is waited for."""
    usual: dict[str, object] = {
        "connect": 5.0,
        "head": 20.0,
        "idle": 20.0,
        "tick": 0.02,
        "retries": MANY,
    }
    return Limits(**(usual | changes))  # type: ignore[arg-type]


@dataclass
class Replicas:
    """A house whose learnings has several addresses."""

    home: House
    services: list[FakeService]

    @property
    def upstream(self) -> Upstream:
        return self.home.gateway.upstreams["learnings"]

    def breaker(self, index: int = 0) -> Breaker:
        return self.upstream.pools[index].breaker

    def is_due(self, index: int = 0) -> bool:
        return self.breaker(index).is_due(self.upstream._clock())

    async def ask(
        self, method: str = "GET", path: str = PATH, content: bytes | None = None
    ) -> httpx.Response:
        headers = self.home.bearer()
        return await self.home.client.request(method, path, headers=headers, content=content)

    async def crowd(self, number: int, method: str = "GET") -> Counter[int]:
        """Ask many times at once; gives how often each status came."""
        answers = await asyncio.gather(*(self.ask(method) for _ in range(number)))
        return Counter(answer.status_code for answer in answers)

    async def used_again(self, index: int, seconds: float = 60.0) -> None:
        """Wait until an address has had further requests."""
        pool = self.upstream.pools[index]
        goal = pool.starts + 20
        await until(lambda: pool.starts >= goal, seconds)

    @property
    def counts(self) -> dict[str, float]:
        return self.upstream.counts()


@asynccontextmanager
async def replicas(
    number: int = 2, given: Limits | None = None, running_ones: int | None = None
) -> AsyncIterator[Replicas]:
    """Build them; only the first ``running_ones`` listen, all if absent."""
    services = [FakeService() for _ in range(number)]
    for service in services:
        service.port = free_port()
    async with AsyncExitStack() as stack:
        for service in services[:running_ones]:
            await stack.enter_async_context(running(service))
        urls = " ".join(service.url for service in services)
        built = house(given or limits(), learnings_url=urls, rate_limits=PLENTY)
        home = await stack.enter_async_context(built)
        yield Replicas(home, services)


async def silent(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say nothing until the gateway leaves."""
    await reader.read()


async def closes(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close without a word."""
    raise Hangup


def held(release: asyncio.Event, then: Behaviour) -> Behaviour:
    """Behave only after the event."""

    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await release.wait()
        await then(asked, reader, writer)

    return behave


def by_path(bad: Behaviour, good: Behaviour) -> Behaviour:
    """Behave badly where the path says so."""

    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await (bad if "bad" in asked.target else good)(asked, reader, writer)

    return behave


class Loop:
    """Workers that ask one thing after the other, each its own, until told to stop."""

    def __init__(self, built: Replicas, workers: int) -> None:
        self.statuses: Counter[int] = Counter()
        self._built = built
        self._stop = False
        self._number = 0
        self._tasks = [asyncio.create_task(self._work()) for _ in range(workers)]

    @property
    def done(self) -> int:
        return self.statuses.total()

    async def _work(self) -> None:
        while not self._stop:
            self._number += 1
            path = f"{PATH}/{self._number}x"
            answer = await self._built.ask(path=path)
            assert answer.status_code != 200 or path in answer.text, "another's answer"
            self.statuses[answer.status_code] += 1

    async def more(self, number: int, seconds: float = 60.0) -> None:
        """Wait for so many further answers."""
        goal = self.done + number
        await until(lambda: self.done >= goal, seconds)

    async def stop(self) -> Counter[int]:
        """Let the workers end; gives how often each status came."""
        self._stop = True
        await asyncio.gather(*self._tasks)
        return self.statuses


@asynccontextmanager
async def load(built: Replicas, workers: int) -> AsyncIterator[Loop]:
    """Ask with some workers as long as the context lasts."""
    loop = Loop(built, workers)
    try:
        yield loop
    finally:
        await loop.stop()
