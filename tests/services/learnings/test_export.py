"""The export: every learning once, as the API shows it, and never a part that looks like all."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.learnings.app import SERVICE
from services.learnings.export import operations
from services.learnings.learnings.operations import forward
from services.learnings.learnings.store.forward import FORWARD
from shared.principal import Kind, Principal, Role
from shared.service import create_app
from shared.streams import Draining
from tests.services.learnings.conftest import Tenant, learnings_settings
from tests.services.learnings.rows import fill
from tests.services.learnings.webhooks_support import Sql, until
from tests.support.postgres import DatabaseUrls
from tests.support.service import asserting, person
from tests.support.serving import serving

PATH = "/v1/learnings/export"


async def exported(tenant: Tenant, **query: Any) -> list[dict[str, Any]]:
    answer = await tenant.send("GET", PATH, params=query)
    assert answer.status_code == 200, answer.text
    text = answer.content.decode()
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


async def test_all_come_oldest_first_as_the_api_shows_them(tenant: Tenant, sql: Sql) -> None:
    made = [
        await tenant.record(summary=f"n {n}\nline\u2028 “ü”", metadata={"k": "v"}, source="agent")
        for n in range(5)
    ]
    ids = [learning["id"] for learning in made]
    await tenant.send("PATCH", f"/v1/learnings/{ids[1]}", json={"status": "obsolete"})
    await sql.execute(
        "UPDATE learnings.learning SET duplicate_of = $1 WHERE org_id = $2 AND id = $3",
        ids[0],
        tenant.org,
        ids[2],
    )
    answer = await tenant.send("GET", PATH)
    assert answer.headers["content-type"] == "application/x-ndjson"
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith('attachment; filename="learnings-2')
    assert disposition.endswith('.jsonl"')
    assert answer.headers["x-content-type-options"] == "nosniff"
    lines = answer.content.decode().removesuffix("\n").split("\n")
    found = [json.loads(line) for line in lines]
    assert [each["id"] for each in found] == ids
    for each in found:
        shown = await tenant.send("GET", f"/v1/learnings/{each['id']}")
        assert each == shown.json()
    assert (found[1]["status"], found[2]["duplicate_of"]) == ("obsolete", ids[0])


async def test_an_organization_without_learnings_exports_nothing(tenant: Tenant) -> None:
    answer = await tenant.send("GET", PATH)
    assert (answer.status_code, answer.content) == (200, b"")


async def test_nobody_elses_learnings_come_along(tenant: Tenant, stranger: Tenant) -> None:
    mine, theirs = await tenant.record(summary="mine"), await stranger.record(summary="theirs")
    assert [each["id"] for each in await exported(tenant)] == [mine["id"]]
    assert [each["id"] for each in await exported(stranger)] == [theirs["id"]]


async def test_what_did_not_change_since_is_passed_over(tenant: Tenant, sql: Sql) -> None:
    made = [(await tenant.record(summary=f"n {n}"))["id"] for n in range(6)]
    await sql.execute(
        "UPDATE learnings.learning SET updated_at = now() - interval '1 day'"
        " WHERE org_id = $1 AND id = ANY($2)",
        tenant.org,
        made[:4],
    )
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    found = await exported(tenant, updated_since=hour_ago.isoformat())
    assert [each["id"] for each in found] == made[4:]
    naive = hour_ago.replace(tzinfo=None).isoformat()
    assert len(await exported(tenant, updated_since=naive)) == 2
    assert await exported(tenant, updated_since="9999-01-01T00:00:00Z") == []
    assert len(await exported(tenant, updated_since="0001-01-01T00:00:00Z")) == 6


@pytest.mark.parametrize(
    "value",
    [
        "yesterday",
        "",
        "9999-12-31T23:59:59-23:00",
        "1e400",
        "NaN",
        "\ud800".encode("utf-8", "surrogatepass"),
    ],
)
async def test_a_time_that_is_none_is_refused_by_name(tenant: Tenant, value: Any) -> None:
    answer = await tenant.send("GET", PATH, params={"updated_since": value})
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"][0]["loc"] == ["query", "updated_since"]


@pytest.mark.parametrize(
    ("most", "size"), [(1, 10**6), (2, 10**6), (7, 10**6), (500, 1), (500, 60)]
)
async def test_stretches_of_any_size_join_without_gaps(
    tenant: Tenant, sql: Sql, monkeypatch: pytest.MonkeyPatch, most: int, size: int
) -> None:
    monkeypatch.setattr(forward, "MOST", most)
    monkeypatch.setattr(forward, "SIZE", size)
    made = [(await tenant.record(summary=f"n {n}", detail="x" * n))["id"] for n in range(15)]
    # Equal times are told apart by id.
    await sql.execute(
        "UPDATE learnings.learning SET created_at = date_trunc('hour', created_at),"
        " updated_at = CASE WHEN id = ANY($2) THEN now() ELSE now() - interval '1 day' END"
        " WHERE org_id = $1",
        tenant.org,
        made[::4],
    )
    assert [each["id"] for each in await exported(tenant)] == sorted(made)
    hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    found = await exported(tenant, updated_since=hour_ago)
    assert [each["id"] for each in found] == sorted(made[::4])


async def test_scopes_and_organizations_are_asked_for(client: httpx.AsyncClient) -> None:
    key = Principal(Kind.API_KEY, "key_1", "org_1", Role.OWNER, ("sync:read",), "key_1", "usr_1")
    answer = await Tenant(client, key).send("GET", PATH)
    assert (answer.status_code, answer.json()) == (403, {"detail": "Missing scope: learnings:read"})
    answer = await Tenant(client, person(org="")).send("GET", PATH)
    assert (answer.status_code, answer.json()) == (403, {"detail": "An organization is needed"})


async def test_a_stretch_reads_its_own_rows_only(sql: Sql) -> None:
    org = "org_long"
    await fill(sql, org, 3_000)
    await sql.execute("ANALYZE learnings.learning")
    place = await sql.fetchrow(
        "SELECT created_at, id FROM learnings.learning WHERE org_id = $1"
        " ORDER BY created_at, id OFFSET 2000 LIMIT 1",
        org,
    )
    assert place is not None
    plan = await sql.fetchval(
        "EXPLAIN (ANALYZE, FORMAT JSON) " + FORWARD, org, *place, None, 100, 10**6
    )
    scans = list(_scans(json.loads(plan)[0]["Plan"]))
    assert all("Index" in scan["Node Type"] for scan in scans), scans
    assert sum(scan["Actual Rows"] for scan in scans) <= 101


def _scans(node: dict[str, Any]) -> list[dict[str, Any]]:
    inner = [_scans(child) for child in node.get("Plans", ())]
    own = [node] if "Scan" in node["Node Type"] and "Relation Name" in node else []
    return own + list(itertools.chain(*inner))


@pytest.fixture
async def large(sql: Sql) -> str:
    """An organization whose export fits no socket's buffers."""
    org = f"org_large_{datetime.now(UTC).timestamp()}"
    await fill(sql, org, 300)
    await sql.execute(
        "UPDATE learnings.learning SET detail = repeat('x', 60000) WHERE org_id = $1", org
    )
    return org


