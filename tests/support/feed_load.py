"""Writers and pollers on one organization's feed: what the feed promises, under load.

Writers post, push and change without a pause; pollers pull with the tags and cursors of section 6.1
of the learnings contract. Whatever the service's processes do, no poller may miss a committed row,
and none may see an older number after a newer one.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from tests.services.learnings.conftest import Tenant
from tests.services.learnings.sync_support import Puller, entry, hash_of

WRITERS = 8
POLLERS = 4
PAUSE = 0.3
"""Seconds that a poller waits at most between two pulls."""

TIMEOUT = 30.0


@dataclass
class Everywhere(Tenant):
    """An organization whose requests go to any of several processes."""

    clients: Sequence[httpx.AsyncClient] = ()
    chance: random.Random = field(default_factory=random.Random)

    async def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        self.client = self.chance.choice(self.clients)
        return await super().send(method, path, **options)


@dataclass
class Report:
    """What went on.

    Attributes:
        acknowledged: ids of learnings whose recording was acknowledged.
        done: writes and pulls by sort.
        pollers: as they stand at the end.
    """

    acknowledged: set[str] = field(default_factory=set)
    done: Counter[str] = field(default_factory=Counter)
    pollers: list[Puller] = field(default_factory=list)


async def run(urls: Sequence[str], seconds: float, seed: int) -> tuple[Everywhere, Report]:
    """Write and poll for so long, then let the pollers pull what is left.

    Args:
        urls: of the service's processes.
        seconds: of writing.
        seed: of all choices.
    """
    chance = random.Random(seed)
    clients = [httpx.AsyncClient(base_url=url, timeout=TIMEOUT) for url in urls]
    try:
        tenant = Everywhere(clients[0], clients=clients, chance=chance)
        report = Report(
            pollers=[
                Puller(tenant, client_id=f"sync-claude-code-{number:016x}")
                for number in range(1000, 1000 + POLLERS)
            ]
        )
        stop = asyncio.Event()
        polling = [asyncio.create_task(_poll(one, report, chance, stop)) for one in report.pollers]
        async with asyncio.TaskGroup() as writers:
            end = asyncio.get_running_loop().time() + seconds
            for number in range(WRITERS):
                writers.create_task(_write(tenant, number, report, chance, end))
        stop.set()
        await asyncio.gather(*polling)
    finally:
        await asyncio.gather(*(client.aclose() for client in clients))
    return tenant, report


async def _poll(puller: Puller, report: Report, chance: random.Random, stop: asyncio.Event) -> None:
    while not stop.is_set():
        report.done["pull" if await puller.pull() else "not modified"] += 1
        if not puller.more:
            await asyncio.sleep(chance.random() * PAUSE)
    await puller.pull_all()


async def _write(
    tenant: Tenant, number: int, report: Report, chance: random.Random, end: float
) -> None:
    client_id = f"sync-claude-code-{number:016x}"
    own: list[str] = []
    pushed: list[str] = []
    while asyncio.get_running_loop().time() < end:
        kind = chance.choice(["post", "push", "push", "change"])
        if kind == "post":
            made = await tenant.record(summary=f"Posted {uuid4().hex}")
            own.append(made["id"])
        elif kind == "push":
            await _push(tenant, client_id, own, pushed, chance)
        elif own:
            path = f"/v1/learnings/{chance.choice(own)}"
            status = chance.choice(["active", "resolved", "obsolete"])
            body = {"status": status, "summary": f"Changed {uuid4().hex}"}
            answer = await tenant.send("PATCH", path, json=body)
            assert answer.status_code == 200, answer.text
        report.done[kind] += 1
    report.acknowledged.update(own)


async def _push(
    tenant: Tenant, client_id: str, own: list[str], pushed: list[str], chance: random.Random
) -> None:
    """Push some new learnings and some edits."""
    new = [f"L-{uuid4().hex[:8]}" for _ in range(chance.randint(0, 4))]
    old = chance.sample(pushed, min(len(pushed), chance.randint(0, 3)))
    entries = [
        entry(name, summary=f"Pushed {uuid4().hex}", sync_hash=hash_of(uuid4()))
        for name in new + old
    ]
    body = {"entries": entries, "client_id": client_id, "push_seq": 1}
    answer = await tenant.send("POST", "/v1/sync/learnings", json=body)
    assert answer.status_code == 200, answer.text
    verdict = answer.json()
    counts = (verdict["inserted"], verdict["updated"], verdict["skipped"])
    assert counts == (len(new), len(old), 0), verdict
    pushed += new
    own += [one["id"] for one in verdict["results"][: len(new)]]
