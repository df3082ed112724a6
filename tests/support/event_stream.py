"""Reading server-sent events, as clients do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

LIMIT = 20.0


@dataclass
class Reading:
    """One open stream: what came, in order.

    Attributes:
        events: with ``id``, ``event`` and ``data``.
        comments: as they came.
        retry: as told.
        over: set when the stream has ended.
    """

    events: list[dict[str, Any]] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    retry: str = ""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, block: list[str]) -> None:
        """Take one block of lines in."""
        fields: dict[str, Any] = {}
        for line in block:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "":
                self.comments.append(value)
            elif name == "retry":
                self.retry = value
            else:
                fields[name] = value
        if fields:
            self.events.append(fields | {"data": json.loads(fields["data"])})
        self.changed.set()

    async def until(self, count: int) -> list[dict[str, Any]]:
        """Wait until so many events have come, and give them."""
        async with asyncio.timeout(LIMIT):
            while len(self.events) < count:
                self.changed.clear()
                await self.changed.wait()
        return self.events

    @property
    def ids(self) -> list[int]:
        """The numbers that came."""
        return [int(event["id"]) for event in self.events]


@asynccontextmanager
async def reading(
    client: httpx.AsyncClient, path: str, headers: dict[str, str], last: str | int | None = None
) -> AsyncIterator[Reading]:
    """Keep a stream open and read it."""
    if last is not None:
        headers = headers | {"last-event-id": str(last)}
    async with client.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        found = Reading()
        task = asyncio.create_task(_read(answer, found))
        try:
            yield found
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _read(answer: httpx.Response, found: Reading) -> None:
    block: list[str] = []
    try:
        async for line in answer.aiter_lines():
            if line:
                block.append(line)
            elif block:
                found.take(block)
                block = []
    except httpx.TransportError:
        pass
    found.over.set()
    found.changed.set()
