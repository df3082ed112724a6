"""The teams service, running, auth beside it as a small server, and machines that sign."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from nacl.signing import SigningKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.teams.app import SERVICE
from shared.principal import Kind, Principal
from shared.secret import encode_base64url
from shared.settings import ServiceSettings
from tests.support.postgres import DatabaseServer, DatabaseUrls
from tests.support.service import ASSERTION_KEY, asserting, client_of, settings_for
from tests.support.serving import serving


@dataclass
class FakeAuth:
    """What auth would answer: owners of machines by token, people by cookie."""

    owners: dict[str, dict[str, Any]] = field(default_factory=dict)
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    is_away: bool = False

    def link(self, token: str, account: str, name: str = "laptop", digest: str = "ab" * 32) -> None:
        self.owners[token] = {
            "linked": True,
            "account_id": account,
            "machine_name": name,
            "email_digest": digest,
            "version": self._version(token),
        }

    def revoke(self, token: str, *, barred: bool = True) -> int:
        """Take a machine away from its owner; give the version of that."""
        version = self._version(token)
        self.owners[token] = {"linked": False, "barred": barred, "version": version}
        return version

    def _version(self, token: str) -> int:
        return int(self.owners.get(token, {}).get("version", 0)) + 1

    def sign_in(self, shown: str, account: str) -> None:
        """Let a cookie, or a whole ``Authorization`` header, stand for a person."""
        self.people[shown] = {"active": True, "account_id": account, "org_id": f"org_of_{account}"}

    async def answer(self, request: Request) -> Response:
        question = await request.json()
        self.asked.append((request.url.path, question))
        if self.is_away:
            return JSONResponse({}, 503)
        match request.url.path:
            case "/internal/machines/check":
                return JSONResponse(self.owners.get(question["token"], {"linked": False}))
            case "/internal/machines/owners":
                known = {token: self.owners.get(token, {}) for token in question["tokens"]}
                linked = {token: owner for token, owner in known.items() if owner.get("linked")}
                return JSONResponse({"owners": linked})
            case "/internal/accounts/machines":
                mine = [
                    {
                        "token": token,
                        "machine_name": owner["machine_name"],
                        "last_seen_at": owner.get("last_seen_at"),
                        "version": owner.get("version", 0),
                    }
                    for token, owner in self.owners.items()
                    if owner.get("linked") and owner["account_id"] == question["account_id"]
                ]
                return JSONResponse({"machines": mine})
            case "/internal/machines/revoke":
                owner = self.owners.get(question["token"], {"linked": False})
                was = owner["linked"]
                owner["linked"] = False
                return JSONResponse({"revoked": was})
            case "/internal/web-sessions/check":
                return JSONResponse(self.people.get(question["cookie"], {"active": False}))
            case "/internal/people/check":
                shown = question["authorization"] or question["cookie"]
                person = self.people.get(shown, {"active": False})
                by_cookie = not question["authorization"] and person["active"]
                return JSONResponse(person | {"by_cookie": by_cookie})
        return JSONResponse({"detail": "unknown"}, 404)


@pytest.fixture(scope="module")
def auth() -> FakeAuth:
    """Auth, as far as teams asks it."""
    return FakeAuth()


@pytest.fixture(scope="module")
async def auth_url(auth: FakeAuth) -> AsyncIterator[str]:
    """Where it listens."""
    app = Starlette(routes=[Route("/{path:path}", auth.answer, methods=["POST"])])
    async with serving(app) as url:
        yield url


@pytest.fixture(scope="module")
async def urls(database_server: DatabaseServer) -> AsyncIterator[DatabaseUrls]:
    """A database that the tests of a module share; each works with teams of its own."""
    async with database_server.clone() as cloned:
        yield cloned


def teams_settings(urls: DatabaseUrls, auth_url: str, **values: Any) -> ServiceSettings:
    """Settings of a service whose background work stays undone unless told otherwise."""
    own = {
        "GUILDHALL_SERVE_BACKGROUND": False,
        "GUILDHALL_AUTH_URL": auth_url,
        "GUILDHALL_AUTH_SIBLING_KEY": ASSERTION_KEY,
        "GUILDHALL_PUBLIC_URL": "http://127.0.0.1:8000",
    }
    return settings_for(SERVICE, urls, **own | values)


@pytest.fixture(scope="module")
async def client(urls: DatabaseUrls, auth_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """The running service; what it says stays in its outbox."""
    async with client_of(SERVICE, teams_settings(urls, auth_url)) as client:
        yield client


@pytest.fixture(scope="module")
async def sql(urls: DatabaseUrls) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection of the service's own role, to look behind the answers."""
    connection = await asyncpg.connect(urls.url("teams"), timeout=10)
    yield connection
    await connection.close(timeout=5)


class Machine:
    """One key pair and its requests, introduced as the gateway would after its check.

    Every request carries a signature of its own, unless ``signature`` is given to repeat one.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.key = SigningKey.generate()
        self.token = "trc_ak_" + encode_base64url(bytes(self.key.verify_key))
        self.principal = Principal(Kind.MACHINE, self.token)

    def signature(self) -> str:
        """Give a signature that no other request has."""
        return encode_base64url(self.key.sign(uuid4().bytes).signature)

    async def send(
        self, method: str, path: str, *, signature: str | None = None, **options: Any
    ) -> httpx.Response:
        headers = {
            **asserting("teams", self.principal),
            "x-trc-signature": signature or self.signature(),
            "x-trc-timestamp": str(int(time.time())),
            **options.pop("headers", {}),
        }
        return await self.client.request(method, path, headers=headers, **options)

    async def post(self, path: str, body: dict[str, Any], **options: Any) -> httpx.Response:
        return await self.send(
            "POST",
            path,
            content=json.dumps(body, ensure_ascii=False).encode(),
            **options,
        )

    async def make(self, name: str = "Payments", **team: Any) -> dict[str, Any]:
        """Make a team and give it as it was answered."""
        wanted = {"name": name, "members": [{"name": "alice", "role": "dev"}], **team}
        answer = await self.post("/api/teams", {"token": self.token, "team": wanted})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()["team"]
        return made

    async def team(self, team_id: str | None = None) -> dict[str, Any]:
        """Read the team."""
        query = {} if team_id is None else {"team_id": team_id}
        answer = await self.send("GET", f"/api/teams/{self.token}", params=query)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["team"]
        return found


@pytest.fixture
def machine(client: httpx.AsyncClient) -> Machine:
    """A machine that nobody has seen."""
    return Machine(client)


@pytest.fixture
def stranger(client: httpx.AsyncClient) -> Machine:
    """Another one."""
    return Machine(client)
