"""Passwords of service accounts, and what knowing one gives (agents contract, section 4.1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.services.auth.agents_support import (
    ACCOUNTS,
    API,
    Agents,
    new_name,
    rule,
    running_agents,
)
from tests.support.postgres import DatabaseServer, DatabaseUrls


@pytest.fixture(scope="module")
async def agents(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Agents]:
    folder = tmp_path_factory.mktemp("data")
    async with database_server.clone() as urls, running_agents(urls, folder) as running:
        yield running


async def test_a_reset_by_an_administrator_takes_the_new_password_alone(agents: Agents) -> None:
    made = await agents.account()
    robot = await agents.log_in(made["user"], "test123")
    path = f"{ACCOUNTS}/{made['user']}/password"
    answer = await agents.put(path, {"new_password": "another"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert not await agents.holds(robot)
    old = await agents.post(f"{API}/auth/login", {"user": made["user"], "pass": "test123"})
    assert old.status_code == 401
    await agents.log_in(made["user"], "another")
    patched = await agents.auth.send("PATCH", path, agents.admin, json={"new_password": "third"})
    assert patched.status_code == 204
    for body in ({}, {"new_password": ""}, {"new_password": 7}):
        assert (await agents.put(path, body)).status_code == 422
    missing = await agents.put(f"{ACCOUNTS}/nobody/password", {"new_password": "x"})
    assert missing.status_code == 404


async def test_an_administrator_who_sends_the_present_password_sends_the_right_one(
    agents: Agents,
) -> None:
    made = await agents.account()
    path = f"{ACCOUNTS}/{made['id']}/password"
    body = {"new_password": "another", "current_password": "wrong"}
    wrong = await agents.put(path, body)
    assert wrong.status_code == 401
    assert wrong.json()["error"]["code"] == "UNAUTHORIZED"
    await agents.log_in(made["user"], "test123")
    right = await agents.put(path, body | {"current_password": "test123"})
    assert right.status_code == 204
    await agents.log_in(made["user"], "another")
    stranger = await agents.robot()
    refused = await agents.put(path, body | {"current_password": "another"}, stranger)
    assert refused.status_code == 403
    await agents.log_in(made["user"], "another")


async def test_ones_own_password_takes_the_present_one(agents: Agents) -> None:
    made = await agents.account()
    robot = await agents.log_in(made["user"], "test123")
    for reference in ("current-user", made["id"], made["user"]):
        path = f"{ACCOUNTS}/{reference}/password"
        without = await agents.put(path, {"new_password": "another"}, robot)
        assert without.status_code == 422
        assert without.json()["error"]["details"][0]["loc"] == ["body", "current_password"]
        body = {"new_password": "another", "current_password": "wrong"}
        wrong = await agents.put(path, body, robot)
        assert wrong.status_code == 401
    body = {"new_password": "another", "current_password": "test123"}
    done = await agents.put(f"{ACCOUNTS}/current-user/password", body, robot)
    assert done.status_code == 204
    assert not await agents.holds(robot)
    await agents.log_in(made["user"], "another")
    other = await agents.account()
    stranger = await agents.robot()
    body = {"new_password": "mine now", "current_password": "test123"}
    refused = await agents.put(f"{ACCOUNTS}/{other['id']}/password", body, stranger)
    assert refused.status_code == 403


async def test_guesses_of_ones_present_password_are_counted(agents: Agents) -> None:
    made = await agents.account()
    robot = await agents.log_in(made["user"], "test123")
    path = f"{ACCOUNTS}/current-user/password"
    body = {"new_password": "another", "current_password": "wrong"}
    codes = [(await agents.put(path, body, robot)).status_code for _ in range(11)]
    assert codes == [401] * 10 + [429]
    right = await agents.put(path, body | {"current_password": "test123"}, robot)
    assert right.status_code == 429
    assert int(right.headers["retry-after"]) > 0
    await agents.auth.sql.execute("DELETE FROM auth.throttle")


async def test_two_changes_of_ones_password_at_once(agents: Agents) -> None:
    made = await agents.account()
    robot = await agents.log_in(made["user"], "test123")
    path = f"{ACCOUNTS}/current-user/password"
    answers = await asyncio.gather(
        *(
            agents.put(path, {"new_password": f"p{n}", "current_password": "test123"}, robot)
            for n in range(6)
        )
    )
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [204, 401, 401, 401, 401, 401]
    await agents.auth.sql.execute("DELETE FROM auth.throttle")


async def test_short_passwords_are_for_development(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    production = {
        "GUILDHALL_PROFILE": "production",
        "GUILDHALL_PASSWORD_MEMORY": 19_456,
        "GUILDHALL_PASSWORD_PASSES": 2,
    }
    async with running_agents(database_urls, tmp_path, "not so weak", **production) as agents:
        for weak in ("seven c", "admin", "PassWord", "robot-named-so"):
            body = {"user": "robot-named-so", "pass": weak}
            answer = await agents.post(ACCOUNTS, body)
            assert answer.status_code == 422, weak
            assert answer.json()["error"]["details"][0]["loc"] == ["body", "pass"]
        made = await agents.account(password="eight ch")
        path = f"{ACCOUNTS}/{made['id']}/password"
        answer = await agents.put(path, {"new_password": "seven c"})
        assert answer.status_code == 422
        assert answer.json()["error"]["details"][0]["loc"] == ["body", "new_password"]
        await agents.log_in(made["user"], "eight ch")


async def test_nobody_gains_by_resetting_a_password(agents: Agents) -> None:
    manager = await agents.holding(rule("service-accounts", "get list create update"))
    plain = await agents.account()
    path = f"{ACCOUNTS}/{plain['id']}/password"
    assert (await agents.put(path, {"new_password": "mine"}, manager)).status_code == 204
    await agents.bind("viewer", plain["user"], "acme")
    assert (await agents.put(path, {"new_password": "mine"}, manager)).status_code == 403
    admin = await agents.put(f"{ACCOUNTS}/admin/password", {"new_password": "mine"}, manager)
    assert admin.status_code == 403
    await agents.log_in("admin", "admin")


async def test_nobody_gains_by_making_an_account_that_bindings_wait_for(agents: Agents) -> None:
    awaited = new_name()
    await agents.bind("admin", awaited)
    manager = await agents.holding(rule("service-accounts", "*"))
    body = {"user": awaited, "pass": "mine"}
    assert (await agents.post(ACCOUNTS, body, manager)).status_code == 403
    assert (await agents.get(f"{ACCOUNTS}/{awaited}")).status_code == 404
    made = await agents.account(awaited)
    robot = await agents.log_in(awaited, "test123")
    assert (await agents.get(f"{API}/auth/me", robot)).json()["roles"] == ["admin"]
    assert (await agents.delete(f"{ACCOUNTS}/{made['id']}")).status_code == 204
