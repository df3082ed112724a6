"""Searching where common words are everywhere: what is old or misspelled is found all the same."""

from __future__ import annotations

from typing import Any, TypeAlias

import asyncpg
import httpx
import pytest

from services.learnings.search.operations import grams_of
from tests.services.learnings.conftest import Tenant
from tests.services.learnings.rows import fill

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
pytestmark = pytest.mark.slow

ROWS = 12_000
RARE = "Kerberos tickets vanish behind the hypervisor"
COMMON = "deadlock backup fixture cookie alert rollback"
OLDEST = 3


@pytest.fixture(scope="module")
async def large(client: httpx.AsyncClient, sql: Sql) -> Tenant:
    tenant = Tenant(client)
    await fill(sql, tenant.org, ROWS)
    for place, summary in ((OLDEST, RARE), (OLDEST + 1, COMMON)):
        await sql.execute(
            "UPDATE learnings.learning SET summary = $3, detail = '', tags = $4, grams = $5,"
            " impact = 0, status = 'active' WHERE org_id = $1 AND sync_seq = $2",
            *(tenant.org, place, summary, ["odd one"]),
            grams_of(tenant.org, summary, ["odd one"]),
        )
    await sql.execute("ANALYZE learnings.learning")
    return tenant


async def search(tenant: Tenant, query: str, **fields: Any) -> list[dict[str, Any]]:
    answer = await tenant.send("POST", "/v1/learnings/search", json={"query": query} | fields)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("kerberos", RARE),
        ("kerberos tickets", RARE),
        ("kereberos", RARE),
        ("hypervisr", RARE),
        ("visor", RARE),
        ("kerberos quantum flux", RARE),
        ("why do tickets vanish behind our hypervisors when the test calls the service?", RARE),
        (RARE, RARE),
        (COMMON, COMMON),
        ("rollback alert cookie fixture backup deadlock", COMMON),
        ("deadlock backup fixture cookie alert zzyzx", COMMON),
    ],
)
async def test_the_oldest_learning_is_found(large: Tenant, query: str, expected: str) -> None:
    assert (await search(large, query))[0]["summary"] == expected


async def test_a_rare_word_counts_among_common_ones(large: Tenant) -> None:
    found = await search(large, "connection kerberos error test", limit=50)
    assert RARE in [item["summary"] for item in found]


async def test_common_words_find_the_newest_as_well(large: Tenant) -> None:
    for query in ("connection", "learning", "connection pool", "learning test"):
        found = await search(large, query, limit=50)
        assert len(found) == 50
        text = " ".join(found[0][name] for name in ("summary", "detail")).lower()
        assert all(word in text for word in query.split())


async def test_filters_reach_behind_the_newest(large: Tenant) -> None:
    for query in ("", "deadlock", "tickets"):
        found = await search(large, query, tags=["odd one"])
        assert {item["summary"] for item in found} <= {RARE, COMMON}
        assert found
    found = await search(large, "test", type="decision", limit=50)
    assert found
    assert {item["type"] for item in found} == {"decision"}
    found = await search(large, "learning", tags=["thousandth7"], limit=50)
    assert len(found) >= 8
    found = await search(large, "learning", source_project="0" * 13 + "950", limit=50)
    assert len(found) >= 8
    found = await search(large, "", min_impact=1.0)
    assert len(found) == 10
    assert {item["impact"] for item in found} == {1.0}


@pytest.mark.parametrize("query", [{"q": "connection pool"}, {"q": "zebras", "min_impact": 0.1}])
@pytest.mark.parametrize("sort", [{}, {"sort": "impact"}, {"sort": "-created_at"}])
async def test_pages_of_a_ranked_list(
    large: Tenant, query: dict[str, Any], sort: dict[str, str]
) -> None:
    first = await large.page(**query, **sort, page_size=200)
    total = first["total"]
    assert total > 0
    ids: list[str] = []
    items: list[dict[str, Any]] = []
    for page in range(1, 2 + total // 200):
        found = await large.page(**query, **sort, page=page, page_size=200)
        assert found["total"] == total
        items += found["items"]
        ids += [item["id"] for item in found["items"]]
    assert len(ids) == len(set(ids)) == total
    if sort:
        name = sort["sort"].removeprefix("-")
        assert [item[name] for item in items] == sorted(
            (item[name] for item in items), reverse=True
        )
