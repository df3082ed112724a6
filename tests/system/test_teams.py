"""Machines and the person behind them, through the gateway of the running system."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from tests.gateway.machines import Machine
from tests.support.stack import Stack
from tests.system.people import PASSWORD, Person, joined

pytestmark = [pytest.mark.stack, pytest.mark.slow]

LIMIT = 30.0
ALICE = {"name": "alice", "role": "dev"}
SOUL = {**ALICE, "soul": "meticulous"}
SKILL = {"id": "lint", "body": "Run the linter."}
HASHES = ("hash", "members_hash", "skills_hash", "knowledge_hash")


class Device:
    """A machine with a command line client; signs what it sends with its own key."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.machine = Machine()
        self.token = self.machine.token

    async def send(
        self, method: str, target: str, more: dict[str, str] | None = None, **fields: Any
    ) -> httpx.Response:
        content = b"" if method in ("GET", "DELETE") else self.machine.body(**fields)
        headers = self.machine.headers(method, target, content) | (more or {})
        if content:
            headers["content-type"] = "application/json"
        return await self.http.request(method, target, content=content, headers=headers)

    async def got(self, wanted: int, method: str, target: str, **fields: Any) -> dict[str, Any]:
        answer = await self.send(method, target, **fields)
        assert answer.status_code == wanted, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def team(self) -> dict[str, Any]:
        team: dict[str, Any] = (await self.got(200, "GET", f"/api/teams/{self.token}"))["team"]
        return team

    async def is_member(self) -> bool:
        answer = await self.send("GET", f"/api/teams/{self.token}/head")
        assert answer.status_code in (200, 404), answer.text
        return answer.status_code == 200

    async def link(self, person: Person) -> dict[str, Any]:
        """Link the machine as its owner confirms it in a browser; give what it is then told."""
        code = await self.got(200, "POST", "/api/auth/device")
        poll = f"/api/auth/device/{code['device_code']}"
        assert await self.got(200, "GET", poll) == {"status": "pending"}
        body = {"user_code": code["user_code"], "machine_name": "laptop"}
        answer = await self.http.post("/v1/auth/device/approve", json=body, headers=person.headers)
        assert answer.json() == {"approved": True}
        return await self.got(200, "GET", poll)


async def until(condition: Callable[[], Awaitable[Any]], pause: float = 0.05) -> None:
    """Wait for what an event brings about; ``pause`` spares the limits of routes."""
    async with asyncio.timeout(LIMIT):
        while not await condition():
            await asyncio.sleep(pause)


