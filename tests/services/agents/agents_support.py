"""Making agents, and looking at what the service asks the database."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx
import pytest

from shared.db import Connection, Database
from shared.principal import Principal
from tests.services.agents.conftest import Agents, new_name

KEYS = [
    "id",
    "name",
    "namespace",
    "workspace",
    "description",
    "instructions",
    "model",
    "tools",
    "routes",
    "guardrails",
    "knowledge_bases",
    "active",
    "created_at",
    "updated_at",
]


async def make(agents: Agents, principal: Principal, namespace: str, **more: Any) -> dict[str, Any]:
    """Make an agent, and give it as it was answered."""
    body = {"name": new_name("agent"), "namespace": namespace, "model": "default"} | more
    answer = await agents.post("agents", principal, body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def names_in(agents: Agents, principal: Principal, path: str) -> list[str]:
    """Give the names of a list."""
    answer = await agents.get(path, principal)
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json()]


def said(answer: httpx.Response) -> tuple[int, str]:
    """Give an error's status and its message, which stands twice."""
    body = answer.json()
    assert body["message"] == body["error"]["message"]
    return answer.status_code, body["message"]


def at(answer: httpx.Response) -> list[list[str | int]]:
    """Give the places of a 422's faults."""
    assert answer.status_code == 422, answer.text
    return [fault["loc"] for fault in answer.json()["error"]["details"]]


async def together(*requests: Any) -> Counter[int]:
    """Send requests at once, and count their statuses."""
    answers = await asyncio.gather(*requests)
    return Counter(answer.status_code for answer in answers)


@dataclass
class Statements:
    """What was asked of the database, with its values."""

    seen: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)

    def of(self, table: str) -> list[tuple[str, tuple[Any, ...]]]:
        """Those of a table: what a caller holds is asked now and then, too."""
        return [one for one in self.seen if f"agents.{table}" in one[0]]

    async def plans(
        self, sql: asyncpg.Connection[asyncpg.Record], table: str
    ) -> list[list[dict[str, Any]]]:
        """Run what was asked of a table again, and give the nodes of each plan."""
        found = []
        for query, values in self.of(table):
            explain = f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {query}"
            raw = await sql.fetchval(explain, *values)
            found.append(list(nodes_of(json.loads(raw)[0]["Plan"])))
        return found


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Walk through a plan."""
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes_of(inner)


def most_rows(nodes: list[dict[str, Any]], table: str) -> int:
    """Give how many rows of a table a plan touched, those that it threw away included."""
    touched = 0
    for node in nodes:
        if node.get("Relation Name") == table:
            assert node["Node Type"] != "Seq Scan", node
            each = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
            touched += int(each * node["Actual Loops"])
    return touched


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Statements:
    """Every statement that is sent while the test runs."""
    noted = Statements()
    lend = Database.connection

    @asynccontextmanager
    async def watched(self: Database) -> AsyncIterator[Connection]:
        async with lend(self) as connection:
            logger: Any = connection.query_logger(
                lambda record: noted.seen.append((record.query, record.args))
            )
            with logger:
                yield connection

    monkeypatch.setattr(Database, "connection", watched)
    return noted
