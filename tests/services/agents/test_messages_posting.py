"""Posting messages (agents contract, section 4.6)."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.agents.providers.models import LONGEST_MESSAGE
from services.agents.sessions.models import LARGEST_METADATA
from tests.services.agents.conftest import Agents, new_name, rule
from tests.services.agents.messages_support import Talk, begin


async def agent_of(agents: Agents, talk: Talk, name: str = "") -> str:
    """Make an agent in the session's namespace."""
    body = {"name": name or new_name("agent"), "namespace": talk.namespace, "model": "builtin"}
    answer = await agents.post("agents", talk.owner, body)
    assert answer.status_code == 201, answer.text
    made: str = answer.json()["id"]
    return made


async def test_a_message_is_shown_as_the_contract_says(agents: Agents) -> None:
    talk = await begin(agents)
    said = await talk.say("What is left?", metadata={"a": [1, {"b": None}], "é": "ü"})
    assert list(said) == [
        "id",
        "session_id",
        "role",
        "content",
        "agent_id",
        "agent_name",
        "metadata",
        "created_at",
    ]
    assert UUID(said["id"]).version == 4
    assert said["created_at"].endswith("Z")
    assert len(said["created_at"]) == len("2026-01-01T00:00:00.000000Z")
    assert said | {"id": "", "created_at": ""} == {
        "id": "",
        "session_id": talk.id,
        "role": "USER",
        "content": "What is left?",
        "agent_id": None,
        "agent_name": None,
        "metadata": {"a": [1, {"b": None}], "é": "ü"},
        "created_at": "",
    }
    assert await talk.messages() == [said]


@pytest.mark.parametrize("role", ["USER", "user", "User", "SYSTEM", "system", "sYsTeM"])
async def test_roles_in_any_case_are_echoed_in_upper_case(agents: Agents, role: str) -> None:
    talk = await begin(agents)
    assert (await talk.say(role=role))["role"] == role.upper()


@pytest.mark.parametrize("metadata", [None, {}])
async def test_metadata_is_empty_unless_given(agents: Agents, metadata: Any) -> None:
    talk = await begin(agents)
    assert (await talk.say(metadata=metadata))["metadata"] == {}


async def test_the_space_dialect_speaks_in_lower_case(agents: Agents) -> None:
    space = new_name("ns")
    owner = await agents.robot("developer", namespace=space)
    talk = await begin(agents, space, owner, space=space)
    assert (await talk.say(role="User"))["role"] == "user"
    assert [one["role"] for one in await talk.messages()] == ["user"]
    assert [one["role"] for one in await talk.messages(role="USER")] == ["user"]
    assert await talk.state() == "busy"


async def test_an_agents_message_names_an_agent_of_the_session(agents: Agents) -> None:
    namespace = new_name("ns")
    owner = await agents.robot("developer", namespace=namespace)
    talk = await begin(agents, namespace, owner)
    mine, other = await agent_of(agents, talk, "helper"), await agent_of(agents, talk)
    talk = await begin(agents, namespace, owner, agent_ids=[mine])
    said = await talk.say("Done.", "agent", agent_id=mine.upper())
    assert (said["role"], said["agent_id"], said["agent_name"]) == ("AGENT", mine, "helper")
    answer = await talk.send("POST", "/messages", json={"role": "AGENT", "content": "x"})
    assert answer.status_code == 400
    assert answer.json()["error"] == {
        "code": "BAD_REQUEST",
        "message": "agent_id is required when role is AGENT",
    }
    for wrong in (other, str(uuid4())):
        body = {"role": "AGENT", "content": "x", "agent_id": wrong}
        answer = await talk.send("POST", "/messages", json=body)
        assert answer.status_code == 422
        assert answer.json()["error"]["details"][0]["loc"] == ["body", "agent_id"]
    # Of a session that has it no more it is still the agent of: what was chosen stays.
    await agents.delete(f"agents/{mine}", owner)
    assert (await talk.say("Still.", "AGENT", agent_id=mine))["agent_name"] == "helper"
    assert await talk.contents() == ["Done.", "Still."]


