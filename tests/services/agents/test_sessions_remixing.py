"""Remixing sessions (agents contract, sections 4.5, 5 and 9.11)."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.principal import Principal
from tests.services.agents import agents_support
from tests.services.agents.agents_support import at, said
from tests.services.agents.conftest import Agents, new_name, rule
from tests.services.agents.sessions_support import (
    KEYS,
    STATES,
    audited,
    changes_of,
    jobs_of,
    listed,
    make,
    put_into,
    read,
    row_of,
    said_of,
    snapshot_of,
)


@pytest.fixture
async def dev(agents: Agents, namespace: str) -> Principal:
    return await agents.robot("developer", namespace=namespace)


async def remixed(
    agents: Agents, principal: Principal, parent: dict[str, Any], **wanted: Any
) -> dict[str, Any]:
    """Remix a session, and give what that made."""
    answer = await agents.post(f"sessions/{parent['id']}/remix", principal, wanted)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def full(agents: Agents, principal: Principal, namespace: str) -> dict[str, Any]:
    """Make a session with everything that a remix copies."""
    chosen = [await agents_support.make(agents, principal, namespace) for _ in range(2)]
    return await make(
        agents,
        principal,
        namespace,
        name="Parent",
        starting_prompt="Be kind.",
        agent_ids=[agent["id"] for agent in chosen],
        waiting_timeout_seconds=77,
        metadata={"k": [1]},
    )


@pytest.mark.parametrize("state", STATES)
async def test_what_is_not_said_is_as_in_the_parent(
    agents: Agents, dev: Principal, namespace: str, state: str
) -> None:
    parent = await full(agents, dev, namespace)
    await put_into(agents, parent["id"], state)
    old = await snapshot_of(agents, parent["id"])
    made = await remixed(agents, dev, parent)
    assert list(made) == KEYS
    same = ("starting_prompt", "agents", "waiting_timeout_seconds", "metadata", "namespace")
    assert {key: made[key] for key in same} == {key: parent[key] for key in same}
    assert made["id"] != parent["id"]
    assert (made["name"], made["state"]) == ("Parent-remix", "INIT")
    assert made["parent_session_id"] == parent["id"]
    assert (made["container_id"], made["started_at"], made["terminated_at"]) == (None,) * 3
    assert await read(agents, dev, made["id"]) == made
    assert await changes_of(agents, made["id"]) == ["INIT"]
    assert await jobs_of(agents, made["id"]) == [("create_session", "pending")]
    created = (await said_of(agents, made["id"]))[0]
    assert (created["kind"], created["parent_session_id"]) == ("session.created.v1", parent["id"])
    assert await audited(agents, made["id"]) == [
        ("session.remixed", dev.subject, {"parent": parent["id"]})
    ]
    assert (await snapshot_of(agents, parent["id"]))[0] == old[0]
    assert not await agents.sql.fetchval(
        "SELECT count(*) FROM agents.message WHERE session_id = $1", UUID(made["id"])
    )


async def test_what_is_said_counts(agents: Agents, dev: Principal, namespace: str) -> None:
    parent = await full(agents, dev, namespace)
    other = await agents_support.make(agents, dev, namespace)
    made = await remixed(
        agents,
        dev,
        parent,
        name="Child",
        starting_prompt="",
        agent_ids=[other["name"], other["id"]],
        waiting_timeout_seconds=None,
        metadata={"mine": 1},
        new_session_metadata={"not": "mine"},
        namespace=namespace,
    )
    assert (made["name"], made["starting_prompt"]) == ("Child", "")
    assert [agent["id"] for agent in made["agents"]] == [other["id"]]
    assert made["waiting_timeout_seconds"] is None
    assert made["metadata"] == {"mine": 1}
    assert (await remixed(agents, dev, parent, agent_ids=[]))["agents"] == []
    by_alias = await remixed(agents, dev, parent, new_session_metadata={"cli": True})
    assert by_alias["metadata"] == {"cli": True}
    nothing = await remixed(agents, dev, parent, metadata={})
    assert nothing["metadata"] == {}
    copied = await remixed(agents, dev, parent, name=None, starting_prompt=None, agent_ids=None)
    assert (copied["name"], copied["starting_prompt"]) == ("Parent-remix", "Be kind.")
    assert copied["agents"] == parent["agents"]


async def test_names_stay_within_their_limit(
    agents: Agents, dev: Principal, namespace: str
) -> None:
    parent = await make(agents, dev, namespace, name="x" * 255)
    child = await remixed(agents, dev, parent)
    assert child["name"] == "x" * 249 + "-remix"
    assert (await remixed(agents, dev, child))["name"] == "x" * 249 + "-remix"


@pytest.mark.parametrize("word", ["namespace", "workspace", "space"])
async def test_a_remix_stays_in_its_namespace(agents: Agents, namespace: str, word: str) -> None:
    admin = await agents.robot("admin")
    parent = await make(agents, admin, namespace)
    answer = await agents.post(f"sessions/{parent['id']}/remix", admin, {word: new_name("ns")})
    assert said(answer) == (400, "A remix stays in the namespace of its parent")
    assert (await remixed(agents, admin, parent, **{word: namespace}))["namespace"] == namespace


async def test_the_dialect_is_inherited_unless_said(agents: Agents, namespace: str) -> None:
    dev = await agents.robot("developer", namespace=namespace)
    parent = (await agents.post("sessions", dev, {"space": namespace})).json()
    made = await remixed(agents, dev, parent, new_session_metadata={"a": 1})
    assert (made["state"], made["space"]) == ("init", namespace)
    made = await remixed(agents, dev, parent, namespace=namespace)
    assert (made["state"], made.get("space")) == ("INIT", None)
    made = await remixed(agents, dev, made, space=namespace)
    assert (made["state"], made["space"]) == ("init", namespace)


async def test_agents_that_went_stay_behind_and_that_is_noted(
    agents: Agents, dev: Principal, namespace: str
) -> None:
    parent = await full(agents, dev, namespace)
    gone, stays = parent["agents"]
    assert (await agents.delete(f"agents/{gone['id']}", dev)).status_code == 204
    made = await remixed(agents, dev, parent)
    assert made["agents"] == [stays]
    note = {"dropped_agents": [{"id": gone["id"], "name": gone["name"]}]}
    assert made["metadata"] == parent["metadata"] | note
    made = await remixed(agents, dev, parent, metadata={"mine": 1})
    assert made["metadata"] == {"mine": 1} | note
    answer = await agents.post(f"sessions/{parent['id']}/remix", dev, {"agent_ids": [gone["id"]]})
    assert said(answer) == (400, f"Agent {gone['id']} not found or inactive")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "x" * 256),
        ("starting_prompt", 1),
        ("agent_ids", "all"),
        ("waiting_timeout_seconds", -1),
        ("metadata", []),
        ("new_session_metadata", "x"),
        ("namespace", "../x"),
    ],
)
async def test_a_wrong_field_is_named(
    agents: Agents, dev: Principal, namespace: str, field: str, value: Any
) -> None:
    parent = await make(agents, dev, namespace)
    answer = await agents.post(f"sessions/{parent['id']}/remix", dev, {field: value})
    assert at(answer) == [["body", field]]


async def test_others_remix_with_two_permissions(agents: Agents, namespace: str) -> None:
    owner = await agents.robot("developer", namespace=namespace)
    parent = await full(agents, owner, namespace)
    path = f"sessions/{parent['id']}/remix"
    allowed = await agents.holding(rule("sessions", "remix-all create"), namespace=namespace)
    made = await remixed(agents, allowed, parent)
    row = await row_of(agents, made["id"])
    assert (row["owner_type"], row["owner_id"]) == ("ServiceAccount", allowed.subject)
    assert made["created_by"] != parent["created_by"]
    assert await listed(agents, allowed) == [made["id"]]
    looks = await agents.holding(rule("sessions", "remix-all"), namespace=namespace)
    assert said(await agents.post(path, looks)) == (403, "Insufficient permissions")
    makes = await agents.holding(rule("sessions", "create get-all update"), namespace=namespace)
    assert said(await agents.post(path, makes)) == (403, "Cannot remix other users' sessions")
    elsewhere = await agents.holding(rule("sessions", "remix-all create"), namespace="other")
    assert said(await agents.post(path, elsewhere)) == (404, "Parent session not found")


async def test_an_owner_who_may_create_no_more(agents: Agents, namespace: str) -> None:
    owner = await agents.robot()
    binding = await agents.bind("developer", owner, namespace)
    parent = await make(agents, owner, namespace)
    await agents.sql.execute("DELETE FROM agents.role_binding WHERE id = $1", binding)
    agents.forget()
    answer = await agents.post(f"sessions/{parent['id']}/remix", owner)
    assert said(answer) == (403, "Insufficient permissions")


async def test_a_key_remixes_once(agents: Agents, dev: Principal, namespace: str) -> None:
    parent = await make(agents, dev, namespace)
    key = {"idempotency-key": new_name("key")}
    path = f"sessions/{parent['id']}/remix"
    first = await agents.post(path, dev, {"name": "once"}, headers=key)
    again = await agents.post(path, dev, {"name": "once"}, headers=key)
    assert again.content == first.content
    assert len(await listed(agents, dev)) == 2


async def test_a_parent_that_is_nowhere(agents: Agents, dev: Principal) -> None:
    answer = await agents.post(f"sessions/{uuid4()}/remix", dev)
    assert said(answer) == (404, "Parent session not found")
