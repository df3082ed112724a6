from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from services.learnings.consumers import SUBSCRIPTIONS
from shared.bus import Event
from shared.contracts.auth import AccountDeleted, OrganizationCreated, OrganizationDeleted
from shared.db import Database
from shared.principal import Kind, Principal
from tests.services.learnings.conftest import Tenant
from tests.support.postgres import DatabaseUrls
from tests.support.service import person

Sql = asyncpg.Connection


@pytest.fixture
async def database(urls: DatabaseUrls) -> AsyncIterator[Database]:
    database = await Database.connect(urls.url("learnings"), size=2)
    yield database
    await database.close()


async def hear(database: Database, event: Event) -> None:
    (handler,) = [row.handler for row in SUBSCRIPTIONS if row.event is type(event)]
    async with database.transaction() as connection:
        await handler(connection, event)


async def answers(sql: Sql, account_id: str) -> list[dict[str, Any]]:
    rows = await sql.fetch(
        "SELECT payload FROM learnings.outbox WHERE kind = 'erasure.completed.v1' ORDER BY id"
    )
    said = [json.loads(row["payload"]) for row in rows]
    return [event for event in said if event["account_id"] == account_id]


def writer(client: httpx.AsyncClient, account: str, org: str) -> Tenant:
    return Tenant(client, person(org=org, account=account))


async def test_a_writer_is_forgotten_and_the_learnings_stay(
    client: httpx.AsyncClient, database: Database, sql: Sql
) -> None:
    gone, other, org = (f"{prefix}_{uuid4().hex}" for prefix in ("usr", "usr", "org"))
    ada, grace = writer(client, gone, org), writer(client, other, org)
    key = Principal(Kind.API_KEY, f"key_{gone}", org, "member", ("*",), f"key_{gone}", gone)
    by_key = Tenant(client, key)
    mine = await ada.record(summary="mine", source_learning_id="L-same")
    keyed = await by_key.record(summary="by my key", source_learning_id="L-same")
    installed = await ada.record(summary="installed", source_project="0123456789abcdef")
    theirs = await grace.record(summary="hers", source_learning_id="L-same")
    event = AccountDeleted(account_id=gone)
    for _ in range(2):
        await hear(database, event)
    rows = await sql.fetch("SELECT * FROM learnings.learning WHERE org_id = $1", org)
    assert len(rows) == 4
    assert gone not in str(rows)
    found = {row["id"]: row for row in rows}
    assert found[installed["id"]]["origin"] == "0123456789abcdef"
    for learning in (mine, keyed, installed):
        row = found[learning["id"]]
        assert (row["account_id"], row["recorded_by"]) == ("", "")
    assert found[theirs["id"]]["account_id"] == other
    assert set(await grace.ids()) == set(found)
    said = await answers(sql, gone)
    assert {event["service"] for event in said} == {"learnings"}
    assert len(said) == 2, "a second telling is answered again, and auth takes either"


@pytest.mark.parametrize("with_account", [True, False])
async def test_an_organization_is_forgotten_and_its_name_does_not_come_back(
    tenant: Tenant, stranger: Tenant, database: Database, sql: Sql, with_account: bool
) -> None:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    named = OrganizationCreated(org_id=tenant.org, name="Ada", slug="ada", occurred_at=at)
    await hear(database, named)
    for number in range(300):
        await tenant.record(summary=f"s {number}")
    kept = await stranger.record()
    event: Event = OrganizationDeleted(org_id=tenant.org)
    if with_account:
        event = AccountDeleted(account_id=tenant.principal.account, org_ids=(tenant.org,))
    for late in (event, event, named.model_copy(update={"occurred_at": at + timedelta(days=99)})):
        await hear(database, late)
    assert await tenant.page() == {"items": [], "total": 0, "page": 1, "page_size": 50}
    assert not await sql.fetchval(
        "SELECT count(*) FROM learnings.landmark WHERE org_id = $1", tenant.org
    )
    row = await sql.fetchrow("SELECT * FROM learnings.organization WHERE org_id = $1", tenant.org)
    assert row is not None
    assert (row["name"], row["slug"], row["learning_count"]) == ("", "", 0)
    assert await stranger.ids() == [kept["id"]]


async def test_an_account_that_wrote_nothing_is_answered_too(database: Database, sql: Sql) -> None:
    await hear(database, AccountDeleted(account_id="usr_silent"))
    assert [event["service"] for event in await answers(sql, "usr_silent")] == ["learnings"]


async def test_finding_what_somebody_wrote_reads_no_whole_table(sql: Sql) -> None:
    async with sql.transaction():
        await sql.execute("SET LOCAL enable_seqscan = off")
        plan = await sql.fetch(
            "EXPLAIN SELECT FROM learnings.learning WHERE account_id = $1 AND account_id <> ''", "u"
        )
    assert "learning_account" in str(plan)
