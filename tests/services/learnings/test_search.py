from __future__ import annotations

from typing import Any

from tests.services.learnings.conftest import Tenant


async def search(tenant: Tenant, query: str, **fields: Any) -> list[dict[str, Any]]:
    answer = await tenant.send("POST", "/v1/learnings/search", json={"query": query} | fields)
    assert answer.status_code == 200, answer.text
    assert list(answer.json()) == ["results"]
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


async def summaries(tenant: Tenant, query: str, **fields: Any) -> list[str]:
    return [item["summary"] for item in await search(tenant, query, **fields)]


async def test_the_exact_topic_beats_newer_and_higher_ones(tenant: Tenant) -> None:
    exact = "RabbitMQ drops connections when heartbeats are missed"
    await tenant.record(summary=exact, impact=0.5)
    for number in range(20):
        await tenant.record(summary=f"Cache headers matter, case {number}", impact=1.0)
    await tenant.record(summary="Connections need limits", impact=1.0)
    found = await summaries(tenant, "rabbitmq heartbeats missed")
    assert found[0] == exact
    assert (await summaries(tenant, exact))[0] == exact
