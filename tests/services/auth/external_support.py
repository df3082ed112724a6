"""Issuers of OpenID Connect that say what a test tells them to, and browsers that come back."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import uuid4

import httpx
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.api_jws import PyJWS

from shared.secret import encode_base64url
from tests.gateway.fake_service import Asked, FakeService, plain, running
from tests.services.auth.conftest import GATEWAY, Auth
from tests.services.auth.conftest import running as running_auth
from tests.services.auth.device_support import Browser
from tests.support.postgres import DatabaseServer, DatabaseUrls

CLIENT = "guildhall"
SECRET = "a secret: with %, & and +"
WELL_KNOWN = "/.well-known/openid-configuration"

_JWS = PyJWS()
_READERS: dict[str, Any] = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}


@dataclass(frozen=True)
class Signer:
    """A private key, its algorithm and its name."""

    kid: str | None
    algorithm: str
    private: Any

    def jwk(self, **fields: Any) -> dict[str, Any]:
        public = _READERS[self.algorithm].to_jwk(self.private.public_key(), as_dict=True)
        named = {"kid": self.kid} if self.kid is not None else {}
        return {**public, "use": "sig", "alg": self.algorithm, **named, **fields}

    def sign(self, claims: dict[str, Any], **headers: Any) -> str:
        named = {"kid": self.kid} if self.kid is not None else {}
        payload = json.dumps(claims).encode()
        return _JWS.encode(payload, self.private, self.algorithm, headers={**named, **headers})


def rsa_signer(kid: str | None = "rs", bits: int = 2048) -> Signer:
    return Signer(kid, "RS256", rsa.generate_private_key(65537, bits))


def ec_signer(kid: str | None = "es") -> Signer:
    return Signer(kid, "ES256", ec.generate_private_key(ec.SECP256R1()))


def ed_signer(kid: str | None = "ed") -> Signer:
    return Signer(kid, "EdDSA", ed25519.Ed25519PrivateKey.generate())


def unsigned(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    """Write a token by hand, so that it may say anything."""
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(encode_base64url(part) for part in parts)


Answer = tuple[int, Any]
Handler = Callable[[Asked], Answer]


class FakeIssuer:
    """An issuer on a port of its own.

    ``answers`` maps a path to a status and a document (bytes go as they are), or to a function of
    what was asked. ``claims`` go into the ID token that the token endpoint gives.
    """

    def __init__(self, service: FakeService) -> None:
        self.service = service
        self.signer = ec_signer()
        self.claims: dict[str, Any] = {}
        self.answers: dict[str, Answer | Handler] = {}
        self.put_back()
        service.behave = self._behave

    def put_back(self) -> None:
        """Be honest again."""
        self.claims = {}
        self.answers = {
            WELL_KNOWN: lambda asked: (200, self.document()),
            "/keys": lambda asked: (200, {"keys": [self.signer.jwk()]}),
            "/token": lambda asked: (200, self.tokens()),
        }

    @property
    def url(self) -> str:
        return self.service.url

    def document(self, **fields: Any) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "authorization_response_iss_parameter_supported": True,
            **fields,
        }

    def standard(self, **fields: Any) -> dict[str, Any]:
        """The claims of a good token, with some changed; None takes one away."""
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "sub": "ada",
            "iat": now,
            "exp": now + 300,
            **self.claims,
            **fields,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def id_token(self, **fields: Any) -> str:
        return self.signer.sign(self.standard(**fields))

    def tokens(self) -> dict[str, Any]:
        digest = hashlib.sha256(b"access").digest()
        return {
            "access_token": "access",
            "token_type": "Bearer",
            "id_token": self.id_token(at_hash=encode_base64url(digest[:16])),
        }

    def asked(self, path: str) -> list[Asked]:
        return [asked for asked in self.service.asked if asked.target.partition("?")[0] == path]

    def settings(self, name: str = "corp", **fields: Any) -> dict[str, Any]:
        return {"name": name, "issuer": self.url, "client_id": CLIENT, **fields}

    async def _behave(
        self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        answer = self.answers.get(asked.target.partition("?")[0], (404, {}))
        status, document = answer(asked) if callable(answer) else answer
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        writer.write(plain(status, body, "content-type: application/json"))
        await writer.drain()


@asynccontextmanager
async def fake_issuer() -> AsyncIterator[FakeIssuer]:
    async with running(FakeService()) as service:
        yield FakeIssuer(service)


@dataclass
class Left:
    """A browser that was sent to an issuer."""

    address: str
    query: dict[str, str]

    @property
    def state(self) -> str:
        return self.query["state"]


@dataclass
class Traveller(Browser):
    """A browser that signs in with issuers."""

    async def leave(self, provider: str = "corp", redirect_to: str = "/device?code=X") -> Left:
        query = urlencode({"redirect_to": redirect_to})
        answer = await self.get(f"/auth/{provider}?{query}")
        assert answer.status_code == 303, answer.text
        return left_by(answer.headers["location"])

    async def return_with(self, provider: str = "corp", **query: str) -> httpx.Response:
        return await self.get(f"/auth/{provider}/callback?{urlencode(query)}")

    async def sign_in(
        self, issuer: FakeIssuer, provider: str = "corp", **claims: Any
    ) -> httpx.Response:
        """Leave, be let in by the issuer with these claims, and come back."""
        return await self.come_back(issuer, await self.leave(provider), provider, **claims)

    async def come_back(
        self, issuer: FakeIssuer, left: Left, provider: str = "corp", **claims: Any
    ) -> httpx.Response:
        issuer.claims = {"nonce": left.query["nonce"], **claims}
        return await self.return_with(provider, state=left.state, code="good", iss=issuer.url)

    async def account(self) -> str | None:
        """Tell whose browser it is, as the teams service would be told."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = await self.auth.post("/internal/web-sessions/check", GATEWAY, cookie=cookie)
        assert answer.status_code == 200, answer.text
        return answer.json()["account_id"] or None


