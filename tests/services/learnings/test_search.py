from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import asyncpg
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.learnings.search.models import Item
from tests.services.learnings.conftest import Tenant

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


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
    assert (await summaries(tenant, "rabbitmq heartbeats missed"))[0] == exact
    assert (await summaries(tenant, exact))[0] == exact


async def test_an_item_has_every_field(tenant: Tenant) -> None:
    made = await tenant.record(
        summary="Pool early",
        detail="Because it is lazy",
        tags=["db", "asyncpg"],
        impact=0.9,
        type="convention",
        source_project="0123456789abcdef",
        source_learning_id="L-a1B2",
        metadata={"k": "v"},
        expires="2999-01-01",
        valid_from="2024-01-01",
    )
    (item,) = await search(tenant, "pool")
    assert set(item) == set(Item.model_fields)
    assert item["id"] == item["memory_id"] == item["remote_id"] == made["id"]
    assert item["content"] == item["summary"] == "Pool early"
    assert item["score"] > 0
    assert item["expires"] == "2999-01-01"
    assert item["invalid_from"] is item["invalidated_by"] is None
    same = ["detail", "tags", "impact", "source_project", "source_learning_id", "created_at"]
    for name in (*same, "updated_at", "metadata", "type", "status", "valid_from"):
        assert item[name] == made[name], name
    Item.model_validate(item)


async def test_nothing_to_find(tenant: Tenant) -> None:
    assert await search(tenant, "anything") == []
    assert await search(tenant, "") == []
    await tenant.record(summary="Retry politely")
    assert await search(tenant, "zebras") == []


FINDS = [
    ("the very words", "pool exhausted"),
    ("stemmed forms", "exhausting pools"),
    ("upper case", "POOL EXHAUSTED"),
    ("an identifier", "asyncpg.pool"),
    ("a part of an identifier", "acquire"),
    ("a path's end", "pool_size"),
    ("a slip of the pen", "exhuasted"),
    ("a letter too few", "postgrsql"),
    ("a letter too many", "postgressql"),
    ("a part of a word", "xhaust"),
    ("the beginning of a word", "postg"),
    ("a word that is not there", "pool exhausted kubernetes"),
    ("a tag", "connection-limits"),
    ("a word of the detail", "checkout"),
    ("a sentence", "why is our asyncpg pool exhausted under load, what can we do about it?"),
    ("an umlaut in another case", "ÜBERLASTET"),
    ("a compound in another form", "verbindungspools"),
    ("ideographs without blanks", "连接池"),
    ("Cyrillic", "соединение"),
]


@pytest.mark.parametrize("query", [query for _, query in FINDS], ids=[name for name, _ in FINDS])
async def test_what_is_found(tenant: Tenant, query: str) -> None:
    made = await tenant.record(
        summary="PostgreSQL pool exhausted: asyncpg.pool.acquire waits (pool_size überlastet,"
        " Verbindungspool, 数据库连接池耗尽, соединения)",
        detail="Every checkout was held by a slow transaction.",
        tags=["connection-limits", "python"],
        impact=0.1,
    )
    for number in range(15):
        await tenant.record(
            summary=f"Write changelog entries in the imperative mood {number}", impact=1
        )
    assert [item["id"] for item in await search(tenant, query)][:1] == [made["id"]]


async def test_more_of_the_query_ranks_higher(tenant: Tenant) -> None:
    for summary in ("Redis timeout", "Redis cluster timeout under failover", "Redis cluster"):
        await tenant.record(summary=summary)
    await tenant.record(summary="Something else", detail="redis cluster timeout")
    found = await summaries(tenant, "redis cluster timeout")
    assert found[0] == "Redis cluster timeout under failover"
    assert len(found) == 4


