"""What agents may be made of: limits, and bodies that mean harm (agents contract, section 9.8)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.agents.agents.models import LARGEST_JSON
from shared.principal import Principal
from tests.services.agents.agents_support import at, make
from tests.services.agents.conftest import Agents, new_name

JSON_FIELDS = ("tools", "routes", "guardrails", "knowledge_bases")


@pytest.fixture(scope="module")
async def admin(agents: Agents) -> Principal:
    return await agents.robot("admin")


async def count(agents: Agents) -> int:
    total: int = await agents.sql.fetchval("SELECT count(*) FROM agents.agent")
    return total


@pytest.mark.parametrize(
    ("fields", "loc"),
    [
        ({"name": None}, ["name"]),
        ({"name": ""}, ["name"]),
        ({"name": "a b"}, ["name"]),
        ({"name": "../x"}, ["name"]),
        ({"name": "x\n"}, ["name"]),
        ({"name": "x" * 256}, ["name"]),
        ({"name": 1}, ["name"]),
        ({"name": ["x"]}, ["name"]),
        ({"name": "x\x00"}, ["name"]),
        ({"namespace": "a b"}, ["namespace"]),
        ({"namespace": "x" * 256}, ["namespace"]),
        ({"namespace": {}}, ["namespace"]),
        ({"namespace": None, "workspace": 1}, ["namespace"]),
        ({"description": "x" * 1001}, ["description"]),
        ({"description": 1}, ["description"]),
        ({"instructions": "x" * 65_536}, ["instructions"]),
        ({"instructions": []}, ["instructions"]),
        ({"instructions": "a\x00b"}, ["instructions"]),
        ({"model": None}, ["model"]),
        ({"model": ""}, ["model"]),
        ({"model": "x" * 101}, ["model"]),
        ({"model": {}}, ["model"]),
        *(({name: "x" * LARGEST_JSON}, [name]) for name in JSON_FIELDS),
        ({"tools": {"deep": ["\x00"]}}, ["tools", "deep", 0]),
        ({"tools": {"\x00": 1}}, ["tools"]),
    ],
)
async def test_what_is_wrong_is_named(
    agents: Agents, admin: Principal, namespace: str, fields: dict[str, Any], loc: list[str | int]
) -> None:
    before = await count(agents)
    body = {"name": new_name("agent"), "namespace": namespace, "model": "m"} | fields
    assert ["body", *loc] in at(await agents.post("agents", admin, body))
    assert await count(agents) == before


@pytest.mark.parametrize(
    ("fields", "loc"),
    [
        ({"name": "a b"}, ["name"]),
        ({"name": ""}, ["name"]),
        ({"description": "x" * 1001}, ["description"]),
        ({"instructions": "x" * 65_536}, ["instructions"]),
        ({"model": ""}, ["model"]),
        ({"tools": "x" * LARGEST_JSON}, ["tools"]),
        ({"active": "true"}, ["active"]),
        ({"active": 1}, ["active"]),
    ],
)
async def test_what_is_wrong_in_a_change_is_named(
    agents: Agents, admin: Principal, namespace: str, fields: dict[str, Any], loc: list[str | int]
) -> None:
    made = await make(agents, admin, namespace)
    assert ["body", *loc] in at(await agents.put(f"agents/{made['id']}", admin, fields))
    assert (await agents.get(f"agents/{made['id']}", admin)).json() == made


async def test_all_faults_are_named_at_once(agents: Agents, admin: Principal) -> None:
    body = {"name": "a b", "namespace": "", "model": 1, "description": []}
    places = at(await agents.post("agents", admin, body))
    assert places == [["body", "name"], ["body", "description"], ["body", "model"]]


async def test_what_is_just_small_enough(agents: Agents, admin: Principal, namespace: str) -> None:
    text = "ü" * (LARGEST_JSON // 2 - 1)
    largest = {
        "name": "n" * 255,
        "description": "ü" * 1000,
        "instructions": "ü" * 65_535,
        "model": "m" * 100,
        **dict.fromkeys(JSON_FIELDS, text),
    }
    made = await make(agents, admin, namespace, **largest)
    assert {name: made[name] for name in largest} == largest
    shown = await agents.get(f"agents/{'n' * 255}?namespace={namespace}", admin)
    assert shown.json() == made
    answer = await agents.post(
        "agents", admin, {"name": "x", "model": "m", "namespace": namespace, "tools": f"{text}ü"}
    )
    assert at(answer) == [["body", "tools"]]
    assert "ü" not in answer.text, "what was sent is not sent back"


@pytest.mark.parametrize(
    "text", ["10" * 200, "-0.5", "1e-300", '"\\u2028\\u0001"', '{"":{"":[]}}', "false", '""', "0"]
)
async def test_any_json_is_kept(
    agents: Agents, admin: Principal, namespace: str, text: str
) -> None:
    name = new_name("agent")
    raw = f'{{"name":"{name}","namespace":"{namespace}","model":"m","tools":{text}}}'
    answer = await agents.send(
        "POST", "agents", admin, content=raw, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 201, answer.text
    assert answer.json()["tools"] == json.loads(text)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("1e400", 422),
        ("-1e400", 422),
        ('[{"a":[1e999]}]', 422),
        ("1" + "0" * 5000, 400),
        ("NaN", 400),
        ("Infinity", 400),
        ('"\\ud800"', 400),
        ("[" * 10_000 + "]" * 10_000, 400),
        ('{"a":' * 10_000 + "1" + "}" * 10_000, 400),
        ("[1", 400),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_what_is_no_json_that_can_be_kept(
    agents: Agents, admin: Principal, namespace: str, text: str, status: int, method: str
) -> None:
    before = await count(agents)
    raw = f'{{"name":"x","namespace":"{namespace}","model":"m","guardrails":{text}}}'
    path = "agents" if method == "POST" else "agents/assistant"
    answer = await agents.send(
        method, path, admin, content=raw, headers={"content-type": "application/json"}
    )
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["code"] in ("BAD_REQUEST", "INVALID_JSON", "UNPROCESSABLE_ENTITY")
    if status == 422:
        assert at(answer) == [["body", "guardrails"]]
    assert await count(agents) == before


@pytest.mark.parametrize("body", ["[]", "1", '"x"', "null", "true"])
async def test_what_is_no_object(agents: Agents, admin: Principal, body: str) -> None:
    for method, path in (("POST", "agents"), ("PUT", "agents/assistant")):
        answer = await agents.send(
            method, path, admin, content=body, headers={"content-type": "application/json"}
        )
        assert answer.status_code == 422


async def test_what_is_no_json_at_all(agents: Agents, admin: Principal) -> None:
    for kind, body, status in (
        ("application/json", b"{", 400),
        ("application/json", b"\xff\xfe", 400),
        ("text/plain", b"{}", 415),
        ("application/json", b"x" * 2_000_001, 413),
    ):
        answer = await agents.send(
            "POST", "agents", admin, content=body, headers={"content-type": kind}
        )
        assert answer.status_code == status
        assert answer.json()["message"] == answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "query", ["namespace=%00", "namespace=" + "x" * 256, "model=%00", "active=2", "active=null"]
)
async def test_what_is_wrong_in_a_query_is_named(
    agents: Agents, admin: Principal, query: str
) -> None:
    answer = await agents.get(f"agents?{query}", admin)
    assert at(answer) == [["query", query.partition("=")[0]]]


async def test_any_text_may_be_looked_for(agents: Agents, admin: Principal) -> None:
    for text in ("%27%20OR%201=1--", "%25", "%F0%9F%99%82", "%FF", "../..", "a%0Ab"):
        for name in ("namespace", "model"):
            answer = await agents.get(f"agents?{name}={text}", admin)
            assert (answer.status_code, answer.json()) == (200, [])
            assert "\n" not in answer.headers["link"]
