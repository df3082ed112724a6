"""Sessions to talk in, and the service on a real port so that its streams can be read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from services.agents.app import SERVICE
from services.agents.messages import operations
from services.agents.messages.models import ReplyRole
from services.agents.sessions.models import Move, Session, State
from services.agents.sessions.operations import moving, working
from shared.bus import Transport
from shared.db import Database
from shared.principal import Principal
from shared.service import Resources, create_app, no_background
from shared.streams import Draining
from tests.services.agents.conftest import Agents, agents_settings, new_name
from tests.support.postgres import DatabaseUrls
from tests.support.serving import serving


@dataclass
class Talk:
    """A session and its owner."""

    agents: Agents
    owner: Principal
    id: str
    namespace: str
    made: dict[str, Any]

    @property
    def path(self) -> str:
        return f"sessions/{self.id}"

    async def send(
        self, method: str, rest: str = "", principal: Principal | None = None, **options: Any
    ) -> httpx.Response:
        """Send a request to the session as its owner, or as somebody else."""
        return await self.agents.send(
            method, f"{self.path}{rest}", principal or self.owner, **options
        )

    async def say(self, content: str = "hello", role: str = "USER", **more: Any) -> dict[str, Any]:
        """Post a message and give it as it was answered."""
        body = {"role": role, "content": content, **more}
        answer = await self.send("POST", "/messages", json=body)
        assert answer.status_code == 201, answer.text
        said: dict[str, Any] = answer.json()
        return said

    async def messages(self, **query: Any) -> list[dict[str, Any]]:
        """List its messages."""
        answer = await self.send("GET", "/messages", params=query)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()
        return found

    async def contents(self, **query: Any) -> list[str]:
        return [one["content"] for one in await self.messages(**query)]

    async def state(self) -> str:
        """Give its state as shown."""
        answer = await self.send("GET")
        assert answer.status_code == 200, answer.text
        shown: str = answer.json()["state"]
        return shown

    async def move(self, state: str) -> None:
        """Move it by hand."""
        answer = await self.send("PUT", "/state", json={"state": state})
        assert answer.status_code == 200, answer.text

    async def jobs(self) -> list[tuple[str, str, int | None, str | None]]:
        """Give kind, state, message and reason of its jobs, but for the one that starts it."""
        rows = await self.agents.sql.fetch(
            "SELECT kind, state, message_number, reason FROM agents.job "
            "WHERE session_id = $1 AND kind <> 'create_session' ORDER BY number",
            UUID(self.id),
        )
        return [tuple(row) for row in rows]

    async def turns(self) -> list[tuple[str, int | None, str | None]]:
        """Give state, message and reason of its turns."""
        return [job[1:] for job in await self.jobs() if job[0] == "run_turn"]

    async def number_of(self, message: dict[str, Any]) -> int:
        """Give a message's number."""
        found: int = await self.agents.sql.fetchval(
            "SELECT number FROM agents.message WHERE session_id = $1 AND id = $2",
            UUID(self.id),
            UUID(message["id"]),
        )
        return found

    async def reply(
        self, number: int, content: str = "an answer", role: ReplyRole = "AGENT"
    ) -> bool:
        """Answer a message as the worker does: the reply and BUSY -> READY in one transaction."""
        async with self.agents.resources[Database].transaction() as connection:
            session = await locked(connection, self.id)
            given = await operations.turn_input(connection, session.id, number)
            if given is None:
                return False
            at = await operations.add_reply(
                connection,
                session,
                given.message,
                role,
                content,
                agent_id=None,
                agent_name="assistant",
                metadata={},
            )
            if at is not None and session.stored is State.BUSY:
                await moving.move(connection, session, Move(State.READY), until=at)
        return at is not None

    async def show_replies(self) -> None:
        """Let the time come for what is held back."""
        await self.agents.sql.execute(
            "UPDATE agents.message SET created_at = clock_timestamp() "
            "WHERE session_id = $1 AND created_at > clock_timestamp()",
            UUID(self.id),
        )
        await self.agents.sql.execute(
            "UPDATE agents.session SET busy_until = NULL WHERE id = $1", UUID(self.id)
        )

    async def take_turn(self) -> int:
        """Take its first waiting turn as the worker does; give the message's number."""
        number: int = await self.agents.sql.fetchval(
            """
            UPDATE agents.job SET state = 'processing'
             WHERE session_id = $1 AND number = (
                SELECT min(number) FROM agents.job
                 WHERE session_id = $1 AND state = 'pending' AND kind = 'run_turn')
            RETURNING message_number
            """,
            UUID(self.id),
        )
        await self.agents.sql.execute(
            "UPDATE agents.work SET worker = 'w', fence = fence + 1 WHERE session_id = $1",
            UUID(self.id),
        )
        return number


async def locked(connection: Any, session_id: str) -> Session:
    """Lock a session that is there."""
    session = await working.lock_by_id(connection, UUID(session_id))
    assert session is not None
    return session


async def begin(
    agents: Agents,
    namespace: str = "",
    owner: Principal | None = None,
    state: str = "READY",
    **body: Any,
) -> Talk:
    """Make a session of a developer, and bring it to a state as its owner may."""
    namespace = namespace or new_name("ns")
    owner = owner or await agents.robot("developer", namespace=namespace)
    named = {} if "space" in body else {"namespace": namespace}
    answer = await agents.post("sessions", owner, {**named, **body})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    talk = Talk(agents, owner, made["id"], namespace, made)
    ways = {"INIT": (), "READY": ("READY",), "IDLE": ("READY", "IDLE"), "ERROR": ("ERROR",)}
    for step in (*ways.get(state, ("READY", state)),):
        await talk.move(step)
    return talk


@asynccontextmanager
async def living(
    urls: DatabaseUrls, draining: Draining | None = None, **values: Any
) -> AsyncIterator[Agents]:
    """The service on a real port, its relay running, nobody who answers."""
    opened: dict[type, Any] = {}

    @asynccontextmanager
    async def opening(
        settings: Any, database: Database, transport: Transport
    ) -> AsyncIterator[Resources]:
        async with SERVICE.open_resources(settings, database, transport) as resources:
            opened.update({Database: database, Transport: transport, **resources})
            yield resources

    service = replace(SERVICE, open_resources=opening, background=no_background)
    settings = agents_settings(urls, **{"GUILDHALL_SERVE_BACKGROUND": True} | values)
    sql = await asyncpg.connect(urls.url("agents"), timeout=10)
    try:
        async with (
            serving(create_app(service, settings, draining)) as url,
            httpx.AsyncClient(base_url=url, timeout=20) as client,
        ):
            yield Agents(client, sql, opened)
    finally:
        await sql.close(timeout=5)
