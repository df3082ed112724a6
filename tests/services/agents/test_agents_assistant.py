"""The agent that is there from the start (agents contract, section 8.7)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.agents.agents.operations import ensure_assistant
from services.agents.agents.operations.seeding import ASSISTANT_ID
from shared.db import Database
from tests.services.agents.conftest import Agents, running
from tests.support.postgres import DatabaseServer, DatabaseUrls


@pytest.fixture
async def urls(database_server: DatabaseServer) -> AsyncIterator[DatabaseUrls]:
    """A database of the test's own."""
    async with database_server.clone() as cloned:
        yield cloned


async def rows_of(agents: Agents, table: str = "agent") -> list[dict[str, Any]]:
    found = await agents.sql.fetch(f"SELECT * FROM agents.{table}")  # noqa: S608
    return [dict(row) for row in found]


async def test_it_is_made_once_whoever_starts(urls: DatabaseUrls) -> None:
    async with running(urls) as agents, running(urls):
        await agents.prepare()
        database = agents.resources[Database]
        await asyncio.gather(*(ensure_assistant(database) for _ in range(8)))
        admin = await agents.robot("admin")
        made = (await agents.get("agents", admin)).json()
        assert [(one["namespace"], one["name"], one["model"]) for one in made] == [
            ("default", "assistant", "default")
        ]
        assert (await agents.get("agents/assistant", admin)).json() == made[0]
        assert len(await rows_of(agents, "outbox")) == 1
        assert [
            (one["action"], one["owner_type"]) for one in await rows_of(agents, "audit_event")
        ] == [("agent.created", "System")]
        said = json.loads((await rows_of(agents, "outbox"))[0]["payload"])
        assert said["agent_id"] == str(ASSISTANT_ID) == made[0]["id"]


async def test_it_is_not_revived(urls: DatabaseUrls) -> None:
    async with running(urls) as agents:
        await agents.prepare()
        admin = await agents.robot("admin")
        assert (await agents.delete("agents/assistant", admin)).status_code == 204
    async with running(urls) as agents:
        assert [one["active"] for one in await rows_of(agents)] == [False]
        changed = {"active": True, "name": "renamed", "model": "mine"}
        answer = await agents.put(f"agents/{ASSISTANT_ID}", admin, changed)
        assert answer.status_code == 200, answer.text
    async with running(urls) as agents:
        rows = await rows_of(agents)
        assert [(one["name"], one["model"], one["version"]) for one in rows] == [
            ("renamed", "mine", 3)
        ]


async def test_in_production_there_is_none(urls: DatabaseUrls) -> None:
    async with running(urls, GUILDHALL_PROFILE="production") as agents:
        assert await rows_of(agents) == []
