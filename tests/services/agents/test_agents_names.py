"""Which agent a name means (agents contract, section 4.4, name resolution)."""

from __future__ import annotations

from uuid import uuid4

import pytest

from services.agents.agents import operations
from shared.db import Database
from shared.errors import BadRequest
from shared.principal import Principal
from tests.services.agents.agents_support import make, said
from tests.services.agents.conftest import Agents, new_name, rule

METHODS = ("GET", "PUT", "PATCH", "DELETE")
BAD = (400, "Invalid agent ID format")
MISSING = (404, "Agent not found")


@pytest.fixture(scope="module")
async def admin(agents: Agents) -> Principal:
    return await agents.robot("admin")


async def read(agents: Agents, reference: str, principal: Principal, **query: str) -> str:
    """Give the namespace of the agent that is meant."""
    answer = await agents.get(f"agents/{reference}", principal, params=query)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["namespace"])


async def test_the_namespace_that_is_said_comes_first_then_default(
    agents: Agents, admin: Principal, namespace: str
) -> None:
    name = new_name("agent")
    for one in (namespace, "default"):
        await make(agents, admin, one, name=name)
    for alias in ("namespace", "workspace", "space"):
        assert await read(agents, name, admin, **{alias: namespace}) == namespace
    assert await read(agents, name, admin) == "default"
    assert await read(agents, name, admin, namespace="") == "default"
    answer = await agents.get(f"agents/{name}?namespace={namespace}-else", admin)
    assert said(answer) == MISSING, "what is said is not looked for elsewhere"


async def test_else_the_only_one_that_may_be_read(
    agents: Agents, admin: Principal, namespace: str
) -> None:
    name, other = new_name("agent"), f"{namespace}-2"
    await make(agents, admin, namespace, name=name)
    assert await read(agents, name, admin) == namespace
    await make(agents, admin, other, name=name)
    for method in METHODS:
        answer = await agents.send(method, f"agents/{name}", admin, json={"model": "x"})
        assert answer.status_code == 409
        assert answer.json()["error"]["code"] == "CONFLICT"
    viewer = await agents.robot("viewer", namespace=other)
    assert await read(agents, name, viewer) == other
    deaf = await agents.holding(rule("sessions", "*"), namespace=namespace)
    await agents.bind("viewer", deaf, other)
    assert await read(agents, name, deaf) == other, "of the other nothing may be read"
    developer = await agents.robot("developer", namespace=other)
    assert (await agents.delete(f"agents/{name}", developer)).status_code == 204
    assert await read(agents, name, admin) == namespace, "the deleted one does not count"


async def test_a_rule_of_names_makes_one_readable(
    agents: Agents, admin: Principal, namespace: str
) -> None:
    name = new_name("agent")
    made = [await make(agents, admin, one, name=name) for one in (namespace, f"{namespace}-2")]
    one = await agents.holding(rule("agents", "get", names=(made[0]["id"],)))
    assert await read(agents, name, one) == namespace
    both = await agents.holding(rule("agents", "get", names=(name,)))
    assert (await agents.get(f"agents/{name}", both)).status_code == 409
    changer = await agents.holding(rule("agents", "update", names=(name,)), namespace=namespace)
    answer = await agents.put(f"agents/{name}", changer, {"model": "x"})
    assert answer.json()["namespace"] == namespace
    assert said(await agents.get(f"agents/{name}", changer)) == MISSING


async def test_one_in_default_is_not_there_for_who_holds_nothing_there(
    agents: Agents, admin: Principal, namespace: str
) -> None:
    name = new_name("agent")
    made = await make(agents, admin, "default", name=name)
    viewer = await agents.robot("viewer", namespace=namespace)
    assert said(await agents.get(f"agents/{name}", viewer)) == MISSING
    await make(agents, admin, namespace, name=name)
    assert await read(agents, name, viewer) == namespace
    await agents.delete(f"agents/{made['id']}", admin)
    assert await read(agents, name, admin) == namespace, "the one in default is deleted"


async def test_a_name_like_anothers_id_is_not_that_one(
    agents: Agents, admin: Principal, namespace: str
) -> None:
    one = await make(agents, admin, namespace)
    other = await make(agents, admin, namespace, name=one["id"])
    lonely = await make(agents, admin, namespace, name=str(uuid4()))
    get = [
        await agents.get(f"agents/{one['id']}", admin),
        await agents.get(f"agents/{lonely['name']}", admin),
    ]
    assert [answer.json() for answer in get] == [one, lonely]
    assert (await agents.delete(f"agents/{other['id']}", admin)).status_code == 204
    assert (await agents.get(f"agents/{one['id']}", admin)).json() == one


async def test_what_is_unknown(agents: Agents, admin: Principal, namespace: str) -> None:
    unknown = (str(uuid4()), new_name("unknown"), "not-an-id", "..")
    for method in METHODS:
        for reference in unknown:
            path = f"/api/v0/agents/{reference}".replace("..", "%2e%2e")
            is_name = reference != unknown[0]
            expected = BAD if method in ("PUT", "PATCH") and is_name else MISSING
            answer = await agents.send(method, path, admin, json={"model": "x"})
            assert said(answer) == expected, (method, reference)
            answer = await agents.send(
                method, path, admin, json={"model": "x"}, params={"namespace": namespace}
            )
            assert said(answer) == expected, (method, reference)


@pytest.mark.parametrize(
    "reference", ["a%20b", "x" * 256, "%C3%BC", "a%2Cb", "%27%3B--", "a%0A", "%F0%9F%99%82", "%FF"]
)
async def test_what_is_neither_id_nor_name(
    agents: Agents, admin: Principal, reference: str
) -> None:
    for method in METHODS:
        answer = await agents.send(method, f"agents/{reference}", admin, json={"model": "x"})
        assert said(answer) == BAD


async def test_for_sessions_ids_and_names_of_one_namespace_count(
    agents: Agents, admin: Principal, namespace: str
) -> None:
    made = [await make(agents, admin, namespace, tools=[number]) for number in range(3)]
    foreign = await make(agents, admin, f"{namespace}-2")
    database = agents.resources[Database]
    async with database.connection() as connection:
        asked = [made[2]["name"], made[0]["id"], made[2]["id"], made[1]["id"].upper()]
        found = await operations.find_active(connection, namespace, asked)
        assert [str(one.id) for one in found] == [made[n]["id"] for n in (2, 0, 1)]
        assert [one.tools for one in found] == [[2], [0], [1]]
        assert await operations.find_active(connection, namespace, []) == []
        gone = made[0]
        assert (await agents.delete(f"agents/{gone['id']}", admin)).status_code == 204
        for one in (gone["id"], gone["name"], foreign["id"], foreign["name"], str(uuid4()), "ü b"):
            with pytest.raises(BadRequest, match="not found or inactive") as caught:
                await operations.find_active(connection, namespace, [made[1]["id"], one])
            assert caught.value.message == f"Agent {one} not found or inactive"
        ids = [one.id for one in found]
        by_id = await operations.find_by_ids(connection, [*ids, uuid4()])
        assert set(by_id) == set(ids)
        assert [by_id[one].active for one in ids] == [True, False, True]