async def test_only_who_may_update_speaks_for_agents_and_the_system(agents: Agents) -> None:
    namespace = new_name("ns")
    owner = await agents.holding(rule("sessions", "create"), namespace=namespace)
    talk = await begin(agents, namespace, owner)
    for body in (
        {"role": "SYSTEM", "content": "x"},
        {"role": "AGENT", "content": "x", "agent_id": str(uuid4())},
    ):
        answer = await talk.send("POST", "/messages", json=body)
        assert answer.status_code == 403
        assert answer.json()["message"] == "Insufficient permissions"
    await talk.say()
    other = await agents.holding(rule("sessions", "update"), namespace=namespace)
    answer = await talk.send(
        "POST", "/messages", other, json={"role": "SYSTEM", "content": "from outside"}
    )
    assert answer.status_code == 201
    assert await talk.contents() == ["hello", "from outside"]


async def test_ready_becomes_busy_and_the_turn_waits_for_a_worker(agents: Agents) -> None:
    talk = await begin(agents)
    number = await talk.number_of(await talk.say())
    assert await talk.state() == "BUSY"
    assert await talk.turns() == [("pending", number, None)]
    work = await agents.sql.fetchrow(
        "SELECT due_at <= clock_timestamp() AS due, worker FROM agents.work WHERE session_id = $1",
        UUID(talk.id),
    )
    assert work is not None
    assert dict(work) == {"due": True, "worker": None}


async def test_idle_is_reactivated_before_the_turn(agents: Agents) -> None:
    talk = await begin(agents, state="IDLE")
    before = await talk.jobs()
    number = await talk.number_of(await talk.say())
    assert await talk.state() == "BUSY"
    assert (await talk.jobs())[len(before) :] == [
        ("reactivate_session", "pending", None, None),
        ("run_turn", "pending", number, None),
    ]
    changes = await agents.sql.fetch(
        "SELECT state FROM agents.state_change WHERE session_id = $1 AND number > $2 "
        "ORDER BY number",
        UUID(talk.id),
        number,
    )
    assert [row["state"] for row in changes] == ["READY", "BUSY"]


@pytest.mark.parametrize("state", ["INIT", "ERROR", "BUSY"])
async def test_in_other_states_it_is_stored_and_waits(agents: Agents, state: str) -> None:
    talk = await begin(agents, state=state)
    first, second = [await talk.number_of(await talk.say()) for _ in range(2)]
    assert await talk.state() == state
    assert await talk.turns() == [("pending", first, None), ("pending", second, None)]


async def test_agents_and_the_system_cause_nothing(agents: Agents) -> None:
    talk = await begin(agents)
    before = await talk.jobs()
    await talk.say(role="SYSTEM")
    assert await talk.state() == "READY"
    assert await talk.jobs() == before


async def test_activity_moves_with_each_message(agents: Agents) -> None:
    talk = await begin(agents)
    moments = []
    for role in ("SYSTEM", "USER", "USER"):
        await talk.say(role=role)
        moments.append((await talk.send("GET")).json()["last_activity_at"])
    assert moments == sorted(moments)
    assert len(set(moments)) == len(moments)


async def test_a_reply_that_is_held_back_does_not_hold_up_the_next_turn(agents: Agents) -> None:
    talk = await begin(agents)
    first = await talk.number_of(await talk.say("first"))
    assert await talk.reply(first)
    assert await talk.state() == "BUSY"
    assert await talk.contents() == ["first"]
    second = await talk.number_of(await talk.say("second"))
    stored = await agents.sql.fetchrow(
        "SELECT state, busy_until FROM agents.session WHERE id = $1", UUID(talk.id)
    )
    assert stored is not None
    assert tuple(stored) == ("BUSY", None)
    assert await talk.reply(second)
    await talk.show_replies()
    assert sorted(await talk.contents()) == ["an answer", "an answer", "first", "second"]
    assert await talk.state() == "READY"