async def told(
    http: httpx.AsyncClient, person: Person, method: str, path: str, status: int = 200
) -> Any:
    """Ask an account route as a person; every answer there is marked."""
    answer = await http.request(method, path, headers=person.headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["x-pii-access"] == "true"
    return answer.json()


async def init(device: Device) -> tuple[dict[str, Any], str]:
    """Make a team as ``init`` does; give it and the code of an invitation."""
    team = {"name": "Payments", "members": [ALICE], "skills": [SKILL]}
    made = (await device.got(201, "POST", "/api/teams", team=team))["team"]
    full = {"members": [SOUL], "knowledge": "## Notes\nfirst"}
    await device.got(201, "POST", "/api/teams", team_id=made["id"], team=full)
    invite = await device.got(200, "POST", "/api/teams/invite", ttl_hours=24)
    return made, invite["invite_code"]


async def push(device: Device) -> None:
    """Push against the right base and against a stale one."""
    before = await device.team()
    two = {"members": [SOUL, {"name": "bob", "role": "qa"}], "knowledge": "second"}
    body = {"team": two, "team_id": before["id"], "base_hash": before["hash"]}
    after = (await device.got(201, "POST", "/api/teams", **body))["team"]
    assert after["knowledge"] == "## Notes\nfirst\nsecond\n"
    head = await device.got(200, "GET", f"/api/teams/{device.token}/head")
    assert head == {name: after[name] for name in HASHES}
    body["team"] = {"members": [ALICE]}
    stale = await device.got(409, "POST", "/api/teams", **body)
    assert stale == {"error": "conflict", "server_hash": after["hash"]}


async def share(http: httpx.AsyncClient, device: Device) -> None:
    """Show the team to everybody, without what its members alone know."""
    shared = await device.got(200, "POST", "/api/teams/visibility", visibility="public")
    clone = (await http.get(f"/api/teams/clone/{shared['clone_token']}")).json()["team"]
    assert "knowledge" not in clone
    assert clone["skills"] == [{"id": "lint"}]
    assert clone["members"][0] == SOUL


async def work(device: Device, other: Device) -> None:
    """Give one another a task and do it."""
    task = {"description": "look into it", "assignee": "bob"}
    made = (await device.got(201, "POST", "/api/teams/tasks", **task))["task"]
    assert (made["number"], made["status"], made["created_by"]) == (1, "todo", device.token)
    for status in ("in_progress", "done"):
        done = await other.got(200, "PATCH", "/api/teams/tasks/1", status=status)
        assert done["task"]["status"] == status
    listed = await device.got(200, "GET", f"/api/teams/tasks/{device.token}?status=done")
    assert [one["claimed_by"] for one in listed["tasks"]] == [other.token]


async def test_a_team_and_the_account_behind_its_machines(stack: Stack) -> None:
    async with httpx.AsyncClient(base_url=stack.base_url, timeout=20) as http:
        ada = await joined(http, stack.mail_directory, f"ada-{uuid4().hex}@teams.example")
        laptop, friend, desk = (Device(http) for _ in range(3))
        made, code = await init(laptop)
        await push(laptop)

        preview = (await friend.got(200, "POST", "/api/teams/preview", invite_code=code))["team"]
        assert "knowledge" not in preview
        assert preview["members"][0] == ALICE
        joined_team = (await friend.got(200, "POST", "/api/join", invite_code=code))["team"]
        assert joined_team == await laptop.team() == await friend.team()

        secret = {"claim_secret": made["owner_claim_secret"]}
        await laptop.got(403, "POST", "/api/teams/claim", **secret)
        assert await laptop.link(ada) == {
            "status": "confirmed", "email": ada.email, "machine_count": 1, "team_count": 1
        }  # fmt: skip
        claimed = await laptop.got(200, "POST", "/api/teams/claim", **secret)
        assert claimed == {"status": "claimed"}
        await share(http, laptop)
        await work(laptop, friend)

        await account_of(http, ada, laptop, made["id"])
        await desk.link(ada)
        moved = await desk.send(
            "POST", "/api/account/reassociate", ada.headers, new_token=desk.token
        )
        assert (moved.status_code, moved.json()) == (200, {"reassociated": 1}), moved.text
        assert (await desk.team())["id"] == made["id"]
        nobody = await desk.send("POST", "/api/account/reassociate", new_token=desk.token)
        assert (nobody.status_code, nobody.json()["error"]) == (401, "authentication required")
        assert nobody.headers["x-pii-access"] == "true"
        cookie = await cookie_of(stack, ada)
        for origin, status in (({}, 403), ({"origin": stack.base_url}, 200)):
            answer = await desk.send(
                "POST", "/api/account/reassociate", cookie | origin, new_token=desk.token
            )
            assert answer.status_code == status, answer.text

        await exported(http, ada, {laptop.token[:12], desk.token[:12]})
        await removed(http, ada, laptop, code)
        await gone(stack, http, ada, [laptop, desk], friend)


async def cookie_of(stack: Stack, person: Person) -> dict[str, str]:
    """Sign in at the page, and give what the browser then sends along."""
    async with httpx.AsyncClient(base_url=stack.base_url, timeout=20) as browser:
        form = {"email": person.email, "password": PASSWORD}
        origin = {"origin": stack.base_url}
        answer = await browser.post("/users/log-in", data=form, headers=origin)
        assert answer.status_code == 303, answer.text
        return {"cookie": "; ".join(f"{name}={text}" for name, text in browser.cookies.items())}


async def account_of(http: httpx.AsyncClient, ada: Person, laptop: Device, team_id: str) -> None:
    """See that the account shows the team, its participants, and when its machine was seen."""
    (team,) = (await told(http, ada, "GET", "/api/account/teams"))["teams"]
    digest = hashlib.sha256(ada.email.encode()).hexdigest()
    assert (team["id"], team["agent_count"], team["skill_count"]) == (team_id, 2, 1)
    assert team["participants"] == [digest, "anonymous"]
    (place,) = team["machines"]
    assert (place["token"], place["name"]) == (laptop.token[:12] + "...", "laptop")

    async def seen() -> bool:
        account = await told(http, ada, "GET", "/api/account")
        return account["machines"][0]["last_seen_at"] is not None

    await until(seen, pause=1.0)


async def exported(http: httpx.AsyncClient, ada: Person, tokens: set[str]) -> None:
    """Take everything along."""
    whole = await told(http, ada, "GET", "/api/account/export")
    assert whole["account"]["email"] == ada.email
    (team,) = whole["teams"]
    assert team["knowledge"] == "## Notes\nfirst\nsecond\n"
    assert (team["visibility"], team["skills"]) == ("public", [SKILL])
    assert {one["token"] for one in team["your_machines"]} == {f"{token}..." for token in tokens}
    assert all(f'{token}..."' in json.dumps(whole) for token in tokens)


async def removed(http: httpx.AsyncClient, ada: Person, laptop: Device, code: str) -> None:
    """Take a machine away: it is out at once, and in again only by its owner."""
    path = f"/api/account/machines/{laptop.token}"
    assert await told(http, ada, "DELETE", path) == {"status": "revoked"}
    assert not await laptop.is_member()
    refused = await laptop.got(404, "POST", "/api/join", invite_code=code)
    assert refused == {"error": "invalid_invite"}
    await laptop.link(ada)
    await laptop.got(200, "POST", "/api/join", invite_code=code)
    assert await laptop.is_member()


async def gone(
    stack: Stack, http: httpx.AsyncClient, ada: Person, machines: list[Device], friend: Device
) -> None:
    """Delete the account: its machines are out at once, the team stays, nobody owns it."""
    me = (await told(http, ada, "GET", "/api/account"))["account"]["id"]
    assert await told(http, ada, "DELETE", "/api/account") == {"status": "deleted"}
    assert [await machine.is_member() for machine in machines] == [False, False]
    team = await friend.team()
    auth = await asyncpg.connect(stack.database_url("auth"), timeout=10)
    teams = await asyncpg.connect(stack.database_url("teams"), timeout=10)
    try:
        row = await teams.fetchrow("SELECT owner, org_id FROM teams.team WHERE id = $1", team["id"])
        assert row is not None
        assert tuple(row) == (None, None)
        await until(
            lambda: auth.fetchval("SELECT closed_at FROM auth.erasure WHERE account_id = $1", me)
        )
    finally:
        await auth.close(timeout=5)
        await teams.close(timeout=5)
    assert await friend.is_member()
