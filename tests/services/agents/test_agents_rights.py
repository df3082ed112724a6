"""Who may do what with agents, and who does not learn that they are there (sections 7 and 9.2)."""

from __future__ import annotations

from typing import Any

import pytest

from shared.principal import Principal
from tests.services.agents.agents_support import make, names_in, said
from tests.services.agents.conftest import Agents, new_name, rule

DENIED = (403, "Insufficient permissions")
MISSING = (404, "Agent not found")
VERBS = {"GET": "get", "PUT": "update", "PATCH": "update", "DELETE": "delete"}


@pytest.fixture(scope="module")
async def admin(agents: Agents) -> Principal:
    return await agents.robot("admin")


async def rows_of(agents: Agents, namespace: str) -> list[Any]:
    """Everything that is kept of a namespace."""
    return [
        tuple(row)
        for table in ("agent", "audit_event")
        for row in await agents.sql.fetch(
            f"SELECT t::text FROM agents.{table} t WHERE namespace = $1",  # noqa: S608
            namespace,
        )
    ]


async def test_a_binding_in_one_namespace_gives_nothing_outside(
    agents: Agents, admin: Principal
) -> None:
    acme, other = new_name("acme"), new_name("other")
    mine, foreign = [await make(agents, admin, one) for one in (acme, other)]
    viewer = await agents.robot("viewer", namespace=acme)
    assert await names_in(agents, viewer, f"agents?namespace={acme}") == [mine["name"]]
    assert await names_in(agents, viewer, "agents") == [mine["name"]]
    assert said(await agents.get(f"agents?namespace={other}", viewer)) == DENIED
    owner = await agents.robot("org-admin", namespace=acme)
    body = {"name": "x", "namespace": other, "model": "m"}
    assert said(await agents.post("agents", owner, body)) == DENIED
    before = await rows_of(agents, other)
    for method in VERBS:
        named = f"agents/{foreign['name']}?namespace={other}"
        expected = (400, "Invalid agent ID format") if method in ("PUT", "PATCH") else MISSING
        for path, answered in ((f"agents/{foreign['id']}", MISSING), (named, expected)):
            answer = await agents.send(method, path, owner, json={"model": "x"})
            assert said(answer) == answered, (method, path)
    assert await rows_of(agents, other) == before


@pytest.mark.parametrize("method", VERBS)
async def test_who_is_bound_but_lacks_the_verb_is_refused(
    agents: Agents, admin: Principal, namespace: str, method: str
) -> None:
    made = await make(agents, admin, namespace)
    all_others = "list create " + " ".join(verb for verb in set(VERBS.values()) - {VERBS[method]})
    lacking = await agents.holding(rule("agents", all_others), namespace=namespace)
    before = await rows_of(agents, namespace)
    for reference in (made["id"], f"{made['name']}?namespace={namespace}"):
        answer = await agents.send(method, f"agents/{reference}", lacking, json={"model": "x"})
        assert said(answer) == DENIED
    assert await rows_of(agents, namespace) == before
    holding = await agents.holding(rule("agents", VERBS[method]), namespace=namespace)
    answer = await agents.send(method, f"agents/{made['id']}", holding, json={"model": "x"})
    assert answer.status_code == (204 if method == "DELETE" else 200)


async def test_creating_and_listing_need_their_verbs(
    agents: Agents, admin: Principal, namespace: str
) -> None:
    await make(agents, admin, namespace)
    body = {"name": "x", "namespace": namespace, "model": "m"}
    lacking = await agents.holding(rule("agents", "get update delete"), namespace=namespace)
    for path in ("agents", f"agents?namespace={namespace}"):
        assert said(await agents.get(path, lacking)) == DENIED
    assert said(await agents.post("agents", lacking, body)) == DENIED
    named = await agents.holding(rule("agents", "list create", names=("x",)), namespace=namespace)
    assert said(await agents.get("agents", named)) == DENIED, "names never help with lists"
    assert said(await agents.post("agents", named, body)) == DENIED
    maker = await agents.holding(rule("agents", "create"), namespace=namespace)
    assert (await agents.post("agents", maker, body)).status_code == 201
    assert said(await agents.get("agents", maker)) == DENIED


