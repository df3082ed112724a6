"""Role bindings (agents contract, section 4.3)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.auth.role_bindings.operations import forget_person, resolve_person
from tests.services.auth.agents_support import (
    ACCOUNTS,
    API,
    BINDINGS,
    ROLES,
    Agents,
    new_name,
    rule,
    running_agents,
)
from tests.services.auth.conftest import new_address
from tests.support.postgres import DatabaseServer


@pytest.fixture(scope="module")
async def agents(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Agents]:
    folder = tmp_path_factory.mktemp("data")
    async with database_server.clone() as urls, running_agents(urls, folder) as running:
        yield running


@pytest.mark.parametrize("kind", ["ServiceAccount", "User", "Subject", "Group"])
async def test_one_is_made_and_read(agents: Agents, kind: str) -> None:
    name = new_name()
    body = {
        "role_name": "viewer",
        "principal_name": name,
        "principal_type": kind,
        "namespace": "acme",
    }
    answer = await agents.post(BINDINGS, body)
    assert answer.status_code == 201
    made = answer.json()
    assert made == body | {
        "workspace": "acme",
        "id": made["id"],
        "created_at": made["created_at"],
    }
    assert UUID(made["id"]).version == 4
    for reference in (made["id"], made["id"].upper(), f"{made['id']}/"):
        assert (await agents.get(f"{BINDINGS}/{reference}")).json() == made
    answer = await agents.delete(f"{BINDINGS}/{made['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    for method in ("GET", "DELETE"):
        gone = await agents.auth.send(method, f"{BINDINGS}/{made['id']}", agents.admin)
        assert (gone.status_code, gone.json()["message"]) == (404, "Role binding not found")


@pytest.mark.parametrize(
    ("fields", "namespace"),
    [
        ({}, None),
        ({"namespace": None}, None),
        ({"workspace": "w"}, "w"),
        ({"space": "s"}, "s"),
        ({"namespace": "n", "workspace": "w", "space": "s"}, "n"),
        ({"workspace": "w", "space": "s"}, "w"),
        ({"namespace": None, "workspace": "w"}, "w"),
    ],
)
async def test_where_it_holds(
    agents: Agents, fields: dict[str, Any], namespace: str | None
) -> None:
    body = {"role_name": "viewer", "principal_name": new_name()}
    made = (await agents.post(BINDINGS, body | fields)).json()
    assert made["namespace"] == made["workspace"] == namespace
    assert made["principal_type"] == "ServiceAccount"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"role_name": None}, "role_name"),
        ({"role_name": "a b"}, "role_name"),
        ({"principal_name": ""}, "principal_name"),
        ({"principal_name": "x" * 256}, "principal_name"),
        ({"principal_name": 7}, "principal_name"),
        ({"principal_name": "a\nb", "principal_type": "Subject"}, "principal_name"),
        ({"principal_name": "oidc:ada"}, "principal_name"),
        ({"principal_type": "Robot"}, "principal_type"),
        ({"principal_type": "user"}, "principal_type"),
        ({"principal_type": None}, "principal_type"),
        ({"namespace": ""}, "namespace"),
        ({"namespace": "../x"}, "namespace"),
        ({"namespace": "a b"}, "namespace"),
        ({"namespace": "x" * 256}, "namespace"),
        ({"namespace": 7}, "namespace"),
    ],
)
async def test_what_is_wrong_is_named(agents: Agents, fields: dict[str, Any], field: str) -> None:
    before = await agents.count("role_binding")
    body = {"role_name": "viewer", "principal_name": "x"}
    answer = await agents.post(BINDINGS, body | fields)
    assert answer.status_code == 422, answer.text
    assert [fault["loc"] for fault in answer.json()["error"]["details"]] == [["body", field]]
    assert await agents.count("role_binding") == before


async def test_an_unknown_role_is_404(agents: Agents) -> None:
    body = {"role_name": new_name(), "principal_name": "x"}
    answer = await agents.post(BINDINGS, body)
    assert (answer.status_code, answer.json()["message"]) == (404, "Role not found")


@pytest.mark.parametrize("namespace", [None, "acme"])
async def test_the_same_again_is_409(agents: Agents, namespace: str | None) -> None:
    body = {"role_name": "viewer", "principal_name": new_name(), "namespace": namespace}
    answers = await asyncio.gather(*(agents.post(BINDINGS, body) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 4
    for other in (
        {"namespace": "elsewhere"},
        {"role_name": "operator"},
        {"principal_type": "User"},
    ):
        assert (await agents.post(BINDINGS, body | other)).status_code == 201


async def test_filters(agents: Agents) -> None:
    name = new_name()
    await agents.bind("viewer", name, "one")
    await agents.bind("viewer", name, "two")
    await agents.bind("operator", name)
    found = await agents.get(f"{BINDINGS}?principal_name={name}")
    assert [item["namespace"] for item in found.json()] == [None, "two", "one"]
    assert found.headers["x-total-count"] == "3"
    for alias in ("namespace", "workspace", "space"):
        one = await agents.get(f"{BINDINGS}?principal_name={name}&{alias}=one")
        assert [item["namespace"] for item in one.json()] == ["one"]
    role = await agents.get(f"{BINDINGS}?principal_name={name}&role_name=operator")
    assert [item["role_name"] for item in role.json()] == ["operator"]
    assert len((await agents.get(f"{BINDINGS}?principal_name={name}&namespace=")).json()) == 3
    page = await agents.get(f"{BINDINGS}?principal_name={name}&page=2&limit=2")
    assert [item["namespace"] for item in page.json()] == ["one"]
    assert f"<{BINDINGS}?principal_name={name}&page=1&limit=2>" in page.headers["link"]


async def test_a_name_means_bindings_that_hold_everywhere(agents: Agents) -> None:
    role = (await agents.role())["name"]
    missing = await agents.get(f"{BINDINGS}/{role}")
    assert (missing.status_code, missing.json()["message"]) == (404, "Role binding not found")
    first = await agents.bind(role, "one")
    await agents.bind(role, "one", "acme")
    assert (await agents.get(f"{BINDINGS}/{role}")).json() == first
    second = await agents.bind(role, "two")
    assert (await agents.get(f"{BINDINGS}/{role}")).json() == first
    several = await agents.delete(f"{BINDINGS}/{role}")
    assert several.status_code == 409
    assert (await agents.delete(f"{BINDINGS}/{second['id']}")).status_code == 204
    assert (await agents.delete(f"{BINDINGS}/{role}")).status_code == 204
    left = (await agents.get(f"{BINDINGS}?role_name={role}")).json()
    assert [item["namespace"] for item in left] == ["acme"]
    assert (await agents.delete(f"{BINDINGS}/{role}")).status_code == 404


async def test_deletion_by_id_takes_that_one_alone(agents: Agents) -> None:
    role, name = (await agents.role())["name"], new_name()
    made = [await agents.bind(role, name, place) for place in (None, "one", "two")]
    await agents.delete(f"{BINDINGS}/{made[1]['id']}")
    left = (await agents.get(f"{BINDINGS}?role_name={role}")).json()
    assert {item["id"] for item in left} == {made[0]["id"], made[2]["id"]}


async def test_an_account_may_come_later(agents: Agents) -> None:
    name = new_name()
    await agents.bind("viewer", name, "acme")
    await agents.bind("operator", name)
    await agents.account(name)
    robot = await agents.log_in(name, "test123")
    me = (await agents.get(f"{API}/auth/me", robot)).json()
    assert me["roles"] == ["operator", "viewer"]


async def test_bindings_never_pass_on_to_a_later_account(agents: Agents) -> None:
    name = new_name()
    made = await agents.account(name)
    await agents.bind("viewer", name, "acme")
    await agents.delete(f"{ACCOUNTS}/{made['id']}")
    await agents.account(name)
    robot = await agents.log_in(name, "test123")
    assert (await agents.get(f"{API}/auth/me", robot)).json()["roles"] == []


async def test_a_subject_named_like_an_account_is_somebody_else(agents: Agents) -> None:
    made = await agents.account()
    await agents.bind("admin", made["user"])
    for name in (made["user"], made["id"]):
        subject = await agents.subject(name, made["user"])
        assert (await agents.get(ACCOUNTS, subject)).status_code == 403
        assert (await agents.get(f"{ACCOUNTS}/{made['id']}", subject)).status_code == 403
        assert (await agents.get(f"{API}/auth/me", subject)).json()["roles"] == []
    # And the other way round.
    await agents.bind("viewer", made["user"], kind="Subject")
    robot = await agents.log_in(made["user"], "test123")
    assert (await agents.get(f"{API}/auth/me", robot)).json()["roles"] == ["admin"]
    await agents.delete(f"{ACCOUNTS}/{made['id']}")


@pytest.mark.parametrize("kind", ["User", "Subject"])
async def test_subjects_are_bound_by_name(agents: Agents, kind: str) -> None:
    name = f"oidc:{new_name()}"
    made = await agents.bind("viewer", name, kind=kind)
    assert made["principal_type"] == kind
    subject = await agents.subject(name)
    assert (await agents.get(ACCOUNTS, subject)).status_code == 200
    await agents.delete(f"{BINDINGS}/{made['id']}")
    assert (await agents.get(ACCOUNTS, subject)).status_code == 403


async def test_groups_are_bound_by_name(agents: Agents) -> None:
    group, account = new_name("group"), await agents.account()
    await agents.bind("viewer", group, kind="Group")
    await agents.bind("viewer", account["user"], kind="Group")
    assert (await agents.get(ACCOUNTS, await agents.subject("oidc:x", group))).status_code == 200
    for other in (await agents.subject("oidc:x", "other"), await agents.subject(group)):
        assert (await agents.get(ACCOUNTS, other)).status_code == 403
    robot = await agents.log_in(account["user"], "test123")
    assert (await agents.get(ACCOUNTS, robot)).status_code == 403


async def test_people_are_bound_by_address(agents: Agents) -> None:
    ada = await agents.auth.person()
    await agents.bind("viewer", ada.email.upper(), kind="User")
    assert (await agents.get(ACCOUNTS, ada.principal)).status_code == 200
    me = (await agents.get(f"{API}/auth/me", ada.principal)).json()
    assert me["roles"] == ["org-admin", "viewer"]
    grace = await agents.auth.person()
    assert (await agents.get(ACCOUNTS, grace.principal)).status_code == 403
    # Nobody becomes Ada by being called so.
    for name in (ada.email, ada.email.upper(), ada.claims.sub):
        assert (await agents.get(ACCOUNTS, await agents.subject(name))).status_code == 403


async def test_an_address_may_be_verified_later(agents: Agents) -> None:
    address, sql = new_address(), agents.auth.sql
    await agents.auth.register(address)
    await agents.bind("viewer", address, kind="User")
    token = await agents.auth.token_for(address)
    await agents.auth.post("/v1/auth/verify-email", token=token)
    person = await agents.auth.sign_in(address)
    for _ in range(2):
        async with sql.transaction():
            await resolve_person(sql, person.claims.sub)
    assert (await agents.get(ACCOUNTS, person.principal)).status_code == 200
    for _ in range(2):
        async with sql.transaction():
            await forget_person(sql, person.claims.sub)
    # Another process changed it, so what was known holds for a second more.
    async with asyncio.timeout(5):
        while (await agents.get(ACCOUNTS, person.principal)).status_code != 403:
            await asyncio.sleep(0.05)
    async with sql.transaction():
        await resolve_person(sql, "usr_nobody")


async def test_lists_show_what_one_may_see(agents: Agents) -> None:
    name = new_name()
    for place in (None, "one", "two", "three"):
        await agents.bind("viewer", name, place)
    lister = (await agents.role(rule("role-bindings", "list")))["name"]
    account = await agents.account()
    for place in ("one", "two"):
        await agents.bind(lister, account["user"], place)
    robot = await agents.log_in(account["user"], "test123")
    seen = await agents.get(f"{BINDINGS}?principal_name={name}", robot)
    assert {item["namespace"] for item in seen.json()} == {"one", "two"}
    assert seen.headers["x-total-count"] == "2"
    one = await agents.get(f"{BINDINGS}?principal_name={name}&namespace=one", robot)
    assert [item["namespace"] for item in one.json()] == ["one"]
    assert (await agents.get(f"{BINDINGS}?namespace=three", robot)).status_code == 403
    assert (await agents.get(BINDINGS, await agents.robot())).status_code == 403


async def test_what_one_does_not_hold_anything_in_is_not_there(agents: Agents) -> None:
    name = new_name()
    here, there = await agents.bind("viewer", name, "one"), await agents.bind("viewer", name, "two")
    everywhere = await agents.bind("viewer", name)
    robot = await agents.holding(rule("agents", "get"), namespace="one")
    for method in ("GET", "DELETE"):
        codes = [
            (await agents.auth.send(method, f"{BINDINGS}/{reference}", robot)).status_code
            for reference in (here["id"], there["id"], everywhere["id"], str(uuid4()), "viewer")
        ]
        assert codes == [403, 404, 403, 404, 403]


async def test_the_group_rbac_is_for_bindings(agents: Agents) -> None:
    robot = await agents.holding(rule("role-bindings roles", "*", group="rbac"))
    assert (await agents.get(BINDINGS, robot)).status_code == 200
    assert (await agents.get(ROLES, robot)).status_code == 403


async def test_permission_for_one_named_binding(agents: Agents) -> None:
    one, other = await agents.bind("viewer", new_name()), await agents.bind("viewer", new_name())
    robot = await agents.holding(rule("role-bindings", "get delete", resource_names=[one["id"]]))
    assert (await agents.get(f"{BINDINGS}/{one['id']}", robot)).status_code == 200
    assert (await agents.get(f"{BINDINGS}/{other['id']}", robot)).status_code == 403
    assert (await agents.delete(f"{BINDINGS}/{one['id']}", robot)).status_code == 204


async def test_a_key_makes_one_binding_of_two_requests(agents: Agents) -> None:
    body = {"role_name": "viewer", "principal_name": new_name()}
    headers = {"idempotency-key": uuid4().hex}
    first = await agents.post(BINDINGS, body, headers=headers)
    again = await agents.post(BINDINGS, body, headers=headers)
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    other = await agents.post(BINDINGS, body | {"namespace": "x"}, headers=headers)
    assert other.status_code == 422
