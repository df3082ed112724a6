"""Making sessions (agents contract, sections 4.5, 5, 9.3, 9.12 and 9.16)."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.agents.sessions.models import LARGEST_METADATA, SessionItem
from services.agents.sessions.operations import Bell
from shared.principal import Principal
from tests.services.agents import agents_support
from tests.services.agents.agents_support import at, said
from tests.services.agents.conftest import Agents, new_name, rule
from tests.services.agents.sessions_support import (
    KEYS,
    audited,
    changes_of,
    jobs_of,
    make,
    read,
    row_of,
    said_of,
    time_of,
)

NOT_THERE = "not found or inactive"


@pytest.fixture
async def dev(agents: Agents, namespace: str) -> Principal:
    return await agents.robot("developer", namespace=namespace)


async def test_a_session_is_made_and_its_start_is_ordered(
    agents: Agents, dev: Principal, namespace: str
) -> None:
    bell = agents.resources[Bell]
    bell.rung.clear()
    made = await make(agents, dev, namespace)
    assert bell.rung.is_set()
    assert list(made) == KEYS
    name = await agents.sql.fetchval(
        "SELECT name FROM agents.service_account WHERE id = $1", UUID(dev.subject)
    )
    assert made == made | {
        "name": "session-" + made["id"].replace("-", "")[:8],
        "namespace": namespace,
        "workspace": namespace,
        "starting_prompt": "",
        "state": "INIT",
        "waiting_timeout_seconds": 300,
        "container_id": None,
        "persistent_volume_id": None,
        "created_by": name,
        "parent_session_id": None,
        "agents": [],
        "started_at": None,
        "terminated_at": None,
        "termination_reason": None,
        "metadata": {},
    }
    assert UUID(made["id"]).version == 4
    assert abs(time_of(made["created_at"]) - datetime.now(UTC)) < timedelta(minutes=1)
    assert await read(agents, dev, made["id"]) == made
    assert await changes_of(agents, made["id"]) == ["INIT"]
    assert await jobs_of(agents, made["id"]) == [("create_session", "pending")]
    due = await agents.sql.fetchval(
        "SELECT due_at <= clock_timestamp() FROM agents.work WHERE session_id = $1",
        UUID(made["id"]),
    )
    assert due
    assert await said_of(agents, made["id"]) == [
        {
            "kind": "session.created.v1",
            "session_id": made["id"],
            "namespace": namespace,
            "state": "INIT",
            "parent_session_id": None,
            "account_id": "",
            "number": 1,
        }
    ]
    assert await audited(agents, made["id"]) == [("session.created", dev.subject, {})]


async def test_a_session_is_made_with_everything(
    agents: Agents, dev: Principal, namespace: str
) -> None:
    one = await agents_support.make(agents, dev, namespace)
    two = await agents_support.make(agents, dev, namespace)
    made = await make(
        agents,
        dev,
        namespace,
        name="Refactor the \N{SNOWMAN} cart / step 2",
        starting_prompt="é" * 65_535,
        agent_ids=[two["name"], one["id"].upper(), two["id"], one["name"]],
        waiting_timeout_seconds=86_400,
        metadata={"a": [1, 2.5, {"b": None}], "ключ": "значение"},
        container_id="mine",
        max_tokens=7,
    )
    assert made["name"] == "Refactor the \N{SNOWMAN} cart / step 2"
    assert made["starting_prompt"] == "é" * 65_535
    assert made["agents"] == [
        {key: agent[key] for key in ("id", "name", "model")} for agent in (two, one)
    ]
    assert made["waiting_timeout_seconds"] == 86_400
    assert made["metadata"] == {"a": [1, 2.5, {"b": None}], "ключ": "значение"}
    assert made["container_id"] is None
    assert await read(agents, dev, made["id"]) == made
    assert SessionItem.model_validate(made)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"namespace":""}', b'{"workspace":null}'])
async def test_a_session_needs_nothing(agents: Agents, body: bytes) -> None:
    admin = await agents.robot("admin")
    answer = await agents.send("POST", "sessions", admin, content=body)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["namespace"], made["workspace"]) == ("default", "default")
    assert "space" not in made


@pytest.mark.parametrize(
    ("body", "wanted", "is_space"),
    [
        ({"namespace": "a1"}, "a1", False),
        ({"workspace": "a1"}, "a1", False),
        ({"space": "a1"}, "a1", True),
        ({"namespace": "a1", "workspace": "b", "space": "c"}, "a1", False),
        ({"workspace": "a1", "space": "c"}, "a1", False),
        ({"namespace": None, "workspace": "", "space": "a1"}, "a1", True),
        ({"namespace": "a1", "space": None}, "a1", False),
    ],
)
async def test_a_namespace_has_three_names(
    agents: Agents, body: dict[str, Any], wanted: str, is_space: bool
) -> None:
    admin = await agents.robot("admin")
    answer = await agents.post("sessions", admin, body)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["namespace"], made["workspace"]) == (wanted, wanted)
    assert made["state"] == ("init" if is_space else "INIT")
    assert made.get("space") == (wanted if is_space else None)
    assert list(made) == ([*KEYS[:4], "space", *KEYS[4:]] if is_space else KEYS)


async def test_null_is_as_absent_but_for_the_timeout(
    agents: Agents, dev: Principal, namespace: str
) -> None:
    fields = ("name", "starting_prompt", "agent_ids", "metadata", "waiting_timeout_seconds")
    made = await make(agents, dev, namespace, **dict.fromkeys(fields))
    assert made["name"].startswith("session-")
    assert made["waiting_timeout_seconds"] is None
    assert (made["starting_prompt"], made["agents"], made["metadata"]) == ("", [], {})
    made = await make(agents, dev, namespace, waiting_timeout_seconds=0)
    assert made["waiting_timeout_seconds"] == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 256),
        ("name", "../../etc/passwd"),
        ("name", ".."),
        ("name", "a\\..\\b"),
        ("name", "two\nlines"),
        ("name", "\x1b[31m"),
        ("name", "nul\x00"),
        ("name", 7),
        ("starting_prompt", "x" * 65_536),
        ("starting_prompt", ["x"]),
        ("namespace", "../x"),
        ("namespace", "x" * 256),
        ("namespace", "a b"),
        ("namespace", "a\n"),
        ("namespace", 5),
        ("workspace", "a/b"),
        ("space", {}),
        ("agent_ids", "one"),
        ("agent_ids", [""]),
        ("agent_ids", [None]),
        ("agent_ids", [7]),
        ("agent_ids", ["a"] * 101),
        ("agent_ids", {}),
        ("waiting_timeout_seconds", -1),
        ("waiting_timeout_seconds", 86_401),
        ("waiting_timeout_seconds", 10**400),
        ("waiting_timeout_seconds", 1.5),
        ("waiting_timeout_seconds", True),
        ("waiting_timeout_seconds", "300"),
        ("metadata", []),
        ("metadata", "{}"),
        ("metadata", 1),
        ("metadata", {"x": "y" * LARGEST_METADATA}),
        ("metadata", {"x\x00": 1}),
    ],
)
async def test_a_wrong_field_is_named(
    agents: Agents, dev: Principal, namespace: str, field: str, value: Any
) -> None:
    body = {"namespace": namespace} | {field: value}
    before = await agents.sql.fetchval("SELECT count(*) FROM agents.session")
    answer = await agents.post("sessions", dev, body)
    assert at(answer)[0][:2] == ["body", field]
    assert await agents.sql.fetchval("SELECT count(*) FROM agents.session") == before


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[" * 10_000 + b"]" * 10_000, 400),
        (b'{"metadata":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_001, 400),
        (rb'{"name":"\ud800"}', 400),
        (b'{"name":"\xff"}', 400),
        (b'{"metadata":{"a":NaN}}', 400),
        (b'{"metadata":{"a":1e400}}', 422),
        (b'{"metadata":{"a":-1e999}}', 422),
        (b"[]", 422),
        (b'"text"', 422),
        (b"null", 422),
        (b'{"metadata":{"a":' + b"9" * 400 + b"}}", 201),
    ],
)
async def test_hostile_bodies_are_refused_calmly(agents: Agents, body: bytes, status: int) -> None:
    admin = await agents.robot("admin")
    answer = await agents.send("POST", "sessions", admin, content=body)
    assert answer.status_code == status, answer.text
    if status == 201:
        again = await agents.get(f"sessions/{answer.json()['id']}", admin)
        assert again.content == answer.content


async def test_the_largest_metadata_fit(agents: Agents, dev: Principal, namespace: str) -> None:
    most = {"x": "é" * ((LARGEST_METADATA - len('{"x":""}')) // 2)}
    made = await make(agents, dev, namespace, metadata=most)
    assert made["metadata"] == most
    one_more = {"x": most["x"] + "é"}
    answer = await agents.post("sessions", dev, {"namespace": namespace, "metadata": one_more})
    assert at(answer) == [["body", "metadata"]]


async def test_a_session_is_made_where_one_may(agents: Agents, namespace: str) -> None:
    viewer = await agents.robot("viewer", namespace=namespace)
    nobody = await agents.robot()
    elsewhere = await agents.robot("developer", namespace=new_name("ns"))
    for principal in (viewer, nobody, elsewhere, agents.subject()):
        answer = await agents.post("sessions", principal, {"namespace": namespace})
        assert said(answer) == (403, "Insufficient permissions")
    assert not await agents.sql.fetchval(
        "SELECT count(*) FROM agents.session WHERE namespace = $1", namespace
    )


async def test_people_and_subjects_own_what_they_make(agents: Agents) -> None:
    org, slug = await agents.organization()
    person = agents.person(org)
    made = await make(agents, person, slug)
    assert made["created_by"] == person.account
    assert (await said_of(agents, made["id"]))[0]["account_id"] == person.account
    by_key = await make(agents, agents.key_of(person), slug)
    assert by_key["created_by"] == person.account
    assert (await read(agents, person, by_key["id"])) == by_key
    subject = agents.subject()
    await agents.bind("developer", subject, slug)
    made = await make(agents, subject, slug)
    assert made["created_by"] == subject.subject
    row = await row_of(agents, made["id"])
    assert (row["owner_type"], row["owner_id"]) == ("Subject", subject.subject)
    assert (await said_of(agents, made["id"]))[0]["account_id"] == ""


async def test_agents_of_a_session_are_there_active_and_of_its_namespace(
    agents: Agents, namespace: str
) -> None:
    admin = await agents.robot("admin")
    dev = await agents.robot("developer", namespace=namespace)
    here = await agents_support.make(agents, admin, namespace)
    gone = await agents_support.make(agents, admin, namespace)
    assert (await agents.delete(f"agents/{gone['id']}", admin)).status_code == 204
    there = await agents_support.make(agents, admin, new_name("ns"))
    for principal in (admin, dev):
        for reference in (gone["id"], gone["name"], there["id"], there["name"], str(uuid4())):
            body = {"namespace": namespace, "agent_ids": [here["id"], reference]}
            answer = await agents.post("sessions", principal, body)
            assert said(answer) == (400, f"Agent {reference} {NOT_THERE}")
    answer = await agents.post("sessions", dev, {"namespace": namespace, "agent_ids": ["../x y"]})
    assert said(answer) == (400, f"Agent ../x y {NOT_THERE}")


async def test_an_agent_is_used_by_whoever_may_get_it(agents: Agents, namespace: str) -> None:
    admin = await agents.robot("admin")
    one = await agents_support.make(agents, admin, namespace)
    two = await agents_support.make(agents, admin, namespace)
    other = await agents_support.make(agents, admin, new_name("ns"))
    some = await agents.holding(
        rule("sessions", "create"), rule("agents", "get", names=(one["name"],)), namespace=namespace
    )
    made = await make(agents, some, namespace, agent_ids=[one["id"]])
    assert [agent["id"] for agent in made["agents"]] == [one["id"]]
    answer = await agents.post(
        "sessions", some, {"namespace": namespace, "agent_ids": [one["id"], two["name"]]}
    )
    assert said(answer) == (403, "Insufficient permissions")
    # What is elsewhere is not told apart from what is nowhere.
    for reference in (other["id"], str(uuid4())):
        answer = await agents.post(
            "sessions", some, {"namespace": namespace, "agent_ids": [reference]}
        )
        assert said(answer) == (400, f"Agent {reference} {NOT_THERE}")


async def test_a_failed_creation_leaves_nothing(
    agents: Agents, dev: Principal, namespace: str
) -> None:
    answer = await agents.post(
        "sessions", dev, {"namespace": namespace, "agent_ids": [str(uuid4())]}
    )
    assert answer.status_code == 400
    for table in ("session", "audit_event"):
        assert not await agents.sql.fetchval(
            f"SELECT count(*) FROM agents.{table} WHERE namespace = $1",  # noqa: S608 - constants
            namespace,
        )


async def test_a_key_makes_one_session(agents: Agents, dev: Principal, namespace: str) -> None:
    key = {"idempotency-key": new_name("key")}
    body = {"namespace": namespace, "name": "once"}
    first = await agents.post("sessions", dev, body, headers=key)
    again = await agents.post("sessions", dev, body, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["idempotent-replay"] == "true"
    other = await agents.post("sessions", dev, body | {"name": "twice"}, headers=key)
    assert other.status_code == 422
    assert (
        await agents.sql.fetchval(
            "SELECT count(*) FROM agents.session WHERE namespace = $1", namespace
        )
        == 1
    )


async def test_many_at_once_are_as_many(agents: Agents, dev: Principal, namespace: str) -> None:
    made = await asyncio.gather(*(make(agents, dev, namespace) for _ in range(20)))
    assert len({one["id"] for one in made}) == 20
    assert {one["state"] for one in made} == {"INIT"}


async def test_prompts_are_not_logged(
    agents: Agents, dev: Principal, namespace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = new_name("hush")
    made = await make(agents, dev, namespace, starting_prompt=secret, metadata={"k": secret})
    await agents.put(f"sessions/{made['id']}", dev, {"metadata": {"k": secret * 2}})
    printed = capsys.readouterr()
    assert secret not in printed.out + printed.err
    assert secret not in json.dumps(await audited(agents, made["id"]))
    assert secret not in json.dumps(await said_of(agents, made["id"]))