@asynccontextmanager
async def served(
    urls: DatabaseUrls, folder: Path, draining: Draining
) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(SERVICE, learnings_settings(urls, folder), draining)
    async with serving(app) as url, httpx.AsyncClient(base_url=url, timeout=20) as client:
        yield client


async def test_an_export_that_is_broken_off_does_not_look_whole(
    urls: DatabaseUrls, tmp_path: Path, large: str
) -> None:
    draining, headers = Draining(), asserting("learnings", person(org=large))
    async with served(urls, tmp_path, draining) as client:
        async with client.stream("GET", PATH, headers=headers) as answer:
            assert answer.headers["transfer-encoding"] == "chunked"
            pieces = answer.aiter_raw()
            await anext(pieces)
            draining.begin()
            with pytest.raises(httpx.RemoteProtocolError):
                async for _ in pieces:
                    pass
        assert (await client.get(PATH, headers=headers)).status_code == 503


async def test_who_hangs_up_stops_the_reading_and_few_run_at_once(
    urls: DatabaseUrls, tmp_path: Path, large: str
) -> None:
    headers = asserting("learnings", person(org=large))
    async with served(urls, tmp_path, Draining()) as client:
        reading = [
            client.stream("GET", PATH, headers=headers) for _ in range(operations.MOST_OF_ONE)
        ]
        for one in reading:
            await one.__aenter__()
        refused = await client.get(PATH, headers=headers)
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == str(operations.PATIENCE)
        other = asserting("learnings", person(org="org_other"))
        assert (await client.get(PATH, headers=other)).status_code == 200
        await client.aclose()
        async with httpx.AsyncClient(base_url=client.base_url, timeout=20) as again:

            async def admitted() -> bool:
                async with again.stream("GET", PATH, headers=headers) as answer:
                    return answer.status_code == 200

            await until(admitted, "the exports of who hung up go on")


async def test_many_small_exports_leave_nothing_behind(tenant: Tenant) -> None:
    await tenant.record()
    for _ in range(operations.MOST + 5):
        assert len(await exported(tenant)) == 1
    answers = await asyncio.gather(*(tenant.send("GET", PATH) for _ in range(3)))
    assert [answer.status_code for answer in answers] == [200] * 3
