"""Workers of sessions under test: with providers and runners that do what a test wants."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from services.agents.agents.models import Agent
from services.agents.providers.models import Answered, ProviderFailed, Question, Usage
from services.agents.providers.operations import Providers
from services.agents.sessions.models import Session
from services.agents.sessions.operations import Bell
from services.agents.settings import AgentsSettings
from services.agents.turns import operations as turns
from services.agents.turns.models import Placed, Prepared, RunnerFailed
from services.agents.turns.operations.answering import Doer
from services.agents.turns.operations.worker import Limits, TurnWorker
from shared.bus import Relay, Transport
from shared.db import Database
from shared.siblings import Siblings
from shared.streams import Draining
from tests.services.agents.conftest import Agents, agents_settings
from tests.services.agents.messages_support import Talk, begin
from tests.support.postgres import DatabaseUrls

PATIENCE = 30.0
USED = Usage(7, 5, 3)

Answering = Callable[[Question], Awaitable[Answered]]


async def until(condition: Callable[[], Awaitable[Any]], what: str) -> Any:
    """Wait for a condition, and give what it gave."""
    deadline = time.monotonic() + PATIENCE
    while not (found := await condition()):
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.01)
    return found


def answered(text: str, memory: Mapping[str, Any] | None = None, *notes: str) -> Answered:
    return Answered(text, USED, memory or {}, notes)


async def echo(question: Question) -> Answered:
    return answered(f"{question.agent.name}: {question.message}")


async def refuse(question: Question) -> Answered:
    raise ProviderFailed("The model has no time.", USED)


@dataclass
class FakeProviders:
    """Answers as a test wants, and knows what it was asked."""

    behave: Answering = echo
    asked: list[Question] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    broken_off: int = 0

    async def complete(self, question: Question) -> Answered:
        self.asked.append(question)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return await self.behave(question)
        except asyncio.CancelledError:
            self.broken_off += 1
            raise
        finally:
            self.at_once -= 1

    def hang(self) -> asyncio.Event:
        """Answer nothing until the event that it gives is set."""
        gate = asyncio.Event()

        async def wait(question: Question) -> Answered:
            await gate.wait()
            return await echo(question)

        self.behave = wait
        return gate

    async def was_asked(self, count: int = 1) -> list[Question]:
        """Wait until it was asked so often."""

        async def enough() -> bool:
            return len(self.asked) >= count

        await until(enough, f"asked {len(self.asked)} times of {count}")
        return self.asked


@dataclass
class FakeRunner:
    """A runner whose troubles a test makes."""

    trouble: Exception | None = None
    fallen: dict[UUID, str] = field(default_factory=dict)
    prepared: list[UUID] = field(default_factory=list)
    released: list[tuple[UUID, str | None]] = field(default_factory=list)
    may_fall: bool = True

    async def prepare(self, session: Session) -> Prepared:
        self.prepared.append(session.id)
        if self.trouble is not None:
            raise self.trouble
        return Prepared(f"box-{len(self.prepared)}", str(session.id))

    async def release(self, session_id: UUID, container_id: str | None) -> None:
        self.released.append((session_id, container_id))
        if self.trouble is not None:
            raise self.trouble

    async def standing(self, placed: Sequence[Placed]) -> Mapping[UUID, str]:
        if self.trouble is not None:
            raise RunnerFailed("away")
        return {each.session_id: self.fallen.get(each.session_id, "running") for each in placed}


@dataclass
class Work:
    """A worker inside the test's process."""

    providers: FakeProviders
    runner: FakeRunner
    worker: TurnWorker
    bell: Bell


@asynccontextmanager
async def worker_of(
    urls: DatabaseUrls,
    *,
    bell: Bell | None = None,
    limits: Limits | None = None,
    seconds: float = 120.0,
    runner: FakeRunner | None = None,
) -> AsyncIterator[Work]:
    """Work as a process would, without the clock's part and without hearing others.

    Args:
        urls: of the database.
        bell: of the service that adds work, if that is in this process.
        limits: of the worker.
        seconds: that a provider has.
        runner: what sessions run in.
    """
    providers, runner, bell = FakeProviders(), runner or FakeRunner(), bell or Bell()
    database = await Database.connect(urls.url("agents"))
    try:
        async with Siblings.opened("agents", {}) as siblings:
            doer = Doer(providers, siblings, runner, seconds)  # type: ignore[arg-type]
            limits = limits or Limits()
            worker = TurnWorker(database, doer, bell, Draining(), limits)
            async with worker:
                yield Work(providers, runner, worker, bell)
    finally:
        await database.close()