async def test_a_rule_may_name_its_agents(agents: Agents, admin: Principal, namespace: str) -> None:
    one, other = [await make(agents, admin, namespace) for _ in range(2)]
    for names in ((one["name"],), (one["id"], "x")):
        held = rule("agents", "get update delete", names=names)
        holder = await agents.holding(held, namespace=namespace)
        assert (await agents.get(f"agents/{one['id']}", holder)).status_code == 200
        assert (await agents.get(f"agents/{one['name']}", holder)).status_code == 200
        for method in VERBS:
            answer = await agents.send(method, f"agents/{other['id']}", holder, json={"model": "x"})
            assert said(answer) == DENIED
    by_name = await agents.holding(
        rule("agents", "update", names=(one["name"],)), namespace=namespace
    )
    renamed = {"name": new_name("agent")}
    answer = await agents.put(f"agents/{one['id']}", by_name, renamed)
    assert said(answer) == DENIED, "it would be taken out of its own hands"
    by_id = await agents.holding(rule("agents", "update", names=(one["id"],)), namespace=namespace)
    assert (await agents.put(f"agents/{one['id']}", by_id, renamed)).status_code == 200


async def test_restoring_needs_update(agents: Agents, admin: Principal, namespace: str) -> None:
    made = await make(agents, admin, namespace)
    await agents.delete(f"agents/{made['id']}", admin)
    viewer = await agents.robot("viewer", namespace=namespace)
    assert said(await agents.put(f"agents/{made['id']}", viewer, {"active": True})) == DENIED
    assert said(await agents.get(f"agents/{made['id']}", viewer)) == MISSING
    assert await names_in(agents, viewer, f"agents?namespace={namespace}&active=false") == [
        made["name"]
    ]
    developer = await agents.robot("developer", namespace=namespace)
    assert (await agents.put(f"agents/{made['id']}", developer, {"active": True})).json() == (
        await agents.get(f"agents/{made['id']}", viewer)
    ).json()


async def test_who_holds_nothing(agents: Agents, admin: Principal, namespace: str) -> None:
    made = await make(agents, admin, namespace)
    nobody = await agents.robot()
    assert said(await agents.get("agents", nobody)) == DENIED
    assert said(await agents.get(f"agents?namespace={namespace}", nobody)) == DENIED
    assert said(await agents.get(f"agents/{made['id']}", nobody)) == MISSING
    assert said(await agents.get(f"agents/{made['name']}", nobody)) == MISSING


async def test_people_work_in_the_namespace_of_their_organization(agents: Agents) -> None:
    org, slug = await agents.organization()
    _, foreign = await agents.organization()
    member = agents.person(org)
    made = await make(agents, member, slug)
    assert await names_in(agents, member, "agents") == [made["name"]]
    assert (await agents.get(f"agents/{made['name']}", member)).json() == made
    assert said(await agents.get(f"agents?namespace={foreign}", member)) == DENIED
    body = {"name": "x", "model": "m"}
    assert said(await agents.post("agents", member, body)) == DENIED, "default is not theirs"
    stranger = agents.person((await agents.organization())[0], role="owner")
    assert said(await agents.get(f"agents/{made['id']}", stranger)) == MISSING
    key = agents.key_of(member)
    assert (await agents.get(f"agents/{made['id']}", key)).json() == made
    narrow = agents.key_of(member, "learnings:read")
    assert said(await agents.get(f"agents/{made['id']}", narrow)) == DENIED


async def test_a_right_that_ends_ends_at_once(
    agents: Agents, admin: Principal, namespace: str
) -> None:
    made = await make(agents, admin, namespace)
    robot = await agents.robot()
    assert said(await agents.get(f"agents/{made['id']}", robot)) == MISSING
    binding = await agents.bind("viewer", robot, namespace)
    assert (await agents.get(f"agents/{made['id']}", robot)).status_code == 200
    await agents.sql.execute("DELETE FROM agents.role_binding WHERE id = $1", binding)
    agents.forget()
    assert said(await agents.get(f"agents/{made['id']}", robot)) == MISSING
