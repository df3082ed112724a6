"""Teams with tasks, and what is said of them."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

import asyncpg
import httpx

from tests.services.teams.conftest import Machine

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
WAITING = """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
"""How many statements of the database wait for a lock."""


async def joined(sql: Sql, machine: Machine, team_id: str) -> Machine:
    """Make a machine a member of a team."""
    await sql.execute(
        "INSERT INTO teams.membership (token, team_id) VALUES ($1, $2)", machine.token, team_id
    )
    return machine


async def created(machine: Machine, **fields: Any) -> httpx.Response:
    """Ask for a task, by default one for alice."""
    body = {"token": machine.token, "description": "Write it down", "assignee": "alice", **fields}
    return await machine.post("/api/teams/tasks", body)


async def task(machine: Machine, **fields: Any) -> dict[str, Any]:
    """Make a task and give it."""
    answer = await created(machine, **fields)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()["task"]
    return made


async def changed(
    machine: Machine, number: int | str, status: Any = "in_progress", **fields: Any
) -> httpx.Response:
    """Ask for a task to be taken to another status."""
    body = {"token": machine.token, "status": status, **fields}
    return await machine.send(
        "PATCH", f"/api/teams/tasks/{number}", content=json.dumps(body).encode()
    )


async def listed(machine: Machine, **query: Any) -> list[dict[str, Any]]:
    """Give the tasks of a machine's team."""
    answer = await machine.send("GET", f"/api/teams/tasks/{machine.token}", params=query)
    assert answer.status_code == 200, answer.text
    tasks: list[dict[str, Any]] = answer.json()["tasks"]
    return tasks


async def news_of(sql: Sql, team_id: str, topic: str = "tasks") -> list[tuple[Any, ...]]:
    """Give what sockets are told of a team: number, event, payload, source."""
    rows = await sql.fetch(
        "SELECT n.*, p.body FROM teams.news n"
        " LEFT JOIN teams.part p ON p.team_id = n.team_id AND p.digest = n.part"
        " WHERE n.team_id = $1 AND n.topic = $2 ORDER BY n.number",
        team_id,
        topic,
    )
    return [
        (
            row["number"],
            row["event"],
            json.loads(row["payload"]) | ({"content": row["body"]} if row["part"] else {}),
            row["source"],
        )
        for row in rows
    ]


async def said_of(sql: Sql, team_id: str, *kinds: str) -> list[dict[str, Any]]:
    """Give the events of a team of these kinds, the first first, without their envelope."""
    rows = await sql.fetch(
        "SELECT kind, payload FROM teams.outbox WHERE kind = ANY($1::text[]) ORDER BY id", kinds
    )
    events = [{"kind": row["kind"], **json.loads(row["payload"])} for row in rows]
    envelope = ("event_id", "occurred_at")
    return [
        {key: value for key, value in event.items() if key not in envelope}
        for event in events
        if event["team_id"] == team_id
    ]
