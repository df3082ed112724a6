"""Sessions as an older web client knows them (agents contract, section 4.7)."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.principal import ANONYMOUS, Principal
from tests.services.agents.agents_support import at, said
from tests.services.agents.conftest import Agents, new_name
from tests.services.agents.sessions_support import make, put_into, read

KEYS = ["id", "workspace_id", "name", "status", "created_at", "updated_at", "container_info"]
DENIED = (403, "Insufficient permissions")
MISSING = (404, "Session not found")


@pytest.fixture(scope="module")
async def robot(agents: Agents) -> Principal:
    return await agents.robot("developer")


async def made(agents: Agents, principal: Principal, namespace: str, **body: Any) -> dict[str, Any]:
    """Make a session as the web client does."""
    answer = await agents.post(f"workspaces/{namespace}/sessions", principal, body)
    assert answer.status_code == 201, answer.text
    session: dict[str, Any] = answer.json()
    return session


async def shown(
    agents: Agents, principal: Principal, namespace: str, **query: str
) -> list[dict[str, Any]]:
    answer = await agents.get(f"workspaces/{namespace}/sessions", principal, params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    assert answer.headers["x-total-count"] == str(len(found))
    return found


async def test_one_is_made_as_the_client_does(
    agents: Agents, robot: Principal, namespace: str
) -> None:
    container = {"image": "python:3", "ports": [80, "443/tcp"], "environment": {"A": "1"}}
    one = await made(
        agents, robot, namespace, name="first", status="stopped", container_info=container
    )
    assert list(one) == KEYS
    assert one == one | {"workspace_id": namespace, "name": "first", "status": "stopped"}
    assert one["container_info"] == container
    native = await read(agents, robot, one["id"])
    assert native["metadata"] == {"container_info": container}
    assert (native["state"], native["namespace"]) == ("IDLE", namespace)
    assert (
        await agents.sql.fetchval(
            "SELECT count(*) FROM agents.job WHERE session_id = $1", native["id"]
        )
        == 0
    )
    path = f"workspaces/{namespace}/sessions/{one['id']}"
    again = await agents.get(path, robot)
    assert again.json() == one
    started = await agents.post(f"{path}/start", robot)
    assert started.json()["status"] == "running"
    assert one["created_at"] == native["created_at"]
    bare = await made(agents, robot, namespace)
    assert bare["status"] == "pending"
    default = {"image": "ubuntu:latest", "ports": [], "environment": {}}
    assert bare["container_info"] == default
    assert bare["name"].startswith("session-")
    partly = await made(agents, robot, namespace, container_info={"image": None, "x": 1})
    assert partly["container_info"] == default
    assert await shown(agents, robot, namespace) == [partly, bare, started.json()], "newest first"


async def test_one_that_was_made_elsewhere_is_shown_without_a_container(
    agents: Agents, robot: Principal, namespace: str
) -> None:
    metadata = {"container_info": "no object"}
    sessions = [
        await make(agents, robot, namespace),
        await make(agents, robot, namespace, metadata=metadata),
    ]
    found = await shown(agents, robot, namespace)
    assert [list(one) for one in found] == [KEYS[:-1]] * 2
    assert [one["id"] for one in found] == [one["id"] for one in reversed(sessions)]


@pytest.mark.parametrize("dialect", ["namespace", "space"])
async def test_states_have_other_names(
    agents: Agents, robot: Principal, namespace: str, dialect: str
) -> None:
    answer = await agents.post("sessions", robot, {dialect: namespace})
    session = answer.json()
    for state, status in (
        ("INIT", "pending"),
        ("READY", "running"),
        ("BUSY", "running"),
        ("IDLE", "stopped"),
        ("ERROR", "error"),
    ):
        await put_into(agents, session["id"], state)
        assert [one["status"] for one in await shown(agents, robot, namespace)] == [status]


async def test_one_is_stopped_and_started(agents: Agents, robot: Principal, namespace: str) -> None:
    one = await made(agents, robot, namespace)
    path = f"workspaces/{namespace}/sessions/{one['id']}"
    await put_into(agents, one["id"], "READY")

    async def press(button: str) -> tuple[str, str]:
        answer = await agents.send("POST", f"{path}/{button}", robot)
        assert answer.status_code == 200, answer.text
        session = answer.json()
        assert list(session) == KEYS
        assert [session] == await shown(agents, robot, namespace)
        return session["status"], (await read(agents, robot, one["id"]))["state"]

    assert await press("stop") == ("stopped", "IDLE")
    assert await press("stop") == ("stopped", "IDLE")
    assert await press("start") == ("running", "READY")
    assert await press("start") == ("running", "READY")
    await put_into(agents, one["id"], "BUSY")
    assert await press("stop") == ("stopped", "IDLE")
    await put_into(agents, one["id"], "ERROR")
    assert said(await agents.post(f"{path}/stop", robot)) == (
        400,
        "Invalid state transition from Error to Idle",
    )
    assert await press("start") == ("running", "READY")


async def test_one_is_deleted(agents: Agents, robot: Principal, namespace: str) -> None:
    one = await made(agents, robot, namespace)
    path = f"workspaces/{namespace}/sessions/{one['id']}"
    answer = await agents.delete(path, robot)
    assert (answer.status_code, answer.content) == (204, b"")
    assert said(await agents.delete(path, robot)) == MISSING
    for button in ("start", "stop"):
        assert said(await agents.post(f"{path}/{button}", robot)) == MISSING
    assert await shown(agents, robot, namespace) == []
    assert said(await agents.get(f"sessions/{one['id']}", robot)) == MISSING


async def test_one_of_another_namespace_is_not_there(
    agents: Agents, robot: Principal, namespace: str
) -> None:
    one = await made(agents, robot, namespace)
    await put_into(agents, one["id"], "READY")
    await made(agents, robot, f"{namespace}-2")
    for session_id, expected in (
        (one["id"], MISSING),
        (str(uuid4()), MISSING),
        ("x", (400, "Invalid session ID format")),
    ):
        path = f"workspaces/{namespace}-2/sessions/{session_id}"
        assert said(await agents.delete(path, robot)) == expected
        for button in ("start", "stop"):
            assert said(await agents.post(f"{path}/{button}", robot)) == expected
    assert (await read(agents, robot, one["id"]))["state"] == "READY"


async def test_rights_are_those_of_sessions(
    agents: Agents, robot: Principal, namespace: str
) -> None:
    one = await made(agents, robot, namespace)
    await put_into(agents, one["id"], "READY")
    path = f"workspaces/{namespace}/sessions"
    viewer = await agents.robot("viewer", namespace=namespace)
    stranger = await agents.robot("developer", namespace=f"{namespace}-2")
    assert said(await agents.post(path, viewer, {})) == DENIED
    assert said(await agents.post(path, stranger, {})) == DENIED
    for principal in (viewer, stranger):
        assert await shown(agents, principal, namespace) == []
        asked = await agents.get(f"{path}?created_by=*", principal)
        assert said(asked) == DENIED
    for button in ("start", "stop"):
        answer = await agents.post(f"{path}/{one['id']}/{button}", viewer)
        assert said(answer) == (403, "Cannot update other users' sessions")
        assert said(await agents.post(f"{path}/{one['id']}/{button}", stranger)) == MISSING
    answer = await agents.delete(f"{path}/{one['id']}", viewer)
    assert said(answer) == (403, "Cannot delete other users' sessions")
    assert said(await agents.delete(f"{path}/{one['id']}", stranger)) == MISSING
    operator = await agents.robot("operator", namespace=namespace)
    queries: list[dict[str, str]] = [{}, {"created_by": "*"}]
    for query in queries:
        assert await shown(agents, operator, namespace, **query) == [one | {"status": "running"}]
    assert (await agents.post(f"{path}/{one['id']}/stop", operator)).status_code == 200
    for method, where in (
        ("GET", path),
        ("POST", path),
        ("GET", f"{path}/{one['id']}"),
        ("DELETE", f"{path}/{one['id']}"),
        ("POST", f"{path}/{one['id']}/start"),
        ("POST", f"{path}/{one['id']}/stop"),
    ):
        answer = await agents.send(method, where, ANONYMOUS)
        assert said(answer) == (401, "Authentication required")


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"name": ""}, ["name"]),
        ({"name": "../../x"}, ["name"]),
        ({"name": "x" * 256}, ["name"]),
        ({"name": 1}, ["name"]),
        ({"container_info": "x"}, ["container_info"]),
        ({"container_info": []}, ["container_info"]),
        ({"container_info": {"image": ""}}, ["container_info", "image"]),
        ({"container_info": {"image": "x" * 256}}, ["container_info", "image"]),
        ({"container_info": {"ports": 80}}, ["container_info", "ports"]),
        ({"container_info": {"ports": list(range(101))}}, ["container_info", "ports"]),
        ({"container_info": {"environment": []}}, ["container_info", "environment"]),
        ({"container_info": {"environment": {"A": "x" * 66_000}}}, ["container_info"]),
    ],
)
async def test_what_is_wrong_is_named(
    agents: Agents, robot: Principal, namespace: str, body: dict[str, Any], loc: list[str]
) -> None:
    answer = await agents.post(f"workspaces/{namespace}/sessions", robot, body)
    assert at(answer) == [["body", *loc]]
    assert await shown(agents, robot, namespace) == []


async def test_a_number_that_is_none_is_refused(
    agents: Agents, robot: Principal, namespace: str
) -> None:
    answer = await agents.send(
        "POST",
        f"workspaces/{namespace}/sessions",
        robot,
        content=b'{"container_info":{"ports":[1e400]}}',
        headers={"content-type": "application/json"},
    )
    assert at(answer) == [["body", "container_info"]]


async def test_pages_and_repeats(agents: Agents, robot: Principal, namespace: str) -> None:
    path = f"workspaces/{namespace}/sessions"
    headers = {"idempotency-key": new_name("key")}
    answers = [await agents.post(path, robot, {"name": "a"}, headers=headers) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    await asyncio.gather(*(made(agents, robot, namespace) for _ in range(4)))
    whole = await shown(agents, robot, namespace)
    assert len(whole) == 5
    page = await agents.get(f"{path}?page=2&limit=2&created_by=", robot)
    assert page.json() == whole[2:4]
    assert f'</api/v0/{path}?page=3&limit=2>; rel="next"' in page.headers["link"]
    assert (await agents.get(f"{path}?limit=201", robot)).status_code == 422


async def test_a_long_list_comes_in_pieces(
    agents: Agents, robot: Principal, namespace: str
) -> None:
    text = "x" * 60_000
    for number in range(3):
        await make(agents, robot, namespace, name=f"n{number}", starting_prompt=text)
    await agents.sql.execute(
        """
        INSERT INTO agents.session (id, namespace, name, starting_prompt, owner_type, owner_id,
                                    created_by)
        SELECT gen_random_uuid(), namespace, 'copy-' || n, starting_prompt, owner_type, owner_id,
               created_by
          FROM agents.session CROSS JOIN generate_series(1, 30) AS n WHERE namespace = $1
        """,
        namespace,
    )
    found = await shown(agents, robot, namespace)
    assert len(found) == 93
    assert len({UUID(one["id"]) for one in found}) == 93