async def test_says_what_happened(agents: Agents) -> None:
    talk = await begin(agents)
    said = await talk.say("a secret plan")
    number = await talk.number_of(said)
    rows = await agents.sql.fetch(
        "SELECT kind, payload FROM agents.outbox WHERE payload LIKE '%' || $1 || '%' ORDER BY id",
        talk.id,
    )
    events = [(row["kind"], json.loads(row["payload"])) for row in rows][-2:]
    assert [kind for kind, _ in events] == ["message.posted.v1", "session.changed.v1"]
    posted, changed = events[0][1], events[1][1]
    assert posted["message_id"] == said["id"]
    assert (posted["role"], posted["number"], posted["namespace"]) == (
        "USER",
        number,
        talk.namespace,
    )
    assert (changed["state"], changed["number"]) == ("BUSY", number + 1)
    assert not any("secret plan" in row["payload"] for row in rows)


async def test_keeps_who_posted_and_as_whom_knowledge_is_looked_up(agents: Agents) -> None:
    org, slug = await agents.organization()
    person = agents.person(org, "admin")
    talk = await begin(agents, slug, person)
    await talk.say()
    await talk.say(role="SYSTEM")
    rows = await agents.sql.fetch(
        "SELECT author_type, author_id, caller FROM agents.message WHERE session_id = $1 "
        "ORDER BY number",
        UUID(talk.id),
    )
    assert [(row["author_type"], row["author_id"]) for row in rows] == [
        ("User", person.account),
        ("User", person.account),
    ]
    assert json.loads(rows[0]["caller"]) == {
        "kind": "user",
        "subject": person.subject,
        "org": org,
        "account": person.account,
        "session": person.session,
    }
    assert rows[1]["caller"] is None


