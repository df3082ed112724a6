"""Roles (agents contract, section 4.2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.services.auth.agents_support import (
    ACCOUNTS,
    BINDINGS,
    EVERYTHING,
    ROLES,
    Agents,
    new_name,
    rule,
    running_agents,
)
from tests.support.postgres import DatabaseServer

GOOD = rule("agents", "get list")


@pytest.fixture(scope="module")
async def agents(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Agents]:
    folder = tmp_path_factory.mktemp("data")
    async with database_server.clone() as urls, running_agents(urls, folder) as running:
        yield running


async def test_one_is_made_and_read_by_id_and_name(agents: Agents) -> None:
    name = new_name("role")
    named = rule("agents", "get", resource_names=["a"])
    body = {"name": name, "rules": [GOOD, named], "description": "Reads", "namespace": "x"}
    answer = await agents.post(ROLES, body)
    assert answer.status_code == 201
    made = answer.json()
    assert set(made) == {"id", "name", "rules", "description", "created_at"}
    assert UUID(made["id"]).version == 4
    assert (made["name"], made["description"]) == (name, "Reads")
    assert made["rules"] == [GOOD, named], "resource_names is left out where there are none"
    for reference in (made["id"], name, f"{name}/"):
        assert (await agents.get(f"{ROLES}/{reference}")).json() == made
    assert made in (await agents.get(ROLES)).json()


async def test_a_role_may_be_without_rules(agents: Agents) -> None:
    assert (await agents.role())["rules"] == []
    made = await agents.role(rule("", ""), rule("agents", "get", resource_names=None))
    assert made["rules"] == [rule("", ""), rule("agents", "get")]


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"rules": []}, ["name"]),
        ({"name": "x"}, ["rules"]),
        ({"name": "a b", "rules": []}, ["name"]),
        ({"name": "../x", "rules": []}, ["name"]),
        ({"name": "x" * 256, "rules": []}, ["name"]),
        ({"name": "x", "rules": None}, ["rules"]),
        ({"name": "x", "rules": {}}, ["rules"]),
        ({"name": "x", "rules": ["x"]}, ["rules", 0]),
        ({"name": "x", "rules": [{}]}, ["rules", 0, "api_groups"]),
        ({"name": "x", "rules": [GOOD | {"verbs": "get"}]}, ["rules", 0, "verbs"]),
        ({"name": "x", "rules": [GOOD | {"verbs": [1]}]}, ["rules", 0, "verbs", 0]),
        ({"name": "x", "rules": [GOOD | {"resource_names": "a"}]}, ["rules", 0, "resource_names"]),
        ({"name": "x", "rules": [GOOD] * 101}, ["rules"]),
        ({"name": "x", "rules": [], "description": "x" * 1001}, ["description"]),
    ],
)
async def test_what_is_wrong_is_named(
    agents: Agents, body: dict[str, Any], loc: list[str | int]
) -> None:
    before = await agents.count("role")
    answer = await agents.post(ROLES, body)
    assert answer.status_code == 422, answer.text
    assert ["body", *loc] in [fault["loc"] for fault in answer.json()["error"]["details"]]
    assert await agents.count("role") == before


async def test_a_taken_name_is_409(agents: Agents) -> None:
    made = await agents.role()
    for name in (made["name"], "admin"):
        answer = await agents.post(ROLES, {"name": name, "rules": []})
        assert (answer.status_code, answer.json()["message"]) == (409, "Role already exists")
    body = {"name": new_name(), "rules": []}
    answers = await asyncio.gather(*(agents.post(ROLES, body) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 5


async def test_roles_are_not_changed(agents: Agents) -> None:
    made = await agents.role()
    for method in ("PUT", "PATCH"):
        path = f"{ROLES}/{made['id']}"
        answer = await agents.auth.send(method, path, agents.admin, json={})
        assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET, HEAD")
        assert answer.json()["error"]["code"] == "METHOD_NOT_ALLOWED"


async def test_deletion_takes_bindings_along(agents: Agents) -> None:
    made = await agents.role(GOOD)
    robot = await agents.robot(made["name"])
    answer = await agents.delete(f"{ROLES}/{made['name']}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await agents.get(f"{BINDINGS}?role_name={made['name']}")).json() == []
    for reference in (made["id"], made["name"], str(uuid4())):
        for method in ("GET", "DELETE"):
            gone = await agents.auth.send(method, f"{ROLES}/{reference}", agents.admin)
            assert (gone.status_code, gone.json()["message"]) == (404, "Role not found")
    again = await agents.role(EVERYTHING, name=made["name"])
    assert again["id"] != made["id"]
    assert (await agents.get(ACCOUNTS, robot)).status_code == 403


async def test_a_role_named_like_anothers_id_is_not_that_one(agents: Agents) -> None:
    one = await agents.role()
    other = await agents.role(name=one["id"])
    assert (await agents.get(f"{ROLES}/{one['id']}")).json() == one
    assert (await agents.delete(f"{ROLES}/{other['id']}")).status_code == 204
    assert (await agents.get(f"{ROLES}/{one['id']}")).json() == one


async def test_pages(agents: Agents) -> None:
    for _ in range(3):
        await agents.role()
    whole = await agents.get(ROLES)
    paged = [await agents.get(f"{ROLES}?page={page}&limit=3") for page in (1, 2)]
    assert [item for answer in paged for item in answer.json()] == whole.json()[:6]
    assert paged[0].headers["x-total-count"] == whole.headers["x-total-count"]
    assert (await agents.get(f"{ROLES}?limit=201")).status_code == 422


async def test_nobody_makes_a_role_of_what_they_do_not_hold(agents: Agents) -> None:
    maker = await agents.holding(rule("roles", "create"), rule("agents", "get list"))
    before = await agents.count("role")
    for refused in (
        EVERYTHING,
        rule("agents", "*"),
        rule("*", "get"),
        rule("agents", "delete"),
        rule("agents", "get", group="*"),
    ):
        answer = await agents.post(ROLES, {"name": new_name(), "rules": [refused]}, maker)
        assert answer.status_code == 403
        assert answer.json()["message"] == "Insufficient permissions"
    assert await agents.count("role") == before
    for allowed in ([], [rule("agents", "get")], [rule("agents", "list", group="")]):
        answer = await agents.post(ROLES, {"name": new_name(), "rules": allowed}, maker)
        assert answer.status_code == 201
    # What is held in one namespace is not held everywhere.
    local = await agents.holding(rule("roles", "create"))
    body = {"name": new_name(), "rules": [rule("agents", "get")]}
    await agents.bind("viewer", await name_of(agents, local.subject), "acme")
    assert (await agents.post(ROLES, body, local)).status_code == 403


async def name_of(agents: Agents, account_id: str) -> str:
    name: str = (await agents.get(f"{ACCOUNTS}/{account_id}")).json()["user"]
    return name


async def test_who_may_not_learns_nothing(agents: Agents) -> None:
    robot = await agents.robot("viewer", namespace="acme")
    for path in (ROLES, f"{ROLES}/admin", f"{ROLES}/nobody", f"{ROLES}/{uuid4()}"):
        answer = await agents.get(path, robot)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")
    assert (await agents.delete(f"{ROLES}/nobody", robot)).status_code == 403


async def test_permission_for_one_named_role(agents: Agents) -> None:
    made, other = await agents.role(), await agents.role()
    holder = await agents.holding(rule("roles", "get delete list", resource_names=[made["name"]]))
    assert (await agents.get(f"{ROLES}/{made['id']}", holder)).status_code == 200
    assert (await agents.get(f"{ROLES}/{other['id']}", holder)).status_code == 403
    assert (await agents.get(ROLES, holder)).status_code == 403
    assert (await agents.delete(f"{ROLES}/{made['id']}", holder)).status_code == 204


async def test_a_key_makes_one_role_of_two_requests(agents: Agents) -> None:
    body, headers = {"name": new_name(), "rules": []}, {"idempotency-key": uuid4().hex}
    first = await agents.post(ROLES, body, headers=headers)
    again = await agents.post(ROLES, body, headers=headers)
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    other = await agents.post(ROLES, body | {"name": "x"}, headers=headers)
    assert other.status_code == 422
    namesake = await agents.subject(agents.admin.subject)
    assert (await agents.post(ROLES, body, namesake, headers=headers)).status_code == 403
