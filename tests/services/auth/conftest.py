"""The auth service, running, and people who register with it."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import asyncpg
import httpx
import pytest

from services.auth.app import SERVICE
from services.auth.settings import AuthSettings
from shared.principal import ANONYMOUS, Kind, Principal
from shared.secret import encode_base64url
from shared.settings import ServiceSettings
from shared.tokens import Claims, read_jwks, verify
from tests.services.auth.fake_teams import TEAMS_KEY, FakeTeams, fake_teams
from tests.support.postgres import DatabaseServer, DatabaseUrls
from tests.support.service import asserting, client_of, settings_for

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

PASSWORD = "correct horse battery"
PUBLIC_URL = "https://guildhall.example"
SEED = encode_base64url(b"s" * 32)
ENCRYPTION_KEY = b"e" * 32
GATEWAY = Principal(Kind.SERVICE, "gateway")
_TOKEN = re.compile(r"^(verify_[\w-]{43})\r?$", re.MULTILINE)


@dataclass
class Person:
    """Somebody with an account, and what they hold."""

    email: str
    token: str
    claims: Claims

    @property
    def principal(self) -> Principal:
        """As the gateway would introduce them."""
        claims = self.claims
        kind = Kind.USER if claims.scopes is None else Kind.API_KEY
        scopes = ("*",) if claims.scopes is None else claims.scopes
        return Principal(kind, claims.sub, claims.org, claims.role, scopes, claims.sid, claims.sub)


class Auth:
    """Requests to the running service, and a look at what it did."""

    def __init__(self, client: httpx.AsyncClient, sql: Sql, mail: Path, teams: FakeTeams) -> None:
        self.client = client
        self.sql = sql
        self.teams = teams
        self._mail = mail

    async def send(
        self, method: str, path: str, principal: Principal = ANONYMOUS, **options: Any
    ) -> httpx.Response:
        headers = asserting("auth", principal) | options.pop("headers", {})
        return await self.client.request(method, path, headers=headers, **options)

    async def post(
        self, path: str, principal: Principal = ANONYMOUS, **body: Any
    ) -> httpx.Response:
        return await self.send("POST", path, principal, json=body)

    async def register(self, address: str, **fields: Any) -> httpx.Response:
        body = {"email": address, "password": PASSWORD, "name": "Ada Lovelace"} | fields
        return await self.post("/v1/auth/register", **body)

    async def letters(self, address: str, count: int = 1) -> list[EmailMessage]:
        """Wait until so many letters to an address were sent; give all, the oldest first."""
        deadline = time.monotonic() + 20
        while True:
            found = [
                message
                for path in sorted(self._mail.glob("*.eml"))
                if (message := read_letter(path.read_bytes()))["To"] == address
            ]
            if len(found) >= count:
                return found
            assert time.monotonic() < deadline, f"{len(found)} letters to {address}"
            await asyncio.sleep(0.02)

    async def token_for(self, address: str, count: int = 1) -> str:
        """Give the verification token of the newest of so many letters."""
        return token_in((await self.letters(address, count))[-1])

    async def person(self, name: str = "Ada Lovelace") -> Person:
        """Register somebody new, verify the address, sign in."""
        address = new_address()
        assert (await self.register(address, name=name)).status_code == 201
        token = await self.token_for(address)
        answer = await self.post("/v1/auth/verify-email", token=token)
        assert answer.json() == {"verified": True}, answer.text
        return await self.sign_in(address)

    async def sign_in(self, address: str, password: str = PASSWORD) -> Person:
        answer = await self.post("/v1/auth/token", email=address, password=password)
        assert answer.status_code == 200, answer.text
        token = answer.json()["access_token"]
        return Person(address, token, await self.claims_of(token))

    async def claims_of(self, token: str) -> Claims:
        """Verify a token as any service would, by the published keys."""
        keys = read_jwks((await self.send("GET", "/.well-known/jwks.json")).json())
        return verify(token, keys, PUBLIC_URL, time.time())

    async def check(self, person: Person) -> dict[str, Any]:
        """Ask what the gateway asks about a token's session."""
        claims = person.claims
        answer = await self.post(
            "/internal/sessions/check",
            GATEWAY,
            session_id=claims.sid,
            account_id=claims.sub,
            org_id=claims.org,
        )
        assert answer.status_code == 200, answer.text
        verdict: dict[str, Any] = answer.json()
        return verdict

    async def events(self, kind: str) -> list[dict[str, Any]]:
        rows = await self.sql.fetch(
            "SELECT payload FROM auth.outbox WHERE kind = $1 ORDER BY id", kind
        )
        return [json.loads(row["payload"]) for row in rows]

    async def make_platform_admin(self, person: Person) -> Person:
        await self.sql.execute(
            "UPDATE auth.account SET platform_admin = true WHERE id = $1", person.claims.sub
        )
        return await self.sign_in(person.email)