async def test_a_blank_query_gives_impact_then_recency(tenant: Tenant) -> None:
    for summary, impact in (("old", 0.9), ("low", 0.2), ("new", 0.9), ("top", 1.0)):
        await tenant.record(summary=summary, impact=impact, tags=["t"] if impact > 0.5 else [])
    for blank in ("", "   ", "?!"):
        assert await summaries(tenant, blank) == ["top", "new", "old", "low"]
    assert await summaries(tenant, "", limit=2) == ["top", "new"]
    assert await summaries(tenant, "", tags=["t"]) == ["top", "new", "old"]
    assert await summaries(tenant, "", min_impact=0.95) == ["top"]


async def test_ties_go_by_impact_then_by_change(tenant: Tenant) -> None:
    made = [
        await tenant.record(
            summary="Same words", source_learning_id=f"L-{n}", detail=f"d {n}", impact=impact
        )
        for n, impact in enumerate((0.3, 0.9, 0.9))
    ]
    await tenant.send("PATCH", f"/v1/learnings/{made[1]['id']}", json={"tags": []})
    changed = await tenant.send(
        "PATCH", f"/v1/learnings/{made[1]['id']}", json={"status": "resolved"}
    )
    assert changed.status_code == 200
    found = [item["id"] for item in await search(tenant, "same words")]
    assert found == [made[1]["id"], made[2]["id"], made[0]["id"]]


async def test_filters(tenant: Tenant) -> None:
    git = "git:" + "a" * 16
    one = await tenant.record(
        summary="cache one", tags=["db", "x y"], impact=0.9, metadata={"origin_project": git}
    )
    two = await tenant.record(summary="cache two", tags=["db"], type="incident", impact=0.2)
    three = await tenant.record(
        summary="cache three", status="resolved", source_project="f" * 16, impact=0.5
    )
    gone = await tenant.record(summary="cache four", status="obsolete", impact=0.4)
    live = {one["id"], two["id"], three["id"]}
    for query in ("cache", ""):
        for fields, expected in (
            ({}, live),
            ({"limit": None, "tags": None, "type": None, "status": None, "min_impact": None}, live),
            ({"embedding": None}, live),
            ({"embedding": [0.5] * 7, "unknown": {"a": [1]}}, live),
            ({"embedding": "text"}, live),
            ({"tags": ["db"]}, {one["id"], two["id"]}),
            ({"tags": "x y"}, {one["id"]}),
            ({"tags": ["db", "x y"]}, {one["id"]}),
            ({"tags": ["d"]}, set()),
            ({"type": "incident"}, {two["id"]}),
            ({"status": "obsolete"}, {gone["id"]}),
            ({"status": ["active", "obsolete"]}, {one["id"], two["id"], gone["id"]}),
            ({"source_project": "f" * 16}, {three["id"]}),
            ({"origin_project": git}, {one["id"]}),
            ({"min_impact": 0.5}, {one["id"], three["id"]}),
            ({"min_impact": 0.5, "tags": ["db"], "type": "pattern"}, {one["id"]}),
        ):
            found = {item["id"] for item in await search(tenant, query, **fields)}
            assert found == expected, (query, fields)


async def test_the_limit(tenant: Tenant) -> None:
    for number in range(12):
        await tenant.record(summary=f"Numbered thing {number}")
    assert len(await search(tenant, "numbered")) == 10
    assert len(await search(tenant, "numbered", limit=1)) == 1
    assert len(await search(tenant, "numbered", limit=50)) == 12


