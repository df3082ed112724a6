"""Moving sessions by hand (agents contract, sections 4.5, 5, 9.10 and 9.11)."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.agents.sessions import rules
from services.agents.sessions.models import State
from services.agents.sessions.operations import Bell
from shared.principal import Principal
from tests.services.agents.agents_support import at, said
from tests.services.agents.conftest import Agents
from tests.services.agents.sessions_support import (
    STATES,
    audited,
    changes_of,
    hold,
    jobs_of,
    make,
    moved,
    put_into,
    read,
    row_of,
    said_of,
    snapshot_of,
    time_of,
)

AFTER = {
    "READY": "reactivate_session",
    "INIT": "create_session",
    "IDLE": "stop_session",
    "ERROR": "stop_session",
}


@pytest.fixture
async def dev(agents: Agents, namespace: str) -> Principal:
    return await agents.robot("developer", namespace=namespace)


async def in_state(
    agents: Agents, principal: Principal, namespace: str, state: str, **more: Any
) -> str:
    """Make a session that is in a state; give its id."""
    made = await make(agents, principal, namespace, **more)
    await put_into(agents, made["id"], state)
    session_id: str = made["id"]
    return session_id


async def with_turn(agents: Agents, session_id: str, job: str = "processing") -> None:
    """Put a session into BUSY by way of a USER message whose turn runs, or waits to."""
    await agents.sql.execute(
        """
        WITH s AS (
            UPDATE agents.session SET state = 'BUSY', number = number + 3, idle_at = NULL
             WHERE id = $1 RETURNING number
        ), told AS (
            INSERT INTO agents.state_change (session_id, number, state)
            SELECT $1, number - 1, 'BUSY' FROM s
        ), leased AS (
            UPDATE agents.work SET fence = 5, worker = 'one', due_at = now() + interval '1 minute'
             WHERE session_id = $1 AND $2 = 'processing'
        )
        INSERT INTO agents.job (session_id, number, kind, state, message_number)
        SELECT $1, number, 'run_turn', $2, number - 2 FROM s
        """,
        UUID(session_id),
        job,
    )


async def lease_of(agents: Agents, session_id: str) -> tuple[int, str | None, bool]:
    """Give fence and worker of a session, and whether somebody should look at once."""
    row = await agents.sql.fetchrow(
        """
        SELECT fence, worker, due_at <= clock_timestamp() AS due FROM agents.work
         WHERE session_id = $1
        """,
        UUID(session_id),
    )
    assert row is not None
    return row["fence"], row["worker"], row["due"]


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    before=st.sampled_from(STATES),
    to=st.sampled_from(STATES),
    spell=st.sampled_from([str.upper, str.lower, str.capitalize]),
    reason=st.none() | st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=50),
    container=st.none() | st.text("abc", min_size=1, max_size=5),
    volume=st.none() | st.text("xyz", min_size=1, max_size=5),
)
async def test_each_pair_moves_or_is_refused_and_changes_nothing(
    agents: Agents,
    before: str,
    to: str,
    spell: Any,
    reason: str | None,
    container: str | None,
    volume: str | None,
) -> None:
    admin = await agents.robot("admin")
    session_id = await in_state(agents, admin, "pairs", before)
    old = await snapshot_of(agents, session_id)
    answer = await moved(
        agents,
        admin,
        session_id,
        spell(to),
        termination_reason=reason,
        container_id=container,
        persistent_volume_id=volume,
    )
    if not rules.may_move(State(before), State(to)):
        words = f"Invalid state transition from {before.capitalize()} to {to.capitalize()}"
        assert said(answer) == (400, words)
        assert await snapshot_of(agents, session_id) == old
        return
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    row, was = await row_of(agents, session_id), old[0]
    assert shown == await read(agents, admin, session_id)
    assert (shown["state"], row["state"]) == (to, to)
    assert (shown["container_id"], shown["persistent_volume_id"]) == (container, volume)
    assert row["last_activity_at"] > was["last_activity_at"]
    if to == "READY":
        assert row["started_at"] >= was["last_activity_at"]
    else:
        assert row["started_at"] == was["started_at"]
    assert (row["terminated_at"] is not None) == (to == "ERROR")
    assert shown["termination_reason"] == (reason if to == "ERROR" else None)
    assert (row["idle_at"] is not None) == (to == "READY")
    assert await changes_of(agents, session_id) == ["INIT", to]
    event = (await said_of(agents, session_id))[-1]
    assert event == {
        "kind": "session.changed.v1",
        "session_id": session_id,
        "namespace": "pairs",
        "state": to,
        "number": was["number"] + 1,
    }
    wanted = None if (before, to) == ("BUSY", "READY") else AFTER.get(to)
    kinds = [kind for kind, _ in await jobs_of(agents, session_id)]
    assert kinds == ["create_session", *([wanted] if wanted else [])]
    written = await audited(agents, session_id)
    assert written[-1] == ("session.moved", admin.subject, {"from": before, "to": to})


async def test_times_are_as_the_table_says(agents: Agents, dev: Principal, namespace: str) -> None:
    session_id = await in_state(agents, dev, namespace, "INIT")
    first = (await moved(agents, dev, session_id, "ready", container_id="c1")).json()
    assert time_of(first["started_at"]) >= time_of(first["created_at"])
    failed = (
        await moved(agents, dev, session_id, "Error", termination_reason="out of luck")
    ).json()
    assert failed["termination_reason"] == "out of luck"
    assert time_of(failed["terminated_at"]) >= time_of(first["started_at"])
    assert (failed["started_at"], failed["container_id"]) == (first["started_at"], "c1")
    again = (await moved(agents, dev, session_id, "READY", termination_reason="no")).json()
    assert (again["terminated_at"], again["termination_reason"]) == (None, None)
    assert time_of(again["started_at"]) > time_of(first["started_at"])


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "state"),
        ({"state": None}, "state"),
        ({"state": "STARTED"}, "state"),
        ({"state": 1}, "state"),
        ({"state": ["READY"]}, "state"),
        ({"state": "closed"}, "state"),
        ({"state": "READY", "container_id": 5}, "container_id"),
        ({"state": "READY", "container_id": "x" * 256}, "container_id"),
        ({"state": "READY", "persistent_volume_id": {}}, "persistent_volume_id"),
        ({"state": "ERROR", "termination_reason": "x" * 1001}, "termination_reason"),
        ({"state": "ERROR", "termination_reason": "\x00"}, "termination_reason"),
    ],
)
async def test_a_wrong_move_names_its_field(
    agents: Agents, dev: Principal, namespace: str, method: str, body: dict[str, Any], field: str
) -> None:
    made = await make(agents, dev, namespace)
    answer = await agents.send(method, f"sessions/{made['id']}/state", dev, json=body)
    assert at(answer)[0] == ["body", field]


async def test_patch_moves_too(agents: Agents, dev: Principal, namespace: str) -> None:
    made = await make(agents, dev, namespace)
    answer = await agents.send(
        "PATCH", f"sessions/{made['id']}/state", dev, json={"state": "ready"}
    )
    assert answer.json()["state"] == "READY"


@pytest.mark.parametrize(("before", "to"), [("READY", "BUSY"), ("IDLE", "READY")])
async def test_of_fifty_at_once_one_wins(
    agents: Agents, dev: Principal, namespace: str, before: str, to: str
) -> None:
    session_id = await in_state(agents, dev, namespace, before)
    answers = await asyncio.gather(*(moved(agents, dev, session_id, to) for _ in range(50)))
    won = [answer for answer in answers if answer.status_code == 200]
    assert len(won) == 1
    words = f"Invalid state transition from {to.capitalize()} to {to.capitalize()}"
    assert {said(answer) for answer in answers if answer.status_code != 200} == {(400, words)}
    assert await changes_of(agents, session_id) == ["INIT", to]
    assert len(await said_of(agents, session_id)) == 2


async def test_different_moves_at_once_follow_one_another(
    agents: Agents, dev: Principal, namespace: str
) -> None:
    session_id = await in_state(agents, dev, namespace, "READY")
    asked = [*STATES] * 8
    answers = await asyncio.gather(
        *(moved(agents, dev, session_id, to) for to in asked),
        *(agents.post(f"sessions/{session_id}/{verb}", dev) for verb in ("close", "restore") * 5),
    )
    assert {answer.status_code for answer in answers} <= {200, 400}
    seen = ["READY", *(await changes_of(agents, session_id))[1:]]
    for one, after in pairwise(seen):
        assert rules.may_move(State(one), State(after))
    assert seen[-1] == (await row_of(agents, session_id))["state"]


async def test_closing_and_restoring_again_and_again(
    agents: Agents, dev: Principal, namespace: str
) -> None:
    session_id = await in_state(agents, dev, namespace, "READY")
    for verb, state in (("close", "IDLE"), ("close", "IDLE"), ("restore", "READY")) * 2:
        answer = await agents.post(f"sessions/{session_id}/{verb}", dev)
        assert (answer.status_code, answer.json()["state"]) == (200, state)
        assert answer.json() == await read(agents, dev, session_id)
    assert await changes_of(agents, session_id) == ["INIT", *["IDLE", "READY"] * 2]
    kinds = [kind for kind, _ in await jobs_of(agents, session_id)]
    assert kinds == ["create_session", *["stop_session", "reactivate_session"] * 2]
    actions = [action for action, *_ in await audited(agents, session_id)]
    assert actions == ["session.created", *["session.closed", "session.restored"] * 2]


@pytest.mark.parametrize(
    ("verb", "before", "words"),
    [
        ("close", "INIT", "Init to Idle"),
        ("close", "ERROR", "Error to Idle"),
        ("restore", "INIT", "Init to Ready"),
    ],
)
async def test_what_cannot_be_closed_or_restored(
    agents: Agents, dev: Principal, namespace: str, verb: str, before: str, words: str
) -> None:
    session_id = await in_state(agents, dev, namespace, before)
    old = await snapshot_of(agents, session_id)
    answer = await agents.post(f"sessions/{session_id}/{verb}", dev)
    assert said(answer) == (400, f"Invalid state transition from {words}")
    assert await snapshot_of(agents, session_id) == old


@pytest.mark.parametrize("before", ["READY", "BUSY"])
async def test_restoring_what_runs_changes_nothing(
    agents: Agents, dev: Principal, namespace: str, before: str
) -> None:
    session_id = await in_state(agents, dev, namespace, before)
    old = await snapshot_of(agents, session_id)
    answer = await agents.post(f"sessions/{session_id}/restore", dev)
    assert (answer.status_code, answer.json()["state"]) == (200, before)
    assert await snapshot_of(agents, session_id) == old


async def test_restoring_what_failed_starts_it_anew(
    agents: Agents, dev: Principal, namespace: str
) -> None:
    session_id = await in_state(agents, dev, namespace, "ERROR")
    await agents.sql.execute(
        "UPDATE agents.work SET failures = 3 WHERE session_id = $1", UUID(session_id)
    )
    bell = agents.resources[Bell]
    bell.rung.clear()
    shown = (await agents.post(f"sessions/{session_id}/restore", dev)).json()
    assert bell.rung.is_set()
    assert (shown["state"], shown["terminated_at"], shown["termination_reason"]) == (
        "READY",
        None,
        None,
    )
    assert (await jobs_of(agents, session_id))[-1] == ("reactivate_session", "pending")
    failures = await agents.sql.fetchval(
        "SELECT failures FROM agents.work WHERE session_id = $1", UUID(session_id)
    )
    assert failures == 0


@pytest.mark.parametrize("job", ["processing", "pending"])
async def test_closing_a_busy_session_ends_its_turn(
    agents: Agents, dev: Principal, namespace: str, job: str
) -> None:
    session_id = await in_state(agents, dev, namespace, "READY")
    await with_turn(agents, session_id, job)
    fence = (await lease_of(agents, session_id))[0]
    answer = await agents.post(f"sessions/{session_id}/close", dev)
    assert (answer.status_code, answer.json()["state"]) == (200, "IDLE")
    assert (await changes_of(agents, session_id))[-3:] == ["BUSY", "READY", "IDLE"]
    assert await jobs_of(agents, session_id) == [
        ("create_session", "pending"),
        ("run_turn", "failed"),
        ("stop_session", "pending"),
    ]
    assert await lease_of(agents, session_id) == (fence + 1, None, True)
    assert [event["state"] for event in await said_of(agents, session_id)][1:] == ["READY", "IDLE"]


async def test_what_waits_behind_a_turn_outlives_it(
    agents: Agents, dev: Principal, namespace: str
) -> None:
    session_id = await in_state(agents, dev, namespace, "READY")
    await with_turn(agents, session_id)
    await agents.sql.execute(
        """
        INSERT INTO agents.job (session_id, number, kind, message_number)
        VALUES ($1, 101, 'run_turn', 100)
        """,
        UUID(session_id),
    )
    assert (await moved(agents, dev, session_id, "READY")).status_code == 200
    turns = [state for kind, state in await jobs_of(agents, session_id) if kind == "run_turn"]
    assert turns == ["failed", "pending"]


async def test_a_session_made_busy_by_hand_has_no_turn_to_end(
    agents: Agents, dev: Principal, namespace: str
) -> None:
    session_id = await in_state(agents, dev, namespace, "READY")
    assert (await moved(agents, dev, session_id, "BUSY")).status_code == 200
    await agents.sql.execute(
        """
        INSERT INTO agents.job (session_id, number, kind, message_number)
        VALUES ($1, 101, 'run_turn', 100)
        """,
        UUID(session_id),
    )
    assert (await moved(agents, dev, session_id, "READY")).status_code == 200
    assert (await jobs_of(agents, session_id))[-1] == ("run_turn", "pending")


async def test_a_reply_that_is_held_back_keeps_the_session_busy(
    agents: Agents, dev: Principal, namespace: str
) -> None:
    session_id = await in_state(agents, dev, namespace, "READY")
    await hold(agents, session_id)
    assert (await read(agents, dev, session_id))["state"] == "BUSY"
    answer = await moved(agents, dev, session_id, "BUSY")
    assert said(answer) == (400, "Invalid state transition from Busy to Busy")
    answer = await moved(agents, dev, session_id, "IDLE")
    assert said(answer) == (400, "Invalid state transition from Busy to Idle")
    assert (await moved(agents, dev, session_id, "READY")).json()["state"] == "READY"
    await hold(agents, session_id)
    assert (await agents.post(f"sessions/{session_id}/close", dev)).json()["state"] == "IDLE"


async def test_the_dialect_of_space(agents: Agents, namespace: str) -> None:
    dev = await agents.robot("developer", namespace=namespace)
    made = (await agents.post("sessions", dev, {"space": namespace})).json()
    words = dict(zip(STATES, ("init", "idle", "closed", "busy", "errored"), strict=True))
    for state, word in words.items():
        await put_into(agents, made["id"], state)
        shown = await read(agents, dev, made["id"])
        assert (shown["state"], shown["space"], shown["namespace"]) == (word, namespace, namespace)
    await put_into(agents, made["id"], "READY")
    assert (await agents.post(f"sessions/{made['id']}/close", dev)).json()["state"] == "closed"
    assert (await agents.post(f"sessions/{made['id']}/restore", dev)).json()["state"] == "idle"


async def test_the_idle_time_begins_with_ready(
    agents: Agents, dev: Principal, namespace: str
) -> None:
    for seconds in (0, None, 90):
        session_id = await in_state(agents, dev, namespace, "IDLE", waiting_timeout_seconds=seconds)
        await moved(agents, dev, session_id, "READY")
        row = await row_of(agents, session_id)
        if seconds:
            assert abs((row["idle_at"] - row["started_at"]).total_seconds() - seconds) < 1
        else:
            assert row["idle_at"] is None
