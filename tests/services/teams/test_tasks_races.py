"""Tasks under many hands: claims at once, numbers at once, repeats, sockets that join."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from services.teams.app import SERVICE
from services.teams.tasks import operations
from shared.db import Database
from shared.errors import NotFound
from tests.services.teams.conftest import Machine, teams_settings
from tests.services.teams.tasks_support import (
    WAITING,
    Sql,
    changed,
    created,
    joined,
    listed,
    news_of,
    said_of,
    task,
)
from tests.support.postgres import DatabaseUrls
from tests.support.service import client_of

REPLAYED = "idempotent-replay"


@pytest.fixture(scope="module")
async def replica(urls: DatabaseUrls, auth_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Another process on the same database."""
    async with client_of(SERVICE, teams_settings(urls, auth_url)) as client:
        yield client


@pytest.fixture
async def database(urls: DatabaseUrls) -> AsyncIterator[Database]:
    database = await Database.connect(urls.url("teams"))
    yield database
    await database.close()


async def test_of_fifty_claims_at_once_one_wins(
    machine: Machine, client: httpx.AsyncClient, replica: httpx.AsyncClient, sql: Sql
) -> None:
    team = await machine.make()
    await task(machine)
    machines = [Machine((client, replica)[number % 2]) for number in range(50)]
    for one in machines:
        await joined(sql, one, team["id"])
    answers = await asyncio.gather(*(changed(one, 1) for one in machines))
    won = [one for one, answer in zip(machines, answers, strict=True) if answer.status_code == 200]
    assert len(won) == 1
    lost = [answer for answer in answers if answer.status_code != 200]
    assert {(one.status_code, one.text) for one in lost} == {
        (409, '{"error":"invalid status transition"}')
    }
    assert [one["claimed_by"] for one in await listed(machine)] == [won[0].token]
    assert len(await news_of(sql, team["id"])) == 2
    assert len(await said_of(sql, team["id"], "task.changed.v1")) == 1


async def test_numbers_have_no_gap_and_no_twin(machine: Machine, sql: Sql) -> None:
    team = await machine.make()
    await sql.execute("UPDATE teams.team SET task_number = 975 WHERE id = $1", team["id"])
    answers = await asyncio.gather(*(created(machine) for _ in range(30)))
    made = sorted(one.json()["task"]["number"] for one in answers if one.status_code == 201)
    assert made == list(range(976, 1001))
    assert [one.status_code for one in answers].count(422) == 5
    told = await news_of(sql, team["id"])
    assert [number for number, *_ in told] == list(range(1, 26))
    assert [payload["task"]["number"] for _, _, payload, _ in told] == made


async def test_a_member_that_leaves_meanwhile_gets_no_task(machine: Machine, sql: Sql) -> None:
    team = await machine.make()
    async with sql.transaction():
        await sql.execute("UPDATE teams.team SET members = '[]' WHERE id = $1", team["id"])
        asked = asyncio.create_task(created(machine))
        async with asyncio.timeout(10):
            while not await sql.fetchval(WAITING):
                await sql.execute("SELECT pg_stat_clear_snapshot()")
    answer = await asked
    assert answer.status_code == 400
    assert answer.json() == {"error": "assignee is not a team member"}


async def test_a_repeat_is_answered_and_not_applied(
    machine: Machine, replica: httpx.AsyncClient, sql: Sql
) -> None:
    team = await machine.make()
    body = {"token": machine.token, "description": "Once", "assignee": "alice"}
    signature = machine.signature()
    first = await machine.post("/api/teams/tasks", body, signature=signature)
    claim = json.dumps({"token": machine.token, "status": "in_progress"}).encode()
    of_claim = machine.signature()
    claimed = await machine.send("PATCH", "/api/teams/tasks/1", content=claim, signature=of_claim)
    # Whatever has happened to the team since, the task was made by that request.
    await machine.post("/api/teams/knowledge", {"token": machine.token, "content": "new"})
    machine.client = replica
    again = await machine.post("/api/teams/tasks", body, signature=signature)
    claimed_again = await machine.send(
        "PATCH", "/api/teams/tasks/1", content=claim, signature=of_claim
    )
    for one, repeat in ((first, again), (claimed, claimed_again)):
        assert REPLAYED not in one.headers
        assert repeat.headers[REPLAYED] == "true"
        assert (repeat.status_code, repeat.content) == (one.status_code, one.content)
    assert len(await listed(machine)) == 1
    assert len(await news_of(sql, team["id"])) == 2
    moved = await machine.send("PATCH", "/api/teams/tasks/2", content=claim, signature=of_claim)
    assert moved.status_code == 401
    assert moved.json()["reason"] == "signature already used for another request"


async def test_repeats_at_once_make_one_task(
    machine: Machine, client: httpx.AsyncClient, replica: httpx.AsyncClient
) -> None:
    await machine.make()
    signature = machine.signature()
    body = json.dumps({"token": machine.token, "description": "Once", "assignee": "alice"})

    async def send(number: int) -> httpx.Response:
        sender = Machine((client, replica)[number % 2])
        sender.token, sender.principal = machine.token, machine.principal
        return await sender.send(
            "POST", "/api/teams/tasks", content=body.encode(), signature=signature
        )

    answers = await asyncio.gather(*(send(number) for number in range(10)))
    assert {(one.status_code, one.content) for one in answers} == {(201, answers[0].content)}
    assert sum(REPLAYED not in one.headers for one in answers) == 1
    assert len(await listed(machine)) == 1


async def test_a_socket_that_joins_is_told_all_tasks(
    machine: Machine, stranger: Machine, database: Database
) -> None:
    team = await machine.make()
    empty = await operations.join(database, machine.token, team["id"])
    assert (empty.number, empty.tasks) == (0, b"[]")
    await task(machine)
    await task(machine, description="é \u2028")
    await changed(machine, 1)
    there = await operations.join(database, machine.token, team["id"])
    assert there.number == 3
    assert json.loads(there.tasks) == await listed(machine)
    for token, team_id in (
        (stranger.token, team["id"]),
        (machine.token, str(uuid4())),
        (machine.token, "no uuid"),
    ):
        with pytest.raises(NotFound):
            await operations.join(database, token, team_id)


async def test_what_a_join_sees_is_of_one_moment(machine: Machine, database: Database) -> None:
    team = await machine.make()

    async def watch() -> None:
        for _ in range(40):
            seen = await operations.join(database, machine.token, team["id"])
            assert len(json.loads(seen.tasks)) == seen.number

    await asyncio.gather(watch(), watch(), *(task(machine) for _ in range(25)))
