from __future__ import annotations

import asyncio
import json
from typing import Any

import asyncpg
import httpx
import pytest

from tests.services.learnings.conftest import Tenant
from tests.services.learnings.installations_support import HASH, key_of, member_of, platform_admin

FIELDS = {
    *("id", "project", "installation_id", "client_profile", "framework_version", "model_family"),
    *("os_platform", "python_version", "pushed", "events", "outcomes", "pulled_to"),
    *("company_pulled_to", "lag", "first_seen", "last_seen"),
}


async def listed(tenant: Tenant, **query: Any) -> list[dict[str, Any]]:
    answer = await tenant.send("GET", "/v1/installations", params=query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_a_key_is_seen_at_once_after_any_call(tenant: Tenant) -> None:
    await key_of(tenant).record(summary="From a program")
    [item] = await listed(tenant)
    assert set(item) == FIELDS
    assert item["id"].startswith("inst_")
    assert item["installation_id"] is None
    assert item["last_seen"].endswith("Z")


async def test_a_refused_call_shows_a_client_too(tenant: Tenant) -> None:
    answer = await key_of(tenant).send("POST", "/v1/learnings", json={"summary": " "})
    assert answer.status_code == 422
    # Refused before the endpoint, so only a call that reaches one tells.
    assert await listed(tenant) == []
    assert (await key_of(tenant).send("GET", "/v1/learnings/L-none")).status_code == 404
    assert len(await listed(tenant)) == 1


async def test_a_person_is_no_installation(tenant: Tenant) -> None:
    await tenant.record(summary="From a person")
    assert await listed(tenant) == []


async def test_a_key_that_lists_sees_itself(tenant: Tenant) -> None:
    assert len(await listed(key_of(tenant))) == 1


async def test_the_list_has_the_envelope(tenant: Tenant) -> None:
    await asyncio.gather(*(listed(key_of(tenant)) for _ in range(5)))
    answer = await tenant.send("GET", "/v1/installations", params={"page": 2, "page_size": 2})
    body = answer.json()
    assert (len(body["items"]), body["total"], body["page"], body["page_size"]) == (2, 5, 2, 2)
    seen = [item["last_seen"] for item in await listed(tenant)]
    assert seen == sorted(seen, reverse=True)


async def test_the_list_leaves_out_who_stayed_away(
    tenant: Tenant, sql: asyncpg.Connection[asyncpg.Record]
) -> None:
    await listed(key_of(tenant))
    await sql.execute(
        "UPDATE learnings.installation SET last_seen = '2020-01-01Z' WHERE org_id = $1", tenant.org
    )
    await listed(key_of(tenant))
    assert len(await listed(tenant)) == 2
    assert len(await listed(tenant, active_since="2021-01-01T00:00:00Z")) == 1
    assert len(await listed(tenant, active_since="2021-01-01T00:00:00")) == 1


@pytest.mark.parametrize("query", [{"active_since": "soon"}, {"page": 0}, {"page_size": 201}])
async def test_a_bad_query_is_refused(tenant: Tenant, query: dict[str, Any]) -> None:
    answer = await tenant.send("GET", "/v1/installations", params=query)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", next(iter(query))]


async def test_one_is_shown_and_a_strangers_is_not_found(tenant: Tenant, stranger: Tenant) -> None:
    [item] = await listed(key_of(tenant))
    path = f"/v1/installations/{item['id']}"
    assert (await tenant.send("GET", path)).json() == item
    assert await listed(stranger) == []
    answer = await stranger.send("GET", path)
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})
    answer = await stranger.send("PATCH", path, json={"project": "mine"})
    assert answer.status_code == 404
    assert (await tenant.send("GET", "/v1/installations/inst_%00")).status_code in (404, 422)


async def test_an_administrator_names_a_project_for_good(tenant: Tenant) -> None:
    key = key_of(tenant)
    [item] = await listed(key)
    answer = await tenant.send(
        "PATCH", f"/v1/installations/{item['id']}", json={"project": " Shop "}
    )
    assert answer.status_code == 200
    assert answer.json() == item | {"project": "Shop"}
    assert [one["project"] for one in await listed(key)] == ["Shop"]


async def test_only_people_with_admin_rights_name_projects(tenant: Tenant) -> None:
    key = key_of(tenant)
    [item] = await listed(key)
    for caller in (key, member_of(tenant)):
        answer = await caller.send(
            "PATCH", f"/v1/installations/{item['id']}", json={"project": "x"}
        )
        assert (answer.status_code, answer.json()) == (403, {"detail": "Admin role required"})


@pytest.mark.parametrize("project", ["", "  ", "x" * 201, None, 5, ["x"], {"a": 1}, "a\x00b"])
async def test_a_bad_project_is_refused(tenant: Tenant, project: Any) -> None:
    answer = await tenant.send("PATCH", "/v1/installations/inst_x", json={"project": project})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "project"]


async def test_reading_needs_the_scope(tenant: Tenant) -> None:
    answer = await key_of(tenant, "sync:read").send("GET", "/v1/installations")
    assert (answer.status_code, answer.json()) == (403, {"detail": "Missing scope: learnings:read"})


async def test_platform_administrators_see_all_with_their_organizations(
    client: httpx.AsyncClient,
    tenant: Tenant,
    stranger: Tenant,
    sql: asyncpg.Connection[asyncpg.Record],
) -> None:
    await listed(key_of(tenant))
    await listed(key_of(stranger))
    await sql.execute(
        "INSERT INTO learnings.organization (org_id, name) VALUES ($1, 'Acme')", tenant.org
    )
    answer = await platform_admin(client).send(
        "GET", "/v1/admin/installations", params={"page_size": 200}
    )
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"items", "total", "page", "page_size"}
    names = {item["org_id"]: item["org_name"] for item in body["items"]}
    assert (names[tenant.org], names[stranger.org]) == ("Acme", "")
    assert set(body["items"][0]) == FIELDS | {"org_id", "org_name"}


async def test_others_do_not_see_all(tenant: Tenant) -> None:
    for caller in (tenant, member_of(tenant), key_of(tenant)):
        answer = await caller.send("GET", "/v1/admin/installations")
        assert (answer.status_code, answer.json()) == (403, {"detail": "Admin role required"})


async def test_a_new_one_is_said_once(
    tenant: Tenant, sql: asyncpg.Connection[asyncpg.Record]
) -> None:
    key = key_of(tenant)
    await asyncio.gather(*(listed(key) for _ in range(10)))
    [item] = await listed(tenant)
    said = await sql.fetch(
        "SELECT payload FROM learnings.outbox WHERE kind = 'installation.seen.v1'"
        " AND payload::jsonb ->> 'org_id' = $1",
        tenant.org,
    )
    assert [json.loads(row[0])["installation_id"] for row in said] == [item["id"]]
    assert HASH not in said[0][0]
