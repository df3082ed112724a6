"""What a sibling service is told of a team's knowledge, for somebody whose team it is."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from shared.principal import Kind, Principal
from tests.services.teams.account_support import ask, drop, new_account
from tests.services.teams.conftest import FakeAuth, Machine
from tests.services.teams.sharing_support import Sql, delete_softly, invited, join
from tests.support.service import asserting, person

PATH = "/internal/teams/knowledge"
NOTHING = {"found": False, "name": "", "knowledge": "", "skills": []}
TEAM: dict[str, Any] = {
    "members": [{"name": "alice", "role": "dev", "soul": "a soul of hers"}],
    "skills": [
        {
            "id": "lint",
            "title": "Lint",
            "description": "When code changed",
            "body": "Run the linter.",
            "globs": ["*.py"],
        },
        {"id": "ship"},
    ],
    "knowledge": "# Notes\n\n## Deploys\nOn Tuesdays.",
}
SHOWN = {
    "found": True,
    "name": "Payments",
    "knowledge": TEAM["knowledge"],
    "skills": [
        {
            "id": "lint",
            "title": "Lint",
            "description": "When code changed",
            "body": "Run the linter.",
        },
        {"id": "ship", "title": "", "description": "", "body": ""},
    ],
}


async def told(client: httpx.AsyncClient, account: str, team_id: str) -> Any:
    return await ask(client, PATH, account_id=account, team_id=team_id)


async def test_an_account_with_a_machine_in_it_is_told_all_but_souls(
    client: httpx.AsyncClient, auth: FakeAuth
) -> None:
    account, mine, theirs = new_account(), Machine(client), Machine(client)
    auth.link(mine.token, account)
    team = await theirs.make(**TEAM)
    assert await told(client, account, team["id"]) == NOTHING
    assert (await join(mine, await invited(theirs))).status_code == 200
    shown = await told(client, account, team["id"])
    assert shown == SHOWN
    assert "soul" not in str(shown)
    assert await told(client, account, team["id"].upper()) == shown


async def test_its_owner_is_told_without_a_machine_in_it(
    client: httpx.AsyncClient, auth: FakeAuth, sql: Sql
) -> None:
    account, machine = new_account(), Machine(client)
    auth.link(machine.token, account)
    team = await machine.make(**TEAM)
    await drop(client, machine)
    assert (await told(client, account, team["id"]))["found"]
    await sql.execute("UPDATE teams.team SET owner = NULL WHERE id = $1::uuid", team["id"])
    assert await told(client, account, team["id"]) == NOTHING


async def test_strangers_are_told_the_same_as_of_no_team(
    client: httpx.AsyncClient, auth: FakeAuth, sql: Sql
) -> None:
    owner, stranger = new_account(), new_account()
    machine, other = Machine(client), Machine(client)
    auth.link(machine.token, owner)
    auth.link(other.token, stranger)
    team = await machine.make(**TEAM)
    await other.make("Theirs")
    for account in (stranger, new_account(), "", "None"):
        assert await told(client, account, team["id"]) == NOTHING
    for team_id in (str(uuid4()), "", "no uuid", team["id"] + "x", "../" + team["id"]):
        assert await told(client, owner, team_id) == NOTHING
    # Nobody owns what an unlinked machine made, whatever account is named.
    made = await Machine(client).make()
    assert await told(client, "", made["id"]) == NOTHING
    await delete_softly(sql, team["id"])
    assert await told(client, owner, team["id"]) == NOTHING


async def test_a_revoked_machine_tells_its_account_no_more(
    client: httpx.AsyncClient, auth: FakeAuth
) -> None:
    account, mine, theirs = new_account(), Machine(client), Machine(client)
    auth.link(mine.token, account)
    team = await theirs.make(**TEAM)
    assert (await join(mine, await invited(theirs))).status_code == 200
    assert (await told(client, account, team["id"]))["found"]
    # Its membership may outlive the link until the event has come.
    auth.revoke(mine.token)
    assert await told(client, account, team["id"]) == NOTHING


async def test_without_auth_there_is_no_answer(client: httpx.AsyncClient, auth: FakeAuth) -> None:
    team = await Machine(client).make(**TEAM)
    question = {"account_id": new_account(), "team_id": team["id"]}
    asserted = asserting("teams", Principal(Kind.SERVICE, "agents"))
    auth.is_away = True
    try:
        answer = await client.post(PATH, headers=asserted, json=question)
    finally:
        auth.is_away = False
    assert answer.status_code == 503
    assert "Tuesdays" not in answer.text


@pytest.mark.parametrize("fields", [{}, {"account_id": 1, "team_id": 2}, {"account_id": "a" * 301}])
async def test_a_question_that_is_none_is_refused(
    client: httpx.AsyncClient, fields: dict[str, Any]
) -> None:
    asserted = asserting("teams", Principal(Kind.SERVICE, "agents"))
    assert (await client.post(PATH, headers=asserted, json=fields)).status_code == 422


async def test_people_and_machines_may_not_ask(client: httpx.AsyncClient, auth: FakeAuth) -> None:
    account, machine = new_account(), Machine(client)
    auth.link(machine.token, account)
    team = await machine.make(**TEAM)
    question = {"account_id": account, "team_id": team["id"]}
    for headers in ({}, asserting("teams", person(account=account))):
        answer = await client.post(PATH, headers=headers, json=question)
        assert answer.status_code == 401
    assert (await machine.post(PATH, question)).status_code == 401
