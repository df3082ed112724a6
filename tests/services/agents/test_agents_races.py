"""Agents changed by many at once, and requests that come twice (agents contract, 9.6 and 9.16)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from shared.principal import Principal
from tests.services.agents.agents_support import at, make, said, together
from tests.services.agents.conftest import Agents, new_name


@pytest.fixture(scope="module")
async def admin(agents: Agents) -> Principal:
    return await agents.robot("admin")


async def told(agents: Agents, agent_id: str) -> list[dict[str, Any]]:
    """What was said of an agent."""
    rows = await agents.sql.fetch(
        """
        SELECT payload FROM agents.outbox
         WHERE kind = 'agent.changed.v1' AND payload::json->>'agent_id' = $1 ORDER BY id
        """,
        agent_id,
    )
    return [json.loads(row["payload"]) for row in rows]


async def test_of_fifty_that_make_one_name_one_does(
    agents: Agents, admin: Principal, namespace: str
) -> None:
    body = {"name": "same", "namespace": namespace, "model": "m"}
    counted = await together(*(agents.post("agents", admin, body) for _ in range(50)))
    assert counted == {201: 1, 409: 49}
    rows = await agents.sql.fetch("SELECT id FROM agents.agent WHERE namespace = $1", namespace)
    assert len(rows) == 1
    assert len(await told(agents, str(rows[0]["id"]))) == 1
    audited = await agents.sql.fetchval(
        "SELECT count(*) FROM agents.audit_event WHERE namespace = $1", namespace
    )
    assert audited == 1


async def test_of_many_that_delete_one_does(
    agents: Agents, admin: Principal, namespace: str
) -> None:
    made = await make(agents, admin, namespace)
    paths = [f"agents/{made['id']}", f"agents/{made['name']}?namespace={namespace}"]
    counted = await together(*(agents.delete(paths[n % 2], admin) for n in range(20)))
    assert counted == {204: 1, 404: 19}
    versions = [(one["version"], one["active"]) for one in await told(agents, made["id"])]
    assert versions == [(1, True), (2, False)]


async def test_of_many_that_take_a_name_one_does(
    agents: Agents, admin: Principal, namespace: str
) -> None:
    made = [await make(agents, admin, namespace) for _ in range(8)]
    counted = await together(
        *(agents.put(f"agents/{one['id']}", admin, {"name": "taken"}) for one in made),
        agents.post("agents", admin, {"name": "taken", "namespace": namespace, "model": "m"}),
    )
    assert counted[409] == 8
    assert counted[200] + counted[201] == 1


async def test_names_that_are_swapped_at_once_end_well(
    agents: Agents, admin: Principal, namespace: str
) -> None:
    one, other = [await make(agents, admin, namespace, name=name) for name in ("a", "b")]
    counted = await together(
        *(agents.put(f"agents/{one['id']}", admin, {"name": "b"}) for _ in range(5)),
        *(agents.put(f"agents/{other['id']}", admin, {"name": "a"}) for _ in range(5)),
    )
    assert counted == {409: 10}


async def test_no_change_is_lost(agents: Agents, admin: Principal, namespace: str) -> None:
    made = await make(agents, admin, namespace)
    fields = ("description", "instructions", "model", "tools", "routes", "guardrails")
    path = f"agents/{made['id']}"
    counted = await together(*(agents.put(path, admin, {name: name}) for name in fields))
    assert counted == {200: len(fields)}
    shown = (await agents.get(path, admin)).json()
    assert [shown[name] for name in fields] == list(fields)
    assert [one["version"] for one in await told(agents, made["id"])] == [1, 2, 3, 4, 5, 6, 7]


async def test_a_name_that_went_meanwhile_means_nobody(
    agents: Agents, admin: Principal, namespace: str
) -> None:
    made = await make(agents, admin, namespace)
    path = f"agents/{made['name']}?namespace={namespace}"
    async with agents.sql.transaction():
        await agents.sql.execute(
            "UPDATE agents.agent SET name = 'other' WHERE namespace = $1", namespace
        )
        waiting = [
            asyncio.ensure_future(agents.delete(path, admin)),
            asyncio.ensure_future(agents.put(path, admin, {"active": False})),
        ]
        await _until_waiting(agents, 2)
    answers = await asyncio.gather(*waiting)
    assert [said(answer) for answer in answers] == [
        (404, "Agent not found"),
        (400, "Invalid agent ID format"),
    ]
    assert (await agents.get(f"agents/{made['id']}", admin)).json()["name"] == "other"


async def _until_waiting(agents: Agents, count: int) -> None:
    async with asyncio.timeout(20):
        while True:
            waiting = await agents.sql.fetchval(
                """
                SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock'
                """
            )
            if waiting >= count:
                return
            await asyncio.sleep(0.01)


async def test_a_request_that_comes_twice_makes_one(
    agents: Agents, admin: Principal, namespace: str
) -> None:
    headers = {"idempotency-key": new_name("key")}
    body = {"name": "once", "namespace": namespace, "model": "m"}
    first = await agents.post("agents", admin, body, headers=headers)
    again = await agents.post("agents", admin, body, headers=headers)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotent-replay"] == "true"
    other = await agents.post("agents", admin, body | {"model": "x"}, headers=headers)
    assert at(other) == [["header", "Idempotency-Key"]]
    assert (await agents.post("agents", admin, body)).status_code == 409
    headers = {"idempotency-key": new_name("key")}
    body |= {"name": "many"}
    counted = await together(
        *(agents.post("agents", admin, body, headers=headers) for _ in range(10))
    )
    assert set(counted) <= {201, 409}
    assert counted[201] >= 1
    made = await agents.sql.fetchval(
        "SELECT count(*) FROM agents.agent WHERE namespace = $1", namespace
    )
    assert made == 2
    stranger = await agents.robot("admin")
    assert (await agents.post("agents", stranger, body, headers=headers)).status_code == 409


async def test_a_refused_request_may_be_sent_again(
    agents: Agents, admin: Principal, namespace: str
) -> None:
    headers = {"idempotency-key": new_name("key")}
    body = {"name": "refused", "namespace": namespace, "model": "m"}
    robot = await agents.robot()
    assert (await agents.post("agents", robot, body, headers=headers)).status_code == 403
    await agents.bind("developer", robot, namespace)
    assert (await agents.post("agents", robot, body, headers=headers)).status_code == 201
