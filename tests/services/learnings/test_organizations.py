from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

import asyncpg

from services.learnings.app import SERVICE
from services.learnings.consumers import SUBSCRIPTIONS
from shared.bus import connect
from shared.bus.events import encode
from shared.contracts.auth import OrganizationCreated
from shared.db import Database
from tests.services.learnings.conftest import Tenant, learnings_settings
from tests.support.postgres import DatabaseUrls
from tests.support.service import client_of

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
NOW = datetime(2026, 3, 2, tzinfo=UTC)


def created(org: str, name: str, at: datetime = NOW) -> OrganizationCreated:
    return OrganizationCreated(org_id=org, name=name, slug=name.lower(), occurred_at=at)


async def test_twice_and_stale_is_as_once(urls: DatabaseUrls, sql: Sql) -> None:
    org = f"org_{uuid4().hex}"
    subscription = SUBSCRIPTIONS[0]
    newer, stale = created(org, "Newer"), created(org, "Older", NOW - timedelta(days=1))
    database = await Database.connect(urls.url("learnings"))
    try:
        for event in (newer, newer, stale):
            async with database.transaction() as connection:
                await subscription.handler(connection, event)
    finally:
        await database.close()
    row = await sql.fetchrow("SELECT * FROM learnings.organization WHERE org_id = $1", org)
    assert row is not None
    assert (row["name"], row["slug"], row["named_at"]) == ("Newer", "newer", NOW)


async def test_the_first_learning_may_come_before_the_organization(
    tenant: Tenant, urls: DatabaseUrls, sql: Sql
) -> None:
    await tenant.record()
    database = await Database.connect(urls.url("learnings"))
    try:
        async with database.transaction() as connection:
            await SUBSCRIPTIONS[0].handler(connection, created(tenant.org, "Late"))
    finally:
        await database.close()
    await tenant.record()
    row = await sql.fetchrow("SELECT * FROM learnings.organization WHERE org_id = $1", tenant.org)
    assert row is not None
    assert (row["name"], row["learning_count"], row["sequence"]) == ("Late", 2, 2)


async def test_the_event_arrives_over_the_bus(database_urls: DatabaseUrls, tmp_path: Path) -> None:
    """The running service takes what auth says from its queue, once however often it comes."""
    event = created("org_bus", "Carried")
    settings = learnings_settings(database_urls, tmp_path, GUILDHALL_SERVE_BACKGROUND=True)
    async with client_of(SERVICE, settings):
        connection = await asyncpg.connect(database_urls.url("learnings"), timeout=10)
        transport = await connect(database_urls.url("bus"))
        try:
            deadline = time.monotonic() + 20
            while not await connection.fetchval(
                "SELECT name FROM learnings.organization WHERE org_id = 'org_bus'"
            ):
                # Before the service has bound its queue, nobody hears.
                await transport.publish([encode(event)])
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)
            handled = await connection.fetch("SELECT consumer, event_id FROM learnings.inbox")
        finally:
            await transport.close()
            await connection.close(timeout=5)
    assert [tuple(row) for row in handled] == [("note_organization", event.event_id)]
