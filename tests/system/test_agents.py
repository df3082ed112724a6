"""The agents surface through the gateway of the running system (agents contract, section 9)."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from itertools import pairwise
from secrets import token_hex
from typing import Any, Final

import asyncpg
import httpx
import pytest

from tests.support.event_stream import reading
from tests.support.stack import Stack, running_stack
from tests.system.people import joined
from tests.system.robots import (
    API,
    ENDS,
    Robot,
    bodies_in,
    client_of,
    new_name,
    operations,
    signed_in,
    until,
)

pytestmark = [pytest.mark.stack, pytest.mark.slow]

FOREIGN: Final = re.compile(r"Cannot (access|view|update|delete) other users' sessions")
OWN: Final = {
    ("get", "auth/me"),
    ("get", "agents"),
    ("get", "role-bindings"),
    ("get", "sessions"),
    ("get", "workspaces"),
    ("get", "workspaces/{id}/sessions"),
}
"""What everybody may ask: it tells of nothing but the caller's own."""


@pytest.fixture(scope="module")
def system() -> Iterator[Stack]:
    with running_stack(
        GUILDHALL_SERVICE_ADMIN_PASSWORD="admin",
        GUILDHALL_LOG_LEVEL="debug",
        GUILDHALL_TURN_LEASE_SECONDS="3",
    ) as stack:
        yield stack


@pytest.fixture(scope="module")
async def admin(system: Stack) -> AsyncIterator[Robot]:
    async with client_of(system.base_url) as client:
        yield await signed_in(client, "admin", "admin")


@pytest.fixture(scope="module", autouse=True)
async def sleeper(admin: Robot) -> str:
    """A session that becomes idle while other tests run."""
    return str((await admin.make("sessions", waiting_timeout_seconds=1))["id"])


async def test_a_role_in_one_namespace_reaches_nothing_outside_it(admin: Robot) -> None:
    acme, other, secret = new_name("acme"), new_name("other"), new_name("secret")
    for namespace in (acme, other):
        await admin.make("agents", name=secret, namespace=namespace, model="builtin")
    agent = (await admin.get(f"agents?namespace={other}"))[0]
    session = await admin.make("sessions", namespace=other, name=secret)
    binding = await admin.bind("viewer", new_name("nobody"), other)
    viewer = await admin.hire("viewer", acme)

    assert await viewer.status("GET", "service-accounts") == 403
    assert await viewer.status("GET", f"agents?namespace={other}") == 403
    assert {one["namespace"] for one in await viewer.get("agents")} == {acme}

    ids: dict[str, dict[str, Any]]
    ids = {"agents": agent, "sessions": session, "role-bindings": binding}
    bodies = bodies_in(other)
    tried = 0
    for method, path in sorted(await operations(admin) - {("post", "auth/logout")}):
        room = path.partition("/")[0]
        found = {"id": other} if room == "workspaces" else ids.get(room, {"id": "admin"})
        asked = path.replace("{id}", found["id"]).replace("{sid}", session["id"])
        body = bodies.get(path, bodies.get(room)) if method in ("post", "put", "patch") else None
        if (method, path) in OWN:
            answer = await viewer.send("GET", asked)
            assert answer.status_code == 200, path
            assert other not in answer.text, path
            continue
        answer = await viewer.send(method.upper(), asked, body)
        assert answer.status_code in (403, 404), (method, path, answer.text)
        assert secret not in answer.text
        tried += 1
    assert tried > 40
    assert await admin.get(f"agents?namespace={other}") == [agent]
    assert (await admin.get(f"sessions/{session['id']}"))["name"] == secret


async def test_a_session_is_of_an_account_and_not_of_a_name(admin: Robot) -> None:
    namespace = new_name("space")
    owner = await admin.hire("developer", namespace)
    session = (await owner.make("sessions", namespace=namespace))["id"]
    lent = await admin.send("POST", "auth/external", {"subject": owner.name})
    subject = Robot(admin.client, owner.name, lent.json()["token"])
    assert (await subject.get("auth/me"))["type"] == "Subject"
    assert await subject.get("sessions") == []
    assert await subject.get(f"sessions?created_by={owner.name}") == []
    assert await subject.status("GET", f"sessions/{session}") == 404

    colleague, viewer = await asyncio.gather(
        admin.hire("developer", namespace), admin.hire("viewer", namespace)
    )
    messages = f"sessions/{session}/messages"
    for robot, method, path, body in (
        (colleague, "GET", messages, None),
        (colleague, "GET", f"{messages}/count", None),
        (viewer, "POST", messages, {"role": "USER", "content": "x"}),
        (viewer, "DELETE", messages, None),
    ):
        answer = await robot.send(method, path, body)
        assert answer.status_code == 403, (method, path)
        assert FOREIGN.fullmatch(answer.json()["message"]), (method, path)

    assert await viewer.status("POST", "sessions", {"namespace": namespace}) == 403
    elsewhere = await admin.make("agents", name="away", namespace=new_name("away"), model="m")
    mixed = {"namespace": namespace, "agent_ids": [elsewhere["id"]]}
    answer = await owner.send("POST", "sessions", mixed)
    expected = f"Agent {elsewhere['id']} not found or inactive"
    assert (answer.status_code, answer.json()["message"]) == (400, expected)
    assert [one["id"] for one in await owner.get("sessions")] == [session]


