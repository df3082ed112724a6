"""Kill one process after the other, without warning, while people work.

What must hold afterwards, with nothing done by hand: every acknowledged write is there, no refused
one is, each event had each effect once, and no failure came later than 15 seconds after the
recovery.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import asyncpg
import httpx
import pytest

from shared.bus import Subscription, Worker, connect
from shared.contracts.learnings import LearningRecorded
from shared.db import Connection, Database
from tests.support.rabbit import Rabbit
from tests.support.stack import MakeStack, Stack
from tests.system.load import Load, Memory
from tests.system.people import Person, joined

SEED = 20_261_122
VICTIMS = ("gateway", "auth", "learnings", "learnings work", "broker")
CALM = 3.0
"""Seconds without any failure after which the system counts as recovered."""

RECOVERY_LIMIT = 15.0
"""Seconds after the recovery by which the last failure must have been."""

START_LIMIT = 60.0
SETTLE_LIMIT = 60.0
RATES = "learnings=1000000/60 auth=1000000/60"

pytestmark = [pytest.mark.stack, pytest.mark.rabbit, pytest.mark.slow]


@pytest.fixture
def broker() -> Iterator[Rabbit]:
    with Rabbit.running() as rabbit:
        yield rabbit


@pytest.fixture
def drilled(broker: Rabbit, make_stack: MakeStack) -> Stack:
    """The whole system over RabbitMQ, the relay of learnings in a process of its own."""
    return make_stack(
        GUILDHALL_BROKER_URL=broker.url,
        GUILDHALL_LEARNINGS_SERVE_BACKGROUND="0",
        GUILDHALL_RATE_LIMITS=RATES,
    )


@asynccontextmanager
async def counting_effects(stack: Stack, broker: Rabbit) -> AsyncIterator[Database]:
    """Hear every learning.recorded as a consumer of teams would, and write each effect down."""
    admin = await asyncpg.connect(stack.admin_url())
    await admin.execute("CREATE TABLE teams.drill_effect (learning_id text NOT NULL)")
    await admin.execute("ALTER TABLE teams.drill_effect OWNER TO guildhall_teams")
    await admin.close()

    async def note(connection: Connection, event: LearningRecorded) -> None:
        await connection.execute("INSERT INTO teams.drill_effect VALUES ($1)", event.learning_id)

    database = await Database.connect(stack.database_url("teams"))
    transport = await connect(broker.url)
    subscription = Subscription("drill", LearningRecorded, note)
    try:
        async with Worker(
            database, "teams", transport, [subscription], retry_delays=(0.2, 0.5, 1, 2)
        ):
            yield database
    finally:
        await transport.close()
        await database.close()


async def strike(stack: Stack, broker: Rabbit, victim: str) -> None:
    """Kill without warning. Only the broker, which is not ours, is started again by hand."""
    if victim == "broker":
        await asyncio.to_thread(broker.restart)
    else:
        stack.kill_child(victim)


async def recovered(client: httpx.AsyncClient, stack: Stack, victim: str) -> float:
    """Wait until the system says that it is ready again, and say when that was."""
    async with asyncio.timeout(START_LIMIT):
        while True:
            await asyncio.sleep(0.05)
            try:
                if victim == "learnings work":
                    stack.child(victim)
                answer = await client.get("/health/ready")
            except (LookupError, httpx.TransportError):
                continue
            if answer.status_code == 200:
                return time.monotonic()


async def calm(memory: Memory) -> None:
    """Wait until every sort of request has gone well again for a while, without a failure."""
    before = memory.successes.copy()
    since = time.monotonic()
    while True:
        await asyncio.sleep(0.1)
        if memory.last_failure > since:
            before, since = memory.successes.copy(), memory.last_failure
        elif time.monotonic() - since > CALM and all(
            memory.successes[name] > before[name]
            for name in ("record", "misrecord", "change", "list", "log_in")
        ):
            return


async def test_nothing_is_lost_and_nothing_done_twice(drilled: Stack, broker: Rabbit) -> None:
    order = list(VICTIMS)
    random.Random(SEED).shuffle(order)
    limits = httpx.Limits(max_keepalive_connections=20)
    async with (
        httpx.AsyncClient(base_url=drilled.base_url, timeout=10, limits=limits) as client,
        counting_effects(drilled, broker) as effects,
    ):
        people = [
            await joined(client, drilled.mail_directory, f"ada{number}@example.com")
            for number in range(3)
        ]
        async with Load(people, SEED).running() as memory:
            await calm(memory)
            for victim in order:
                await strike(drilled, broker, victim)
                ready_at = await recovered(client, drilled, victim)
                async with asyncio.timeout(RECOVERY_LIMIT + CALM + 5):
                    await calm(memory)
                assert memory.last_failure <= ready_at + RECOVERY_LIMIT, victim
            newcomer = await joined(client, drilled.mail_directory, "late@example.com")
        assert memory.surprises == []
        await nothing_is_lost(client, people, memory)
        await each_effect_once(effects, memory)
        await organizations_are_known(drilled, [*people, newcomer])


async def nothing_is_lost(client: httpx.AsyncClient, people: list[Person], memory: Memory) -> None:
    """Compare what is stored with what was acknowledged, refused, and left open."""
    stored: dict[str, str] = {}
    for person in people:
        page = 1
        while True:
            answer = await client.get(
                f"/v1/learnings?page_size=200&page={page}", headers=person.headers
            )
            items = answer.json()["items"]
            for item in items:
                assert item["summary"] not in stored, "stored twice"
                stored[item["summary"]] = item["id"]
            page += 1
            if not items:
                break
    assert memory.acknowledged.items() <= stored.items()
    assert not memory.refused & stored.keys()
    assert stored.keys() <= memory.acknowledged.keys() | memory.unknown
    assert len(memory.acknowledged) > 100, "the load was too thin to prove anything"


async def each_effect_once(effects: Database, memory: Memory) -> None:
    """Every acknowledged learning's event had its effect, and none had it twice."""
    wanted = set(memory.acknowledged.values())
    async with asyncio.timeout(SETTLE_LIMIT):
        while True:
            async with effects.connection() as connection:
                rows = await connection.fetch("SELECT learning_id FROM teams.drill_effect")
            seen = [row["learning_id"] for row in rows]
            if wanted <= set(seen):
                break
            await asyncio.sleep(0.2)
    assert len(seen) == len(set(seen)), "an effect happened twice"


async def organizations_are_known(stack: Stack, people: list[Person]) -> None:
    """What auth said of organizations arrived at learnings, and was handled once."""
    database = await Database.connect(stack.database_url("learnings"))
    try:
        async with asyncio.timeout(SETTLE_LIMIT), database.connection() as connection:
            while True:
                named = await connection.fetchval(
                    "SELECT count(*) FROM learnings.organization"
                    " WHERE named_at IS NOT NULL AND org_id = ANY($1)",
                    [person.org_id for person in people],
                )
                if named == len(people):
                    return
                await asyncio.sleep(0.2)
    finally:
        await database.close()
