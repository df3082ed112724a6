"""Reading, editing and deleting sessions (agents contract, sections 4.5, 5 and 9.12)."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.agents.app import sweeps
from services.agents.sessions.operations import Bell
from shared.db import Database
from shared.principal import Principal
from tests.services.agents import agents_support
from tests.services.agents.agents_support import at, said, together
from tests.services.agents.conftest import Agents
from tests.services.agents.sessions_support import (
    STATES,
    audited,
    changes_of,
    jobs_of,
    listed,
    make,
    put_into,
    read,
    row_of,
    said_of,
    snapshot_of,
)

ROUTES = [
    ("GET", ""),
    ("PUT", ""),
    ("PATCH", ""),
    ("DELETE", ""),
    ("PUT", "/state"),
    ("PATCH", "/state"),
    ("POST", "/remix"),
    ("POST", "/close"),
    ("POST", "/restore"),
    ("GET", "/usage"),
]
BODIES: dict[str, Any] = {"": {"name": "new"}, "/state": {"state": "READY"}}


@pytest.fixture
async def dev(agents: Agents, namespace: str) -> Principal:
    return await agents.robot("developer", namespace=namespace)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_fields_are_changed(
    agents: Agents, dev: Principal, namespace: str, method: str
) -> None:
    made = await make(agents, dev, namespace, metadata={"a": 1, "b": 2}, starting_prompt="hello")
    wanted = {"name": "Other", "waiting_timeout_seconds": 7, "metadata": {"c": [None]}}
    ignored = {"starting_prompt": "bye", "namespace": "x", "state": "READY", "agent_ids": []}
    answer = await agents.send(method, f"sessions/{made['id']}", dev, json=wanted | ignored)
    assert answer.status_code == 200
    assert answer.json() == made | wanted
    assert await read(agents, dev, made["id"]) == made | wanted
    events = await said_of(agents, made["id"])
    assert [event["kind"] for event in events] == ["session.created.v1", "session.changed.v1"]
    assert events[1]["state"] == "INIT"
    assert events[1]["number"] > events[0]["number"]
    assert (await audited(agents, made["id"]))[-1] == (
        "session.updated",
        dev.subject,
        {"fields": "metadata,name,waiting_timeout_seconds"},
    )


async def test_what_is_absent_stays(agents: Agents, dev: Principal, namespace: str) -> None:
    agent = await agents_support.make(agents, dev, namespace)
    made = await make(agents, dev, namespace, name="a", metadata={"k": 1}, agent_ids=[agent["id"]])
    path = f"sessions/{made['id']}"
    edits: list[dict[str, Any]] = [
        {"name": "b"},
        {"metadata": {}},
        {"waiting_timeout_seconds": 0},
        {"waiting_timeout_seconds": None},
        {"name": "c", "metadata": None},
    ]
    for edit in edits:
        made |= {key: value for key, value in edit.items() if value is not None or "w" in key}
        assert (await agents.put(path, dev, edit)).json() == made


@pytest.mark.parametrize("edit", [{}, {"name": None}, {"metadata": None}, {"state": "READY"}])
async def test_nothing_to_change_is_a_bad_request(
    agents: Agents, dev: Principal, namespace: str, edit: dict[str, Any]
) -> None:
    made = await make(agents, dev, namespace)
    old = await snapshot_of(agents, made["id"])
    answer = await agents.put(f"sessions/{made['id']}", dev, edit)
    assert said(answer) == (400, "No fields to update")
    assert await snapshot_of(agents, made["id"]) == old


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 256),
        ("name", "../x"),
        ("waiting_timeout_seconds", -1),
        ("waiting_timeout_seconds", 86_401),
        ("waiting_timeout_seconds", "7"),
        ("metadata", []),
        ("metadata", "x"),
        ("metadata", {"x": "y" * 70_000}),
    ],
)
async def test_a_wrong_field_is_named(
    agents: Agents, dev: Principal, namespace: str, field: str, value: Any
) -> None:
    made = await make(agents, dev, namespace)
    answer = await agents.put(f"sessions/{made['id']}", dev, {field: value})
    assert at(answer) == [["body", field]]


async def test_a_new_timeout_counts_from_the_last_activity(
    agents: Agents, dev: Principal, namespace: str
) -> None:
    made = await make(agents, dev, namespace)
    path = f"sessions/{made['id']}"
    await agents.put(path + "/state", dev, {"state": "READY"})
    for seconds in (600, 0, 60, None):
        before = await row_of(agents, made["id"])
        await agents.put(path, dev, {"waiting_timeout_seconds": seconds})
        row = await row_of(agents, made["id"])
        assert row["last_activity_at"] == before["last_activity_at"]
        if seconds:
            assert (row["idle_at"] - row["last_activity_at"]).total_seconds() == seconds
        else:
            assert row["idle_at"] is None
    await agents.put(path, dev, {"waiting_timeout_seconds": 60})
    due = (await row_of(agents, made["id"]))["idle_at"]
    await agents.put(path, dev, {"name": "other"})
    assert (await row_of(agents, made["id"]))["idle_at"] == due


@pytest.mark.parametrize("state", STATES)
async def test_a_session_is_deleted_from_any_state(
    agents: Agents, dev: Principal, namespace: str, state: str
) -> None:
    made = await make(agents, dev, namespace)
    await put_into(agents, made["id"], state)
    bell = agents.resources[Bell]
    bell.rung.clear()
    answer = await agents.delete(f"sessions/{made['id']}", dev)
    assert (answer.status_code, answer.content) == (204, b"")
    assert bell.rung.is_set()
    row = await row_of(agents, made["id"])
    assert row["termination_reason"] == "User requested deletion"
    assert row["deleted_at"] is not None
    assert row["idle_at"] is None
    assert await changes_of(agents, made["id"]) == ["INIT", "DELETED"]
    assert (await jobs_of(agents, made["id"]))[-1] == ("destroy_session", "pending")
    assert (await said_of(agents, made["id"]))[-1]["state"] == "DELETED"
    assert (await audited(agents, made["id"]))[-1] == ("session.deleted", dev.subject, {})


async def test_a_deleted_session_ends_its_turn(
    agents: Agents, dev: Principal, namespace: str
) -> None:
    made = await make(agents, dev, namespace)
    await put_into(agents, made["id"], "BUSY")
    await agents.sql.execute(
        """
        WITH leased AS (
            UPDATE agents.work SET fence = 3, worker = 'one' WHERE session_id = $1)
        INSERT INTO agents.job (session_id, number, kind, state, message_number)
        VALUES ($1, 9, 'run_turn', 'processing', 8)
        """,
        UUID(made["id"]),
    )
    assert (await agents.delete(f"sessions/{made['id']}", dev)).status_code == 204
    jobs = await jobs_of(agents, made["id"])
    assert ("run_turn", "failed") in jobs
    work = await agents.sql.fetchrow(
        "SELECT fence, worker FROM agents.work WHERE session_id = $1", UUID(made["id"])
    )
    assert work is not None
    assert tuple(work) == (4, None)


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_a_deleted_session_is_nowhere(
    agents: Agents, dev: Principal, namespace: str, method: str, path: str
) -> None:
    made = await make(agents, dev, namespace)
    assert (await agents.delete(f"sessions/{made['id']}", dev)).status_code == 204
    old = await snapshot_of(agents, made["id"])
    admin = await agents.robot("admin")
    words = "Parent session not found" if path == "/remix" else "Session not found"
    for principal in (dev, admin):
        for session_id in (made["id"], str(uuid4())):
            answer = await agents.send(
                method, f"sessions/{session_id}{path}", principal, json=BODIES.get(path, {})
            )
            assert said(answer) == (404, words)
    assert await snapshot_of(agents, made["id"]) == old
    assert await listed(agents, dev) == []


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "bad", ["nope", "123", "%20", "x" * 300, "0123abcd-0000-4000-8000-00000000000g"]
)
async def test_an_id_that_is_none(agents: Agents, method: str, path: str, bad: str) -> None:
    admin = await agents.robot("admin")
    body = BODIES.get(path, {})
    answer = await agents.send(method, f"sessions/{bad}{path}", admin, json=body)
    assert said(answer) == (400, "Invalid session ID format")


async def test_of_many_deletions_at_once_one_wins(
    agents: Agents, dev: Principal, namespace: str
) -> None:
    made = await make(agents, dev, namespace)
    path = f"sessions/{made['id']}"
    counted = await together(*(agents.delete(path, dev) for _ in range(10)))
    assert counted == {204: 1, 404: 9}
    assert await changes_of(agents, made["id"]) == ["INIT", "DELETED"]


async def test_edits_at_once_all_hold(agents: Agents, dev: Principal, namespace: str) -> None:
    made = await make(agents, dev, namespace)
    path = f"sessions/{made['id']}"
    first = (await row_of(agents, made["id"]))["number"]
    edits = [{"name": "n"}, {"metadata": {"m": 1}}, {"waiting_timeout_seconds": 5}] * 5
    answers = await asyncio.gather(*(agents.put(path, dev, edit) for edit in edits))
    assert {answer.status_code for answer in answers} == {200}
    shown = await read(agents, dev, made["id"])
    assert (shown["name"], shown["metadata"], shown["waiting_timeout_seconds"]) == (
        "n",
        {"m": 1},
        5,
    )
    assert (await row_of(agents, made["id"]))["number"] == first + len(edits)


async def test_usage_is_counted_for_each_session(
    agents: Agents, dev: Principal, namespace: str
) -> None:
    made = await make(agents, dev, namespace)
    path = f"sessions/{made['id']}/usage"
    nothing = {"session_id": made["id"], "turns": 0, "input_tokens": 0, "output_tokens": 0}
    assert (await agents.get(path, dev)).json() == nothing | {"cost_usd": 0.0}
    await agents.sql.execute(
        """
        UPDATE agents.session SET turns = 3, input_tokens = 5000000000, output_tokens = 70,
               cost_micros = 1234567 WHERE id = $1
        """,
        UUID(made["id"]),
    )
    assert (await agents.get(path, dev)).json() == {
        "session_id": made["id"],
        "turns": 3,
        "input_tokens": 5_000_000_000,
        "output_tokens": 70,
        "cost_usd": 1.234567,
    }


async def test_a_renamed_agent_is_shown_by_its_name(
    agents: Agents, dev: Principal, namespace: str
) -> None:
    agent = await agents_support.make(agents, dev, namespace)
    made = await make(agents, dev, namespace, agent_ids=[agent["id"]])
    await agents.put(f"agents/{agent['id']}", dev, {"name": "renamed", "model": "other"})
    assert (await agents.delete(f"agents/{agent['id']}", dev)).status_code == 204
    shown = await read(agents, dev, made["id"])
    assert shown["agents"] == [{"id": agent["id"], "name": "renamed", "model": "other"}]


async def test_what_was_deleted_long_ago_is_dropped(
    agents: Agents, dev: Principal, namespace: str
) -> None:
    agent = await agents_support.make(agents, dev, namespace)
    ids = [(await make(agents, dev, namespace, agent_ids=[agent["id"]]))["id"] for _ in range(3)]
    for session_id in ids[:2]:
        assert (await agents.delete(f"sessions/{session_id}", dev)).status_code == 204
    await agents.sql.execute(
        "UPDATE agents.session SET deleted_at = now() - interval '31 days' WHERE id = $1",
        UUID(ids[0]),
    )
    await agents.sql.execute(
        """
        INSERT INTO agents.session (id, namespace, name, owner_type, owner_id, created_by,
                                    deleted_at)
        SELECT gen_random_uuid(), $1, 'old', 'User', 'usr_x', 'usr_x', now() - interval '1 year'
          FROM generate_series(1, 250)
        """,
        namespace,
    )
    for sweep in sweeps(agents.resources):
        await sweep(agents.resources[Database])
    left = await agents.sql.fetch("SELECT id FROM agents.session WHERE namespace = $1", namespace)
    assert {str(row["id"]) for row in left} == set(ids[1:])
    for table in ("state_change", "session_agent", "job", "work"):
        assert not await agents.sql.fetchval(
            f"SELECT count(*) FROM agents.{table} WHERE session_id = $1",  # noqa: S608 - constants
            UUID(ids[0]),
        )