async def test_old_tokens_are_refused_and_open_streams_end(admin: Robot) -> None:
    namespace = new_name("space")
    robots = await asyncio.gather(*(admin.hire("developer", namespace) for _ in ENDS))
    async with AsyncExitStack() as stack:
        streams = []
        for robot in robots:
            session = await robot.make("sessions", namespace=namespace)
            path = f"{API}/sessions/{session['id']}/events"
            opened = reading(robot.client, path, robot.headers)
            streams.append(await stack.enter_async_context(opened))
        for end, robot, stream in zip(ENDS, robots, streams, strict=True):
            await stream.until(1)
            await end(admin, robot.name)

            async def refused(robot: Robot = robot) -> bool:
                return await robot.status("GET", "sessions") == 401

            await until(refused, end.__name__)
            async with asyncio.timeout(20):
                await stream.over.wait()
    assert len(await admin.get(f"sessions?namespace={namespace}&created_by=*")) == len(ENDS)


async def test_a_right_holds_soon_after_auth_gave_it_and_ends_soon(admin: Robot) -> None:
    namespace = new_name("space")
    robot = await admin.hire()
    await admin.make("agents", name="one", namespace=namespace, model="m")
    assert await robot.status("GET", f"agents/one?namespace={namespace}") == 404

    async def reads(status: int) -> None:
        async def is_so() -> bool:
            return await robot.status("GET", f"agents/one?namespace={namespace}") == status

        await until(is_so, f"{status} follows")

    for where in (namespace, None):
        binding = await admin.bind("viewer", robot.name, where)
        await reads(200)
        assert await admin.status("DELETE", f"role-bindings/{binding['id']}") == 204
        await reads(404)


async def test_nobody_gives_themselves_more_and_the_last_admin_stays(admin: Robot) -> None:
    rules = [{"api_groups": ["api"], "resources": ["role-bindings"], "verbs": ["create"]}]
    role = await admin.make("roles", name=new_name("binder"), rules=rules)
    binder = await admin.hire()
    await admin.bind(role["name"], binder.name, None)
    wanted: dict[str, Any] = {"role_name": "admin", "principal_name": binder.name}
    for body in (wanted, wanted | {"namespace": "default"}, wanted | {"principal_name": "x"}):
        assert await binder.status("POST", "role-bindings", body) == 403
    me = (await admin.get("auth/me"))["id"]
    (binding,) = await admin.get("role-bindings?principal_name=admin")
    for path in ("roles/admin", f"role-bindings/{binding['id']}", f"service-accounts/{me}"):
        assert await admin.status("DELETE", path) == 409
    assert await admin.status("PUT", f"service-accounts/{me}", {"active": False}) == 409
    person = {"role_name": "viewer", "principal_name": new_name("p"), "principal_type": "User"}
    made = await admin.make("role-bindings", **person)
    assert made["principal_type"] == "User"
    assert await admin.status("POST", "role-bindings", person) == 409
    unknown = await admin.send("POST", "role-bindings", person | {"role_name": "nothing"})
    assert (unknown.status_code, unknown.json()["message"]) == (404, "Role not found")


async def spoken_to(robot: Robot, namespace: str, agent: str) -> None:
    """See a session from its creation over a reply, a close and a remix."""
    made = await robot.make("sessions", namespace=namespace, agent_ids=[agent])
    assert made["state"] in ("INIT", "READY")
    asked = await robot.say(made["id"], "What time is it?")
    (reply,) = await robot.replies(made["id"])
    due = datetime.fromisoformat(asked["created_at"]) + timedelta(seconds=1)
    assert time.time() >= due.timestamp(), "shown before a client has counted"
    assert datetime.fromisoformat(reply["created_at"]) >= due
    assert (reply["agent_id"], reply["agent_name"]) == (agent, "helper")
    await robot.becomes(made["id"], "READY")

    closed = await robot.send("POST", f"sessions/{made['id']}/close")
    assert (closed.status_code, closed.json()["state"]) == (200, "IDLE")
    await robot.say(made["id"], "And now?")
    assert len(await robot.replies(made["id"], 2)) == 2

    remix = await robot.make(f"sessions/{made['id']}/remix")
    assert (remix["parent_session_id"], remix["name"]) == (made["id"], f"{made['name']}-remix")
    await robot.becomes(remix["id"], "READY")
    assert await robot.get(f"sessions/{remix['id']}/messages") == []
    assert await robot.status("DELETE", f"sessions/{made['id']}") == 204
    assert await robot.status("GET", f"sessions/{made['id']}") == 404