BAD: list[tuple[dict[str, Any], str]] = [
    ({}, "query"),
    ({"query": None}, "query"),
    ({"query": 7}, "query"),
    ({"query": ["a"]}, "query"),
    ({"query": "a\0b"}, "query"),
    ({"query": "a", "limit": 0}, "limit"),
    ({"query": "a", "limit": 51}, "limit"),
    ({"query": "a", "limit": "many"}, "limit"),
    ({"query": "a", "limit": 10**400}, "limit"),
    ({"query": "a", "limit": 1.5}, "limit"),
    ({"query": "a", "min_impact": 1.1}, "min_impact"),
    ({"query": "a", "min_impact": "high"}, "min_impact"),
    ({"query": "a", "min_impact": 10**400}, "min_impact"),
    ({"query": "a", "tags": [1]}, "tags"),
    ({"query": "a", "tags": ["t"] * 21}, "tags"),
    ({"query": "a", "tags": ["t" * 201]}, "tags"),
    ({"query": "a", "tags": {"a": 1}}, "tags"),
    ({"query": "a", "status": "open"}, "status"),
    ({"query": "a", "status": [[]]}, "status"),
    ({"query": "a", "type": 3}, "type"),
    ({"query": "a", "type": "t" * 201}, "type"),
    ({"query": "a", "source_project": {}}, "source_project"),
    ({"query": "a", "origin_project": True}, "origin_project"),
]


@pytest.mark.parametrize(("body", "name"), BAD, ids=lambda value: str(value)[:40])
async def test_a_bad_body_names_its_field(tenant: Tenant, body: Any, name: str) -> None:
    answer = await tenant.send("POST", "/v1/learnings/search", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"][0]["loc"][:2] == ["body", name]


@pytest.mark.parametrize(
    "raw", [b"[]", b'"x"', b"7", b"{", b"\xff", b'{"query": NaN}', b"[" * 9000]
)
async def test_a_body_that_is_no_object(tenant: Tenant, raw: bytes) -> None:
    answer = await tenant.send(
        "POST", "/v1/learnings/search", content=raw, headers={"content-type": "application/json"}
    )
    assert answer.status_code in (400, 422), answer.text


HOSTILE = [
    "' OR 1=1 --",
    "\\' \\\\ '' ' : & | ! <-> ()",
    "a:* & !b",
    "x" * 100_000,
    " ".join(f"word{n}" for n in range(5_000)),
    "'" * 3_000,
    "\u200b\u202e\ufeff",
    "ﬁ ﬂ ﷺ İ ß ǅ",
    "é" * 2_500,
    "数" * 2_500,
    "\U0001f600 emoji \U0001f600",
    "\ud7ff\ue000\uffff\U0010ffff",
    "C:\\temp\\x 'quoted' \"double\" %s {} $1 {0}",
    "a" + "-b" * 900,
    "1e400 -0.0 +1 0x10 1_000",
]


@pytest.mark.parametrize("query", HOSTILE, ids=lambda query: ascii(query[:20]))
async def test_no_query_is_an_error(tenant: Tenant, query: str) -> None:
    await tenant.record(summary=query[:1000].strip() or "s", tags=[query[:50]])
    await search(tenant, query)
    answer = await tenant.send("GET", "/v1/learnings", params={"q": query[:900]})
    assert answer.status_code == 200, answer.text


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    query=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
)
async def test_any_text_finds_itself(client: httpx.AsyncClient, query: str) -> None:
    tenant = Tenant(client)
    answer = await tenant.send("POST", "/v1/learnings", json={"summary": query})
    if answer.status_code == 201:
        stored = answer.json()["summary"]
        found = await summaries(tenant, stored)
        assert found == [stored] or not any(map(str.isalnum, stored))


async def test_another_organization_finds_nothing(tenant: Tenant, stranger: Tenant) -> None:
    await tenant.record(summary="Our secret pool", tags=["ours"])
    for query in ("Our secret pool", "secret", ""):
        assert await search(stranger, query) == []
    assert await search(stranger, "", tags=["ours"]) == []
    assert await stranger.ids(q="secret") == []
    assert await stranger.ids(tag="ours") == []


async def test_colliding_keys_show_no_strangers_row(
    tenant: Tenant, stranger: Tenant, sql: Sql
) -> None:
    """Two organizations' keys may be equal by chance; what they lead to is checked."""
    await tenant.record(summary="Collision course")
    await stranger.record(summary="Something else")
    await sql.execute(
        "UPDATE learnings.learning SET grams = (SELECT grams FROM learnings.learning"
        " WHERE org_id = $1) WHERE org_id = $2",
        tenant.org,
        stranger.org,
    )
    assert await summaries(tenant, "collision") == ["Collision course"]
    assert await summaries(stranger, "collision") == []


