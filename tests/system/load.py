"""A mixed load with a memory: what was acknowledged, what was refused, and when it failed."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from tests.system.people import PASSWORD, Person

PAUSE = 0.06
"""Seconds a worker rests between two requests, so that the load is bounded."""

Job = Callable[[Person, random.Random], Awaitable["httpx.Response | None"]]


@dataclass
class Memory:
    """What the load saw.

    Attributes:
        acknowledged: summary to id of every learning that was answered with 201.
        refused: summaries that were answered with a 4xx.
        unknown: summaries whose answer was lost or a 5xx; they may be there or not.
        successes: how often each sort of request went well, ever.
        last_failure: ``time.monotonic()`` of the newest 5xx or lost connection.
        surprises: answers that nothing explains.
    """

    acknowledged: dict[str, str] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    successes: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    last_failure: float = 0.0
    surprises: list[str] = field(default_factory=list)


class Load:
    """Workers that record, misrecord, change, list and log in, seeded, until told to stop."""

    def __init__(self, people: list[Person], seed: int) -> None:
        self.memory = Memory()
        self._people = people
        self._seed = seed
        self._stopping = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Memory]:
        """Run the load while entered."""
        jobs = (self._record, self._record, self._misrecord, self._change, self._list, self._log_in)
        async with asyncio.TaskGroup() as group:
            for number, job in enumerate(jobs):
                group.create_task(self._repeat(job, random.Random(self._seed + number)))
            try:
                yield self.memory
            finally:
                self._stopping.set()

    async def _repeat(self, job: Job, chance: random.Random) -> None:
        while not self._stopping.is_set():
            person = chance.choice(self._people)
            name = job.__name__.strip("_")
            try:
                answer = await job(person, chance)
            except httpx.TransportError as error:
                self._failed(f"{name}: {type(error).__name__}")
            else:
                self._judge(name, answer)
            await asyncio.sleep(chance.uniform(0.5, 1.5) * PAUSE)

    def _judge(self, name: str, answer: httpx.Response | None) -> None:
        if answer is None:
            return
        expected = 422 if name == "misrecord" else 201 if name == "record" else 200
        if answer.status_code == expected:
            self.memory.successes[name] += 1
        elif answer.status_code >= 500:
            self._failed(f"{name}: {answer.status_code}")
        else:
            self.memory.surprises.append(f"{name}: {answer.status_code} {answer.text}")

    def _failed(self, what: str) -> None:
        self.memory.failures[what] += 1
        self.memory.last_failure = time.monotonic()

    async def _record(self, person: Person, chance: random.Random) -> httpx.Response:
        summary = f"learned {chance.randbytes(12).hex()}"
        self.memory.unknown.add(summary)
        answer = await person.client.post(
            "/v1/learnings", json={"summary": summary}, headers=person.headers
        )
        if answer.status_code == 201:
            self.memory.unknown.discard(summary)
            self.memory.acknowledged[summary] = answer.json()["id"]
        return answer

    async def _misrecord(self, person: Person, chance: random.Random) -> httpx.Response:
        summary = f"refused {chance.randbytes(12).hex()}"
        self.memory.refused.add(summary)
        body = {"summary": summary, "impact": chance.choice([7, "high", -1, []])}
        return await person.client.post("/v1/learnings", json=body, headers=person.headers)

    async def _change(self, person: Person, chance: random.Random) -> httpx.Response | None:
        page = await person.client.get("/v1/learnings?page_size=5", headers=person.headers)
        if page.status_code != 200 or not page.json()["items"]:
            return page if page.status_code != 200 else None
        item = chance.choice(page.json()["items"])
        change = {
            "tags": [chance.choice("abcdef")],
            "status": chance.choice(["resolved", "active"]),
        }
        return await person.client.patch(
            f"/v1/learnings/{item['id']}", json=change, headers=person.headers
        )

    async def _list(self, person: Person, chance: random.Random) -> httpx.Response:
        return await person.client.get(
            f"/v1/learnings?page_size={chance.randint(1, 50)}", headers=person.headers
        )

    async def _log_in(self, person: Person, chance: random.Random) -> httpx.Response:
        # Hashing a password costs a tenth of a second on purpose.
        await asyncio.sleep(10 * PAUSE)
        body = {"email": person.email, "password": PASSWORD}
        return await person.client.post("/v1/auth/token", json=body)
