"""Auth is told once of each namespace in which there is something."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

import asyncpg
import pytest

from services.agents.app import SERVICE
from shared.bus import Message
from shared.bus.events import decode
from shared.contracts.agents import NamespaceClaimed
from shared.migrate import migrate
from shared.principal import Principal
from tests.services.agents.agents_support import Statements, make, statements, together
from tests.services.agents.conftest import Agents, new_name
from tests.services.agents.sessions_support import make as make_session
from tests.support.postgres import DatabaseServer

__all__ = ["statements"]

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@pytest.fixture
async def admin(agents: Agents) -> Principal:
    """Somebody whom no binding names in any namespace."""
    return await agents.robot("admin")


async def claims(sql: Sql) -> list[str]:
    """Give the namespaces that were said, as auth would read it."""
    rows = await sql.fetch(
        "SELECT * FROM agents.outbox WHERE kind = 'namespace.claimed.v1' ORDER BY id"
    )
    events = []
    for row in rows:
        message = Message(row["event_id"], row["kind"], row["occurred_at"], row["payload"].encode())
        event = decode(NamespaceClaimed, message)
        assert (event.event_id, event.occurred_at) == (row["event_id"], row["occurred_at"])
        events.append(event)
    return [event.namespace for event in events]


async def test_each_thing_claims_its_namespace_once(agents: Agents, admin: Principal) -> None:
    by_agent, by_session, by_workspace = (new_name("ns") for _ in range(3))
    for _ in range(2):
        await make(agents, admin, by_agent)
        made = await make_session(agents, admin, by_session)
    answer = await agents.post("workspaces", admin, {"name": by_workspace})
    assert answer.status_code == 201, answer.text
    await agents.post(f"sessions/{made['id']}/remix", admin)
    for namespace in (by_agent, by_session, by_workspace):
        await make(agents, admin, namespace)
        await make_session(agents, admin, namespace)
        assert (await claims(agents.sql)).count(namespace) == 1


async def test_of_many_at_once_one_says_it(
    agents: Agents, admin: Principal, namespace: str
) -> None:
    bodies = [{"name": new_name("a"), "namespace": namespace, "model": "m"} for _ in range(4)]
    counts = await together(
        *(agents.post("sessions", admin, {"namespace": namespace}) for _ in range(4)),
        *(agents.post("agents", admin, body) for body in bodies),
    )
    assert counts == {201: 8}
    assert (await claims(agents.sql)).count(namespace) == 1


async def test_what_is_refused_claims_nothing(
    agents: Agents, admin: Principal, namespace: str
) -> None:
    wanted = {"namespace": namespace, "agent_ids": ["nobody"]}
    assert (await agents.post("sessions", admin, wanted)).status_code == 400
    stranger = await agents.robot("developer", namespace=new_name("ns"))
    assert (await agents.post("sessions", stranger, {"namespace": namespace})).is_client_error
    assert namespace not in await claims(agents.sql)


async def test_the_namespace_of_all_is_nothing_to_tell(agents: Agents, admin: Principal) -> None:
    await make_session(agents, admin, "default")
    await make(agents, admin, "default")
    assert "default" not in await claims(agents.sql)


async def test_a_session_costs_no_statement_more(
    agents: Agents, admin: Principal, namespace: str, statements: Statements
) -> None:
    await make_session(agents, admin, namespace)
    assert len(statements.of("namespace")) == 1
    assert statements.of("namespace") == statements.of("session (")


async def test_what_was_there_before_is_told(
    database_server: DatabaseServer, tmp_path: Path
) -> None:
    async with database_server.clone("template0") as urls:
        for file in SERVICE.migrations.glob("000[1-5]_*.sql"):
            shutil.copy(file, tmp_path)
        await migrate(urls.admin, "agents", tmp_path)
        sql = await asyncpg.connect(urls.admin, timeout=10)
        try:
            await furnish(sql)
            await migrate(urls.admin, "agents", SERVICE.migrations)
            assert sorted(await claims(sql)) == ["by-agent", "by-session", "by-workspace"]
        finally:
            await sql.close(timeout=5)


async def furnish(sql: Sql) -> None:
    """Put something into namespaces, as it was before anybody was told."""
    for namespace in ("by-agent", "by-agent", "default"):
        await sql.execute(
            "INSERT INTO agents.agent (id, namespace, name, model) VALUES ($1, $2, $3, 'm')",
            uuid4(),
            namespace,
            new_name("a"),
        )
    for namespace in ("by-session", "by-agent"):
        await sql.execute(
            """
            INSERT INTO agents.session (id, namespace, name, owner_type, owner_id, created_by,
                                        number, last_activity_at)
            VALUES ($1, $2, 's', 'User', 'usr_1', 'usr_1', 1, now())
            """,
            uuid4(),
            namespace,
        )
    await sql.execute("INSERT INTO agents.workspace (namespace) VALUES ('by-workspace')")
