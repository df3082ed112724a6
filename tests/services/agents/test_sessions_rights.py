"""Whose sessions are whose (agents contract, sections 4.5, 7, 9.1, 9.2 and 9.3)."""

from __future__ import annotations

from typing import Any

import pytest

from shared.principal import ANONYMOUS, Principal
from tests.services.agents.agents_support import said
from tests.services.agents.conftest import Agents, new_name, rule
from tests.services.agents.sessions_support import make, put_into, read, snapshot_of

VERBS: list[tuple[str, str, Any, str, str]] = [
    ("GET", "", None, "get-all", "access"),
    ("GET", "/usage", None, "get-all", "access"),
    ("PUT", "", {"name": "theirs"}, "update", "update"),
    ("PATCH", "", {"name": "theirs"}, "update", "update"),
    ("PUT", "/state", {"state": "IDLE"}, "update", "update"),
    ("PATCH", "/state", {"state": "IDLE"}, "update", "update"),
    ("POST", "/close", {}, "update", "update"),
    ("POST", "/restore", {}, "update", "update"),
    ("DELETE", "", None, "delete", "delete"),
]
ALL = "get list create update delete list-all get-all remix-all"


@pytest.mark.parametrize(("method", "path", "body", "verb", "doing"), VERBS)
async def test_others_need_the_verb_there(
    agents: Agents, namespace: str, method: str, path: str, body: Any, verb: str, doing: str
) -> None:
    owner = await agents.robot("developer", namespace=namespace)
    made = await make(agents, owner, namespace)
    await put_into(agents, made["id"], "READY")
    old = await snapshot_of(agents, made["id"])
    target = f"sessions/{made['id']}{path}"

    async def ask(principal: Principal) -> Any:
        return await agents.send(method, target, principal, json=body)

    others = " ".join(one for one in ALL.split() if one != verb)
    lacking = await agents.holding(rule("sessions", others), namespace=namespace)
    foreign = await agents.holding(rule("sessions agents", "*"), namespace=new_name("ns"))
    agentic = await agents.holding(rule("agents", "*"), namespace=namespace)
    for principal in (lacking, agentic):
        assert said(await ask(principal)) == (403, f"Cannot {doing} other users' sessions")
    for principal in (foreign, await agents.robot(), agents.subject(made["created_by"])):
        assert said(await ask(principal)) == (404, "Session not found")
    assert (await ask(ANONYMOUS)).status_code == 401
    assert await snapshot_of(agents, made["id"]) == old
    named = await agents.holding(
        rule("sessions", verb, names=("another", made["id"])), namespace=namespace
    )
    assert (await ask(named)).status_code in (200, 204)


@pytest.mark.parametrize(("method", "path", "body", "verb", "doing"), VERBS)
async def test_an_owner_needs_nothing(
    agents: Agents, namespace: str, method: str, path: str, body: Any, verb: str, doing: str
) -> None:
    owner = await agents.robot()
    binding = await agents.bind("developer", owner, namespace)
    made = await make(agents, owner, namespace)
    await put_into(agents, made["id"], "READY")
    await agents.sql.execute("DELETE FROM agents.role_binding WHERE id = $1", binding)
    agents.forget()
    answer = await agents.send(method, f"sessions/{made['id']}{path}", owner, json=body)
    assert answer.status_code in (200, 204)


async def test_a_namesake_is_somebody_else(agents: Agents, namespace: str) -> None:
    name = new_name("alice")
    robot = await agents.robot("developer", namespace=namespace, name=name)
    made = await make(agents, robot, namespace)
    subject = agents.subject(name)
    await agents.bind("viewer", subject, namespace)
    by_id = agents.subject(robot.subject)
    await agents.bind("viewer", by_id, namespace)
    for stranger in (subject, by_id):
        answer = await agents.get(f"sessions/{made['id']}", stranger)
        assert said(answer) == (403, "Cannot access other users' sessions")
    await agents.sql.execute(
        "UPDATE agents.service_account SET deleted = true WHERE name = $1", name
    )
    reborn = await agents.robot("viewer", namespace=namespace, name=name)
    answer = await agents.get(f"sessions/{made['id']}", reborn)
    assert said(answer) == (403, "Cannot access other users' sessions")


async def test_people_of_an_organization(agents: Agents) -> None:
    org, slug = await agents.organization()
    owner, member = agents.person(org, "owner"), agents.person(org, "member")
    made = await make(agents, member, slug)
    assert (await read(agents, owner, made["id"]))["created_by"] == member.account
    other, _ = await agents.organization()
    answer = await agents.get(f"sessions/{made['id']}", agents.person(other, "owner"))
    assert said(answer) == (404, "Session not found")
    # The same person is the owner, whichever organization they act in.
    acting = agents.person(other, "member", member.account)
    assert (await read(agents, acting, made["id"]))["id"] == made["id"]
    narrow = agents.key_of(member, "learnings:read")
    assert (await agents.get("sessions", narrow)).status_code == 403


async def test_a_method_that_is_none(agents: Agents) -> None:
    admin = await agents.robot("admin")
    answer = await agents.send("PUT", "sessions", admin, json={})
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")
    answer = await agents.send("DELETE", "sessions/x/close", admin)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    answer = await agents.post("sessions", admin, headers={"content-type": "text/plain"})
    assert answer.status_code == 415
