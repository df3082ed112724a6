"""``GET /api/account/teams``, and what auth asks of teams (teams contract, sections 1.1 and 8)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from services.teams.accounts import operations
from shared.principal import ANONYMOUS, Kind, Principal
from tests.services.teams.account_support import (
    PUBLIC_URL,
    ask,
    browse_teams,
    drop,
    get_teams,
    new_account,
    placed,
    signed_in,
)
from tests.services.teams.conftest import FakeAuth, Machine
from tests.services.teams.sharing_support import Sql, delete_softly, invited, join
from tests.support.service import asserting

TEAM: dict[str, Any] = {
    "members": [
        {"name": "alice", "role": "dev", "soul": "meticulous", "description": "d", "skills": ["a"]},
        {"name": "bob", "role": "qa"},
    ],
    "skills": [{"id": "lint", "body": "Run the linter.", "argumentHint": "[file]"}],
    "knowledge": "what they know",
    "platforms": ["cursor"],
}


async def joined(team: Machine, machine: Machine) -> None:
    """Let a machine join the only team of another."""
    assert (await join(machine, await invited(team))).status_code == 200


async def test_the_teams_of_ones_machines_and_those_one_owns(
    client: httpx.AsyncClient, auth: FakeAuth, sql: Sql
) -> None:
    account = new_account()
    mine, other, anonymous = Machine(client), Machine(client), Machine(client)
    auth.link(mine.token, account, "laptop", "aa" * 32)
    auth.link(other.token, new_account(), "theirs", "bb" * 32)
    auth.owners[mine.token]["last_seen_at"] = "2026-01-02T03:04:05Z"
    made = await other.make(**TEAM)
    for machine in (mine, anonymous):
        await joined(other, machine)
    owned = await mine.make("Mine alone", members=[{"name": "a", "role": "r"}])
    await sql.execute(
        "DELETE FROM teams.membership WHERE token = $1 AND team_id = $2", mine.token, owned["id"]
    )
    await Machine(client).make("Of strangers")

    answer = await get_teams(client, account)
    assert (answer.status_code, answer.headers["x-pii-access"]) == (200, "true")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json().keys() == {"teams"}
    by_id = {team["id"]: team for team in answer.json()["teams"]}
    assert by_id == {
        made["id"]: {
            "id": made["id"],
            "name": "Payments",
            "agent_count": 2,
            "skill_count": 1,
            "platforms": ["cursor"],
            "participants": ["bb" * 32, "aa" * 32, "anonymous"],
            "machines": [
                {
                    "token": mine.token[:12] + "...",
                    "name": "laptop",
                    "scope": "project",
                    "project_name": None,
                    "last_seen_at": "2026-01-02T03:04:05Z",
                }
            ],
        },
        owned["id"]: {
            "id": owned["id"],
            "name": "Mine alone",
            "agent_count": 1,
            "skill_count": 0,
            "platforms": [],
            "participants": [],
            "machines": [],
        },
    }
    assert other.token not in answer.text
    assert other.token[:12] + "..." not in answer.text or other.token[:12] == mine.token[:12]


async def test_nobody_has_no_teams_and_a_deleted_team_is_none(
    client: httpx.AsyncClient, auth: FakeAuth, machine: Machine, sql: Sql
) -> None:
    account = new_account()
    assert (await get_teams(client, account)).json() == {"teams": []}
    auth.link(machine.token, account)
    made = await machine.make()
    assert len((await get_teams(client, account)).json()["teams"]) == 1
    await delete_softly(sql, made["id"])
    assert (await get_teams(client, account)).json() == {"teams": []}


async def test_a_browser_is_known_by_its_cookie(
    client: httpx.AsyncClient, auth: FakeAuth, machine: Machine
) -> None:
    account = new_account()
    auth.link(machine.token, account)
    made = await machine.make()
    headers = signed_in(auth, account)
    answer = await browse_teams(client, {"cookie": headers["cookie"]})
    assert [team["id"] for team in answer.json()["teams"]] == [made["id"]]


@pytest.mark.parametrize("cookie", ["", "x=y", "guildhall_session=nonsense", "a" * 20_000])
async def test_nobody_signed_in_is_told_so(client: httpx.AsyncClient, cookie: str) -> None:
    answer = await browse_teams(client, {"cookie": cookie} if cookie else {})
    assert (answer.status_code, answer.json()) == (401, {"error": "authentication required"})
    assert answer.headers["x-pii-access"] == "true"


async def test_no_other_credential_is_a_person(client: httpx.AsyncClient, auth: FakeAuth) -> None:
    account = new_account()
    cookie = signed_in(auth, account)
    for caller in (
        Principal(Kind.API_KEY, "key_1", "org_1", "owner", ("*",), "key_1", account),
        Principal(Kind.MACHINE, Machine(client).token),
        Principal(Kind.SERVICE_ACCOUNT, "robot"),
        Principal(Kind.SERVICE, "auth"),
    ):
        headers = asserting("teams", caller) | cookie
        answer = await client.get("/api/account/teams", headers=headers)
        assert answer.status_code == 401, caller
        assert answer.headers["x-pii-access"] == "true"


async def test_while_auth_is_away_nothing_is_guessed(
    client: httpx.AsyncClient, auth: FakeAuth
) -> None:
    headers = signed_in(auth, new_account())
    auth.is_away = True
    try:
        answers = [await get_teams(client, new_account()), await browse_teams(client, headers)]
    finally:
        auth.is_away = False
    for answer in answers:
        assert answer.status_code == 503
        assert answer.json() == {"error": "service temporarily unavailable"}
        assert int(answer.headers["retry-after"]) > 0
        assert answer.headers["x-pii-access"] == "true"


async def test_pages_hold_every_team_once(
    client: httpx.AsyncClient,
    auth: FakeAuth,
    machine: Machine,
    sql: Sql,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = new_account()
    auth.link(machine.token, account)
    made = await placed(machine, sql, 5)
    seen: list[str] = []
    after = None
    for wanted in (2, 2, 1):
        query: dict[str, Any] = {"limit": 2} | ({} if after is None else {"after": after})
        page = await get_teams(client, account, **query)
        found = [team["id"] for team in page.json()["teams"]]
        assert len(found) == wanted
        seen += found
        after = page.headers.get("x-next-after")
    assert after is None
    assert seen == sorted(made)
    # Without a limit the list is complete, however many teams are looked at together.
    monkeypatch.setattr(operations, "CHUNK", 2)
    whole = (await get_teams(client, account)).json()["teams"]
    assert [team["id"] for team in whole] == seen
    assert "x-next-after" not in (await get_teams(client, account, limit=5)).headers


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "x"}, {"limit": "501"}])
async def test_a_bad_page_is_a_400_that_names_it(
    client: httpx.AsyncClient, query: dict[str, str]
) -> None:
    answer = await get_teams(client, new_account(), **query)
    assert answer.status_code == 400
    assert "limit" in answer.json()["error"]
    assert answer.headers["x-pii-access"] == "true"


async def test_owners_of_many_are_asked_in_batches(
    client: httpx.AsyncClient, auth: FakeAuth, machine: Machine, sql: Sql
) -> None:
    account = new_account()
    auth.link(machine.token, account, digest="cc" * 32)
    made = await machine.make()
    await sql.execute(
        "INSERT INTO teams.membership (token, team_id)"
        " SELECT 'trc_ak_' || lpad(n::text, 43, 'x'), $1 FROM generate_series(1, 1200) n",
        made["id"],
    )
    auth.asked.clear()
    (team,) = (await get_teams(client, account)).json()["teams"]
    assert team["participants"] == ["cc" * 32, "anonymous"]
    sizes = [len(q["tokens"]) for path, q in auth.asked if path == "/internal/machines/owners"]
    assert sizes == [1000, 201]


async def test_teams_of_several_machines_count_once(
    client: httpx.AsyncClient, machine: Machine, stranger: Machine, sql: Sql
) -> None:
    path = "/internal/machines/team-count"
    await machine.make()
    await joined(machine, stranger)
    other = await stranger.make("Another", members=[])
    tokens = [machine.token, stranger.token, "trc_ak_nobody"]
    assert await ask(client, path, tokens=tokens) == {"team_count": 2}
    await delete_softly(sql, other["id"])
    assert await ask(client, path, tokens=tokens) == {"team_count": 1}
    assert await ask(client, path, tokens=[]) == {"team_count": 0}


async def test_an_export_has_all_that_teams_hold(
    client: httpx.AsyncClient, auth: FakeAuth, machine: Machine, stranger: Machine
) -> None:
    account = new_account()
    auth.link(machine.token, account, digest="dd" * 32)
    made = await machine.make(**TEAM)
    await joined(machine, stranger)
    named = [{"token": machine.token, "machine_name": "laptop"}]
    told = await ask(client, "/internal/accounts/export", account_id=account, machines=named)
    assert told == {
        "teams": [
            {
                "id": made["id"],
                "name": "Payments",
                "members": [
                    {
                        "name": "alice", "role": "dev", "description": "d", "soul": "meticulous",
                        "skills": ["a"],
                    },
                    {"name": "bob", "role": "qa", "soul": None, "skills": []},
                ],
                "skills": TEAM["skills"],
                "platforms": ["cursor"],
                "knowledge": "what they know",
                "visibility": "private",
                "participants": ["dd" * 32, "anonymous"],
                "your_machines": [
                    {
                        "token": machine.token[:12] + "...",
                        "machine_name": "laptop",
                        "scope": "project",
                        "project_name": None,
                    }
                ],
            }
        ],
        "next_after": None,
    }  # fmt: skip


async def test_an_export_comes_in_pages(
    client: httpx.AsyncClient,
    auth: FakeAuth,
    machine: Machine,
    sql: Sql,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = new_account()
    auth.link(machine.token, account)
    made = await placed(machine, sql, 5, knowledge="k" * 900)
    named = [{"token": machine.token, "machine_name": "laptop"}]
    question = {"account_id": account, "machines": named}
    monkeypatch.setattr(operations, "PAGE_BYTES", 1_500)
    seen: list[str] = []
    sizes: list[int] = []
    after = None
    while after is not None or not sizes:
        page = await ask(client, "/internal/accounts/export", **question, after=after)
        sizes.append(len(page["teams"]))
        seen += [team["id"] for team in page["teams"]]
        after = page["next_after"]
    assert sizes == [2, 2, 1]
    assert seen == sorted(made)
    monkeypatch.setattr(operations, "CHUNK", 1)
    first = await ask(client, "/internal/accounts/export", **question)
    assert (len(first["teams"]), first["next_after"]) == (1, seen[0])


async def test_machines_are_dropped_and_ownership_is_cleared(
    client: httpx.AsyncClient, auth: FakeAuth, machine: Machine, stranger: Machine, sql: Sql
) -> None:
    account = new_account()
    auth.link(machine.token, account)
    made = await machine.make()
    await joined(machine, stranger)
    other = await machine.make("Another", members=[])
    await sql.execute(
        "UPDATE teams.team SET edit = 'owner', org_id = 'org_x' WHERE id = $1", other["id"]
    )
    assert await drop(client, machine) == 2
    assert (await machine.send("GET", f"/api/teams/{machine.token}/head")).status_code == 404
    assert (await stranger.team())["id"] == made["id"]
    owners = "SELECT count(*) FROM teams.team WHERE owner = $1"
    assert await sql.fetchval(owners, account) == 2
    said = await sql.fetch(
        "SELECT payload FROM teams.outbox WHERE kind = 'team.left.v1' AND payload::text LIKE $1",
        f"%{machine.token}%",
    )
    assert len(said) == 2
    assert await drop(client, machine, without_owner=account) == 0
    assert await sql.fetchval(owners, account) == 0
    row = await sql.fetchrow("SELECT edit, org_id FROM teams.team WHERE id = $1", other["id"])
    assert row is not None
    assert tuple(row) == ("members", None)
    assert await drop(client) == 0


async def test_only_siblings_ask(client: httpx.AsyncClient, machine: Machine) -> None:
    for path in (
        "/internal/machines/team-count",
        "/internal/machines/drop",
        "/internal/accounts/export",
    ):
        for caller in (ANONYMOUS, machine.principal, Principal(Kind.USER, "usr_1", "org_1")):
            headers = asserting("teams", caller)
            assert (await client.post(path, headers=headers, json={})).status_code == 401
        headers = asserting("teams", Principal(Kind.SERVICE, "auth")) | {"origin": PUBLIC_URL}
        assert (await client.post(path, headers=headers, json={})).status_code == 422
