"""The copy of access that the agents service keeps: a snapshot, then events in any order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.auth.role_bindings.models import AccessSnapshot
from services.auth.role_bindings.operations import forget_person, resolve_person
from tests.services.auth.agents_support import (
    ACCOUNTS,
    BINDINGS,
    ROLES,
    Agents,
    new_name,
    rule,
    running_agents,
)
from tests.services.auth.conftest import GATEWAY, new_address
from tests.support.postgres import DatabaseServer

SNAPSHOT = "/internal/access/snapshot"
IDS = {
    "role.changed.v1": ("roles", "role_id"),
    "role_binding.changed.v1": ("bindings", "binding_id"),
    "service_account.changed.v1": ("service_accounts", "service_account_id"),
}
FIELDS = {
    "roles": ("name", "rules"),
    "bindings": ("role_id", "principal_type", "principal_name", "principal_id", "namespace"),
    "service_accounts": ("name", "active"),
}


@pytest.fixture(scope="module")
async def agents(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Agents]:
    folder = tmp_path_factory.mktemp("data")
    async with database_server.clone() as urls, running_agents(urls, folder) as running:
        yield running


async def take(agents: Agents) -> AccessSnapshot:
    answer = await agents.auth.send("POST", SNAPSHOT, GATEWAY)
    assert answer.status_code == 200, answer.text
    return AccessSnapshot.model_validate_json(answer.content)


def rows_of(snapshot: AccessSnapshot) -> dict[tuple[str, str], dict[str, Any]]:
    found = {}
    for table, fields in FIELDS.items():
        for item in getattr(snapshot, table):
            written = item.model_dump(mode="json")
            found[table, item.id] = {name: written[name] for name in fields}
    return found


class Copy:
    """What a consumer of the events keeps: nothing of before the snapshot, nothing older per id."""

    def __init__(self, snapshot: AccessSnapshot) -> None:
        self.rows = rows_of(snapshot)
        self._begin = snapshot.version
        self._newest: dict[tuple[str, str], int] = {}

    def hear(self, kind: str, event: dict[str, Any]) -> None:
        table, id_field = IDS[kind]
        key = table, event[id_field]
        if event["version"] <= max(self._begin, self._newest.get(key, 0)):
            return
        self._newest[key] = event["version"]
        if event["deleted"]:
            self.rows.pop(key, None)
        else:
            self.rows[key] = {name: event[name] for name in FIELDS[table]}
            if table == "roles":
                for one in self.rows[key]["rules"]:
                    if one["resource_names"] is None:
                        del one["resource_names"]


async def said(agents: Agents) -> list[tuple[str, str]]:
    rows = await agents.auth.sql.fetch(
        "SELECT kind, payload FROM auth.outbox WHERE kind = ANY($1) ORDER BY id", list(IDS)
    )
    return [(row["kind"], row["payload"]) for row in rows]


@dataclass
class History:
    """What happened: snapshots taken meanwhile, every event, and the state at the end."""

    snapshots: list[AccessSnapshot]
    events: list[tuple[str, str]]
    end: AccessSnapshot


class Writer:
    """Makes, changes and deletes at random, as many others do at the same time."""

    def __init__(self, agents: Agents, seed: int) -> None:
        self.agents = agents
        self.chance = Random(seed)
        self.names = [new_name() for _ in range(3)]
        self.roles = [new_name("role") for _ in range(2)]

    async def work(self, steps: int) -> None:
        for _ in range(steps):
            await self.chance.choice(
                (self._account, self._role, self._bind, self._bind, self._unbind, self._change)
            )()

    async def _account(self) -> None:
        name = self.chance.choice(self.names)
        if self.chance.random() < 0.6:
            await self.agents.post(ACCOUNTS, {"user": name, "pass": "x"})
        else:
            await self.agents.delete(f"{ACCOUNTS}/{name}")

    async def _change(self) -> None:
        path = f"{ACCOUNTS}/{self.chance.choice(self.names)}"
        if self.chance.random() < 0.5:
            await self.agents.put(path, {"active": self.chance.random() < 0.5})
        else:
            await self.agents.put(f"{path}/password", {"new_password": "y"})

    async def _role(self) -> None:
        name = self.chance.choice(self.roles)
        if self.chance.random() < 0.6:
            body = {"name": name, "rules": [rule("agents", self.chance.choice(("get", "list")))]}
            await self.agents.post(ROLES, body)
        else:
            await self.agents.delete(f"{ROLES}/{name}")

    async def _bind(self) -> None:
        body = {
            "role_name": self.chance.choice([*self.roles, "viewer"]),
            "principal_name": self.chance.choice(self.names),
            "principal_type": self.chance.choice(("ServiceAccount", "Subject")),
            "namespace": self.chance.choice((None, "acme")),
        }
        await self.agents.post(BINDINGS, body)

    async def _unbind(self) -> None:
        name = self.chance.choice(self.names)
        listed = (await self.agents.get(f"{BINDINGS}?principal_name={name}")).json()
        if listed:
            await self.agents.delete(f"{BINDINGS}/{self.chance.choice(listed)['id']}")


@pytest.fixture(scope="module")
async def history(agents: Agents) -> History:
    """Let six writers work at once, take snapshots meanwhile, and let a person come and go."""
    snapshots = [await take(agents)]
    writers = [asyncio.ensure_future(Writer(agents, seed).work(25)) for seed in range(6)]
    while not all(writer.done() for writer in writers):
        snapshots.append(await take(agents))
    await asyncio.gather(*writers)
    address, sql = new_address(), agents.auth.sql
    await agents.bind("viewer", address, kind="User")
    await agents.bind("viewer", address, "acme", kind="Subject")
    await agents.auth.register(address)
    token = await agents.auth.token_for(address)
    await agents.auth.post("/v1/auth/verify-email", token=token)
    account = await sql.fetchval("SELECT id FROM auth.account WHERE email = $1", address)
    for happens in (resolve_person, forget_person):
        snapshots.append(await take(agents))
        async with sql.transaction():
            await happens(sql, account)
    return History(snapshots, await said(agents), await take(agents))


def test_numbers_have_no_gaps_and_rise_in_the_order_of_commits(history: History) -> None:
    versions = [json.loads(payload)["version"] for _, payload in history.events]
    assert sorted(versions) == list(range(1, history.end.version + 1))
    taken = [snapshot.version for snapshot in history.snapshots]
    assert taken == sorted(taken)
    assert len(set(taken)) > 5, "no snapshot was taken amid the changes"


def test_a_snapshot_is_exactly_what_was_said_up_to_its_number(history: History) -> None:
    empty = history.end.model_copy(
        update={"version": 0, "roles": [], "bindings": [], "service_accounts": []}
    )
    for snapshot in (*history.snapshots, history.end):
        copy = Copy(empty)
        for kind, payload in history.events:
            event = json.loads(payload)
            if event["version"] <= snapshot.version:
                copy.hear(kind, event)
        assert copy.rows == rows_of(snapshot)


@settings(max_examples=60, deadline=None)
@given(chance=st.randoms(use_true_random=False))
def test_events_in_any_order_and_number_lead_to_the_same(history: History, chance: Random) -> None:
    copy = Copy(chance.choice(history.snapshots))
    events = [*history.events, *chance.choices(history.events, k=50)]
    chance.shuffle(events)
    for kind, payload in events:
        copy.hear(kind, json.loads(payload))
    assert copy.rows == rows_of(history.end)


async def test_a_snapshot_is_for_services_alone(agents: Agents) -> None:
    assert (await agents.post(SNAPSHOT, {})).status_code == 401
    root = await agents.auth.make_platform_admin(await agents.auth.person())
    assert (await agents.post(SNAPSHOT, {}, root.principal)).status_code == 401


async def test_a_snapshot_names_organizations_and_what_their_people_hold(agents: Agents) -> None:
    ada = await agents.auth.person("Ada Lovelace")
    snapshot = await take(agents)
    slugs = {item.org_id: item.slug for item in snapshot.organizations}
    assert slugs[ada.claims.org].startswith("ada-lovelace")
    assert set(snapshot.standings) == {"owner", "admin", "member"}
    assert snapshot.standings["owner"] == snapshot.standings["admin"]
    assert snapshot.standings["member"][0].resources == ("agents", "sessions")


async def test_what_is_refused_is_not_said(agents: Agents) -> None:
    before, version = await said(agents), (await take(agents)).version
    account = await agents.account()
    for answer in (
        await agents.post(ACCOUNTS, {"user": account["user"], "pass": "x"}),
        await agents.post(ROLES, {"name": "admin", "rules": []}),
        await agents.post(BINDINGS, {"role_name": "admin", "principal_name": "admin"}),
        await agents.delete(f"{ACCOUNTS}/admin"),
        await agents.delete(f"{BINDINGS}/admin"),
    ):
        assert answer.status_code == 409
    await agents.put(f"{ACCOUNTS}/{account['id']}", {"description": "x", "active": True})
    assert len(await said(agents)) == len(before) + 1
    assert (await take(agents)).version == version + 1
