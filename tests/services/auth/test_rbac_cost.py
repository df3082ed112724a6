"""What a decision costs, and how long it is remembered (agents contract, section 7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.auth.roles.operations import Access
from services.auth.roles.operations.access import LIFE, MOST_REMEMBERED
from shared.db import Connection, Database
from shared.errors import Unauthenticated
from shared.principal import Kind, Principal
from tests.services.auth.agents_support import (
    ACCOUNTS,
    BINDINGS,
    ROLES,
    Agents,
    new_name,
    running_agents,
)
from tests.support.postgres import DatabaseServer


@pytest.fixture(scope="module")
async def agents(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Agents]:
    folder = tmp_path_factory.mktemp("data")
    async with database_server.clone() as urls, running_agents(urls, folder) as running:
        _DATABASE["url"] = urls.url("auth")
        yield running


_DATABASE: dict[str, str] = {}


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that is sent while the test runs."""
    seen: list[str] = []
    lend = Database.connection

    @asynccontextmanager
    async def watched(self: Database) -> AsyncIterator[Connection]:
        async with lend(self) as connection:
            logger: Any = connection.query_logger(lambda record: seen.append(record.query))
            with logger:
                yield connection

    monkeypatch.setattr(Database, "connection", watched)
    return seen


@asynccontextmanager
async def opened(**options: Any) -> AsyncIterator[Access]:
    database = await Database.connect(_DATABASE["url"])
    try:
        yield Access(database, **options)
    finally:
        await database.close()


async def test_a_decision_is_one_query_and_then_none(agents: Agents, statements: list[str]) -> None:
    robot = await agents.robot("viewer", "developer", namespace="acme")
    await agents.role()  # a change, so that nothing is remembered
    statements.clear()
    assert (await agents.get(ROLES, robot)).status_code == 403
    decisions = [text for text in statements if "role_binding" in text]
    assert len(decisions) == 1
    for _ in range(3):
        assert (await agents.get(ACCOUNTS, robot)).status_code == 403
    decisions = [text for text in statements if "role_binding" in text]
    assert len(decisions) == 1


@pytest.mark.parametrize("path", [ACCOUNTS, ROLES, BINDINGS])
async def test_a_list_costs_the_same_whatever_its_length(
    agents: Agents, statements: list[str], path: str
) -> None:
    async def cost() -> int:
        await agents.get(path)
        statements.clear()
        assert (await agents.get(path)).status_code == 200
        return len(statements)

    before = await cost()
    for _ in range(12):
        made = await agents.account()
        role = await agents.role()
        await agents.bind(role["name"], made["user"], new_name())
    assert await cost() == before == 2


async def test_what_is_held_is_asked_again_after_a_second(agents: Agents) -> None:
    robot = await agents.robot()
    now = 100.0
    async with opened(clock=lambda: now) as access:
        assert (await access.holder(robot)).grants == ()
        name = (await agents.get(f"{ACCOUNTS}/current-user", robot)).json()["user"]
        await agents.bind("viewer", name)
        now += LIFE - 0.01
        assert (await access.holder(robot)).grants == (), "another process was not told"
        now += 0.02
        assert [grant.role for grant in (await access.holder(robot)).grants] == ["viewer"]
        await agents.delete(f"{ACCOUNTS}/{robot.subject}")
        now += LIFE
        with pytest.raises(Unauthenticated):
            await access.holder(robot)


async def test_what_was_read_before_a_change_is_not_kept_after_it(agents: Agents) -> None:
    async with opened(clock=lambda: 100.0) as access:
        reading = asyncio.ensure_future(access.holder(agents.admin))
        await asyncio.sleep(0)
        access.forget()
        await reading
        assert not access._known


async def test_what_is_remembered_is_bounded(agents: Agents) -> None:
    async with opened(clock=lambda: 100.0) as access:
        holder = await access.holder(agents.admin)
        for number in range(MOST_REMEMBERED):
            caller = Principal(Kind.SUBJECT, f"s{number}")
            access._known[caller.kind, caller.subject, "", "", "", (), ()] = holder, 200.0
        await access.holder(Principal(Kind.SUBJECT, "one more"))
        assert len(access._known) == 1


async def test_two_callers_of_one_name_are_not_taken_for_each_other(agents: Agents) -> None:
    await agents.bind("viewer", "same", kind="Subject")
    await agents.bind("viewer", "staff", kind="Group")
    async with opened() as access:
        for principal, count in (
            (Principal(Kind.SUBJECT, "same"), 1),
            (Principal(Kind.SUBJECT, "same", groups=("staff",)), 2),
            (Principal(Kind.SUBJECT, "other", groups=("staff",)), 1),
            (Principal(Kind.MACHINE, "same"), 0),
            (Principal(Kind.USER, "same", "org", "owner", ("*",), "ses", "same"), 0),
            (Principal(Kind.USER, "same", "", "platform_admin", ("*",), "ses", "same"), 1),
        ):
            assert len((await access.holder(principal)).grants) == count, principal
