"""What a sibling service finds for somebody: the search, without HTTP's caller."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.learnings.app import SERVICE
from services.learnings.search.models import Excerpt
from shared.principal import ASSERTION_HEADER, Kind, Principal, sign_assertion
from tests.services.learnings.conftest import Tenant, learnings_settings
from tests.services.learnings.test_key_policies import KEY, OTHER, PROJECT, limit
from tests.support.postgres import DatabaseUrls
from tests.support.service import ASSERTION_KEY, asserting, client_of, person

PATH = "/internal/search"
SIBLING_KEY = bytes(range(64, 96))
AGENTS = Principal(Kind.SERVICE, "agents")


def sibling(key: bytes = SIBLING_KEY, asker: Principal = AGENTS) -> dict[str, str]:
    return {ASSERTION_HEADER: sign_assertion(key, "learnings", asker, time.time())}


@pytest.fixture(scope="module")
async def client(
    urls: DatabaseUrls, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx.AsyncClient]:
    """The running service, which siblings may ask under a key of its own."""
    folder = tmp_path_factory.mktemp("learnings")
    settings = learnings_settings(urls, folder, GUILDHALL_SIBLING_KEY=SIBLING_KEY)
    async with client_of(SERVICE, settings) as client:
        yield client


async def look_up(tenant: Tenant, query: str, **fields: Any) -> list[dict[str, Any]]:
    body = {"org_id": tenant.org, "query": query} | fields
    answer = await tenant.client.post(PATH, headers=sibling(), json=body)
    assert answer.status_code == 200, answer.text
    assert list(answer.json()) == ["results"]
    assert answer.headers["cache-control"] == "no-store"
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


async def summaries(tenant: Tenant, query: str, **fields: Any) -> list[str]:
    return [item["summary"] for item in await look_up(tenant, query, **fields)]


async def test_it_finds_what_the_search_finds_in_its_order(tenant: Tenant) -> None:
    for summary in ("Redis timeout", "Redis cluster timeout under failover", "Redis cluster"):
        await tenant.record(summary=summary)
    asked = {"query": "redis cluster timeout"}
    public = await tenant.send("POST", "/v1/learnings/search", json=asked)
    shown = [item["summary"] for item in public.json()["results"]]
    assert await summaries(tenant, **asked) == shown
    assert await summaries(tenant, **asked, limit=1) == shown[:1]


async def test_an_excerpt_is_a_beginning(tenant: Tenant) -> None:
    made = await tenant.record(summary="Pool " + "s" * 2000, detail="d" * 9000, tags=["db"])
    (item,) = await look_up(tenant, "pool")
    assert item == {
        "id": made["id"],
        "summary": made["summary"][:1000],
        "detail": "d" * 4000,
        "tags": ["db"],
    }
    Excerpt.model_validate(item)


async def test_a_strangers_organization_is_its_own(tenant: Tenant, stranger: Tenant) -> None:
    await tenant.record(summary="Only for us: rotate the pager")
    assert await summaries(tenant, "pager")
    assert await summaries(stranger, "pager") == []
    assert await summaries(stranger, "") == []


async def test_filters_are_those_of_the_search(tenant: Tenant) -> None:
    await tenant.record(summary="live one", tags=["a", "b"], impact=0.9)
    await tenant.record(summary="live two", tags=["a"], impact=0.2, source_project="p1")
    await tenant.record(summary="live over", expires="2001-01-01")
    gone = await tenant.record(summary="live no more")
    await tenant.send("DELETE", f"/v1/learnings/{gone['id']}")
    assert set(await summaries(tenant, "live")) == {"live one", "live two"}
    assert await summaries(tenant, "live", tags=["a", "b"]) == ["live one"]
    assert await summaries(tenant, "live", min_impact=0.5) == ["live one"]
    assert await summaries(tenant, "live", source_project="p1") == ["live two"]
    assert await summaries(tenant, "live", status="obsolete") == ["live no more"]
    assert await summaries(tenant, "") == ["live one", "live two"]


async def test_a_keys_policy_leaves_out_what_its_feed_leaves_out(tenant: Tenant) -> None:
    for summary, project, tags, impact in (
        ("row that fits", PROJECT, ["db", "more"], 0.8),
        ("row of elsewhere", OTHER, ["db"], 0.8),
        ("row without a project", None, ["db"], 0.8),
        ("row of another tag", PROJECT, ["web"], 0.8),
        ("row of little weight", PROJECT, ["db"], 0.3),
    ):
        metadata = {} if project is None else {"origin_project": project}
        await tenant.record(summary=summary, tags=tags, impact=impact, metadata=metadata)
    assert len(await look_up(tenant, "row")) == len(await look_up(tenant, "row", key_id=KEY)) == 5
    await limit(tenant, origin_projects=[PROJECT], tags=["db", "x"], min_impact=0.5)
    assert await summaries(tenant, "row", key_id=KEY) == ["row that fits"]
    assert await summaries(tenant, "", key_id=KEY) == ["row that fits"]
    # The limit counts what is left, not what is looked at.
    assert await summaries(tenant, "row", key_id=KEY, limit=1) == ["row that fits"]
    assert len(await look_up(tenant, "row", key_id="key_another")) == 5
    assert len(await look_up(tenant, "row")) == 5


@pytest.mark.parametrize(
    "fields",
    [
        {"org_id": ""},
        {"org_id": None},
        {"org_id": 7},
        {"limit": 21},
        {"limit": 0},
        {"limit": None},
        {"query": None},
        {"min_impact": 2},
        {"status": "lost"},
        {"tags": [1]},
    ],
    ids=str,
)
async def test_a_question_that_is_none_is_refused(tenant: Tenant, fields: dict[str, Any]) -> None:
    body = {"org_id": tenant.org, "query": "x"} | fields
    answer = await tenant.client.post(PATH, headers=sibling(), json=body)
    assert answer.status_code == 422, answer.text


async def test_nobody_but_a_sibling_may_ask(tenant: Tenant) -> None:
    await tenant.record(summary="a secret of ours")
    body = {"org_id": tenant.org, "query": "secret"}
    for headers in (
        {},
        asserting("learnings", tenant.principal),
        sibling(bytes(32)),
        sibling(asker=tenant.principal),
        {ASSERTION_HEADER: sign_assertion(SIBLING_KEY, "teams", AGENTS, time.time())},
        {ASSERTION_HEADER: sign_assertion(SIBLING_KEY, "learnings", AGENTS, time.time() - 31)},
    ):
        answer = await tenant.client.post(PATH, headers=headers, json=body)
        assert answer.status_code == 401, answer.text
        assert "secret" not in answer.text
    # And a sibling's key opens nothing else.
    public = await tenant.client.get("/v1/learnings", headers=sibling(asker=person(tenant.org)))
    assert public.status_code == 401
    assert (await tenant.client.get("/v1/learnings", headers=sibling())).status_code == 403
    assert ASSERTION_KEY != SIBLING_KEY
