"""Namespaces as an older web client knows them (agents contract, section 4.7)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from services.agents.workspaces import rules
from shared.principal import ANONYMOUS, Principal
from tests.services.agents import agents_support, sessions_support
from tests.services.agents.agents_support import (
    Statements,
    at,
    most_rows,
    said,
    statements,
    together,
)
from tests.services.agents.conftest import Agents, new_name, rule

__all__ = ["statements"]

KEYS = ["id", "name", "description", "created_at", "updated_at"]
DENIED = (403, "Insufficient permissions")
MISSING = (404, "Workspace not found")


@pytest.fixture(scope="module")
async def admin(agents: Agents) -> Principal:
    return await agents.robot("admin")


async def listed(agents: Agents, principal: Principal) -> dict[str, dict[str, Any]]:
    """Give what a caller is shown, by name."""
    answer = await agents.get("workspaces", principal)
    assert answer.status_code == 200, answer.text
    names = [item["name"] for item in answer.json()]
    ids = [item["id"] for item in answer.json()]
    assert ids == sorted(set(ids))
    assert answer.headers["x-total-count"] == str(len(names))
    return {item["name"]: item for item in answer.json()}


async def test_one_is_made_shown_and_dropped(
    agents: Agents, admin: Principal, namespace: str
) -> None:
    body = {"name": namespace, "description": "Ours", "color": "red"}
    answer = await agents.post("workspaces", admin, body)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert list(made) == KEYS
    assert made == made | {"id": namespace, "name": namespace, "description": "Ours"}
    assert made["created_at"] == made["updated_at"]
    assert datetime.fromisoformat(made["created_at"]).tzinfo is not None
    assert (await listed(agents, admin))[namespace] == made
    again = await agents.post("workspaces", admin, {"name": namespace})
    assert said(again) == (409, f"Workspace '{namespace}' already exists")
    answer = await agents.delete(f"workspaces/{namespace}", admin)
    assert (answer.status_code, answer.content) == (204, b"")
    assert namespace not in await listed(agents, admin)
    assert said(await agents.delete(f"workspaces/{namespace}", admin)) == MISSING
    rows = await agents.sql.fetch(
        "SELECT action FROM agents.audit_event WHERE target = $1 ORDER BY id", namespace
    )
    assert [row["action"] for row in rows] == ["workspace.created", "workspace.deleted"]


async def test_people_may_call_one_what_they_like(
    agents: Agents, admin: Principal, namespace: str
) -> None:
    """Its namespace, which is its id, is made from that."""
    body = {"name": f"Räume: {namespace.upper()} (2)", "description": None}
    answer = await agents.post("workspaces", admin, body)
    made = answer.json()
    assert made["name"] == body["name"]
    assert made["id"] == f"r-ume-{namespace}-2"
    assert (await agents.get(f"workspaces/{made['id']}", admin)).json() == made
    assert (await listed(agents, admin))[made["name"]] == made
    again = await agents.post("workspaces", admin, {"name": f"r ume {namespace} 2"})
    assert said(again) == (409, f"Workspace '{made['id']}' already exists")
    assert (await agents.delete(f"workspaces/{made['id']}", admin)).status_code == 204
    stranger = await agents.robot("developer", namespace=namespace)
    assert said(await agents.get(f"workspaces/{made['id']}", stranger)) == MISSING


@pytest.mark.parametrize(
    ("name", "namespace"),
    [
        ("Kept.As_is-1", "Kept.As_is-1"),
        ("Development Environment", "development-environment"),
        ("  a  b  ", "a-b"),
        ("Ü", "workspace"),
        ("..", "workspace"),
        ("@..@", "workspace"),
        ("...", "..."),
    ],
)
def test_a_namespace_is_made_from_any_name(name: str, namespace: str) -> None:
    assert rules.namespace_of(name) == namespace


async def test_one_is_there_because_something_is_in_it(
    agents: Agents, admin: Principal, namespace: str
) -> None:
    with_agent, with_session = f"{namespace}-a", f"{namespace}-s"
    agent = await agents_support.make(agents, admin, with_agent)
    session = await sessions_support.make(agents, admin, with_session)
    found = await listed(agents, admin)
    for name, made in ((with_agent, agent), (with_session, session)):
        times = (found[name]["created_at"], found[name]["updated_at"])
        assert times == (made["created_at"], made["created_at"])
        held = f"Workspace '{name}' still holds active agents or sessions"
        assert said(await agents.delete(f"workspaces/{name}", admin)) == (409, held)
        taken = await agents.post("workspaces", admin, {"name": name})
        assert said(taken) == (409, f"Workspace '{name}' already exists")
    later = await agents_support.make(agents, admin, with_agent)
    assert (await listed(agents, admin))[with_agent] == {
        "id": with_agent,
        "name": with_agent,
        "description": None,
        "created_at": agent["created_at"],
        "updated_at": later["created_at"],
    }
    for path in (f"agents/{agent['id']}", f"agents/{later['id']}", f"sessions/{session['id']}"):
        assert (await agents.delete(path, admin)).status_code == 204
    found = await listed(agents, admin)
    assert not {with_agent, with_session} & set(found)
    assert said(await agents.delete(f"workspaces/{with_agent}", admin)) == MISSING
    assert (await agents.post("workspaces", admin, {"name": with_agent})).status_code == 201


async def test_one_that_was_made_stays_while_it_is_used(
    agents: Agents, admin: Principal, namespace: str
) -> None:
    made = (await agents.post("workspaces", admin, {"name": namespace})).json()
    agent = await agents_support.make(agents, admin, namespace)
    shown = (await listed(agents, admin))[namespace]
    assert shown == made | {"updated_at": agent["created_at"]}
    assert (await agents.delete(f"workspaces/{namespace}", admin)).status_code == 409
    assert (await agents.delete(f"agents/{agent['id']}", admin)).status_code == 204
    assert (await agents.delete(f"workspaces/{namespace}", admin)).status_code == 204


async def test_a_caller_is_shown_where_they_hold_something(
    agents: Agents, admin: Principal, namespace: str
) -> None:
    others = f"{namespace}-others"
    await agents_support.make(agents, admin, namespace)
    await agents_support.make(agents, admin, others)
    viewer = await agents.robot("viewer", namespace=namespace)
    await agents.bind("viewer", viewer, f"{namespace}-empty")
    found = await listed(agents, viewer)
    assert list(found) == [namespace, f"{namespace}-empty"]
    empty = found[f"{namespace}-empty"]
    assert datetime.fromisoformat(empty["created_at"]) <= datetime.fromisoformat(
        found[namespace]["created_at"]
    )
    assert await listed(agents, viewer) == found
    assert await listed(agents, await agents.robot()) == {}
    blind = await agents.holding(rule("roles", "*"))
    assert await listed(agents, blind) == {}, "holds something everywhere, but may list nothing"
    for resource in ("agents", "sessions"):
        everywhere = await agents.holding(rule(resource, "list"))
        assert {namespace, others} <= set(await listed(agents, everywhere))


async def test_people_learn_what_their_namespace_is_called(agents: Agents) -> None:
    org, slug = await agents.organization()
    member = agents.person(org)
    assert list(await listed(agents, member)) == [slug]
    answer = await agents.delete(f"workspaces/{slug}", member)
    assert said(answer) == (409, f"Workspace '{slug}' is there while you hold rights in it")
    body = {"name": slug, "description": "Home"}
    assert (await agents.post("workspaces", member, body)).status_code == 201
    assert (await listed(agents, member))[slug]["description"] == "Home"
    platform = agents.person(org, role="platform_admin")
    assert slug in await listed(agents, platform)


async def test_who_may_not(agents: Agents, admin: Principal, namespace: str) -> None:
    viewer = await agents.robot("viewer", namespace=namespace)
    stranger = await agents.robot("developer", namespace=f"{namespace}-2")
    body = {"name": namespace}
    for principal in (viewer, stranger):
        assert said(await agents.post("workspaces", principal, body)) == DENIED
    assert (await agents.post("workspaces", admin, body)).status_code == 201
    assert said(await agents.delete(f"workspaces/{namespace}", viewer)) == DENIED
    assert said(await agents.delete(f"workspaces/{namespace}", stranger)) == MISSING
    for resource in ("agents", "sessions"):
        maker = await agents.holding(rule(resource, "create delete"), namespace=f"x-{namespace}")
        wanted = {"name": f"x-{namespace}"}
        assert (await agents.post("workspaces", maker, wanted)).status_code == 201
        assert (await agents.delete(f"workspaces/x-{namespace}", maker)).status_code == 204
    for method, path in (("GET", "workspaces"), ("POST", "workspaces"), ("DELETE", "workspaces/x")):
        answer = await agents.send(method, path, ANONYMOUS, json=body)
        assert said(answer) == (401, "Authentication required")


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({}, ["name"]),
        ({"name": None}, ["name"]),
        ({"name": ""}, ["name"]),
        ({"name": "a/b"}, ["name"]),
        ({"name": "a\nb"}, ["name"]),
        ({"name": "  "}, ["name"]),
        ({"name": "../x"}, ["name"]),
        ({"name": "x" * 256}, ["name"]),
        ({"name": "x", "description": "x" * 1001}, ["description"]),
        ({"name": "x", "description": "\x00"}, ["description"]),
        ({"name": "x", "description": 1}, ["description"]),
    ],
)
async def test_what_is_wrong_is_named(
    agents: Agents, admin: Principal, body: dict[str, Any], loc: list[str]
) -> None:
    assert at(await agents.post("workspaces", admin, body)) == [["body", *loc]]


@pytest.mark.parametrize("reference", ["a%20b", "x" * 256, "%C3%BC", "%FF"])
async def test_what_is_no_name_is_not_there(
    agents: Agents, admin: Principal, reference: str
) -> None:
    assert said(await agents.delete(f"workspaces/{reference}", admin)) == MISSING
    for method in ("GET", "POST"):
        path = f"workspaces/{reference}/sessions"
        assert said(await agents.send(method, path, admin, json={})) == MISSING


async def test_of_many_that_make_one_one_does(
    agents: Agents, admin: Principal, namespace: str
) -> None:
    body = {"name": namespace}
    counted = await together(*(agents.post("workspaces", admin, body) for _ in range(20)))
    assert counted == {201: 1, 409: 19}
    path = f"workspaces/{namespace}"
    counted = await together(*(agents.delete(path, admin) for _ in range(20)))
    assert counted == {204: 1, 404: 19}
    headers = {"idempotency-key": new_name("key")}
    answers = [await agents.post("workspaces", admin, body, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()


async def test_pages_and_what_they_cost(
    agents: Agents, admin: Principal, statements: Statements
) -> None:
    prefix = new_name("page")
    await agents.sql.execute(
        """
        INSERT INTO agents.agent (id, namespace, name, model)
        SELECT gen_random_uuid(), $1 || '-' || lpad((n % 50)::text, 2, '0'), n::text, 'm'
          FROM generate_series(1, 5000) AS n
        """,
        prefix,
    )
    await agents.sql.execute("ANALYZE agents.agent")
    names = list(await listed(agents, admin))
    pages = [
        (await agents.get(f"workspaces?limit=30&page={page}", admin)).json() for page in (1, 2)
    ]
    assert [one["name"] for page in pages for one in page] == names[:60]
    assert {f"{prefix}-{number:02}" for number in range(50)} <= set(names)
    statements.seen.clear()
    answer = await agents.get("workspaces?limit=30&page=2", admin)
    assert answer.headers["x-total-count"] == str(len(names))
    assert 'rel="prev"' in answer.headers["link"]
    assert len(statements.of("workspace")) == 2
    walked, _ = await statements.plans(agents.sql, "workspace")
    assert most_rows(walked, "agent") <= len(names) + 1
    assert most_rows(walked, "session") <= len(names) + 1
    assert (await agents.get("workspaces?limit=0", admin)).status_code == 422
