"""Whose turn it is: nothing lost, nothing twice without need, nobody held up by others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.learnings.webhooks.models import Outcome
from services.learnings.webhooks.operations import courier as couriers
from services.learnings.webhooks.store import turns
from shared.db import Database
from tests.gateway.fake_service import Asked, FakeService
from tests.services.learnings.conftest import Tenant
from tests.services.learnings.webhooks_support import (
    Hooks,
    Sql,
    answer_with,
    courier,
    got,
    queue,
    receiver,
    silence,
    until,
)
from tests.support.postgres import DatabaseUrls


@pytest.fixture(autouse=True)
async def _alone(monkeypatch: pytest.MonkeyPatch, sql: Sql) -> None:
    """What another process queues is found soon, and nothing waits from the test before."""
    monkeypatch.setattr(couriers, "POLL", 0.02)
    await sql.execute("DELETE FROM learnings.webhook")


@pytest.fixture
async def target() -> AsyncIterator[FakeService]:
    async with receiver() as service:
        yield service


@pytest.fixture
async def delivered(urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[Database]:
    """One process delivers."""
    async with courier(urls, tmp_path) as database:
        yield database


@pytest.fixture
def hooks(tenant: Tenant) -> Hooks:
    return Hooks(tenant)


async def test_a_killed_process_loses_nothing(
    hooks: Hooks, target: FakeService, urls: DatabaseUrls, tmp_path: Path, sql: Sql
) -> None:
    """The row is as a process leaves it that took a turn and was never heard of again."""
    made = await hooks.create(target.url)
    queued = await hooks.test(made["id"])
    database = await Database.connect(urls.url("learnings"))
    try:
        async with database.connection() as connection:
            taken = await _claim(connection)
            assert [turn.webhook_id for turn in taken] == [made["id"]]
            assert await _claim(connection) == []
    finally:
        await database.close()
    async with courier(urls, tmp_path):
        assert target.asked == []
        await sql.execute(
            "UPDATE learnings.webhook SET held_until = now(), next_at = now() WHERE id = $1",
            made["id"],
        )
        asked = (await got(target, 1))[0]
        assert asked.header("webhook-id") == queued["message_id"]
        assert (await hooks.tried(made["id"], 2))["status"] == "delivered"


async def _claim(connection: Any, **more: Any) -> list[Any]:
    limits = {"most": 100, "most_of_one": 3, "deliveries": 2, "lease_s": 30.0} | more
    return await turns.claim(connection, limits.pop("busy", {}), **limits)


async def test_a_late_result_does_not_overwrite_a_later_attempt(
    hooks: Hooks, urls: DatabaseUrls, target: FakeService, sql: Sql
) -> None:
    made = await hooks.create(target.url)
    await hooks.test(made["id"])
    database = await Database.connect(urls.url("learnings"))
    try:
        async with database.connection() as connection:
            first = (await _claim(connection))[0]
            await sql.execute(
                "UPDATE learnings.webhook SET next_at = now() WHERE id = $1", made["id"]
            )
            second = (await _claim(connection))[0]
            late = Outcome(first.due[0].id, first.due[0].attempts, "", 200, "", 1, None)
            await turns.write_outcomes(connection, hooks.tenant.org, [late])
            assert (await hooks.deliveries(made["id"]))[0]["status"] == "pending"
            await turns.release(connection, first, 0)
            assert await _claim(connection) == []
            await turns.release(connection, second, 0)
            assert len(await _claim(connection)) == 1
    finally:
        await database.close()


async def test_stopping_gives_back_what_is_under_way(
    hooks: Hooks, target: FakeService, urls: DatabaseUrls, tmp_path: Path
) -> None:
    target.behave = silence
    made = await hooks.create(target.url)
    await hooks.test(made["id"])
    async with courier(urls, tmp_path):
        await got(target, 1)
    target.behave = answer_with(204)
    async with courier(urls, tmp_path):
        assert (await hooks.tried(made["id"], 2))["status"] == "delivered"


async def test_two_processes_deliver_each_message_once_and_two_at_once(
    hooks: Hooks, urls: DatabaseUrls, tmp_path: Path, sql: Sql, target: FakeService
) -> None:
    running = most = 0

    async def count(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        await answer_with(204)(asked, reader, writer)
        running -= 1

    target.behave = count
    made = await hooks.create(target.url)
    await queue(sql, hooks.tenant.org, made["id"], 40)
    async with courier(urls, tmp_path), courier(urls, tmp_path):
        await until(lambda: _all_delivered(sql, hooks.tenant.org), "not all were delivered")
    ids = [asked.header("webhook-id") for asked in target.asked]
    assert len(ids) == len(set(ids)) == 40
    assert most <= couriers.AT_ONCE


async def _all_delivered(sql: Sql, org_id: str) -> bool:
    return not await sql.fetchval(
        "SELECT count(*) FROM learnings.webhook_delivery"
        " WHERE org_id = $1 AND status <> 'delivered'",
        org_id,
    )


async def test_silent_targets_of_one_organization_hold_up_nobody(
    hooks: Hooks,
    stranger: Tenant,
    target: FakeService,
    urls: DatabaseUrls,
    tmp_path: Path,
    sql: Sql,
) -> None:
    async with receiver() as black_hole:
        black_hole.behave = silence
        for _ in range(20):
            made = await hooks.create(black_hole.url)
            await queue(sql, hooks.tenant.org, made["id"], 5)
        other = Hooks(stranger)
        made = await other.create(target.url)
        async with courier(urls, tmp_path):
            await got(black_hole, couriers.WEBHOOKS_OF_ONE * couriers.AT_ONCE)
            for _ in range(10):
                await other.test(made["id"])
            # Long before any of the silent ones could be given up.
            async with asyncio.timeout(couriers.SEND_SECONDS):
                await got(target, 10)
        most = couriers.WEBHOOKS_OF_ONE * couriers.AT_ONCE
        assert len(black_hole.asked) == most


async def test_turns_go_round_among_organizations(
    client: Any, target: FakeService, urls: DatabaseUrls, sql: Sql
) -> None:
    many, few = Hooks(Tenant(client)), Hooks(Tenant(client))
    for _ in range(5):
        made = await many.create(target.url)
        await queue(sql, many.tenant.org, made["id"], 3)
    late = await few.create(target.url)
    await queue(sql, few.tenant.org, late["id"], 1)
    database = await Database.connect(urls.url("learnings"))
    try:
        async with database.connection() as connection:
            taken = await _claim(connection, most=2)
            # The first of each, although the other four have waited longer.
            assert {turn.org_id for turn in taken} == {many.tenant.org, few.tenant.org}
            busy = {many.tenant.org: 1}
            taken = await _claim(connection, busy=busy)
            assert [turn.org_id for turn in taken] == [many.tenant.org] * 2
            assert all(len(turn.due) == 2 for turn in taken)
            assert await _claim(connection, busy={many.tenant.org: 3}) == []
    finally:
        await database.close()