async def test_sessions_live(admin: Robot) -> None:
    namespace = new_name("space")
    robot = await admin.hire("developer", namespace)
    agent = await robot.make("agents", name="helper", namespace=namespace, model="builtin")
    await asyncio.gather(*(spoken_to(robot, namespace, agent["id"]) for _ in range(4)))


async def test_a_stream_tells_a_reply_before_lists_do(admin: Robot) -> None:
    session = (await admin.make("sessions"))["id"]
    await admin.becomes(session, "READY")
    path = f"{API}/sessions/{session}/events"
    async with reading(admin.client, path, admin.headers, last=0) as stream:
        early = []
        for turn in range(5):
            await admin.say(session, f"turn {turn}")

            async def reply() -> list[dict[str, Any]]:
                said = [one["data"] for one in stream.events if one["event"] == "message"]
                return [one for one in said if one["role"] == "AGENT"][turn:]  # noqa: B023

            (told,) = await until(reply)
            early.append(time.time() < datetime.fromisoformat(told["created_at"]).timestamp())
            if early[-1]:
                break
        assert any(early), "a reply was never told before its time"
        seen = list(stream.events)
    assert all(one < other for one, other in pairwise(int(event["id"]) for event in seen))
    states = [one["data"]["state"] for one in seen if one["event"] == "state"]
    assert states[:3] == ["INIT", "READY", "BUSY"]
    async with reading(admin.client, path, admin.headers, last=seen[1]["id"]) as stream:
        again = await stream.until(len(seen) - 2)
    assert again[: len(seen) - 2] == seen[2:]


async def test_of_parallel_moves_and_repeats_one_counts(admin: Robot) -> None:
    session = (await admin.make("sessions"))["id"]
    await admin.becomes(session, "READY")
    moves = (admin.send("PATCH", f"sessions/{session}/state", {"state": "IDLE"}) for _ in range(20))
    answers = await asyncio.gather(*moves)
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 19
    refused = next(answer for answer in answers if answer.status_code == 400)
    assert refused.json()["message"] == "Invalid state transition from Idle to Idle"

    namespace, key = new_name("space"), {"Idempotency-Key": new_name("key")}
    body = {"name": "once", "namespace": namespace, "model": "m"}
    sent = [admin.send("POST", "agents", body, headers=key) for _ in range(2)]
    first, again = [await one for one in sent]
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.text == again.text
    other = await admin.send("POST", "agents", body | {"name": "other"}, headers=key)
    assert other.status_code == 422
    assert await admin.status("POST", "agents", body) == 409
    assert len(await admin.get(f"agents?namespace={namespace}")) == 1


async def test_a_person_works_in_the_namespace_of_their_organization(system: Stack) -> None:
    async with client_of(system.base_url) as client:
        address = f"{new_name('ada')}@example.com"
        ada = await joined(client, system.mail_directory, address)
        person = Robot(client, address, ada.token)

        async def home() -> str | None:
            found = [one["id"] for one in await person.get("workspaces")]
            return found[0] if found else None

        namespace = await until(home)
        assert (await person.get("auth/me"))["roles"] == ["org-admin"]
        agent = await person.make("agents", name="mine", namespace=namespace, model="builtin")
        made = await person.make("sessions", namespace=namespace, agent_ids=["mine"])
        await person.say(made["id"], "hello")
        (reply,) = await person.replies(made["id"])
        assert reply["agent_id"] == agent["id"]
        assert await person.status("GET", "agents?namespace=default") == 403
        again = await signed_in(client, address, "correct horse battery staple")
        assert [one["id"] for one in await again.get("sessions")] == [made["id"]]


