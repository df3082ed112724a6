from __future__ import annotations

from typing import Any, TypeAlias

import asyncpg
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.learnings.learnings.models import LearningQuery
from services.learnings.learnings.store import LANDMARK_SPACING
from tests.services.learnings.conftest import Tenant
from tests.services.learnings.rows import fill

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def walk(tenant: Tenant, size: int, **query: Any) -> list[str]:
    ids: list[str] = []
    for page in range(1, 1000):
        found = await tenant.ids(page=page, page_size=size, **query)
        ids += found
        if len(found) < size:
            return ids
    raise AssertionError("the list has no end")


async def test_an_empty_organization_has_an_empty_list(tenant: Tenant) -> None:
    empty = {"items": [], "total": 0, "page": 1, "page_size": 50}
    assert await tenant.page() == empty
    assert await tenant.page(page=7, page_size=3) == {**empty, "page": 7, "page_size": 3}
    assert await tenant.page(status="active") == empty
    assert await tenant.page(sort="impact") == empty


async def test_newest_first_with_and_without_a_trailing_slash(tenant: Tenant) -> None:
    made = [(await tenant.record(summary=f"{n}"))["id"] for n in range(5)]
    assert await tenant.ids() == made[::-1]
    answer = await tenant.send("GET", "/v1/learnings/?page=2&page_size=2")
    assert answer.status_code == 200
    assert [item["id"] for item in answer.json()["items"]] == made[2:0:-1]
    assert {k: v for k, v in answer.json().items() if k != "items"} == {
        "total": 5,
        "page": 2,
        "page_size": 2,
    }


async def test_filters_and_their_conjunction(tenant: Tenant) -> None:
    git = "git:" + "a" * 16
    one = await tenant.record(
        summary="Pool connections early",
        tags=["db", "python"],
        impact=0.9,
        metadata={"origin_project": git},
    )
    two = await tenant.record(
        summary="Retry politely", detail="after pooling", tags=["db"], type="incident", impact=0.2
    )
    three = await tenant.record(summary="Nothing alike", status="resolved", source_project="f" * 16)
    every = [three["id"], two["id"], one["id"]]
    for query, expected in (
        ({"status": "active"}, every[1:]),
        ({"status": "archived"}, []),
        ({"tag": "db"}, every[1:]),
        ({"tag": ["db", "python"]}, every[2:]),
        ({"tag": ["db", "java"]}, []),
        ({"type": "incident"}, every[1:2]),
        ({"min_impact": 0.5}, [three["id"], one["id"]]),
        ({"min_impact": 0}, every),
        ({"min_impact": 1}, []),
        ({"source_project": "f" * 16}, every[:1]),
        ({"origin_project": git}, every[2:]),
        ({"q": "pools"}, [one["id"], two["id"]]),
        ({"q": "connections pool"}, [one["id"], two["id"]]),
        ({"q": "pools", "sort": "-created_at"}, every[1:]),
        ({"q": "python"}, every[2:]),
        ({"q": "  "}, every),
        ({"q": "(' & !! \" <->"}, []),
        ({"updated_since": two["updated_at"]}, every[:2]),
        ({"updated_since": "2001-01-01"}, every),
        ({"updated_since": "9999-12-31T23:59:59Z"}, []),
        ({"sort": "impact"}, [one["id"], three["id"], two["id"]]),
        ({"sort": "impact", "tag": "db"}, [one["id"], two["id"]]),
        ({"status": "active", "tag": "db", "type": "incident", "q": "retry"}, every[1:2]),
        ({"unknown": "ignored"}, every),
    ):
        found = await tenant.page(**query)
        assert [item["id"] for item in found["items"]] == expected, query
        assert found["total"] == len(expected), query


BAD = [
    {"page": 0},
    {"page": "x"},
    {"page": 10**30},
    {"page_size": 0},
    {"page_size": 201},
    {"status": "open"},
    {"sort": "updated_at"},
    {"sort": ""},
    {"min_impact": 1.01},
    {"min_impact": -0.1},
    {"min_impact": "nan"},
    {"min_impact": "inf"},
    {"updated_since": "yesterday"},
    {"updated_since": "0001-01-01T00:00:00+14:00"},
    {"updated_since": "9999-12-31T23:59:59-14:00"},
    {"q": "x" * 1001},
    {"tag": ["t"] * 21},
    {"tag": "x" * 201},
    {"type": "a\0b"},
]


