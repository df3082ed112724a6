"""A closed issue whose cause was found out becomes a learning."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from services.learnings.consumers import SUBSCRIPTIONS
from shared.bus import Event
from shared.contracts.auth import OrganizationDeleted
from shared.contracts.runs import IssueClosed
from shared.db import Database
from tests.services.learnings.conftest import Tenant
from tests.services.learnings.recording_support import (
    Sql,
    assert_sound,
    pushing,
    rows_of,
    said_of,
)
from tests.support.postgres import DatabaseUrls


@pytest.fixture(scope="module")
async def database(urls: DatabaseUrls) -> AsyncIterator[Database]:
    async with pushing(urls) as database:
        yield database


async def hear(database: Database, *events: Event) -> None:
    for event in events:
        (handler,) = [row.handler for row in SUBSCRIPTIONS if row.event is type(event)]
        async with database.transaction() as connection:
            await handler(connection, event)


def closed(tenant: Tenant, **fields: Any) -> IssueClosed:
    usual: dict[str, Any] = {
        "org_id": tenant.org,
        "issue_id": "iss_1",
        "title": "Checkout answers 500",
        "fingerprint": "f" * 16,
        "suite": "checkout",
        "resolution": "fixed",
        "root_cause": "The cart of ada@example.org held a price of null",
        "evidence": ("/var/log/checkout/error.log", "GET /api/cart answered 500"),
        "version": 3,
    }
    return IssueClosed(**usual | fields)


async def test_a_cause_that_was_found_out_is_learned(
    tenant: Tenant, database: Database, sql: Sql
) -> None:
    await hear(database, closed(tenant))
    (made,) = (await tenant.page())["items"]
    assert (made["summary"], made["type"]) == ("Checkout answers 500", "incident")
    assert made["status"] == "active"
    assert "checkout" in made["tags"]
    assert "Root cause: The cart of <email> held a price of null" in made["detail"]
    assert "Resolution: fixed" in made["detail"]
    assert "- <path>error.log" in made["detail"]
    assert made["source_learning_id"] == "iss_1"
    assert made["metadata"]["issue_id"] == "iss_1"
    row = (await rows_of(sql, tenant.org))[made["id"]]
    assert (row["origin"], row["came_by"], row["account_id"]) == ("issue:iss_1", "event", "")


async def test_twice_and_stale_change_nothing_and_newer_does(
    tenant: Tenant, database: Database, sql: Sql
) -> None:
    event = closed(tenant)
    await hear(database, event, event, closed(tenant))
    before = await rows_of(sql, tenant.org)
    assert len(before) == 1
    await hear(database, closed(tenant, version=2, root_cause="A guess"))
    assert await rows_of(sql, tenant.org) == before
    await hear(database, closed(tenant, version=4, root_cause="The price list was empty"))
    (row,) = (await rows_of(sql, tenant.org)).values()
    assert "The price list was empty" in row["detail"]
    assert row["version"] == 2
    assert [event[0] for event in await said_of(sql, tenant.org)] == ["recorded", "changed"]
    await assert_sound(sql, tenant.org)


@pytest.mark.parametrize("cause", ["", "  \n", "\0"])
async def test_without_a_cause_nothing_is_learned(
    tenant: Tenant, database: Database, cause: str
) -> None:
    await hear(database, closed(tenant, root_cause=cause))
    assert (await tenant.page())["total"] == 0


async def test_odd_issues_are_learned_from_too(tenant: Tenant, database: Database) -> None:
    await hear(
        database,
        closed(tenant, title=" \0", suite="x" * 500, evidence=()),
        closed(tenant, issue_id="iss_2", title="t" * 70_000, root_cause="c" * 70_000),
    )
    second, first = (await tenant.page())["items"]
    assert first["summary"].startswith("The cart of")
    assert len(second["summary"]) == len(second["detail"]) == 65_536


async def test_a_forgotten_organization_learns_nothing(
    tenant: Tenant, database: Database, sql: Sql
) -> None:
    await hear(database, OrganizationDeleted(org_id=tenant.org), closed(tenant))
    assert await rows_of(sql, tenant.org) == {}


async def test_equal_issues_of_two_organizations_do_not_meet(
    tenant: Tenant, stranger: Tenant, database: Database
) -> None:
    other = closed(tenant, issue_id=uuid4().hex)
    await hear(database, closed(tenant), closed(stranger), other)
    assert (await tenant.page())["total"] == 1
    assert (await tenant.page(include_duplicates=True))["total"] == 2
    assert (await stranger.page(include_duplicates=True))["total"] == 1