async def test_the_same_key_posts_once(agents: Agents) -> None:
    talk = await begin(agents)
    body = {"role": "USER", "content": "once"}
    headers = {"idempotency-key": uuid4().hex}
    first = await talk.send("POST", "/messages", json=body, headers=headers)
    again = await talk.send("POST", "/messages", json=body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert await talk.contents() == ["once"]
    another = await talk.send(
        "POST", "/messages", json=body | {"content": "twice"}, headers=headers
    )
    assert another.status_code == 422
    assert len(await talk.turns()) == 1


async def test_a_key_of_one_session_means_nothing_in_another(agents: Agents) -> None:
    namespace = new_name("ns")
    owner = await agents.robot("developer", namespace=namespace)
    one, two = [await begin(agents, namespace, owner) for _ in range(2)]
    body, headers = {"role": "USER", "content": "x"}, {"idempotency-key": uuid4().hex}
    assert (await one.send("POST", "/messages", json=body, headers=headers)).status_code == 201
    answer = await two.send("POST", "/messages", json=body, headers=headers)
    assert answer.status_code == 422
    assert await two.contents() == []


async def test_parallel_messages_are_all_kept_in_one_order(agents: Agents) -> None:
    talk = await begin(agents)
    said = await asyncio.gather(*(talk.say(f"message {n}") for n in range(20)))
    numbers = sorted([await talk.number_of(one) for one in said])
    assert len(set(numbers)) == 20
    listed = await talk.messages()
    assert sorted(one["id"] for one in listed) == sorted(one["id"] for one in said)
    moments = [one["created_at"] for one in listed]
    assert moments == sorted(moments)
    assert [number for _, number, _ in await talk.turns()] == numbers
    changes = await agents.sql.fetch(
        "SELECT state FROM agents.state_change WHERE session_id = $1 ORDER BY number", UUID(talk.id)
    )
    assert [row["state"] for row in changes] == ["INIT", "READY", "BUSY"]


async def test_parallel_moves_and_messages_lose_nothing(agents: Agents) -> None:
    talk = await begin(agents)

    async def shake() -> None:
        for rest in ("/close", "/restore", "/complete") * 3:
            await talk.send("POST", rest)

    await asyncio.gather(shake(), *(talk.say(f"message {n}") for n in range(10)))
    assert len(await talk.contents()) == 10
    turns = await talk.turns()
    assert len(turns) == 10
    # Whoever closes or completes ends the turn that the session is busy with, and no other.
    assert {(state, reason) for state, _, reason in turns} <= {
        ("pending", None),
        ("failed", "cancelled"),
    }
    numbers = await agents.sql.fetch(
        """
        SELECT number FROM agents.message WHERE session_id = $1
        UNION ALL SELECT number FROM agents.state_change WHERE session_id = $1
        UNION ALL SELECT number FROM agents.job WHERE session_id = $1
        """,
        UUID(talk.id),
    )
    assert len({row["number"] for row in numbers}) == len(numbers)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"content": "x"}, "role"),
        ({"role": "USER"}, "content"),
        ({"role": "ROBOT", "content": "x"}, "role"),
        ({"role": None, "content": "x"}, "role"),
        ({"role": 1, "content": "x"}, "role"),
        ({"role": ["USER"], "content": "x"}, "role"),
        ({"role": "USER", "content": ""}, "content"),
        ({"role": "USER", "content": None}, "content"),
        ({"role": "USER", "content": 5}, "content"),
        ({"role": "USER", "content": {"text": "x"}}, "content"),
        ({"role": "USER", "content": "x" * (LONGEST_MESSAGE + 1)}, "content"),
        ({"role": "USER", "content": "a\x00b"}, "content"),
        ({"role": "USER", "content": "x", "agent_id": "nobody"}, "agent_id"),
        ({"role": "USER", "content": "x", "agent_id": 7}, "agent_id"),
        ({"role": "USER", "content": "x", "agent_id": str(uuid4())}, "agent_id"),
        ({"role": "USER", "content": "x", "metadata": []}, "metadata"),
        ({"role": "USER", "content": "x", "metadata": "{}"}, "metadata"),
        ({"role": "USER", "content": "x", "metadata": 1}, "metadata"),
        ({"role": "USER", "content": "x", "metadata": {"a": "x" * LARGEST_METADATA}}, "metadata"),
        ({"role": "USER", "content": "x", "metadata": {"a": "\x00"}}, "metadata"),
        ({"role": "USER", "content": "x", "metadata": {"\x00": 1}}, "metadata"),
    ],
)
async def test_what_is_wrong_is_named(agents: Agents, body: dict[str, Any], field: str) -> None:
    talk = await begin(agents, state="INIT")
    answer = await talk.send("POST", "/messages", json=body)
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert error["code"] == "UNPROCESSABLE_ENTITY"
    assert error["details"][0]["loc"][:2] == ["body", field]
    assert await talk.contents() == []


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"{", 400),
        (b'{"role":"USER","content":"\\ud800"}', 400),
        (b'{"role":"USER","content":"x","metadata":{"a":NaN}}', 400),
        (b'{"role":"USER","content":"x","metadata":{"a":1e400}}', 422),
        (b'{"role":"USER","content":"x","metadata":' + b"[" * 10_000 + b"]" * 10_000 + b"}", 400),
        (b"[]", 422),
        (b"null", 422),
        (b"\xff\xfe", 400),
        (b'"x"', 422),
    ],
)
async def test_hostile_bodies_are_refused(agents: Agents, raw: bytes, status: int) -> None:
    talk = await begin(agents, state="INIT")
    answer = await talk.send(
        "POST", "/messages", content=raw, headers={"content-type": "application/json"}
    )
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["code"]
    assert await talk.contents() == []


async def test_the_longest_message_and_the_strangest_text_are_kept(agents: Agents) -> None:
    talk = await begin(agents, state="INIT")
    for content in (
        "\N{GRINNING FACE}" * LONGEST_MESSAGE,
        "line\r\nline\u2028line\x7f\x01\x1b[31m",
        "'; DROP TABLE agents.message; --",
        '{"a": "\\u0000"}',
        " ",
    ):
        assert (await talk.say(content))["content"] == content
    huge = {"n": 10**300, "deep": [[[[[]]]]], "u": "\\u0000"}
    assert (await talk.say("x", metadata=huge))["metadata"] == huge
    listed = await talk.messages()
    assert listed[0]["content"] == "\N{GRINNING FACE}" * LONGEST_MESSAGE
    assert len(listed) == 6


async def test_another_media_type_is_415(agents: Agents) -> None:
    talk = await begin(agents, state="INIT")
    answer = await talk.send(
        "POST", "/messages", content=b"role=USER", headers={"content-type": "text/plain"}
    )
    assert answer.status_code == 415
