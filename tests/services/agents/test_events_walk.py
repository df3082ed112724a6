"""Nothing is lost or doubled, whatever is posted where and however often readers come back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from services.agents.events import operations
from shared import followers
from shared.db import Database
from tests.services.agents.conftest import Agents
from tests.services.agents.events_support import follow, told
from tests.services.agents.messages_support import Talk, begin, living
from tests.support.event_stream import LIMIT
from tests.support.postgres import DatabaseUrls


@pytest.fixture(scope="module")
async def pair(urls: DatabaseUrls) -> AsyncIterator[tuple[Agents, Agents]]:
    """Two processes' worth of the service on one database and one bus."""
    async with living(urls) as one, living(urls) as two:
        await one.prepare()
        two.roles = one.roles
        yield one, two


def on(agents: Agents, talk: Talk) -> Talk:
    """Give the same session as another process serves it."""
    return replace(talk, agents=agents)


@pytest.fixture
def unpolled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let streams look only when they are woken."""
    monkeypatch.setattr(operations, "RECHECK", 600.0)
    monkeypatch.setattr(followers, "HEARTBEAT", 600.0)


@pytest.mark.usefixtures("unpolled")
async def test_what_another_process_commits_is_told(pair: tuple[Agents, Agents]) -> None:
    one, two = pair
    talk = await begin(one)
    there = on(two, talk)
    async with follow(there) as found:
        await found.until(1)
        number = await talk.number_of(await talk.say("question"))
        await found.until(3)
        await talk.reply(number, "answer")
        await found.until(5)
        await talk.send("DELETE")
        await found.until(6)
    assert told(found.events)[-3:] == [
        ("message", "answer"),
        ("state", "READY"),
        ("deleted", "User requested deletion"),
    ]


@pytest.mark.usefixtures("unpolled")
async def test_own_commits_are_told_without_the_bus(urls: DatabaseUrls) -> None:
    async with living(urls, None, GUILDHALL_SERVE_BACKGROUND=False) as agents:
        await agents.prepare()
        talk = await begin(agents)
        async with follow(talk) as found:
            await found.until(1)
            number = await talk.number_of(await talk.say("question"))
            await found.until(3)
            await talk.reply(number, "answer")
            await found.until(5)
            await talk.send("POST", "/close")
            await found.until(6)
    assert told(found.events)[-1] == ("state", "IDLE")


async def write(talks: tuple[Talk, Talk], chance: random.Random, steps: int) -> None:
    """Do things in a session, here and there."""
    waiting: list[int] = []
    for step in range(steps):
        talk = chance.choice(talks)
        match chance.randrange(8):
            case 0 | 1 | 2:
                waiting.append(await talk.number_of(await talk.say(f"question {step}")))
            case 3:
                await talk.say(f"note {step}", "SYSTEM")
            case 4 | 5 if waiting:
                await talk.reply(waiting.pop(0), f"answer {step}")
            case 6:
                await talk.send("POST", chance.choice(("/close", "/restore", "/complete")))
            case _:
                await asyncio.gather(*(one.say(f"both {step}", "SYSTEM") for one in talks))


async def read(
    talks: tuple[Talk, Talk], chance: random.Random, done: asyncio.Event
) -> list[dict[str, Any]]:
    """Follow a session, leaving and coming back with the last id, here and there."""
    seen: list[dict[str, Any]] = []
    is_last_time = False
    while not is_last_time:
        is_last_time = done.is_set()
        last = seen[-1]["id"] if seen else 0
        async with follow(chance.choice(talks), last) as found:
            if is_last_time:
                await found.until(await _missing(talks[0], int(last)))
            else:
                await _some(found, chance.randint(0, 6), done)
        seen += found.events
    return seen


async def _some(found: Any, count: int, done: asyncio.Event) -> None:
    arrived = asyncio.create_task(found.until(count))
    ended = asyncio.create_task(done.wait())
    await asyncio.wait([arrived, ended], timeout=LIMIT, return_when=asyncio.FIRST_COMPLETED)
    for task in (arrived, ended):
        task.cancel()
    await asyncio.gather(arrived, ended, return_exceptions=True)


async def _missing(talk: Talk, after: int) -> int:
    return len([number for number, _ in await happened(talk) if number > after])


async def happened(talk: Talk) -> list[tuple[int, str]]:
    """Give what the database knows of a session: numbers, with a message's id or a state."""
    async with talk.agents.resources[Database].connection() as connection:
        rows = await connection.fetch(
            """
            SELECT number, id::text AS what FROM agents.message WHERE session_id = $1
            UNION ALL SELECT number, state FROM agents.state_change WHERE session_id = $1
            ORDER BY number
            """,
            UUID(talk.id),
        )
    return [(row["number"], row["what"]) for row in rows]


@pytest.mark.parametrize("seed", range(3))
async def test_a_random_walk(pair: tuple[Agents, Agents], seed: int) -> None:
    chance = random.Random(seed)
    talk = await begin(pair[0])
    talks = talk, on(pair[1], talk)
    done = asyncio.Event()
    readers = [
        asyncio.create_task(read(talks, random.Random(chance.random()), done)) for _ in range(3)
    ]
    await write(talks, chance, 40)
    done.set()
    expected = await happened(talk)
    assert len(expected) > 20
    for seen in await asyncio.gather(*readers):
        found = [(int(one["id"]), one["data"].get("state") or one["data"]["id"]) for one in seen]
        assert found == expected
