"""What teams hears of machines, accounts and organizations: in time, twice, and late."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.teams.consumers import SUBSCRIPTIONS
from shared.bus import Event
from shared.contracts.auth import (
    AccountDeleted,
    MachineLinked,
    MachineRevoked,
    OrganizationDeleted,
)
from shared.db import Database
from tests.services.teams.account_support import new_account, placed
from tests.services.teams.conftest import FakeAuth, Machine
from tests.services.teams.sharing_support import Sql, invited, join, member_of
from tests.support.postgres import DatabaseUrls


@pytest.fixture(scope="module")
async def database(urls: DatabaseUrls) -> AsyncIterator[Database]:
    database = await Database.connect(urls.url("teams"), size=2)
    yield database
    await database.close()


async def hear(database: Database, *events: Event) -> None:
    """Deliver events as the inbox would."""
    for event in events:
        (handler,) = [row.handler for row in SUBSCRIPTIONS if row.event is type(event)]
        async with database.transaction() as connection:
            await handler(connection, event)


def revoked(auth: FakeAuth, machine: Machine, account: str, *, barred: bool = True) -> Event:
    version = auth.revoke(machine.token, barred=barred)
    return MachineRevoked(token=machine.token, account_id=account, version=version)


async def is_member(machine: Machine) -> bool:
    answer = await machine.send("GET", f"/api/teams/{machine.token}/head")
    assert answer.status_code in (200, 404)
    return answer.status_code == 200


async def test_a_revoked_machine_leaves_all_teams_and_nobody_else_does(
    database: Database, auth: FakeAuth, machine: Machine, sql: Sql
) -> None:
    account = new_account()
    auth.link(machine.token, account)
    made = await placed(machine, sql, 3)
    other = await member_of(machine, team_id=made[0])
    event = revoked(auth, machine, account)
    for _ in range(2):
        await hear(database, event)
    assert await machine_teams(sql, machine) == []
    assert await is_member(other)
    said = await sql.fetchval(
        "SELECT count(*) FROM teams.outbox WHERE kind = 'team.left.v1'"
        " AND payload::text LIKE '%' || $1 || '%'",
        machine.token,
    )
    assert said == 3


async def machine_teams(sql: Sql, machine: Machine) -> list[str]:
    rows = await sql.fetch(
        "SELECT team_id FROM teams.membership WHERE token = $1 ORDER BY team_id", machine.token
    )
    return [str(row["team_id"]) for row in rows]


async def test_a_late_revocation_does_not_end_what_was_joined_after_a_new_link(
    database: Database, auth: FakeAuth, machine: Machine, stranger: Machine
) -> None:
    account = new_account()
    auth.link(stranger.token, account)
    await machine.make()
    code = await invited(machine)
    assert (await join(stranger, code)).status_code == 200
    stale = revoked(auth, stranger, account)
    await hear(database, stale)
    assert not await is_member(stranger)
    assert (await join(stranger, code)).status_code == 404  # barred
    auth.link(stranger.token, account)
    assert (await join(stranger, code)).status_code == 200
    # Whether or not the new link was heard of before.
    await hear(database, stale)
    assert await is_member(stranger)
    version = auth.owners[stranger.token]["version"]
    linked = MachineLinked(token=stranger.token, account_id=account, version=version)
    await hear(database, linked, linked, stale)
    assert await is_member(stranger)
    await hear(database, revoked(auth, stranger, account), linked)
    assert not await is_member(stranger)


async def test_a_machine_that_erased_itself_and_came_back_stays(
    database: Database, auth: FakeAuth, machine: Machine, stranger: Machine
) -> None:
    account = new_account()
    auth.link(stranger.token, account)
    await machine.make()
    code = await invited(machine)
    assert (await join(stranger, code)).status_code == 200
    late = revoked(auth, stranger, account, barred=False)
    erased = await stranger.send("DELETE", f"/api/token/{stranger.token}/erase")
    assert erased.json()["teams_removed"] == 1
    assert (await join(stranger, code)).status_code == 200
    await hear(database, late, late)
    assert await is_member(stranger)


async def test_a_team_made_after_the_revocation_was_known_stays(
    database: Database, auth: FakeAuth, machine: Machine
) -> None:
    account = new_account()
    auth.link(machine.token, account)
    late = revoked(auth, machine, account)
    await machine.make()
    await hear(database, late)
    assert await is_member(machine)


async def test_what_was_joined_while_it_was_revoked_ends(
    database: Database, auth: FakeAuth, machine: Machine, stranger: Machine
) -> None:
    """The question whose machine it is came before the revocation, the membership after it."""
    account = new_account()
    auth.link(stranger.token, account)
    await machine.make()
    code = await invited(machine)
    assert (await join(stranger, code)).status_code == 200
    await hear(database, revoked(auth, stranger, account))
    assert not await is_member(stranger)


async def test_a_new_link_repeats_no_answer(
    database: Database, machine: Machine, auth: FakeAuth
) -> None:
    made = await machine.make()
    body, signature = (
        {"token": machine.token, "claim_secret": made["owner_claim_secret"]},
        (machine.signature()),
    )
    first = await machine.post("/api/teams/claim", body, signature=signature)
    assert first.status_code == 403
    auth.link(machine.token, "usr_late")
    linked = MachineLinked(token=machine.token, account_id="usr_late", version=1)
    await hear(database, linked, linked)
    again = await machine.post("/api/teams/claim", body, signature=signature)
    assert again.json() == {"status": "claimed"}


async def test_an_account_and_its_organizations_are_forgotten(
    database: Database, auth: FakeAuth, client: httpx.AsyncClient, sql: Sql
) -> None:
    """Nothing of them is left in any table but the outbox, which says so."""
    account, org, other_org = new_account(), "org_of_its_own", "org_of_others"
    mine, other = Machine(client), Machine(client)
    auth.link(mine.token, account)
    auth.link(other.token, new_account())
    made, marked, foreign = [
        (await machine.make(name))["id"]
        for machine, name in ((mine, "One"), (mine, "Two"), (other, "Theirs"))
    ]
    for team_id, org_id in ((made, org), (marked, other_org), (foreign, other_org)):
        await sql.execute("UPDATE teams.team SET org_id = $2 WHERE id = $1", team_id, org_id)
    answer = await mine.post(
        "/api/teams/visibility",
        {"token": mine.token, "visibility": "public", "edit": "owner", "team_id": made},
    )
    assert answer.status_code == 200, answer.text
    event = AccountDeleted(account_id=account, org_ids=(org,))
    for _ in range(2):
        await hear(database, event)
    assert await tables_naming(sql, account) == {"outbox"}
    assert await tables_naming(sql, org) == set()
    # The teams are there, as public as they were, for whoever is a member.
    assert [team["id"] for team in await all_of(mine)] == sorted([made, marked])
    push = {"token": mine.token, "team_id": made, "team": {"members": []}}
    assert (await mine.post("/api/teams", push)).status_code == 201
    said = await sql.fetch("SELECT payload FROM teams.outbox WHERE kind = 'erasure.completed.v1'")
    found = [json.loads(row["payload"]) for row in said]
    assert [one["service"] for one in found if one["account_id"] == account] == ["teams"] * 2

    owner = "SELECT owner, org_id FROM teams.team WHERE id = $1"
    row = await sql.fetchrow(owner, foreign)
    assert row is not None
    assert row["owner"]
    assert row["org_id"] == other_org
    for _ in range(2):
        await hear(database, OrganizationDeleted(org_id=other_org))
    assert await tables_naming(sql, other_org) == set()
    after = await sql.fetchrow(owner, foreign)
    assert after is not None
    assert after["owner"] == row["owner"]


async def all_of(machine: Machine) -> list[dict[str, Any]]:
    answer = await machine.send("GET", f"/api/teams/all/{machine.token}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["teams"]
    return found


async def tables_naming(sql: Sql, text: str) -> set[str]:
    """Name the tables of teams that hold a text anywhere; new ones are looked at, too."""
    names = await sql.fetch(
        "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
        " WHERE nspname = 'teams' AND relkind = 'r'"
    )
    assert {"team", "membership", "machine", "task", "invite"} <= {row["relname"] for row in names}
    found = set()
    for row in names:
        query = f'SELECT true FROM teams."{row["relname"]}" t WHERE t::text LIKE $1 LIMIT 1'  # noqa: S608 - names of tables
        if await sql.fetchval(query, f"%{text}%"):
            found.add(row["relname"])
    return found
