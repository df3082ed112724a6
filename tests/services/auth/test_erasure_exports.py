from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from shared.principal import ASSERTION_HEADER, Kind, Principal, verify_assertion
from tests.gateway.fake_service import Asked, FakeService, plain
from tests.services.auth.conftest import PASSWORD, Auth, Person, running
from tests.services.auth.device_support import TEAMS_KEY, browser_of, linked_machine
from tests.services.auth.two_factor_support import enrol
from tests.support.postgres import DatabaseServer

TEAMS = [
    {
        "id": "team_1",
        "name": "one",
        "members": [{"name": "reviewer", "role": "r", "soul": "s", "skills": ["x"]}],
        "skills": [],
        "platforms": ["claude"],
        "knowledge": "k",
        "visibility": "private",
        "participants": ["anonymous"],
        "your_machines": [
            {
                "token": "trc_ak_AAAAA...",
                "machine_name": "m",
                "scope": "project",
                "project_name": None,
            }
        ],
    }
]


class Teams(FakeService):
    """The teams service as far as an export asks it."""

    def __init__(self) -> None:
        super().__init__()
        self.status = 200
        self.body: Any = {"teams": TEAMS}
        self.questions: list[dict[str, Any]] = []
        self.behave = self._answer

    async def _answer(
        self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        caller = verify_assertion(TEAMS_KEY, "teams", asked.header(ASSERTION_HEADER), time.time())
        assert caller == Principal(Kind.SERVICE, "auth")
        assert (asked.method, asked.target) == ("POST", "/internal/accounts/export")
        self.questions.append(asked.json)
        body = json.dumps(self.body).encode()
        writer.write(plain(self.status, body, "content-type: application/json"))
        await writer.drain()


@asynccontextmanager
async def running_teams() -> AsyncIterator[Teams]:
    teams = Teams()
    await teams.start()
    try:
        yield teams
    finally:
        await teams.stop()


@pytest.fixture(scope="module")
async def teams() -> AsyncIterator[Teams]:
    async with running_teams() as service:
        yield service


@pytest.fixture(scope="module")
async def auth(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory, teams: Teams
) -> AsyncIterator[Auth]:
    settings = {"GUILDHALL_TEAMS_URL": teams.url, "GUILDHALL_TEAMS_SIBLING_KEY": TEAMS_KEY}
    folder = tmp_path_factory.mktemp("data")
    async with database_server.clone() as urls, running(urls, folder, **settings) as service:
        yield service


async def test_a_person_takes_everything_along_but_no_secret(auth: Auth) -> None:
    device = await enrol(auth, await auth.person("Ada, Countess"))
    ada = device.person
    path = f"/v1/admin/organizations/{ada.claims.org}/api-keys"
    key = (await auth.post(path, ada.principal, name="of mine")).json()
    machine = await linked_machine(auth, ada)
    await auth.sql.execute(
        "INSERT INTO auth.external_identity (issuer, subject, account_id) VALUES ($1, $2, $3)",
        "https://issuer.example",
        f"sub-{ada.claims.sub}",
        ada.claims.sub,
    )
    answer = await auth.send("GET", "/v1/auth/me/export", ada.principal)
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == 'attachment; filename="guildhall-export.json"'
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body["account"]["id"] == ada.claims.sub
    assert body["account"]["email"] == ada.email
    assert body["account"]["created_at"].endswith("Z")
    (organization,) = body["organizations"]
    assert (organization["id"], organization["role"]) == (ada.claims.org, "owner")
    assert [one["id"] for one in body["sessions"]] == [ada.claims.sid]
    (shown,) = body["api_keys"]
    assert (shown["id"], shown["name"], shown["scopes"]) == (key["id"], "of mine", ["*"])
    assert [one["token"] for one in body["machines"]] == [machine.subject]
    assert [one["issuer"] for one in body["external_identities"]] == ["https://issuer.example"]
    assert body["two_factor"] is True
    actions = {event["action"] for event in body["audit_events"]}
    assert {"account.verified", "session.opened"} <= actions
    assert body["audit_events_total"] == len(body["audit_events"])
    row = await auth.sql.fetchrow(
        "SELECT password_hash FROM auth.account WHERE id = $1", ada.claims.sub
    )
    assert row is not None
    for secret in (row["password_hash"], key["key"], PASSWORD, *device.recovery_codes, "digest"):
        assert secret not in answer.text


async def test_nobody_gets_the_export_of_another(auth: Auth, grace: Person) -> None:
    ada = await auth.person()
    body = (await auth.send("GET", "/v1/auth/me/export", ada.principal)).text
    for secret in (grace.email, grace.claims.sub, grace.claims.org):
        assert secret not in body
    key = Principal(Kind.API_KEY, "key_x", ada.claims.org, "owner", ("*",), "key_x", ada.claims.sub)
    assert (await auth.send("GET", "/v1/auth/me/export", key)).status_code == 403
    assert (await auth.send("GET", "/v1/auth/me/export")).status_code == 401


async def test_the_export_of_the_teams_surface(auth: Auth, teams: Teams) -> None:
    ada = await auth.person()
    machine, revoked = await linked_machine(auth, ada), await linked_machine(auth, ada)
    await auth.send("DELETE", f"/api/account/machines/{revoked.subject}", ada.principal)
    answer = await auth.send("GET", "/api/account/export", ada.principal)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"] == 'attachment; filename="teamrc-export.json"'
    assert answer.headers["x-pii-access"] == "true"
    body = answer.json()
    assert body.keys() == {"account", "machines", "teams"}
    assert body["account"].keys() == {"id", "email", "created_at", "updated_at"}
    assert (body["account"]["id"], body["account"]["email"]) == (ada.claims.sub, ada.email)
    assert {frozenset(one) for one in body["machines"]} == {
        frozenset(("token", "machine_name", "last_seen_at", "revoked_at", "created_at"))
    }
    tokens = {one["token"]: one["revoked_at"] is not None for one in body["machines"]}
    assert tokens == {
        machine.subject[:12] + "...": False,
        revoked.subject[:12] + "...": True,
    }
    assert body["teams"] == TEAMS
    asked = teams.questions[-1]
    assert asked["account_id"] == ada.claims.sub
    assert [one["token"] for one in asked["machines"]] == [machine.subject]


@pytest.mark.parametrize(
    ("status", "body"),
    [(503, {"error": "x"}), (500, {}), (200, {"teams": 7}), (200, []), (404, {})],
)
async def test_a_part_is_never_given_for_the_whole(
    auth: Auth, teams: Teams, status: int, body: Any
) -> None:
    ada = await auth.person()
    teams.status, teams.body = status, body
    try:
        answer = await auth.send("GET", "/api/account/export", ada.principal)
    finally:
        teams.status, teams.body = 200, {"teams": TEAMS}
    assert answer.status_code == 503
    assert answer.json() == {"error": "service temporarily unavailable"}
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["x-pii-access"] == "true"
    assert "content-disposition" not in answer.headers


async def test_without_a_teams_service_there_is_no_export(
    database_server: DatabaseServer, tmp_path: Path
) -> None:
    async with running_teams() as teams:
        url = teams.url
    settings = {"GUILDHALL_TEAMS_URL": url, "GUILDHALL_TEAMS_SIBLING_KEY": TEAMS_KEY}
    async with database_server.clone() as urls, running(urls, tmp_path, **settings) as auth:
        ada = await auth.person()
        answer = await auth.send("GET", "/api/account/export", ada.principal)
        assert answer.status_code == 503
        assert (await auth.send("GET", "/api/account", ada.principal)).status_code == 200


async def test_a_browser_gets_it_by_its_cookie(auth: Auth) -> None:
    ada = await auth.person()
    browser = await browser_of(auth, ada)
    answer = await browser.get("/api/account/export")
    assert answer.status_code == 200
    assert answer.json()["account"]["id"] == ada.claims.sub
