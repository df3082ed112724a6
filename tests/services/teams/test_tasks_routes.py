"""Making, listing and changing tasks (teams contract, sections 4, 4.1, 4.2 and 15)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import httpx
import pytest

from services.teams.tasks.models import Status
from tests.services.teams.conftest import Machine
from tests.services.teams.tasks_support import (
    Sql,
    changed,
    created,
    joined,
    listed,
    news_of,
    said_of,
    task,
)

TWO = [{"name": "alice", "role": "dev"}, {"name": "bob \N{SNOWMAN}", "role": "qa"}]
NEVER = {"claimed_by": None, "claimed_at": None, "completed_at": None, "result": None}


async def test_a_task_is_made(machine: Machine, sql: Sql) -> None:
    made = await machine.make(members=TWO)
    answer = await created(machine, description=" Ship it \n", assignee="bob \N{SNOWMAN}")
    assert answer.status_code == 201
    first = answer.json()["task"]
    assert {key: first[key] for key in first if not key.endswith("ed_at")} == {
        "number": 1,
        "description": " Ship it \n",
        "assignee": "bob \N{SNOWMAN}",
        "status": "todo",
        "created_by": machine.token,
        "claimed_by": None,
        "result": None,
    }
    assert {key: first[key] for key in NEVER} == NEVER
    assert first["inserted_at"] == first["updated_at"]
    age = datetime.now(UTC) - datetime.fromisoformat(first["inserted_at"])
    assert timedelta(minutes=-1) < age < timedelta(minutes=1)
    assert (await task(machine))["number"] == 2
    assert await listed(machine) == [first, *(await listed(machine))[1:]]
    told = await news_of(sql, made["id"])
    assert told[0] == (1, "tasks:created", {"task": first}, "")
    assert await said_of(sql, made["id"], "task.created.v1") == [
        {"kind": "task.created.v1", "team_id": made["id"], "number": 1, "task": 1}
        | {"assignee": "bob \N{SNOWMAN}"},
        {"kind": "task.created.v1", "team_id": made["id"], "number": 2, "task": 2}
        | {"assignee": "alice"},
    ]


async def test_a_task_is_claimed_and_done(machine: Machine, stranger: Machine, sql: Sql) -> None:
    made = await machine.make()
    await joined(sql, stranger, made["id"])
    first = await task(machine)
    answer = await changed(stranger, 1)
    assert answer.status_code == 200
    claimed = answer.json()["task"]
    assert claimed["claimed_by"] == stranger.token
    assert claimed["claimed_at"] == claimed["updated_at"] > first["inserted_at"]
    assert claimed == first | {
        "status": "in_progress",
        "claimed_by": stranger.token,
        "claimed_at": claimed["claimed_at"],
        "updated_at": claimed["updated_at"],
    }
    done = (await changed(machine, 1, "done", result="é" * 5000)).json()["task"]
    assert done == claimed | {
        "status": "done",
        "result": "é" * 5000,
        "completed_at": done["completed_at"],
        "updated_at": done["completed_at"],
    }
    assert await listed(machine) == [done]
    told = await news_of(sql, made["id"])
    assert told[1:] == [
        (2, "tasks:updated", {"task": claimed}, ""),
        (3, "tasks:updated", {"task": done}, ""),
    ]
    said = await said_of(sql, made["id"], "task.changed.v1")
    assert [(event["number"], event["task"], event["status"]) for event in said] == [
        (2, 1, "in_progress"),
        (3, 1, "done"),
    ]


@pytest.mark.parametrize(("before", "after"), list(product(Status, Status)))
async def test_every_transition_is_allowed_or_a_conflict(
    machine: Machine, sql: Sql, before: Status, after: Status
) -> None:
    team = await machine.make()
    await task(machine)
    await sql.execute("UPDATE teams.task SET status = $2 WHERE team_id = $1", team["id"], before)
    answer = await changed(machine, 1, after)
    if (before, after) in {
        ("todo", "in_progress"),
        ("todo", "cancelled"),
        ("in_progress", "done"),
        ("in_progress", "cancelled"),
        ("in_progress", "failed"),
    }:
        assert answer.status_code == 200
        changed_task = answer.json()["task"]
        assert changed_task["status"] == after
        assert (changed_task["claimed_by"] is not None) == (after == "in_progress")
        assert (changed_task["claimed_at"] is not None) == (after == "in_progress")
        assert (changed_task["completed_at"] is not None) == (after == "done")
        assert len(await news_of(sql, team["id"])) == 2
    else:
        assert answer.status_code == 409
        assert answer.json() == {"error": "invalid status transition"}
        assert [one["status"] for one in await listed(machine)] == [before]
        assert len(await news_of(sql, team["id"])) == 1


async def test_a_list_is_ordered_filtered_and_paged(machine: Machine) -> None:
    await machine.make(members=TWO)
    for number in range(1, 7):
        await task(machine, assignee=TWO[number % 2]["name"])
    await changed(machine, 2)
    await changed(machine, 3, "cancelled")

    async def numbers(**query: Any) -> list[int]:
        return [one["number"] for one in await listed(machine, **query)]

    assert await numbers() == [1, 2, 3, 4, 5, 6]
    assert await numbers(status="todo") == [1, 4, 5, 6]
    assert await numbers(assignee="alice") == [2, 4, 6]
    assert await numbers(assignee="alice", status="todo") == [4, 6]
    assert await numbers(status="failed") == []
    assert await numbers(assignee="nobody") == []
    assert await numbers(after=4) == [5, 6]
    path = f"/api/teams/tasks/{machine.token}"
    page = await machine.send("GET", path, params={"limit": 2, "status": "todo"})
    assert page.headers["x-next-after"] == "4"
    assert [one["number"] for one in page.json()["tasks"]] == [1, 4]
    rest = await machine.send("GET", path, params={"limit": 2, "status": "todo", "after": 4})
    assert "x-next-after" not in rest.headers
    assert [one["number"] for one in rest.json()["tasks"]] == [5, 6]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"status": "bogus"}, "status must be one of: todo, in_progress, done, cancelled, failed"),
        ({"status": ""}, "status must be one of: todo, in_progress, done, cancelled, failed"),
        ({"limit": 0}, "limit"),
        ({"limit": 501}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"after": -1}, "after"),
        ({"after": 2**31}, "after"),
        ({"assignee": "a\x00"}, "assignee"),
    ],
)
async def test_a_wrong_query_is_refused(machine: Machine, query: dict[str, Any], text: str) -> None:
    await machine.make()
    answer = await machine.send("GET", f"/api/teams/tasks/{machine.token}", params=query)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(text)


async def test_faults_come_in_their_order(machine: Machine, sql: Sql) -> None:
    async def of(**fields: Any) -> tuple[int, str]:
        answer = await created(machine, **fields)
        return answer.status_code, answer.json()["error"]

    assert await of(description="") == (400, "description must not be empty")
    assert await of() == (404, "not_found")
    team = await machine.make()
    assert await of(description="a" * 2001) == (
        400,
        "description must be 2000 characters or fewer",
    )
    assert await of(assignee="zoe") == (400, "assignee is not a team member")
    assert await of(assignee="Alice") == (400, "assignee is not a team member")
    await sql.execute("UPDATE teams.team SET task_number = 1000 WHERE id = $1", team["id"])
    assert await of(assignee="zoe") == (400, "assignee is not a team member")
    assert await of() == (422, "task limit exceeded (max 1000 per team)")
    await sql.execute("UPDATE teams.team SET task_number = 999 WHERE id = $1", team["id"])
    assert (await task(machine))["number"] == 1000
    assert await of() == (422, "task limit exceeded (max 1000 per team)")
    assert len(await listed(machine)) == 1


@pytest.mark.parametrize(
    ("number", "status", "text"),
    [
        ("notanumber", 400, "invalid task number"),
        ("99999999999999999999", 400, "invalid task number"),
        ("2147483648", 400, "invalid task number"),
        ("-1", 400, "invalid task number"),
        ("1.0", 400, "invalid task number"),
        ("%D9%A1", 400, "invalid task number"),
        ("2147483647", 404, "task not found"),
        ("999", 404, "task not found"),
        ("0", 404, "task not found"),
    ],
)
async def test_a_number_without_a_task_is_refused(
    machine: Machine, number: str, status: int, text: str
) -> None:
    await machine.make()
    answer = await changed(machine, number)
    assert (answer.status_code, answer.json()) == (status, {"error": text})


HOSTILE = [
    b"",
    b"[]",
    b"null",
    b'"text"',
    b"{",
    b'{"description":"a\\u0000","assignee":"alice","status":"done","result":"\\u0000"}',
    b'{"description":"\\ud800","assignee":"alice","status":"done","result":"\\udfff"}',
    b'{"description":NaN,"status":NaN}',
    b'{"description":1' + b"0" * 400 + b',"status":1' + b"0" * 400 + b"}",
    b'{"description":1e400,"status":1e400}',
    b'{"description":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    b'{"description":true,"assignee":{},"status":[],"result":{}}',
    b"\xff\xfe",
]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
async def test_what_is_no_task_is_refused_by_name(machine: Machine, body: bytes) -> None:
    await machine.make()
    await task(machine)
    for method, path in (("POST", "/api/teams/tasks"), ("PATCH", "/api/teams/tasks/1")):
        answer = await machine.send(method, path, content=body)
        assert answer.status_code == 400, answer.text
        assert isinstance(answer.json()["error"], str)
    assert [one["status"] for one in await listed(machine)] == ["todo"]


async def test_a_body_that_is_too_large_is_refused(machine: Machine) -> None:
    body = json.dumps({"description": "a" * 256_000, "assignee": "alice"}).encode()
    for method, path in (("POST", "/api/teams/tasks"), ("PATCH", "/api/teams/tasks/1")):
        assert (await machine.send(method, path, content=body)).status_code == 413


async def test_methods_share_an_address(machine: Machine, client: httpx.AsyncClient) -> None:
    await machine.make()
    put = await machine.send("PUT", "/api/teams/tasks/1")
    assert (put.status_code, put.headers["allow"]) == (405, "GET, HEAD, PATCH")
    # The word is no token of a machine: no team is looked for.
    get = await machine.send("GET", "/api/teams/tasks")
    assert (get.status_code, get.headers["allow"]) == (405, "POST")
    assert (await client.get(f"/api/teams/tasks/{machine.token}")).status_code == 401


async def test_tasks_are_the_teams_own(machine: Machine, stranger: Machine) -> None:
    theirs = await machine.make()
    await task(machine)
    missing = {"error": "not_found"}
    for team_id in (None, theirs["id"], "no-uuid", "", 5, theirs["id"].upper() + " "):
        given = {} if team_id is None else {"team_id": team_id}
        asked = (
            await created(stranger, **given),
            await changed(stranger, 1, **given),
            await stranger.send("GET", f"/api/teams/tasks/{stranger.token}", params=given),
        )
        assert [(one.status_code, one.json()) for one in asked] == [(404, missing)] * 3
    await stranger.make("Mine")
    assert (await changed(stranger, 1)).json() == {"error": "task not found"}
    assert await listed(stranger) == []
    assert [one["status"] for one in await listed(machine)] == ["todo"]


async def test_several_teams_need_a_name_and_count_for_themselves(machine: Machine) -> None:
    one, other = await machine.make("One"), await machine.make("Other")
    assert one["id"] != other["id"]
    many = {"error": "team_id required: token belongs to multiple teams"}
    asked = (
        await created(machine),
        await changed(machine, 1),
        await machine.send("GET", f"/api/teams/tasks/{machine.token}"),
    )
    assert [(each.status_code, each.json()) for each in asked] == [(409, many)] * 3
    assert (await task(machine, team_id=one["id"]))["number"] == 1
    assert (await task(machine, team_id=other["id"]))["number"] == 1
    assert (await task(machine, team_id=other["id"].upper()))["number"] == 2
    assert (await changed(machine, 1, team_id=one["id"])).status_code == 200
    assert [each["status"] for each in await listed(machine, team_id=other["id"])] == ["todo"] * 2


async def test_a_deleted_team_has_no_tasks(machine: Machine, sql: Sql) -> None:
    team = await machine.make()
    await task(machine)
    await sql.execute("UPDATE teams.team SET deleted_at = now() WHERE id = $1", team["id"])
    assert (await created(machine)).status_code == 404
    assert (await changed(machine, 1)).status_code == 404
    answer = await machine.send("GET", f"/api/teams/tasks/{machine.token}")
    assert answer.status_code == 404
