"""A team that its owner deletes (teams contract, sections 4.3 and 14.8)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.services.teams.conftest import FakeAuth, Machine
from tests.services.teams.pages_support import Visitor, owned, person
from tests.services.teams.sharing_support import Sql, invited, join, member_of, said
from tests.services.teams.socket_support import Served, served
from tests.services.teams.test_pages_public import TEAM
from tests.support.postgres import DatabaseUrls

NO_TEAM = {"error": "not_found"}


async def deleted(browser: Visitor, team_id: str, name: str = "Payments") -> None:
    assert await browser.send(f"/teams/{team_id}/delete", name=name) == "/teams?done=deleted"


async def test_a_deleted_team_is_found_nowhere(
    machine: Machine, stranger: Machine, auth: FakeAuth, client: httpx.AsyncClient
) -> None:
    ada, browser = person(client, auth)
    made = await owned(machine, auth, ada, **TEAM)
    other = await member_of(machine)
    base = f"/teams/{made['id']}"
    code = await invited(machine)
    await browser.send(f"{base}/sharing", visibility="public", show_souls="1", edit="members")
    clone = (await browser.show(f"{base}/settings")).split("/t/")[1][:31]
    view = (await machine.post("/api/teams/view-token", {"token": machine.token})).json()
    await deleted(browser, made["id"])
    assert "The team is deleted." in await browser.show("/teams?done=deleted")
    assert "Payments" not in await browser.show("/teams")
    for one in (machine, other):
        token = one.token
        for path in (f"{token}", f"{token}/head", f"all/{token}", f"{token}/versions"):
            answer = await one.send("GET", f"/api/teams/{path}")
            assert (answer.status_code, answer.json()) == (404, NO_TEAM)
        body = {"token": token, "content": "more", "team_id": made["id"]}
        assert (await one.post("/api/teams/knowledge", body)).status_code == 404
        body = {"token": token, "team": {"name": "Payments"}, "team_id": made["id"]}
        assert (await one.post("/api/teams", body)).status_code == 404
    assert (await join(stranger, code)).json() == {"error": "invalid_invite"}
    assert (await stranger.post("/api/teams/preview", {"invite_code": code})).status_code == 404
    assert (await stranger.send("GET", f"/api/teams/clone/{clone}")).status_code == 404
    anybody = Visitor(client)
    for path in (f"/t/{clone}", f"/invite/{code}", f"{base}?vt={view['view_token']}"):
        assert (await anybody.get(path)).status_code == 404
    for path in (base, f"{base}/settings", f"{base}/members/reviewer"):
        assert (await browser.get(path)).status_code == 404
    assert (await browser.post(f"{base}/delete", name="Payments")).status_code == 404


async def test_only_name_and_roles_are_left_of_it(
    machine: Machine, auth: FakeAuth, client: httpx.AsyncClient, sql: Sql
) -> None:
    ada, browser = person(client, auth)
    made = await owned(machine, auth, ada, **TEAM)
    other = await member_of(machine)
    await machine.post("/api/teams/knowledge", {"token": machine.token, "content": "more"})
    task = {"token": machine.token, "description": "Look at it", "assignee": "reviewer"}
    assert (await machine.post("/api/teams/tasks", task)).status_code == 201
    await sql.execute(
        "INSERT INTO teams.removal (team_id, token) VALUES ($1, 'trc_ak_x')", made["id"]
    )
    await deleted(browser, made["id"])
    row = await sql.fetchrow("SELECT * FROM teams.team WHERE id = $1", made["id"])
    assert row is not None
    assert row["name"] == "Payments"
    assert json.loads(row["members"]) == [{"name": "reviewer", "role": "Reviews code"}]
    assert (row["skills"], row["platforms"], row["knowledge"]) == ("[]", "[]", "")
    gone = ("clone_token", "owner", "org_id", "claim_lookup", "claim_hash")
    assert [row[name] for name in gone] == [None] * len(gone)
    assert (row["visibility"], row["deleted_at"] is None) == ("private", False)
    for table in ("membership", "invite", "removal", "version", "part", "news", "task"):
        query = f"SELECT count(*) FROM teams.{table} WHERE team_id = $1"  # noqa: S608
        assert await sql.fetchval(query, made["id"]) == 0, table
    kept = await sql.fetch("SELECT body FROM teams.replay WHERE team_id = $1", made["id"])
    assert {one["body"] for one in kept} <= {None}
    assert len(await said(sql, "team.deleted.v1", team_id=made["id"])) == 1
    left = [event["token"] for event in await said(sql, "team.left.v1", team_id=made["id"])]
    assert sorted(left) == sorted([machine.token, other.token])


async def test_other_teams_of_its_machines_stay(
    machine: Machine, auth: FakeAuth, client: httpx.AsyncClient
) -> None:
    ada, browser = person(client, auth)
    made = await owned(machine, auth, ada, **TEAM)
    second = await machine.make("Second")
    await deleted(browser, made["id"])
    assert await machine.team() == second


async def test_a_repeat_of_what_the_team_answered_is_judged_anew(
    machine: Machine, auth: FakeAuth, client: httpx.AsyncClient
) -> None:
    ada, browser = person(client, auth)
    made = await owned(machine, auth, ada, **TEAM)
    signature = machine.signature()
    body = {"token": machine.token, "content": "more"}
    for status in (200, 200):
        answer = await machine.post("/api/teams/knowledge", body, signature=signature)
        assert answer.status_code == status
    await deleted(browser, made["id"])
    answer = await machine.post("/api/teams/knowledge", body, signature=signature)
    assert (answer.status_code, answer.json()) == (404, NO_TEAM)


async def test_deleting_while_machines_join_and_push_leaves_nothing(
    machine: Machine, auth: FakeAuth, client: httpx.AsyncClient, sql: Sql
) -> None:
    ada, browser = person(client, auth)
    made = await owned(machine, auth, ada, **TEAM)
    code = await invited(machine)
    machines = [Machine(client) for _ in range(8)]
    pushes = [
        machine.post("/api/teams/knowledge", {"token": machine.token, "content": f"line {number}"})
        for number in range(8)
    ]
    answers = await asyncio.gather(
        *(join(one, code) for one in machines[:4]),
        *pushes[:4],
        browser.post(f"/teams/{made['id']}/delete", name="Payments"),
        browser.post(f"/teams/{made['id']}/delete", name="Payments"),
        *(join(one, code) for one in machines[4:]),
        *pushes[4:],
    )
    assert {answer.status_code for answer in answers} <= {200, 303, 404}
    assert sorted(answer.status_code for answer in answers[8:10]) == [303, 404]
    for table in ("membership", "version", "part", "news"):
        query = f"SELECT count(*) FROM teams.{table} WHERE team_id = $1"  # noqa: S608
        assert await sql.fetchval(query, made["id"]) == 0, table


@pytest.fixture
async def place(urls: DatabaseUrls, auth_url: str) -> AsyncIterator[Served]:
    """The service with sockets, and its relay."""
    async with served(urls, auth_url) as place:
        yield place


async def test_its_sockets_are_closed_and_open_it_no_more(place: Served, auth: FakeAuth) -> None:
    ada, browser = person(place.client, auth)
    machine = place.machine()
    made = await owned(machine, auth, ada, **TEAM)
    topic = f"knowledge:{made['id']}"
    async with await place.joined(machine, made["id"]) as socket:
        await socket.join(f"tasks:{made['id']}", "1")
        await deleted(browser, made["id"])
        closed = [await socket.next(), await socket.next()]
        assert sorted(message[2:4] for message in closed) == [
            [topic, "phx_close"],
            [f"tasks:{made['id']}", "phx_close"],
        ]
    async with await place.open(machine) as socket:
        for one in (topic, f"tasks:{made['id']}"):
            answer = await socket.ask(one, "phx_join")
            assert answer == {"status": "error", "response": {"reason": "not_found"}}
