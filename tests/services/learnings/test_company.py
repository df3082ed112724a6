"""Learnings that all organizations share (learnings contract, sections 5.1 and 6.1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from services.learnings.company import operations
from services.learnings.erasures.operations import forget_organization
from shared.db import Database
from shared.principal import Kind, Principal, Role
from tests.services.learnings.conftest import Tenant
from tests.services.learnings.sync_support import Puller, entry, hash_of, push
from tests.support.postgres import DatabaseUrls
from tests.support.service import person

A = "sync-claude-code-" + "a" * 16


@pytest.fixture
async def database(urls: DatabaseUrls) -> AsyncIterator[Database]:
    database = await Database.connect(urls.url("learnings"))
    yield database
    await database.close()


@pytest.fixture
def sharer(client: httpx.AsyncClient) -> Tenant:
    """An organization where a platform administrator acts."""
    return Tenant(client, person(f"org_{uuid4().hex}", role=Role.PLATFORM_ADMIN))


async def told(database: Database, tenant: Tenant, learning_id: str) -> None:
    """Do what the consumer does when the service hears of a change."""
    async with database.transaction() as connection:
        await operations.follow(connection, tenant.org, learning_id)


async def share(database: Database, sharer: Tenant, **fields: Any) -> dict[str, Any]:
    made = await sharer.record(**fields)
    await change(database, sharer, made["id"], tier="company")
    return made


async def change(database: Database, sharer: Tenant, learning_id: str, **fields: Any) -> None:
    answer = await sharer.send("PATCH", f"/v1/learnings/{learning_id}", json=fields)
    assert answer.status_code == 200, answer.text
    await told(database, sharer, learning_id)


async def company_rows(tenant: Tenant, **query: Any) -> list[dict[str, Any]]:
    """All company rows that an organization is given, from the beginning."""
    puller = Puller(tenant, client_id="reader")
    await puller.pull_all()
    return [row for name, row in puller.rows.items() if name.startswith("company:")]


async def the_row(tenant: Tenant, summary: str) -> dict[str, Any]:
    (row,) = [row for row in await company_rows(tenant) if row["summary"] == summary]
    return row


async def test_shared_learning_reaches_every_other_organization(
    database: Database, sharer: Tenant, tenant: Tenant, stranger: Tenant
) -> None:
    summary = f"Shared {uuid4().hex}"
    made = await share(
        database,
        sharer,
        summary=summary,
        detail="d",
        tags=["a"],
        impact=0.8,
        metadata={"provenance_author": "ada", "origin_project": "git:" + "1" * 16},
    )
    for other in (tenant, stranger):
        row = await the_row(other, summary)
        assert row["metadata"] == {"source": "company_sync"}
        assert (row["detail"], row["tags"], row["impact"]) == ("d", ["a"], 0.8)
        assert row["status"] == "active"
        assert list(row["vector_clock"].values()) == [1]
        assert sharer.org not in str(row)
        assert made["id"] not in str(row)
    own = await company_rows(sharer)
    assert summary not in {row["summary"] for row in own}
    shown = (await sharer.send("GET", f"/v1/learnings/{made['id']}")).json()
    assert shown["tier"] == "company"


async def test_shared_learning_is_in_no_list_or_search_of_others(
    database: Database, sharer: Tenant, tenant: Tenant
) -> None:
    made = await share(database, sharer, summary=f"Shared {uuid4().hex}")
    assert await tenant.ids() == []
    found = await tenant.send("POST", "/v1/learnings/search", json={"query": made["summary"]})
    assert found.json()["results"] == []
    assert (await tenant.send("GET", f"/v1/learnings/{made['id']}")).status_code == 404


@pytest.mark.parametrize("role", [Role.MEMBER, Role.ADMIN, Role.OWNER])
async def test_only_platform_administrators_share(tenant: Tenant, role: Role) -> None:
    made = await tenant.record()
    tenant.principal = replace(tenant.principal, role=role)
    answer = await tenant.send("PATCH", f"/v1/learnings/{made['id']}", json={"tier": "company"})
    assert (answer.status_code, answer.json()) == (403, {"detail": "Admin role required"})


async def test_key_of_a_platform_administrator_does_not_share(sharer: Tenant) -> None:
    made = await sharer.record()
    scopes = ("*",)
    sharer.principal = Principal(
        Kind.API_KEY, "key_1", sharer.org, Role.PLATFORM_ADMIN, scopes, "key_1", "usr_one"
    )
    answer = await sharer.send("PATCH", f"/v1/learnings/{made['id']}", json={"tier": "company"})
    assert answer.status_code == 403


@pytest.mark.parametrize("tier", ["world", None, 7, [], ""])
async def test_unknown_tier_is_422(sharer: Tenant, tier: Any) -> None:
    made = await sharer.record()
    answer = await sharer.send("PATCH", f"/v1/learnings/{made['id']}", json={"tier": tier})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "tier"]


async def test_copy_follows_edits_and_retirement(
    database: Database, sharer: Tenant, tenant: Tenant
) -> None:
    made = await share(database, sharer, summary=f"Shared {uuid4().hex}")
    peer = Puller(tenant)
    await peer.pull_all()
    name = next(key for key, row in peer.rows.items() if row["summary"] == made["summary"])
    await change(database, sharer, made["id"], summary="Edited")
    await peer.pull_all()
    assert peer.rows[name]["summary"] == "Edited"
    assert list(peer.rows[name]["vector_clock"].values()) == [2]
    await change(database, sharer, made["id"], status="obsolete")
    await peer.pull_all()
    assert peer.rows[name]["status"] == "obsolete"
    await change(database, sharer, made["id"], status="active")
    await peer.pull_all()
    assert peer.rows[name]["status"] == "active"


async def test_copy_follows_a_push(database: Database, sharer: Tenant, tenant: Tenant) -> None:
    pushed = await push(sharer, entry("L-1", summary=f"Pushed {uuid4().hex}"), client_id=A)
    learning_id = pushed["results"][0]["id"]
    await change(database, sharer, learning_id, tier="company")
    summary = f"Edited {uuid4().hex}"
    edited = entry("L-1", summary=summary, sync_hash=hash_of("edited"))
    await push(sharer, edited, client_id=A)
    await told(database, sharer, learning_id)
    assert (await the_row(tenant, summary))["status"] == "active"


async def test_withdrawn_copy_loses_its_text(
    database: Database, sharer: Tenant, tenant: Tenant
) -> None:
    made = await share(database, sharer, summary=f"Shared {uuid4().hex}", detail="secret")
    peer = Puller(tenant)
    await peer.pull_all()
    name = next(key for key, row in peer.rows.items() if row["summary"] == made["summary"])
    await change(database, sharer, made["id"], tier="team")
    await peer.pull_all()
    row = peer.rows[name]
    assert (row["status"], row["summary"], row["detail"]) == ("obsolete", "(withdrawn)", "")
    await change(database, sharer, made["id"], tier="company")
    await peer.pull_all()
    assert peer.rows[name]["detail"] == "secret"


async def test_deleted_organization_takes_its_copies_back(
    database: Database, sharer: Tenant, tenant: Tenant, sql: asyncpg.Connection[Any]
) -> None:
    made = [await share(database, sharer, summary=f"Shared {uuid4().hex}") for _ in range(3)]
    peer = Puller(tenant)
    await peer.pull_all()
    texts = {one["summary"] for one in made}
    names = [key for key, row in peer.rows.items() if row["summary"] in texts]
    assert len(names) == 3
    for _ in range(2):
        async with database.transaction() as connection:
            await forget_organization(connection, sharer.org)
    await told(database, sharer, made[0]["id"])
    await peer.pull_all()
    assert {peer.rows[name]["status"] for name in names} == {"obsolete"}
    assert {peer.rows[name]["summary"] for name in names} == {"(withdrawn)"}
    left = "SELECT count(*) FROM learnings.company_learning WHERE org_id = $1"
    assert await sql.fetchval(left, sharer.org) == 0


async def test_news_may_come_twice_and_late(
    database: Database, sharer: Tenant, tenant: Tenant, sql: asyncpg.Connection[Any]
) -> None:
    made = await share(database, sharer, summary=f"Shared {uuid4().hex}")
    before = await sql.fetchval("SELECT sequence FROM learnings.company_counter")
    await asyncio.gather(*(told(database, sharer, made["id"]) for _ in range(5)))
    assert await sql.fetchval("SELECT sequence FROM learnings.company_counter") == before
    await told(database, sharer, "L-unknown")
    await told(database, tenant, made["id"])
    assert await sql.fetchval("SELECT sequence FROM learnings.company_counter") == before


async def test_retired_learning_is_not_shared_afterwards(
    database: Database, sharer: Tenant, tenant: Tenant
) -> None:
    made = await sharer.record(summary=f"Old {uuid4().hex}", status="obsolete")
    await change(database, sharer, made["id"], tier="company")
    assert made["summary"] not in {row["summary"] for row in await company_rows(tenant)}


async def test_sweep_finds_what_nobody_told(
    database: Database, sharer: Tenant, tenant: Tenant
) -> None:
    made = await sharer.record(summary=f"Untold {uuid4().hex}")
    await sharer.send("PATCH", f"/v1/learnings/{made['id']}", json={"tier": "company"})
    assert await operations.sweep(database) >= 1
    assert await operations.sweep(database) == 0
    assert (await the_row(tenant, made["summary"]))["status"] == "active"


async def test_company_cursor_moves_alone(
    database: Database, sharer: Tenant, tenant: Tenant
) -> None:
    """Section 6.1: company rows do not move since_seq, and are paged by their own cursor."""
    await tenant.record(summary="own")
    for number in range(3):
        await share(database, sharer, summary=f"Shared {number} {uuid4().hex}")
    first = (await Puller(tenant).ask()).json()
    team = [row for row in first["team_learnings"] if "source" not in row["metadata"]]
    shared = [row for row in first["team_learnings"] if "source" in row["metadata"]]
    assert [row["sync_seq"] for row in team] == [1]
    assert first["next_company_seq"] == shared[-1]["sync_seq"]
    answer = await Puller(tenant).ask(since_seq=1, since_company_seq=shared[-2]["sync_seq"])
    rows = answer.json()["team_learnings"]
    assert [row["source_learning_id"] for row in rows] == [shared[-1]["source_learning_id"]]


async def test_parallel_sharing_is_numbered_in_commit_order(
    database: Database, sharer: Tenant, tenant: Tenant
) -> None:
    made = [await sharer.record(summary=f"Shared {uuid4().hex}") for _ in range(12)]
    peer = Puller(tenant)
    seen: list[int] = []

    async def poll() -> None:
        while len(seen) < len(made):
            answer = await peer.ask()
            if answer.status_code == 200:
                peer.take(answer.json())
                seen.extend(row["sync_seq"] for row in answer.json()["team_learnings"])

    await peer.pull_all()
    polling = asyncio.create_task(asyncio.wait_for(poll(), 20))
    await asyncio.gather(*(change(database, sharer, one["id"], tier="company") for one in made))
    await polling
    assert seen == sorted(set(seen))
