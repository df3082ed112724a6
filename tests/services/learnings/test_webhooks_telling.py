"""What webhooks are told of: every change of a learning, once, as the API shows it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.learnings.app import SERVICE
from services.learnings.webhooks.models import EventType
from services.learnings.webhooks.operations import courier as couriers
from services.learnings.webhooks.operations import telling
from shared.contracts.learnings import LearningChanged, LearningRecorded, LearningRetired
from shared.db import Connection, Database
from tests.gateway.fake_service import FakeService
from tests.services.learnings.conftest import Tenant, learnings_settings
from tests.services.learnings.webhooks_support import (
    Hooks,
    Sql,
    courier,
    got,
    queue,
    receiver,
    verified,
)
from tests.support.postgres import DatabaseUrls
from tests.support.service import client_of


@pytest.fixture
async def target() -> AsyncIterator[FakeService]:
    async with receiver() as service:
        yield service


@pytest.fixture
def hooks(tenant: Tenant) -> Hooks:
    return Hooks(tenant)


@pytest.fixture
async def database(urls: DatabaseUrls) -> AsyncIterator[Database]:
    database = await Database.connect(urls.url("learnings"))
    yield database
    await database.close()


async def told(
    connection: Connection,
    kind: EventType,
    event: LearningRecorded | LearningChanged | LearningRetired,
) -> None:
    org_id, learning_id = event.org_id, event.learning_id
    await telling.tell(connection, kind, org_id, learning_id, event.occurred_at, event.event_id)


async def tell_recorded(database: Database, org: str, learning_id: str, **more: Any) -> None:
    """Tell of one thing that happened."""
    event = LearningRecorded(org_id=org, learning_id=learning_id, summary="s", **more)
    async with database.transaction() as connection:
        await told(connection, EventType.RECORDED, event)


async def test_what_happens_to_a_learning_is_told(
    database_urls: DatabaseUrls, tmp_path: Path, target: FakeService
) -> None:
    """The whole way: recorded, noted, queued, delivered."""
    settings = learnings_settings(database_urls, tmp_path, GUILDHALL_SERVE_BACKGROUND=True)
    async with client_of(SERVICE, settings) as client, receiver() as narrow:
        hooks = Hooks(Tenant(client))
        made = await hooks.create(target.url)
        await hooks.create(narrow.url, events=["learning.retired"])
        learning = await hooks.tenant.record(summary="Öl first", tags=["a"], metadata={"k": "v"})
        path = f"/v1/learnings/{learning['id']}"
        content = verified(made["secret"], (await got(target, 1))[0])
        assert content["type"] == "learning.recorded"
        assert content["data"] == (await hooks.tenant.send("GET", path)).json()
        await hooks.tenant.send("PATCH", path, json={"detail": "more"})
        content = verified(made["secret"], (await got(target, 2))[1])
        assert content["type"] == "learning.changed"
        assert (content["data"]["detail"], content["data"]["version"]) == ("more", 2)
        assert content["data"]["sync_seq"] > learning["sync_seq"]
        await hooks.tenant.send("PATCH", path, json={"status": "obsolete"})
        await got(narrow, 1)
        told = [json.loads(asked.body) for asked in await got(target, 3)]
        last = [each for each in told if each["type"] == "learning.retired"]
        assert [each["data"]["status"] for each in last] == ["obsolete"]
        assert [json.loads(asked.body)["type"] for asked in narrow.asked] == ["learning.retired"]


async def test_twice_and_stale_is_told_as_once_and_as_it_is_now(
    hooks: Hooks, database: Database
) -> None:
    made = await hooks.create("https://hooks.example/")
    learning = await hooks.tenant.record(summary="old")
    await hooks.tenant.send(
        "PATCH", f"/v1/learnings/{learning['id']}", json={"summary": "new words"}
    )
    event = LearningChanged(
        org_id=hooks.tenant.org, learning_id=learning["id"], status="active", version=1
    )
    for _ in range(2):
        async with database.transaction() as connection:
            await told(connection, EventType.CHANGED, event)
    [delivery] = await hooks.deliveries(made["id"])
    assert delivery["message_id"] == f"msg_{event.event_id.hex}"
    assert delivery["type"] == "learning.changed"
    assert (await _body(database, delivery["message_id"]))["data"]["summary"] == "new words"


async def _body(database: Database, message_id: str) -> Any:
    async with database.connection() as connection:
        return json.loads(
            await connection.fetchval(
                "SELECT body FROM learnings.webhook_message WHERE id = $1", message_id
            )
        )


async def test_one_message_goes_to_all_who_listen_and_to_no_other_organization(
    hooks: Hooks, stranger: Tenant, database: Database
) -> None:
    listening = [await hooks.create("https://hooks.example/") for _ in range(2)]
    deaf = await hooks.create("https://hooks.example/", events=["learning.retired"])
    disabled = await hooks.create("https://hooks.example/")
    await hooks.change(disabled["id"], enabled=False)
    foreign = await Hooks(stranger).create("https://hooks.example/")
    learning = await hooks.tenant.record()
    await tell_recorded(database, hooks.tenant.org, learning["id"])
    found = [await hooks.deliveries(one["id"]) for one in listening]
    assert [len(each) for each in found] == [1, 1]
    assert found[0][0]["message_id"] == found[1][0]["message_id"]
    assert found[0][0]["id"] != found[1][0]["id"]
    assert await hooks.deliveries(deaf["id"]) == []
    assert await hooks.deliveries(disabled["id"]) == []
    assert await Hooks(stranger).deliveries(foreign["id"]) == []
    # An event that names another organization's learning tells nothing of it.
    await tell_recorded(database, stranger.org, learning["id"])
    assert await Hooks(stranger).deliveries(foreign["id"]) == []


async def test_duplicates_and_what_is_not_there_are_not_told(
    hooks: Hooks, database: Database, sql: Sql
) -> None:
    made = await hooks.create("https://hooks.example/")
    original, copy = await hooks.tenant.record(summary="a"), await hooks.tenant.record(summary="b")
    await sql.execute(
        "UPDATE learnings.learning SET duplicate_of = $1 WHERE org_id = $2 AND id = $3",
        original["id"],
        hooks.tenant.org,
        copy["id"],
    )
    await tell_recorded(database, hooks.tenant.org, copy["id"])
    await tell_recorded(database, hooks.tenant.org, "L-nothing")
    assert await hooks.deliveries(made["id"]) == []
    # Whoever was told of it before is told that it no longer stands.
    event = LearningRetired(
        org_id=hooks.tenant.org, learning_id=copy["id"], status="obsolete", version=2
    )
    async with database.transaction() as connection:
        await told(connection, EventType.RETIRED, event)
    [delivery] = await hooks.deliveries(made["id"])
    assert delivery["type"] == "learning.retired"
    body = await _body(database, delivery["message_id"])
    assert body["data"]["duplicate_of"] == original["id"]


async def test_the_commit_wakes_who_delivers(
    hooks: Hooks,
    target: FakeService,
    urls: DatabaseUrls,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(couriers, "POLL", 3_600.0)
    await hooks.create(target.url)
    learning = await hooks.tenant.record()
    async with courier(urls, tmp_path) as database:
        await tell_recorded(database, hooks.tenant.org, learning["id"])
        await got(target, 1)


async def test_of_a_long_backlog_the_oldest_are_given_up(
    hooks: Hooks, database: Database, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "BACKLOG", 20)
    made = await hooks.create("https://hooks.example/")
    learning = await hooks.tenant.record()
    await queue(sql, hooks.tenant.org, made["id"], 25)
    counted = UUID(int=telling.BACKLOG_CHECKED)
    await tell_recorded(database, hooks.tenant.org, learning["id"], event_id=counted)
    page = await hooks.deliveries(made["id"])
    assert [item["status"] for item in page] == ["pending"] * 20 + ["failed"] * 6
    assert {item["error"] for item in page[20:]} == {"backlog"}
    assert all(item["finished_at"] for item in page[20:])
