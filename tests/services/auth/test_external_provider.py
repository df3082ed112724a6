"""Against oidc-provider, a certified issuer, as a browser would go: no step of it is made up."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from services.auth.external_logins.rules.steps import challenge
from tests.services.auth.conftest import PUBLIC_URL, Auth, running
from tests.services.auth.external_support import CLIENT, Traveller, ec_signer
from tests.support import oidc_provider
from tests.support.postgres import DatabaseServer

ALGORITHMS = {"rs": "RS256", "es": "ES256", "ed": "EdDSA"}


@dataclass
class World:
    """The running service, and the address of the issuer."""

    auth: Auth
    issuer: str


@dataclass
class Journey:
    """A browser at the issuer: keeps its cookies, follows its redirects, stops where it leaves."""

    issuer: str
    client: httpx.AsyncClient = field(default_factory=httpx.AsyncClient)

    async def return_address(self, address: str, login: str) -> str:
        """Sign in as somebody, agree to all, and give the address that leads back to us."""
        address = f"{address}&login_hint={login}"
        async with self.client:
            for _ in range(12):
                answer = await self.client.get(address)
                assert answer.status_code in (302, 303), answer.text
                address = str(answer.url.join(answer.headers["location"]))
                if not address.startswith(self.issuer):
                    return address
        raise AssertionError(f"the issuer leads nowhere: {address}")


def _settings(issuer: str) -> str:
    common = {"issuer": issuer, "trusted_email": True, "groups_claim": "groups"}
    clients = [
        {"name": name, "client_id": name, "client_secret": f"secret of {name}: %&+"}
        for name in ALGORITHMS
    ]
    clients.append({"name": "bare", "client_id": "bare"})
    return json.dumps(
        [common | client | {"auto_register": True, "agents": True} for client in clients]
    )


@pytest.fixture(scope="module")
async def world(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    if not oidc_provider.PACKAGES.is_installed():
        message = "oidc-provider is not installed: python -m tests.prepare"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    folder = tmp_path_factory.mktemp("data")
    async with (
        oidc_provider.running(PUBLIC_URL) as issuer,
        database_server.clone() as urls,
        running(urls, folder, GUILDHALL_ISSUERS=_settings(issuer)) as auth,
    ):
        yield World(auth, issuer)


async def _sign_in(
    world: World, browser: Traveller, client: str, login: str
) -> tuple[httpx.Response, dict[str, str]]:
    left = await browser.leave(client)
    address = await Journey(world.issuer).return_address(left.address, login)
    assert address.startswith(f"{PUBLIC_URL}/auth/{client}/callback?")
    query = dict(parse_qsl(urlsplit(address).query))
    return await browser.return_with(client, **query), query


@pytest.mark.parametrize("client", [*ALGORITHMS, "bare"])
async def test_a_person_signs_in(world: World, client: str) -> None:
    browser = Traveller(world.auth)
    answer, query = await _sign_in(world, browser, client, "ada")
    assert (answer.status_code, answer.headers["location"]) == (303, "/device?code=X"), answer.text
    assert query["iss"] == world.issuer
    account = await browser.account()
    row = await world.auth.sql.fetchrow(
        "SELECT email, name, verified_at FROM auth.account WHERE id = $1", account
    )
    assert row is not None
    assert (row["email"], row["name"]) == ("ada@corp.example", "Ada Lovelace")
    # All clients of an issuer know her by the same subject.
    identities = await world.auth.sql.fetch(
        "SELECT issuer, subject FROM auth.external_identity WHERE account_id = $1", account
    )
    assert [tuple(row) for row in identities] == [(world.issuer, "ada")]
    # What came back is good once.
    assert (await browser.return_with(client, **query)).status_code == 400


async def test_an_address_that_is_not_verified_opens_nothing(world: World) -> None:
    await _sign_in(world, Traveller(world.auth), "es", "ada")
    browser = Traveller(world.auth)
    answer, _ = await _sign_in(world, browser, "es", "mallory")
    assert answer.status_code == 403
    assert await browser.account() is None


async def test_a_refusal_of_the_issuer(world: World) -> None:
    browser = Traveller(world.auth)
    answer, query = await _sign_in(world, browser, "es", "nobody")
    assert query["error"] == "access_denied"
    assert answer.status_code == 400
    assert "script" not in answer.text
    assert await browser.account() is None


async def test_a_stolen_code_is_no_use_to_another_browser(world: World) -> None:
    victim, thief = Traveller(world.auth), Traveller(world.auth)
    left = await victim.leave("bare")
    address = await Journey(world.issuer).return_address(left.address, "grace")
    stolen = dict(parse_qsl(urlsplit(address).query))
    own = await thief.leave("bare")
    # With the thief's own state, the code meets the thief's verifier: the issuer refuses.
    answer = await thief.return_with("bare", **stolen | {"state": own.state})
    assert answer.status_code == 401
    assert await thief.account() is None


async def test_an_id_token_is_taken_on_the_agents_surface(world: World) -> None:
    """The client gets its token by itself, as a program of somebody's does."""
    verifier = "v" * 43
    redirect_uri = f"{PUBLIC_URL}/auth/bare/callback"
    query = httpx.QueryParams(
        response_type="code",
        client_id="bare",
        redirect_uri=redirect_uri,
        scope="openid email",
        code_challenge=verifier,
        code_challenge_method="plain",
    )
    async with httpx.AsyncClient() as client:
        refused = await client.get(f"{world.issuer}/auth", params=query)
        assert "error=invalid_request" in refused.headers["location"]

    query = query.set("code_challenge", challenge(verifier)).set("code_challenge_method", "S256")
    address = await Journey(world.issuer).return_address(f"{world.issuer}/auth?{query}", "ada")
    code = dict(parse_qsl(urlsplit(address).query))["code"]
    async with httpx.AsyncClient() as client:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "client_id": "bare",
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        tokens = (await client.post(f"{world.issuer}/token", data=form)).json()
    body = {
        "provider": "oidc",
        "token": tokens["id_token"],
        "provider_config": {"issuer": world.issuer, "client_id": "bare"},
    }
    answer = await world.auth.post("/api/v0/auth/external", **body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["service_account"]["user"] == "oidc:ada"
    groups = await world.auth.sql.fetchval(
        "SELECT groups FROM auth.principal_session WHERE subject = 'oidc:ada'"
    )
    assert groups == ["engines"]
    # Neither for another client, nor the access token in its place, nor one of another's making.
    other = {"issuer": world.issuer, "client_id": "rs"}
    forged = ec_signer("es").sign({"iss": world.issuer, "aud": CLIENT, "sub": "ada"})
    for changes in (
        {"provider_config": other},
        {"token": tokens["access_token"]},
        {"token": forged},
    ):
        answer = await world.auth.post("/api/v0/auth/external", **body | changes)
        assert answer.status_code == 401
