"""Tasks on a socket (teams contract, sections 10.2, 10.4 and 15)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.services.teams.conftest import Machine
from tests.services.teams.socket_support import Served, served
from tests.support.postgres import DatabaseUrls


@pytest.fixture(scope="module")
async def service(urls: DatabaseUrls, auth_url: str) -> AsyncIterator[Served]:
    async with served(urls, auth_url) as running:
        yield running


async def create(machine: Machine, description: str = "Write it down") -> dict[str, Any]:
    body = {"token": machine.token, "description": description, "assignee": "alice"}
    answer = await machine.post("/api/teams/tasks", body)
    assert answer.status_code == 201, answer.text
    task: dict[str, Any] = answer.json()["task"]
    return task


async def change(machine: Machine, number: int, status: str) -> dict[str, Any]:
    body = {"token": machine.token, "status": status}
    answer = await machine.send("PATCH", f"/api/teams/tasks/{number}", json=body)
    assert answer.status_code == 200, answer.text
    task: dict[str, Any] = answer.json()["task"]
    return task


async def test_joining_gives_the_tasks_that_there_are(service: Served) -> None:
    machine = service.machine()
    topic = f"tasks:{await service.team(machine)}"
    async with await service.open(machine) as socket:
        assert await socket.join(topic) == {"tasks": []}
        tasks = [await create(machine, "é"), await create(machine)]
        assert [(await socket.next())[4]["task"] for _ in tasks] == tasks
        assert await socket.join(topic, "2") == {"tasks": tasks}
        assert (await socket.next())[3] == "phx_close"
        await socket.nothing_else()


async def test_tasks_are_told_to_everybody_the_actor_too(service: Served) -> None:
    machine, other = service.machine(), service.machine()
    team_id = await service.team(machine, other)
    topic = f"tasks:{team_id}"
    async with (
        await service.open(machine) as actor,
        await service.open(other) as member,
        await service.joined(other, team_id) as of_knowledge,
    ):
        for socket in (actor, member):
            await socket.join(topic, "t")
        made = await create(machine)
        claimed = await change(other, made["number"], "in_progress")
        done = await change(machine, made["number"], "done")
        for socket in (actor, member):
            assert await socket.next() == ["t", None, topic, "tasks:created", {"task": made}]
            for task in (claimed, done):
                assert await socket.next() == ["t", None, topic, "tasks:updated", {"task": task}]
            await socket.nothing_else()
        await of_knowledge.nothing_else()


async def test_nothing_is_pushed_to_tasks(service: Served) -> None:
    machine = service.machine()
    topic = f"tasks:{await service.team(machine)}"
    async with await service.open(machine) as socket:
        await socket.join(topic)
        for event in ("knowledge:push", "tasks:create"):
            answer = await socket.ask(topic, event, {"content": "x"})
            assert answer == {"status": "error", "response": {"reason": "unknown event"}}


async def test_both_topics_of_a_team_are_told_in_one_order(service: Served) -> None:
    machine, other = service.machine(), service.machine()
    team_id = await service.team(machine, other)
    async with await service.joined(other, team_id) as socket:
        await socket.join(f"tasks:{team_id}")
        for number in range(5):
            body = {"token": machine.token, "content": f"line {number}"}
            await machine.post("/api/teams/knowledge", body)
            await create(machine)
        events = [(await socket.next())[3] for _ in range(10)]
        assert events == ["knowledge:updated", "tasks:created"] * 5