@asynccontextmanager
async def working(
    agents: Agents, urls: DatabaseUrls, providers: FakeProviders, **values: Any
) -> AsyncIterator[None]:
    """Work as the service's background does."""
    database = await Database.connect(urls.url("agents"))
    settings = agents_settings(urls, **values)
    try:
        resources = {
            **agents.resources,
            AgentsSettings: settings,
            Providers: providers,
            Draining: Draining(),
            Transport: agents.resources[Transport],
        }
        async with (
            Relay(database, "agents", agents.resources[Transport]),
            turns.working(resources, database),
        ):
            yield
    finally:
        await database.close()


@dataclass
class Chat:
    """A session whose people see everything at once."""

    talk: Talk
    sql: asyncpg.Connection[asyncpg.Record]

    @property
    def id(self) -> UUID:
        return UUID(self.talk.id)

    async def say(self, content: str) -> None:
        await self.talk.say(content)

    async def lines(self) -> list[tuple[str, str]]:
        """Give role and content of every message, those held back too."""
        rows = await self.sql.fetch(
            "SELECT role, content FROM agents.message WHERE session_id = $1 ORDER BY number",
            self.id,
        )
        return [(row["role"], row["content"]) for row in rows]

    async def replies(self, count: int = 1) -> list[asyncpg.Record]:
        """Wait for so many replies, and give all there are."""

        async def enough() -> list[asyncpg.Record] | None:
            rows = await self.sql.fetch(
                "SELECT * FROM agents.message WHERE session_id = $1 AND role <> 'USER' "
                "ORDER BY number",
                self.id,
            )
            return rows if len(rows) >= count else None

        found: list[asyncpg.Record] = await until(enough, f"no {count} replies")
        return found

    async def row(self) -> asyncpg.Record:
        row = await self.sql.fetchrow("SELECT * FROM agents.session WHERE id = $1", self.id)
        assert row is not None
        return row

    async def work(self) -> asyncpg.Record:
        row = await self.sql.fetchrow("SELECT * FROM agents.work WHERE session_id = $1", self.id)
        assert row is not None
        return row

    async def becomes(self, state: str) -> asyncpg.Record:
        """Wait until its row is in a state and there is nothing to do in it."""

        async def there() -> asyncpg.Record | None:
            row = await self.row()
            is_free = (await self.work())["due_at"] is None
            return row if row["state"] == state and is_free else None

        found: asyncpg.Record = await until(there, f"never {state}")
        return found

    async def jobs(self) -> list[tuple[str, str, int]]:
        rows = await self.sql.fetch(
            "SELECT kind, state, attempts FROM agents.job WHERE session_id = $1 ORDER BY number",
            self.id,
        )
        return [(row["kind"], row["state"], row["attempts"]) for row in rows]

    async def expire(self) -> None:
        """Let its lease end."""
        await self.sql.execute(
            "UPDATE agents.work SET due_at = clock_timestamp() WHERE session_id = $1", self.id
        )


async def forget_work(sql: asyncpg.Connection[asyncpg.Record]) -> None:
    """Let nothing be due that earlier tests have left."""
    await sql.execute("UPDATE agents.work SET due_at = NULL, worker = NULL")


async def chat(agents: Agents, namespace: str = "", *, ready: bool = True, **body: Any) -> Chat:
    """Make a session; with ``ready`` as if a worker had started it."""
    talk = await begin(agents, namespace, state="INIT", **body)
    made = Chat(talk, agents.sql)
    if ready:
        await start(made)
    return made


async def start(made: Chat) -> None:
    """Start a session behind the workers' backs."""
    await made.sql.execute(
        "UPDATE agents.job SET state = 'completed', finished_at = now() WHERE session_id = $1",
        made.id,
    )
    await made.sql.execute(
        "UPDATE agents.work SET due_at = NULL, worker = NULL WHERE session_id = $1", made.id
    )
    await made.sql.execute(
        "UPDATE agents.session SET state = 'READY', started_at = now(), container_id = 'box', "
        "idle_at = CASE WHEN waiting_timeout_seconds > 0 "
        "THEN now() + make_interval(secs => waiting_timeout_seconds) END WHERE id = $1",
        made.id,
    )


async def agent_of(agents: Agents, namespace: str, **fields: Any) -> dict[str, Any]:
    """Make an agent, and give it as it was answered."""
    maker = await agents.robot("admin", namespace=namespace)
    body = {"namespace": namespace, "model": "builtin", **fields}
    answer = await agents.post("agents", maker, body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def plain_agent(name: str, **fields: Any) -> Agent:
    """An agent that is in no database."""
    now = datetime.now(UTC)
    agent = Agent(uuid4(), name, "ns", None, "", "builtin", [], [], [], [], True, now, now)
    return replace(agent, **fields)