@pytest.mark.parametrize("query", BAD, ids=str)
async def test_a_bad_query_names_its_field(tenant: Tenant, query: dict[str, Any]) -> None:
    answer = await tenant.send("GET", "/v1/learnings", params=query)
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"][0]["loc"][:2] == ["query", next(iter(query))]


async def test_every_bad_field_is_named(tenant: Tenant) -> None:
    query = {"page": 0, "sort": "x", "min_impact": 7}
    answer = await tenant.send("GET", "/v1/learnings", params=query)
    places = {fault["loc"][1] for fault in answer.json()["detail"]}
    assert places == set(query)


TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    query=st.dictionaries(
        st.sampled_from([*LearningQuery.model_fields]),
        TEXT | st.integers().map(str) | st.floats().map(str) | st.datetimes().map(str),
    )
)
async def test_no_query_breaks_the_service(client: httpx.AsyncClient, query: Any) -> None:
    tenant = Tenant(client)
    answer = await tenant.send("GET", "/v1/learnings", params=query)
    assert answer.status_code in (200, 422), (answer.status_code, answer.text)


async def test_equal_times_are_ordered_by_id(tenant: Tenant, sql: Sql) -> None:
    for _ in range(7):
        await tenant.record(source_learning_id=None, tags=["t"])
    # Only an import could bring equal times: the service gives each its own.
    await sql.execute(
        "UPDATE learnings.learning SET created_at = '2024-05-05Z', updated_at = '2024-05-05Z'"
        " WHERE org_id = $1",
        tenant.org,
    )
    expected = sorted(await tenant.ids(), reverse=True)
    assert await walk(tenant, 2) == expected
    assert await walk(tenant, 3, tag="t") == expected
    assert await walk(tenant, 3, sort="impact") == expected


@pytest.mark.parametrize("size", [1, 7, 200])
async def test_deep_pages_are_right_around_landmarks(tenant: Tenant, sql: Sql, size: int) -> None:
    """The places are counted from landmarks, so look at every border of one."""
    count = 3 * LANDMARK_SPACING + 5
    await fill(sql, tenant.org, count)
    ids = await walk(tenant, 200)
    assert len(ids) == len(set(ids)) == count
    assert ids == await walk(tenant, 200, min_impact=0)
    for landmark in range(4):
        for near in (-1, 0, 1):
            page = max(1, (count - landmark * LANDMARK_SPACING + near) // size)
            at = (page - 1) * size
            found = await tenant.page(page=page, page_size=size)
            assert [item["id"] for item in found["items"]] == ids[at : at + size]
            assert found["total"] == count


async def test_landmarks_grow_with_the_list(tenant: Tenant, sql: Sql) -> None:
    await fill(sql, tenant.org, LANDMARK_SPACING - 2)
    for _ in range(4):
        await tenant.record()
    ids = await walk(tenant, 200)
    places = await sql.fetch(
        "SELECT place, id FROM learnings.landmark WHERE org_id = $1", tenant.org
    )
    assert [tuple(row) for row in places] == [(LANDMARK_SPACING, ids[2])]
    assert len(ids) == LANDMARK_SPACING + 2


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
async def test_a_walk_sees_what_stood_there_before_it(
    client: httpx.AsyncClient, sql: Sql, data: st.DataObject
) -> None:
    """Learnings that come during a walk push others on; none that was there is ever skipped."""
    tenant = Tenant(client)
    count = data.draw(st.integers(0, 2 * LANDMARK_SPACING + 9), "count")
    size = data.draw(st.integers(1, 200), "size")
    if count:
        await fill(sql, tenant.org, count)
    before = set(await walk(tenant, 200))
    assert len(before) == count
    seen: list[str] = []
    page = 1
    while found := await tenant.ids(page=page, page_size=size):
        seen += found
        page += 1
        if page < 6:
            for _ in range(data.draw(st.integers(0, 2), "new")):
                await tenant.record()
    assert before <= set(seen)