def left_by(address: str) -> Left:
    return Left(address, dict(parse_qsl(urlsplit(address).query)))


@dataclass
class World:
    """The running service, and the issuer that it trusts."""

    auth: Auth
    fake: FakeIssuer
    urls: DatabaseUrls

    def browser(self) -> Traveller:
        return Traveller(self.auth)

    async def identities(self) -> int:
        count: int = await self.auth.sql.fetchval("SELECT count(*) FROM auth.external_identity")
        return count

    async def accounts(self) -> int:
        count: int = await self.auth.sql.fetchval("SELECT count(*) FROM auth.account")
        return count


def new_subject() -> str:
    return uuid4().hex


def verified(address: str, **claims: Any) -> dict[str, Any]:
    return {"sub": new_subject(), "email": address, "email_verified": True} | claims


@asynccontextmanager
async def trusting_world(
    server: DatabaseServer, folder: Path, **settings: Any
) -> AsyncIterator[World]:
    """Run a service that trusts one issuer in several ways."""
    async with fake_issuer() as fake, server.clone() as urls:
        trusted = {"trusted_email": True, "client_secret": SECRET}
        issuers = [
            fake.settings("corp", label="Corp & Sons", auto_register=True, **trusted),
            fake.settings("known", **trusted),
            fake.settings("doubted"),
            fake.settings("narrow", allowed_domains=["corp.example"], **trusted),
            fake.settings("robots", sign_in=False, agents=True),
        ]
        settings["GUILDHALL_ISSUERS"] = json.dumps(issuers)
        async with running_auth(urls, folder, **settings) as auth:
            yield World(auth, fake, urls)


async def is_refused(world: World, provider: str, **claims: Any) -> None:
    browser = world.browser()
    before = await world.identities(), await world.accounts()
    answer = await browser.sign_in(world.fake, provider, **claims)
    assert answer.status_code == 403
    assert "No account here is linked with this identity yet" in answer.text
    assert await browser.account() is None
    assert (await world.identities(), await world.accounts()) == before
