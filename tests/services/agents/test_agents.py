"""Agents: made, read, listed, changed, deleted and restored (agents contract, section 4.4)."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.agents.agents.models import AgentItem
from shared.principal import ANONYMOUS, Principal
from tests.services.agents.agents_support import KEYS, make, names_in, said
from tests.services.agents.conftest import Agents, new_name

FULL: dict[str, Any] = {
    "description": "Answers",
    "instructions": "Be brief.",
    "model": "gpt-4o",
    "tools": [{"z": 1, "a": {"deep": [None, True, 1.5, "ü"]}}],
    "routes": {"any": "shape"},
    "guardrails": "a word",
    "knowledge_bases": 0,
}


@pytest.fixture(scope="module")
async def admin(agents: Agents) -> Principal:
    return await agents.robot("admin")


async def test_one_is_made_and_read(agents: Agents, admin: Principal, namespace: str) -> None:
    name = new_name("agent")
    body = {"name": name, "namespace": namespace, **FULL, "max_tokens": 5, "temperature": 0.1}
    answer = await agents.post("agents", admin, body)
    assert answer.status_code == 201, answer.text
    assert answer.headers["content-type"] == "application/json"
    made = answer.json()
    assert list(made) == KEYS == list(AgentItem.model_fields)
    assert UUID(made["id"]).version == 4
    assert made == made | FULL | {"name": name, "namespace": namespace, "workspace": namespace}
    assert list(made["tools"][0]) == ["z", "a"], "JSON is kept as given"
    assert made["active"] is True
    for time in (made["created_at"], made["updated_at"]):
        assert len(time) == len("2026-01-01T00:00:00.000000Z")
        assert datetime.fromisoformat(time).tzinfo is not None
    for reference in (made["id"], made["id"].upper(), name):
        answer = await agents.get(f"agents/{reference}", admin, params={"namespace": namespace})
        assert (answer.status_code, answer.json()) == (200, made)
    answer = await agents.get(f"/api/v0/agents/{made['id']}/", admin)
    assert (answer.status_code, answer.json()) == (200, made)


async def test_it_is_written_without_blanks(
    agents: Agents, admin: Principal, namespace: str
) -> None:
    body = {"name": new_name("agent"), "namespace": namespace, "model": "m"}
    made = await agents.post("agents", admin, body)
    read = await agents.get(f"agents/{made.json()['id']}", admin)
    listed = await agents.get("agents", admin, params={"namespace": namespace})
    assert (read.text, listed.text) == (made.text, f"[{made.text}]")
    assert " " not in made.text


async def test_what_is_absent_gets_its_default(
    agents: Agents, admin: Principal, namespace: str
) -> None:
    made = await make(agents, admin, namespace)
    for name in ("tools", "routes", "guardrails", "knowledge_bases"):
        assert made[name] == []
    assert (made["description"], made["instructions"]) == (None, "")
    nulls = dict.fromkeys(("description", "instructions", "tools", "routes", "guardrails"))
    again = await make(agents, admin, namespace, **nulls)
    same = [key for key in KEYS if key not in ("id", "name", "created_at", "updated_at")]
    assert [again[key] for key in same] == [made[key] for key in same]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, "default"),
        ({"namespace": ""}, "default"),
        ({"namespace": None}, "default"),
        ({"namespace": "one", "workspace": "two", "space": "three"}, "one"),
        ({"workspace": "two", "space": "three"}, "two"),
        ({"namespace": None, "space": "three"}, "three"),
    ],
)
async def test_the_namespace_goes_by_three_names(
    agents: Agents, admin: Principal, body: dict[str, Any], expected: str
) -> None:
    name = new_name("agent")
    answer = await agents.post("agents", admin, {"name": name, "model": "m", **body})
    assert answer.status_code == 201
    assert (answer.json()["namespace"], answer.json()["workspace"]) == (expected, expected)
    for alias in ("namespace", "workspace", "space"):
        assert name in await names_in(agents, admin, f"agents?{alias}={expected}")


async def test_a_list_is_of_active_agents_by_name(
    agents: Agents, admin: Principal, namespace: str
) -> None:
    for name in ("carol", "alice", "bob"):
        await make(agents, admin, namespace, name=name, model=f"m-{name[0]}")
    assert (await agents.delete(f"agents/bob?namespace={namespace}", admin)).status_code == 204
    listed = f"agents?namespace={namespace}"
    assert await names_in(agents, admin, listed) == ["alice", "carol"]
    assert await names_in(agents, admin, f"{listed}&active=true") == ["alice", "carol"]
    assert await names_in(agents, admin, f"{listed}&active=") == ["alice", "carol"]
    assert await names_in(agents, admin, f"{listed}&active=false") == ["bob"]
    assert await names_in(agents, admin, f"{listed}&model=m-c") == ["carol"]
    assert await names_in(agents, admin, f"{listed}&model=m-b&active=false") == ["bob"]
    assert await names_in(agents, admin, f"{listed}&model=m-b") == []
    assert await names_in(agents, admin, f"{listed}&model=") == ["alice", "carol"]
    assert (await agents.get(f"{listed}&active=maybe", admin)).status_code == 422
    assert await names_in(agents, admin, f"agents?namespace={namespace}-else") == []


async def test_without_a_namespace_it_is_of_all_that_are_permitted(agents: Agents) -> None:
    admin = await agents.robot("admin")
    names = [new_name("ns") for _ in range(3)]
    for number, one in enumerate(names):
        await make(agents, admin, one, name=f"b{number}", model=one)
        await make(agents, admin, one, name="a")
    viewer = await agents.robot("viewer", namespace=names[0])
    await agents.bind("developer", viewer, names[1])
    assert await names_in(agents, viewer, "agents") == ["a", "a", "b0", "b1"]
    assert await names_in(agents, viewer, f"agents?model={names[1]}") == ["b1"]
    assert await names_in(agents, viewer, f"agents?model={names[2]}") == []
    everywhere = (await agents.get("agents", admin)).json()
    assert [one["name"] for one in everywhere if one["namespace"] in names].count("a") == 3
    keys = [(one["name"], one["namespace"]) for one in everywhere]
    assert keys == sorted(keys)


async def test_pages(agents: Agents, admin: Principal, namespace: str) -> None:
    viewer = await agents.robot("viewer", namespace=namespace)
    await agents.bind("viewer", viewer, f"{namespace}-2")
    for number in range(5):
        where = namespace if number % 2 else f"{namespace}-2"
        await make(agents, admin, where, name=f"n{number}", model="paged")
    whole = await agents.get("agents", viewer)
    assert whole.headers["x-total-count"] == "5"
    assert 'rel="first"' in whole.headers["link"]
    pages = [await agents.get(f"agents?page={n}&limit=2&model=paged", viewer) for n in (1, 2, 3, 4)]
    assert [[one["name"] for one in page.json()] for page in pages] == [
        ["n0", "n1"],
        ["n2", "n3"],
        ["n4"],
        [],
    ]
    link = '</api/v0/agents?model=paged&page={}&limit=2>; rel="{}"'
    expected = [link.format(*one) for one in ((1, "first"), (1, "prev"), (3, "next"), (3, "last"))]
    assert pages[1].headers["link"].split(", ") == expected
    deleted = await agents.get("agents?active=false&limit=1", viewer)
    assert "active=false" in deleted.headers["link"]
    for wrong in ("page=0", "limit=0", "limit=201", "page=x", "limit=-1"):
        assert (await agents.get(f"agents?{wrong}", viewer)).status_code == 422


async def test_a_taken_name_is_409(agents: Agents, admin: Principal, namespace: str) -> None:
    made = await make(agents, admin, namespace)
    body = {"name": made["name"], "namespace": namespace, "model": "m"}
    text = f"Agent '{made['name']}' already exists in workspace '{namespace}'"
    assert said(await agents.post("agents", admin, body)) == (409, text)
    await make(agents, admin, f"{namespace}-2", name=made["name"])
    assert (await agents.delete(f"agents/{made['id']}", admin)).status_code == 204
    assert said(await agents.post("agents", admin, body)) == (409, text), "deleted ones keep it"
    other = await make(agents, admin, namespace)
    answer = await agents.put(f"agents/{other['id']}", admin, {"name": made["name"]})
    assert said(answer) == (409, text)
    assert (await agents.get(f"agents/{other['id']}", admin)).json() == other


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_one_is_changed(
    agents: Agents, admin: Principal, namespace: str, method: str
) -> None:
    made = await make(agents, admin, namespace, **FULL)

    async def change(body: dict[str, Any]) -> dict[str, Any]:
        answer = await agents.send(method, f"agents/{made['id']}", admin, json=body)
        assert answer.status_code == 200, answer.text
        changed: dict[str, Any] = answer.json()
        assert changed == (await agents.get(f"agents/{made['id']}", admin)).json()
        return changed

    one = await change({"model": "other", "namespace": "elsewhere", "id": str(uuid4())})
    assert one == made | {"model": "other", "updated_at": one["updated_at"]}
    assert one["updated_at"] > made["updated_at"]
    values = {
        "name": new_name("renamed"),
        "description": "New",
        "instructions": "",
        "tools": [],
        "routes": [1],
        "guardrails": {"a": False},
        "knowledge_bases": "x",
    }
    two = await change(values | {"model": None, "active": None})
    assert two == one | values | {"updated_at": two["updated_at"]}
    three = await change({"description": None, "tools": None, "name": None})
    assert three == two | {"description": None, "updated_at": three["updated_at"]}


async def test_a_change_of_nothing_is_refused(
    agents: Agents, admin: Principal, namespace: str
) -> None:
    made = await make(agents, admin, namespace)
    nulls = {"name": None, "model": None, "tools": None, "active": None}
    for body in ({}, {"unknown": 1}, nulls):
        answer = await agents.put(f"agents/{made['id']}", admin, body)
        assert said(answer) == (400, "No fields to update")
    answer = await agents.send("PUT", f"agents/{made['id']}", admin)
    assert said(answer) == (400, "No fields to update")
    assert (await agents.get(f"agents/{made['id']}", admin)).json() == made


async def test_a_deleted_one_is_gone_until_it_is_restored_by_its_id(
    agents: Agents, admin: Principal, namespace: str
) -> None:
    made = await make(agents, admin, namespace)
    by_id, by_name = f"agents/{made['id']}", f"agents/{made['name']}?namespace={namespace}"
    answer = await agents.delete(by_id, admin)
    assert (answer.status_code, answer.content) == (204, b"")
    for path in (by_id, by_name):
        assert said(await agents.get(path, admin)) == (404, "Agent not found")
        assert said(await agents.delete(path, admin)) == (404, "Agent not found")
    for body in ({"model": "x"}, {"active": False}, {}):
        assert said(await agents.put(by_id, admin, body)) == (404, "Agent not found")
    answer = await agents.put(by_name, admin, {"active": True})
    assert said(answer) == (400, "Invalid agent ID format")
    answer = await agents.put(by_id, admin, {"active": True, "model": "back"})
    assert answer.status_code == 200
    restored = made | {"model": "back", "updated_at": answer.json()["updated_at"]}
    assert answer.json() == restored == (await agents.get(by_name, admin)).json()
    answer = await agents.put(by_name, admin, {"active": False})
    assert (answer.status_code, answer.json()["active"]) == (200, False)
    assert (await agents.get(by_id, admin)).status_code == 404


async def test_who_shows_nothing_gets_401(agents: Agents, namespace: str) -> None:
    body = {"name": "x", "namespace": namespace, "model": "m"}
    for method, path in (
        ("GET", "agents"),
        ("POST", "agents"),
        ("GET", "agents/x"),
        ("PUT", "agents/x"),
        ("PATCH", "agents/x"),
        ("DELETE", "agents/x"),
    ):
        answer = await agents.send(method, path, ANONYMOUS, json=body)
        assert said(answer) == (401, "Authentication required")
    assert (
        await agents.sql.fetchval(
            "SELECT count(*) FROM agents.agent WHERE namespace = $1", namespace
        )
        == 0
    )


async def test_other_methods_are_named(agents: Agents, admin: Principal) -> None:
    answer = await agents.send("DELETE", "agents", admin)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")
    answer = await agents.send("POST", "agents/x", admin, json={})
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET, HEAD, PATCH, PUT")
