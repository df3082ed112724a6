"""What lists of agents cost, however many there are (agents contract, section 9.13)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from services.agents.agents.operations.reading import AT_ONCE
from shared.principal import Principal
from tests.services.agents.agents_support import Statements, make, most_rows, statements
from tests.services.agents.conftest import Agents, new_name, running
from tests.support.postgres import DatabaseServer

__all__ = ["statements"]

MANY = 24_000
NAMESPACES = 300


@pytest.fixture(scope="module")
async def agents(database_server: DatabaseServer) -> AsyncIterator[Agents]:
    """The service with many agents: half of them deleted, most of them in one namespace."""
    async with database_server.clone() as urls, running(urls) as agents:
        await agents.prepare()
        await agents.sql.execute(
            """
            INSERT INTO agents.agent (id, namespace, name, model, active)
            SELECT gen_random_uuid(),
                   CASE WHEN n % 2 = 0 THEN 'crowd' ELSE 'ns-' || n % $2 END,
                   'agent-' || lpad(n::text, 6, '0'), 'model-' || n % 7, n % 4 < 2
              FROM generate_series(1, $1) AS n
            """,
            MANY,
            NAMESPACES,
        )
        await agents.sql.execute("ANALYZE agents.agent")
        yield agents


@pytest.fixture(scope="module")
async def admin(agents: Agents) -> Principal:
    return await agents.robot("admin")


async def asked(
    agents: Agents, statements: Statements, path: str, principal: Principal
) -> httpx.Response:
    """Ask once to fill caches, then note what is asked of the database."""
    await agents.get(path, principal)
    statements.seen.clear()
    answer = await agents.get(path, principal)
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?active=false",
        "?model=model-3",
        "?model=model-3&active=false",
        "?model=none",
        "?namespace=crowd",
        "?namespace=crowd&active=false",
        "?namespace=crowd&model=model-2",
        "?namespace=crowd&model=none",
        "?namespace=ns-7&active=false",
        "?namespace=none",
        "?page=3&limit=100&namespace=crowd",
        "?page=3&limit=100&model=model-2",
    ],
)
async def test_a_list_reads_what_it_shows(
    agents: Agents, admin: Principal, statements: Statements, query: str
) -> None:
    answer = await asked(agents, statements, f"agents{query}", admin)
    assert len(statements.of("agent")) == 2
    shown = len(answer.json())
    total = int(answer.headers["x-total-count"])
    assert total <= 10_000
    before = 200 if "page=3" in query else 0
    counted, listed = await statements.plans(agents.sql, "agent")
    assert most_rows(counted, "agent") <= total + 1
    # Once for the order, once for the content.
    assert most_rows(listed, "agent") <= 2 * (before + shown) + 10


async def test_a_union_reads_one_page_of_each(agents: Agents, statements: Statements) -> None:
    viewer = await agents.robot()
    permitted = [f"ns-{number}" for number in range(1, 40, 2)] + ["crowd"]
    for namespace in permitted:
        await agents.bind("viewer", viewer, namespace)
    for query in ("?limit=20", "?limit=20&model=model-3", "?limit=20&active=false"):
        answer = await asked(agents, statements, f"agents{query}", viewer)
        assert len(answer.json()) == 20
        assert {one["namespace"] for one in answer.json()} <= set(permitted)
        counted, listed = await statements.plans(agents.sql, "agent")
        assert most_rows(counted, "agent") <= 10_100
        assert most_rows(listed, "agent") <= 20 * len(permitted) + 20 + 10


@pytest.mark.parametrize("reference", ["agent-000001", "agent-000004?namespace=crowd", "none-such"])
async def test_a_name_is_found_by_its_index(
    agents: Agents, admin: Principal, statements: Statements, reference: str
) -> None:
    await agents.get(f"agents/{reference}", admin)
    statements.seen.clear()
    await agents.get(f"agents/{reference}", admin)
    assert len(statements.of("agent")) <= 2
    for nodes in await statements.plans(agents.sql, "agent"):
        assert most_rows(nodes, "agent") <= 2


async def test_a_list_costs_the_same_whatever_its_length(
    agents: Agents, admin: Principal, statements: Statements
) -> None:
    for query in ("?namespace=none", "?limit=1", "?limit=200", ""):
        await asked(agents, statements, f"agents{query}", admin)
        assert len(statements.of("agent")) == 2


async def test_large_agents_are_read_a_few_at_a_time(
    agents: Agents, admin: Principal, statements: Statements
) -> None:
    namespace = new_name("large")
    text = "x" * 250_000
    fields = dict.fromkeys(("tools", "routes", "guardrails", "knowledge_bases"), text)
    made = [await make(agents, admin, namespace, name=f"n{one:02}", **fields) for one in range(11)]
    each = 4 * (len(text) + 2)
    at_a_time = AT_ONCE // each
    answer = await asked(agents, statements, f"agents?namespace={namespace}", admin)
    assert answer.json() == made
    assert answer.headers["x-total-count"] == "11"
    assert len(statements.of("agent")) == 2 + -(-(11 - at_a_time) // at_a_time)
    assert (await agents.send("HEAD", f"agents?namespace={namespace}", admin)).content == b""
