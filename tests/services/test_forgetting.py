"""Services that hold little or nothing of accounts answer an erasure, over the real bus."""

from __future__ import annotations

import asyncio
import importlib
import json
import time
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from shared.bus import connect
from shared.bus.events import encode
from shared.contracts.auth import AccountDeleted
from shared.db import Database
from shared.service import Service
from tests.support.postgres import DatabaseUrls
from tests.support.service import client_of, settings_for

NAMES = ("runs", "teams", "agents")


@pytest.mark.parametrize("name", NAMES)
async def test_it_answers_however_often_it_is_told(name: str, database_urls: DatabaseUrls) -> None:
    subscriptions = importlib.import_module(f"services.{name}.consumers").SUBSCRIPTIONS
    (subscription,) = [row for row in subscriptions if row.event is AccountDeleted]
    database = await Database.connect(database_urls.url(name), size=1)
    for _ in range(2):
        async with database.transaction() as connection:
            await subscription.handler(connection, AccountDeleted(account_id="usr_1"))
    async with database.connection() as connection:
        rows = await connection.fetch(f"SELECT kind, payload FROM {name}.outbox")  # noqa: S608
    await database.close()
    said: list[dict[str, Any]] = [json.loads(row["payload"]) for row in rows]
    assert {row["kind"] for row in rows} == {"erasure.completed.v1"}
    assert [(event["account_id"], event["service"]) for event in said] == [("usr_1", name)] * 2


@pytest.mark.parametrize("name", NAMES)
async def test_it_hears_over_the_bus(
    name: str, database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    service: Service = importlib.import_module(f"services.{name}.app").SERVICE
    event = AccountDeleted(account_id="usr_1")
    keys = {"GUILDHALL_RUNS_ENCRYPTION_KEY": bytes(32), "GUILDHALL_DATA_DIR": tmp_path}
    async with client_of(service, settings_for(service, database_urls, **keys)):
        sql = await asyncpg.connect(database_urls.url(name), timeout=10)
        transport = await connect(database_urls.url("bus"))
        try:
            deadline = time.monotonic() + 20
            while not await sql.fetchval(f"SELECT count(*) FROM {name}.inbox"):  # noqa: S608
                # Before the service has bound its queue, nobody hears.
                await transport.publish([encode(event)])
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)
            handled = await sql.fetch(f"SELECT consumer, event_id FROM {name}.inbox")  # noqa: S608
        finally:
            await transport.close()
            await sql.close(timeout=5)
    assert [tuple(row) for row in handled] == [("forget_account", event.event_id)]