async def test_what_is_said_is_in_no_log_and_what_is_done_is_in_the_books(
    admin: Robot, system: Stack
) -> None:
    secret, name = new_name("secret"), new_name("agent")
    robot = await admin.hire("admin")
    tools = [{"type": "http", "name": "t", "url": "http://127.0.0.1:1/x", "headers": {"X": secret}}]
    agent = await robot.make("agents", name=name, model="gpt", instructions=secret, tools=tools)
    made = await robot.make("sessions", starting_prompt=secret, agent_ids=[name], secrets=[secret])
    await robot.say(made["id"], f"/t {secret}")
    await robot.replies(made["id"])
    await robot.send("POST", "auth/internal", {"user": robot.name, "pass": secret})
    await robot.send("POST", "agents", {"name": secret + "/", "model": secret})
    await robot.send("PUT", f"service-accounts/{robot.id}", {"description": "changed"})
    role = await robot.make("roles", name=new_name("role"), rules=[])
    binding = await robot.bind(role["name"], robot.name, None)
    await robot.send("DELETE", f"role-bindings/{binding['id']}")
    await robot.send("DELETE", f"sessions/{made['id']}")
    await robot.send("DELETE", f"agents/{agent['id']}")
    log = system.log
    assert "tool failed" in log
    assert secret not in log
    assert robot.token not in log

    written: list[str] = []
    for schema, actor in (("agents", "owner_id"), ("auth", "actor_id")):
        connection = await asyncpg.connect(system.database_url(schema), timeout=10)
        query = f"SELECT action, client FROM {schema}.audit_event WHERE {actor} = $1"  # noqa: S608
        rows = await connection.fetch(query, robot.id)
        await connection.close(timeout=5)
        assert {row["client"] for row in rows} == {"127.0.0.1"}
        written += [row["action"] for row in rows]
    changes = {f"{kind}.{done}" for kind in ("agent", "session") for done in ("created", "deleted")}
    assert changes <= set(written), written
    assert {"service_account", "role", "role_binding"} <= {one.split(".")[0] for one in written}
    assert "session.opened" in written, "the login"


async def test_rows_that_the_database_refuses_are_not_logged(admin: Robot, system: Stack) -> None:
    session, secret = (await admin.make("sessions"))["id"], new_name("secret")
    connection = await asyncpg.connect(system.admin_url(), timeout=10)
    for rule in (f"content <> '{secret} x'", f"role <> 'AGENT' OR content !~ '{secret}'"):
        rule = f"ADD CHECK ({rule}) NOT VALID"
        await connection.execute(f"ALTER TABLE agents.message {rule}")
    await connection.close(timeout=5)
    path, body = f"{API}/sessions/{session}/messages", {"role": "USER", "content": f"{secret} x"}
    async with httpx.AsyncClient(base_url=system.base_url, timeout=20) as client:
        answer = await client.post(path, headers=admin.headers, json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "INTERNAL_ERROR")
    await admin.say(session, secret)

    async def is_told() -> bool:
        return bool(await admin.get(f"sessions/{session}/messages?role=SYSTEM"))

    await until(is_told)
    assert "request failed" in system.log
    assert secret not in system.log + answer.text


async def test_a_message_wakes_a_session_that_became_idle(admin: Robot, sleeper: str) -> None:
    await admin.becomes(sleeper, "IDLE")
    await admin.say(sleeper, "wake up")
    assert len(await admin.replies(sleeper)) == 1


async def test_a_killed_process_loses_and_doubles_no_turn(admin: Robot, system: Stack) -> None:
    robot = await admin.hire("developer", namespace := new_name("space"))
    sessions = [(await robot.make("sessions", namespace=namespace))["id"] for _ in range(8)]

    async def post(session: str, content: str) -> str:
        body, path = {"role": "USER", "content": content}, f"{API}/sessions/{session}/messages"
        answer = await client.post(path, json=body, headers=robot.headers)
        return content if answer.status_code == 201 else ""

    async with httpx.AsyncClient(base_url=system.base_url, timeout=20) as client:
        posts = [asyncio.create_task(post(one, token_hex(8))) for one in sessions * 6]
        await asyncio.wait(posts, return_when=asyncio.FIRST_COMPLETED)
        system.kill_child("agents")
        ended = await asyncio.gather(*posts, return_exceptions=True)
        accepted = {word for word in ended if isinstance(word, str) and word}

        async def is_back() -> bool:
            return (await client.get(f"{API}/health")).status_code == 200

        await until(is_back)
    stored = set()
    for one in sessions:
        said = await robot.get(f"sessions/{one}/messages?role=USER&limit=1000")
        replies = await robot.replies(one, len(said))
        for message in said:
            assert sum(message["content"] in reply["content"] for reply in replies) == 1
            stored.add(message["content"])
        await robot.becomes(one, "READY")
        assert len(await robot.replies(one, len(said))) == len(said)
    assert set() < accepted <= stored
