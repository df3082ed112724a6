"""What is written down and said of agents, and for how long (agents contract, section 9.15)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.agents.access.models import Owner
from services.agents.app import sweeps
from services.agents.audit import operations as audit
from services.agents.audit.models import LONGEST_DETAIL, Origin
from services.agents.settings import AgentsSettings
from shared.db import Database
from shared.principal import Principal
from tests.services.agents.agents_support import make
from tests.services.agents.conftest import Agents, new_name

SECRET = "sk-very-secret-0123456789"


@pytest.fixture(scope="module")
async def admin(agents: Agents) -> Principal:
    return await agents.robot("admin")


async def audited(agents: Agents, target: str) -> list[dict[str, Any]]:
    rows = await agents.sql.fetch(
        "SELECT * FROM agents.audit_event WHERE target = $1 ORDER BY id", target
    )
    return [{**row, "detail": json.loads(row["detail"])} for row in rows]


def pick(rows: Sequence[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


async def test_each_change_is_written_down_and_said(agents: Agents, namespace: str) -> None:
    robot = await agents.robot("admin", name=f"writer-{namespace}")
    headers = {
        "user-agent": "curl/8\t" + "x" * 400,
        "x-guildhall-client": "192.0.2.7",
        "x-request-id": "req-1",
    }
    made = await make(agents, robot, namespace, instructions=SECRET)
    path, name = f"agents/{made['id']}", made["name"]
    body = {"instructions": SECRET, "tools": [{"key": SECRET}], "name": f"{name}-2"}
    await agents.put(path, robot, body, headers=headers)
    await agents.put(path, robot, {"active": False})
    await agents.put(path, robot, {"active": True})
    await agents.delete(path, robot)
    for refused in ({"name": "a b"}, {}, {"model": "x"}):
        await agents.put(path, robot, refused)
    rows = await audited(agents, made["id"])
    assert pick(rows, "action", "detail") == [
        ("agent.created", {"name": name}),
        ("agent.updated", {"name": f"{name}-2", "fields": "name,instructions,tools"}),
        ("agent.deleted", {"name": f"{name}-2", "fields": "active"}),
        ("agent.restored", {"name": f"{name}-2", "fields": "active"}),
        ("agent.deleted", {"name": f"{name}-2"}),
    ]
    who = ("ServiceAccount", robot.subject, f"writer-{namespace}", namespace)
    assert set(pick(rows, "owner_type", "owner_id", "owner_name", "namespace")) == {who}
    second = rows[1]
    assert (second["client"], second["request_id"]) == ("192.0.2.7", "req-1")
    assert second["user_agent"] == "curl/8" + "x" * 294
    assert SECRET not in str(rows)
    said = await agents.sql.fetch(
        "SELECT kind, payload FROM agents.outbox WHERE payload LIKE $1 ORDER BY id",
        f"%{made['id']}%",
    )
    events = [json.loads(row["payload"]) for row in said]
    assert {row["kind"] for row in said} == {"agent.changed.v1"}
    assert pick(events, "name", "active", "version", "namespace") == [
        (name, True, 1, namespace),
        (f"{name}-2", True, 2, namespace),
        (f"{name}-2", False, 3, namespace),
        (f"{name}-2", True, 4, namespace),
        (f"{name}-2", False, 5, namespace),
    ]
    assert SECRET not in str(events)


async def test_what_is_refused_leaves_nothing(
    agents: Agents, admin: Principal, namespace: str
) -> None:
    made = await make(agents, admin, namespace)
    viewer = await agents.robot("viewer", namespace=namespace)
    body = {"name": made["name"], "namespace": namespace, "model": "m"}
    for principal in (admin, viewer):
        await agents.post("agents", principal, body)
    await agents.put(f"agents/{made['id']}", viewer, {"model": "x"})
    await agents.delete(f"agents/{made['id']}", viewer)
    rows = await agents.sql.fetch(
        "SELECT action FROM agents.audit_event WHERE namespace = $1", namespace
    )
    assert [row["action"] for row in rows] == ["agent.created"]


async def record(agents: Agents, namespace: str, target: str, owner: Owner | None) -> None:
    origin = Origin("192.0.2.1", "curl", "req")
    async with agents.resources[Database].transaction() as connection:
        await audit.record(
            connection, "agent.tested", owner, origin, target, namespace, long="x" * 1000
        )


async def test_old_events_are_swept(agents: Agents, namespace: str) -> None:
    for target in ("old", "new"):
        await record(agents, namespace, f"{namespace}/{target}", None)
    days = agents.resources[AgentsSettings].audit_days
    assert days == 365
    for target, age in (("old", days + 1), ("new", days - 1)):
        await agents.sql.execute(
            "UPDATE agents.audit_event SET at = now() - $2::interval WHERE target = $1",
            f"{namespace}/{target}",
            timedelta(days=age),
        )
    for sweep in sweeps(agents.resources):
        await sweep(agents.resources[Database])
    rows = await agents.sql.fetch(
        "SELECT target FROM agents.audit_event WHERE namespace = $1", namespace
    )
    assert [row["target"] for row in rows] == [f"{namespace}/new"]


async def test_sweeping_goes_on_until_all_is_swept(
    agents: Agents, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "SWEPT", 2)
    for _ in range(5):
        await record(agents, namespace, namespace, None)
    await agents.sql.execute(
        "UPDATE agents.audit_event SET at = now() - interval '3 days' WHERE target = $1", namespace
    )
    await audit.sweep_of(4)(agents.resources[Database])
    assert len(await audited(agents, namespace)) == 5
    await audit.sweep_of(2)(agents.resources[Database])
    assert await audited(agents, namespace) == []


async def test_a_person_who_is_erased_is_taken_out(agents: Agents, namespace: str) -> None:
    account = new_name("usr_")
    person, robot = Owner("User", account, account), Owner("ServiceAccount", account, "robot")
    await record(agents, namespace, "of the person", person)
    await record(agents, namespace, "of the robot", robot)
    async with agents.resources[Database].transaction() as connection:
        await audit.forget_person(connection, account)
    rows = await agents.sql.fetch(
        "SELECT * FROM agents.audit_event WHERE namespace = $1 ORDER BY id", namespace
    )
    assert pick([dict(row) for row in rows], "owner_id", "owner_name", "client", "request_id") == [
        ("", "", "", ""),
        (account, "robot", "192.0.2.1", "req"),
    ]
    assert json.loads(rows[0]["detail"]) == {"long": "x" * LONGEST_DETAIL}
    async with agents.resources[Database].transaction() as connection:
        await audit.forget_namespace(connection, namespace, datetime.now(UTC) + timedelta(days=1))
    assert (
        await agents.sql.fetch("SELECT 1 FROM agents.audit_event WHERE namespace = $1", namespace)
        == []
    )