async def test_outcomes_reorder_equals_and_lift_nothing_else(tenant: Tenant, sql: Sql) -> None:
    first = await tenant.record(summary="Deploy with care", detail="x", impact=0.4)
    second = await tenant.record(summary="Deploy with care", detail="y", impact=0.5)
    beside = await tenant.record(summary="Care for plants", impact=1.0)
    order = [second["id"], first["id"], beside["id"]]
    assert [item["id"] for item in await search(tenant, "deploy with care")] == order

    async def helped(learning: dict[str, Any], times: float, not_helped: float = 0) -> None:
        await sql.execute(
            "INSERT INTO learnings.learning_score (org_id, learning_id, helped, not_helped)"
            " VALUES ($1, $2, $3, $4)",
            *(tenant.org, learning["id"], times, not_helped),
        )

    await helped(first, 20)
    await helped(beside, 10_000)
    found = [item["id"] for item in await search(tenant, "deploy with care")]
    assert found == [first["id"], second["id"], beside["id"]]


async def test_duplicates_and_retired_ones_stay_out(tenant: Tenant, sql: Sql) -> None:
    kept = await tenant.record(summary="Kept words")
    hidden = await tenant.record(summary="Hidden words")
    retired = await tenant.record(summary="Retired words")
    await sql.execute(
        "UPDATE learnings.learning SET duplicate_of = $3 WHERE org_id = $1 AND id = $2",
        *(tenant.org, hidden["id"], kept["id"]),
    )
    await tenant.send("PATCH", f"/v1/learnings/{retired['id']}/status", json={"status": "obsolete"})
    for query in ("words", ""):
        assert await summaries(tenant, query) == ["Kept words"]
    assert set(await tenant.ids(q="words")) == {kept["id"], retired["id"]}
    every = {kept["id"], hidden["id"], retired["id"]}
    assert set(await tenant.ids(q="words", include_duplicates=True)) == every


async def test_expired_ones_are_not_found_but_listed(tenant: Tenant) -> None:
    now = datetime.now(UTC)
    dates = {
        "past": (now - timedelta(days=2)).isoformat(),
        "day": (now - timedelta(days=2)).date().isoformat(),
        "future": (now + timedelta(days=2)).isoformat(),
        "unreadable": "next spring",
        "odd": "0000-99-99x",
    }
    for name, expires in dates.items():
        await tenant.record(summary=f"Expiry {name}", expires=expires)
    await tenant.record(summary="Expiry never")
    expected = {"Expiry future", "Expiry unreadable", "Expiry never"}
    assert set(await summaries(tenant, "expiry")) == expected
    assert set(await summaries(tenant, "")) == expected
    assert len(await tenant.ids(q="expiry")) == len(dates) + 1


async def test_a_changed_text_is_found_by_its_new_words_only(tenant: Tenant) -> None:
    made = await tenant.record(summary="About zebras", tags=["savanna"])
    await tenant.send(
        "PATCH",
        f"/v1/learnings/{made['id']}",
        json={"summary": "About quaggas", "tags": ["steppe"]},
    )
    assert await search(tenant, "zebras") == []
    assert await search(tenant, "", tags=["savanna"]) == []
    assert await summaries(tenant, "quagas") == ["About quaggas"]
    assert await tenant.ids(tag="steppe") == [made["id"]]


async def test_the_scope(client: httpx.AsyncClient, tenant: Tenant) -> None:
    answer = await client.post("/v1/learnings/search", json={"query": "x"})
    assert answer.status_code == 401
    answer = await tenant.send("GET", "/v1/learnings/search")
    assert answer.status_code == 405