def new_address() -> str:
    return f"{uuid4().hex}@mail.example"


def read_letter(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=email.policy.default)


def text_of(letter: EmailMessage, subtype: str = "plain") -> str:
    """Give a letter's text, or its ``html``, with plain line ends."""
    part = letter.get_body((subtype,))
    assert part is not None, letter
    content: str = part.get_content()
    return content.replace("\r\n", "\n")


def token_in(letter: EmailMessage) -> str:
    match = _TOKEN.search(text_of(letter))
    assert match is not None, text_of(letter)
    return match[1]


def auth_settings(urls: DatabaseUrls, data_dir: Path, **values: Any) -> AuthSettings:
    """Settings of a service whose mail goes to files and whose events stay in the outbox."""
    fields = {
        "GUILDHALL_PUBLIC_URL": PUBLIC_URL,
        "GUILDHALL_SIGNING_KEYS": SEED,
        "GUILDHALL_DATA_DIR": str(data_dir),
        "GUILDHALL_SERVE_BACKGROUND": False,
        "GUILDHALL_ENCRYPTION_KEY": ENCRYPTION_KEY,
        # The least that argon2 can do: what costs time here proves nothing.
        "GUILDHALL_PASSWORD_MEMORY": 32,
        "GUILDHALL_PASSWORD_PASSES": 1,
    }
    settings: ServiceSettings = settings_for(SERVICE, urls, **(fields | values))
    assert isinstance(settings, AuthSettings)
    return settings


@asynccontextmanager
async def running(urls: DatabaseUrls, data_dir: Path, **values: Any) -> AsyncIterator[Auth]:
    """Run the service with settings of a test's own."""
    sql = await asyncpg.connect(urls.url("auth"), timeout=10)
    try:
        async with fake_teams() as teams:
            asked = {"GUILDHALL_TEAMS_URL": teams.url, "GUILDHALL_TEAMS_SIBLING_KEY": TEAMS_KEY}
            settings = auth_settings(urls, data_dir, **(asked | values))
            async with client_of(SERVICE, settings) as client:
                yield Auth(client, sql, data_dir / "mail", teams)
    finally:
        await sql.close(timeout=5)


@pytest.fixture(scope="module")
async def auth(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Auth]:
    """The service that the tests of a module share; each registers people of its own."""
    folder = tmp_path_factory.mktemp("data")
    async with database_server.clone() as urls, running(urls, folder) as service:
        yield service


@pytest.fixture(scope="module")
async def ada(auth: Auth) -> Person:
    """Somebody to look at, not to change."""
    return await auth.person()


@pytest.fixture(scope="module")
async def grace(auth: Auth) -> Person:
    """Somebody else, in an organization of her own."""
    return await auth.person("Grace Hopper")


@pytest.fixture(scope="module")
async def root(auth: Auth) -> Person:
    """A platform administrator."""
    return await auth.make_platform_admin(await auth.person("Root"))
