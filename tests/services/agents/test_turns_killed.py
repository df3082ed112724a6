"""Processes that are killed, put to sleep or told to stop while they work (section 9.17)."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest

from services.agents.turns.operations.worker import Limits
from shared.secret import encode_base64url
from tests.services.agents.conftest import Agents
from tests.services.agents.turns_support import (
    PATIENCE,
    Chat,
    chat,
    forget_work,
    until,
    worker_of,
)
from tests.support.ports import free_port
from tests.support.postgres import DatabaseUrls

pytestmark = pytest.mark.slow

ROUNDS = 6
ROOT = Path(__file__).resolve().parents[3]


class Site:
    """Where processes of the service run."""

    def __init__(self, nursery: asyncio.subprocess.Process, folder: Path) -> None:
        self.gate = folder / "gate"
        self._nursery = nursery

    async def start(self, kind: str, word: str = "work") -> int:
        """Start a process; give its number."""
        source, sink = self._nursery.stdin, self._nursery.stdout
        assert source is not None
        assert sink is not None
        source.write(f"{kind} {word} {free_port()}\n".encode())
        return int(await asyncio.wait_for(sink.readline(), PATIENCE))

    @asynccontextmanager
    async def running(self, kind: str, word: str = "work") -> AsyncIterator[int]:
        """Run a process until the context is left, whatever has become of it."""
        number = await self.start(kind, word)
        try:
            yield number
        finally:
            await kill(number)


async def gone(number: int) -> None:
    """Wait until a process has ended."""

    async def ended() -> bool:
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            return True
        return False

    await until(ended, "still running")


async def kill(number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(number, signal.SIGKILL)
    await gone(number)


def environment_of(urls: DatabaseUrls, folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "GUILDHALL_PROFILE": "development",
        "GUILDHALL_AGENTS_DATABASE_URL": urls.url("agents"),
        "GUILDHALL_BROKER_URL": urls.url("bus"),
        "GUILDHALL_ROOT_SECRET": encode_base64url(bytes(range(32))),
        "GUILDHALL_AGENTS_TURN_LEASE_SECONDS": "1",
        "GUILDHALL_LOG_LEVEL": "error",
        "GUILDHALL_TEST_FOLDER": str(folder),
        "GUILDHALL_PORT": str(free_port()),
    }


@pytest.fixture(scope="module")
async def site(urls: DatabaseUrls, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("turns")
    nursery = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.services.agents.turns_process",
        cwd=ROOT,
        env=environment_of(urls, folder),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    yield Site(nursery, folder)
    assert nursery.stdin is not None
    nursery.stdin.close()
    await nursery.wait()


@pytest.fixture(autouse=True)
async def _alone(agents: Agents, site: Site) -> None:
    await forget_work(agents.sql)
    site.gate.unlink(missing_ok=True)


async def is_begun(made: Chat, attempts: int = 1) -> None:
    """Wait until its last turn is under way."""

    async def begun() -> bool:
        return (await made.jobs())[-1] == ("run_turn", "processing", attempts)

    await until(begun, "never begun")


async def test_processes_killed_at_any_moment_lose_and_double_nothing(
    agents: Agents, site: Site
) -> None:
    made = [await chat(agents) for _ in range(12)]
    dice = random.Random(7)
    async with AsyncExitStack() as stack:
        starts = (("slow", "work"), ("ours", "work"), ("ours", "serve"))
        alive = [await stack.enter_async_context(site.running(*start)) for start in starts]
        for round_ in range(ROUNDS):
            for each in made:
                await each.say(f"m{round_}")
            await is_answering(made, round_)
            await asyncio.sleep(dice.uniform(0, 0.2))  # any moment
            victim = dice.randrange(len(alive))
            await kill(alive[victim])
            alive[victim] = await stack.enter_async_context(site.running(*starts[victim]))
        for each in made:
            await each.replies(ROUNDS)
            await each.becomes("READY")
    for each in made:
        rows = await agents.sql.fetch(
            "SELECT number, role, content, reply_to FROM agents.message "
            "WHERE session_id = $1 ORDER BY number",
            each.id,
        )
        asked = [row["number"] for row in rows if row["role"] == "USER"]
        answers = [row["reply_to"] for row in rows if row["role"] != "USER"]
        assert answers == asked, "each once, and in their order"
        # One that was killed in both its attempts has a reply that says so.
        assert {state for _, state, _ in await each.jobs()} <= {"completed", "failed"}


async def is_answering(made: list[Chat], rounds: int) -> None:
    """Wait until something of the last rounds is answered."""
    sessions = [each.id for each in made]

    async def some() -> bool:
        replies = await made[0].sql.fetchval(
            "SELECT count(*) FROM agents.message WHERE session_id = ANY($1) AND role <> 'USER'",
            sessions,
        )
        return bool(replies > len(made) * (rounds - 1))

    await until(some, "nothing is answered")


async def test_who_slept_past_its_lease_writes_nothing(
    agents: Agents, urls: DatabaseUrls, site: Site
) -> None:
    made, later = await chat(agents), await chat(agents)
    async with site.running("slow") as sleeper:
        await made.say("slow one")
        await is_begun(made)
        os.kill(sleeper, signal.SIGSTOP)
        async with worker_of(urls, limits=Limits(lease_s=1)):
            await made.replies(1)
            await made.becomes("READY")
        before = await made.row(), await made.jobs(), await made.lines()
        site.gate.touch()
        os.kill(sleeper, signal.SIGCONT)
        # It is awake, and has tried, once it has answered something else.
        await later.say("hello")
        await later.replies(1)
        await later.becomes("READY")
        assert (await made.row(), await made.jobs(), await made.lines()) == before
    assert await made.lines() == [("USER", "slow one"), ("AGENT", "assistant: slow one")]


async def test_a_process_told_to_stop_ends_what_is_quick_and_hands_over_the_rest(
    agents: Agents, urls: DatabaseUrls, site: Site
) -> None:
    made = [await chat(agents) for _ in range(3)]
    async with site.running("slow") as process:
        for each in made:
            await each.say("slow one")
        for each in made:
            await is_begun(each)
        started = time.monotonic()
        os.kill(process, signal.SIGTERM)
        await gone(process)
        assert time.monotonic() - started < 15
    for each in made:
        assert (await each.jobs())[-1] == ("run_turn", "pending", 0)
        standing = await each.work()
        assert (standing["worker"], standing["due_at"] is None) == (None, False)
    async with site.running("slow") as process:
        for each in made:
            await is_begun(each)
        os.kill(process, signal.SIGTERM)
        site.gate.touch()
        await gone(process)
    for each in made:
        assert [role for role, _ in await each.lines()] == ["USER", "AGENT"]
        await each.becomes("READY")


async def test_the_real_command_works_and_can_be_killed(
    agents: Agents, urls: DatabaseUrls, tmp_path: Path
) -> None:
    made = await chat(agents, ready=False)
    command = (sys.executable, "-m", "services.agents", "work")
    environment = environment_of(urls, tmp_path)
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment)
    try:
        await made.becomes("READY")
        await made.say("/help")
        (reply,) = await made.replies()
        assert reply["role"] == "AGENT"
        assert reply["agent_name"] == "assistant"
        await made.becomes("READY")
    finally:
        process.kill()
        await process.wait()
