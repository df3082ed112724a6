"""What an attacker tries between a browser, an issuer and us: each ends without a session."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.secret import encode_base64url
from tests.services.auth.conftest import Auth, new_address, running
from tests.services.auth.external_support import (
    WELL_KNOWN,
    FakeIssuer,
    Traveller,
    ec_signer,
    fake_issuer,
    unsigned,
)
from tests.support.postgres import DatabaseServer

COOKIE = "__Host-guildhall_external"


@dataclass
class World:
    """The running service, the issuer that it trusts, and one that an attacker runs."""

    auth: Auth
    honest: FakeIssuer
    evil: FakeIssuer

    def browser(self) -> Traveller:
        return Traveller(self.auth)

    async def exchanges(self) -> int:
        return len(self.honest.asked("/token")) + len(self.evil.asked("/token"))

    async def refusals(self, reason: str) -> int:
        count: int = await self.auth.sql.fetchval(
            """
            SELECT count(*) FROM auth.audit_event WHERE outcome = 'refused'
               AND action = 'external_login.opened' AND detail ->> 'reason' = $1
            """,
            reason,
        )
        return count


@pytest.fixture(scope="module")
async def world(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("data")
    async with (
        fake_issuer() as honest,
        fake_issuer() as evil,
        database_server.clone() as urls,
    ):
        trusted = {"trusted_email": True, "auto_register": True}
        issuers = [honest.settings("corp", **trusted), evil.settings("evil")]
        async with running(urls, folder, GUILDHALL_ISSUERS=json.dumps(issuers)) as auth:
            yield World(auth, honest, evil)


@pytest.fixture(autouse=True)
def _put_back(world: World) -> None:
    world.honest.put_back()
    world.evil.put_back()


def somebody(**claims: Any) -> dict[str, Any]:
    address = new_address()
    return {"sub": address, "email": address, "email_verified": True} | claims


async def _is_ended(world: World, browser: Traveller, answer: httpx.Response) -> None:
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/html")
    assert "was not begun in this browser" in answer.text
    assert await browser.account() is None


@pytest.mark.parametrize("state", ["", "unknown", "x" * 129, "x" * 5000, "é", "' OR 1=1 --"])
async def test_an_unknown_state(world: World, state: str) -> None:
    browser = world.browser()
    await browser.leave()
    before = await world.exchanges()
    answer = await browser.return_with(state=state, code="c", iss=world.honest.url)
    await _is_ended(world, browser, answer)
    assert await world.exchanges() == before


async def test_the_state_of_another_browser(world: World) -> None:
    attacker, victim = world.browser(), world.browser()
    left = await attacker.leave()
    before = await world.exchanges()
    for browser in (victim, world.browser()):
        await _is_ended(world, browser, await browser.come_back(world.honest, left))
    await victim.leave()
    await _is_ended(world, victim, await victim.come_back(world.honest, left))
    victim.cookies[COOKIE] = "x" * 43
    await _is_ended(world, victim, await victim.come_back(world.honest, left))
    assert await world.exchanges() == before
    # Nor was it taken from the browser whose it is.
    assert (await attacker.come_back(world.honest, left, **somebody())).status_code == 303


async def test_a_state_is_good_once(world: World) -> None:
    browser = world.browser()
    left = await browser.leave()
    world.honest.claims = {"nonce": left.query["nonce"], **somebody()}
    before = await world.exchanges()
    query = {"state": left.state, "code": "good", "iss": world.honest.url}
    answers = await asyncio.gather(*(browser.return_with(**query) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [303] + [400] * 19
    assert await world.exchanges() == before + 1
    assert (await browser.return_with(**query)).status_code == 400


async def test_a_state_is_good_for_ten_minutes(world: World) -> None:
    browser = world.browser()
    left = await browser.leave()
    life = await world.auth.sql.fetchval("SELECT max(expires_at) - now() FROM auth.external_login")
    assert 590 <= life.total_seconds() <= 600
    await world.auth.sql.execute("UPDATE auth.external_login SET expires_at = now()")
    await _is_ended(world, browser, await browser.come_back(world.honest, left))


async def test_a_state_belongs_to_one_issuer(world: World) -> None:
    browser = world.browser()
    left = await browser.leave("corp")
    before = await world.exchanges()
    await _is_ended(world, browser, await browser.come_back(world.evil, left, "evil"))
    assert await world.exchanges() == before


async def test_a_mix_up_sends_no_code_to_the_wrong_issuer(world: World) -> None:
    """The browser was sent to the honest issuer by the evil one: the code is the honest one's."""
    for iss in (world.honest.url, None, "", world.evil.url + "/"):
        browser = world.browser()
        left = await browser.leave("evil")
        before = await world.exchanges()
        query = {"state": left.state, "code": "of the honest"} | ({"iss": iss} if iss else {})
        if iss == "":
            query["iss"] = ""
        answer = await browser.return_with("evil", **query)
        assert answer.status_code == 401
        assert await browser.account() is None
        assert await world.exchanges() == before
    assert await world.refusals("answer of another issuer") >= 4


async def test_an_issuer_that_does_not_name_itself_may_leave_it_out(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("data")
    async with fake_issuer() as fake, database_server.clone() as urls:
        document = fake.document()
        del document["authorization_response_iss_parameter_supported"]
        fake.answers[WELL_KNOWN] = (200, document)
        issuers = [fake.settings("corp", trusted_email=True, auto_register=True)]
        async with running(urls, folder, GUILDHALL_ISSUERS=json.dumps(issuers)) as auth:
            for iss, status in ((None, 303), ("https://evil.example", 401)):
                browser = Traveller(auth)
                left = await browser.leave()
                fake.claims = {"nonce": left.query["nonce"], **somebody()}
                query = {"state": left.state, "code": "c"} | ({"iss": iss} if iss else {})
                assert (await browser.return_with(**query)).status_code == status


async def test_a_code_of_another_sign_in_is_told_by_its_nonce(world: World) -> None:
    attacker, victim = world.browser(), world.browser()
    stolen = (await victim.leave()).query["nonce"]
    left = await attacker.leave()
    world.honest.claims = {"nonce": stolen, **somebody()}
    answer = await attacker.return_with(state=left.state, code="stolen", iss=world.honest.url)
    assert answer.status_code == 401
    assert await attacker.account() is None
    assert await world.refusals("another nonce") >= 1


def _by_none(world: World, claims: dict[str, Any]) -> str:
    return unsigned({"alg": "none", "kid": "es"}, claims)


def _by_public_key(world: World, claims: dict[str, Any]) -> str:
    public = world.honest.signer.private.public_key()
    secret = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = unsigned({"alg": "HS256", "kid": "es"}, claims).rpartition(".")[0]
    return f"{signed}.{encode_base64url(hmac.digest(secret, signed.encode(), 'sha256'))}"


def _by_own_key(world: World, claims: dict[str, Any]) -> str:
    own = ec_signer("es")
    return own.sign(claims, jwk=own.jwk())


def _by_evil_issuer(world: World, claims: dict[str, Any]) -> str:
    return world.evil.signer.sign(claims)


@pytest.mark.parametrize("forge", [_by_none, _by_public_key, _by_own_key, _by_evil_issuer])
async def test_a_forged_token_opens_nothing(world: World, forge: Any) -> None:
    browser = world.browser()
    left = await browser.leave()
    claims = world.honest.standard(nonce=left.query["nonce"], **somebody())
    world.honest.answers["/token"] = (200, {"id_token": forge(world, claims)})
    answer = await browser.return_with(state=left.state, code="c", iss=world.honest.url)
    assert answer.status_code == 401
    assert await browser.account() is None


TIMES = frozenset({"exp", "iat", "nbf"})
"""Claims that stand here as seconds from the moment of the test: a run may take its time."""


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"aud": "another client"},
        {"aud": ["guildhall", "another client"]},
        {"azp": "another client"},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": -61},
        {"iat": -4000, "exp": 4000},
        {"iat": 600},
        {"nbf": 600},
        {"sub": None},
    ],
)
async def test_a_token_for_something_else_opens_nothing(
    world: World, claims: dict[str, Any]
) -> None:
    browser, now = world.browser(), int(time.time())
    told = {name: now + value if name in TIMES else value for name, value in claims.items()}
    answer = await browser.sign_in(world.honest, **somebody() | told)
    assert answer.status_code == 401
    assert "not what it must be" in answer.text
    assert await browser.account() is None


async def test_an_access_token_of_another_answer_is_noticed(world: World) -> None:
    world.honest.answers["/token"] = lambda asked: (
        200,
        world.honest.tokens() | {"access_token": "another"},
    )
    browser = world.browser()
    answer = await browser.sign_in(world.honest, **somebody())
    assert answer.status_code == 401
    assert await world.refusals("another access token") == 1


async def test_a_refusal_is_shown_without_its_words(world: World) -> None:
    browser = world.browser()
    left = await browser.leave()
    query = {
        "state": left.state,
        "error": "<img src=x onerror=alert(1)>",
        "error_description": "<script>alert(2)</script>",
        "error_uri": "https://evil.example",
        "iss": world.honest.url,
    }
    before = await world.exchanges()
    answer = await browser.return_with(**query)
    assert answer.status_code == 400
    assert "did not let you in, or you cancelled" in answer.text
    for word in ("alert", "evil.example", "<img"):
        assert word not in answer.text
    assert await world.exchanges() == before
    # And the state is used up.
    await _is_ended(world, browser, await browser.come_back(world.honest, left))


@pytest.mark.parametrize("code", ["", "x" * 5000])
async def test_a_code_that_is_none(world: World, code: str) -> None:
    browser = world.browser()
    left = await browser.leave()
    answer = await browser.return_with(state=left.state, code=code, iss=world.honest.url)
    assert answer.status_code == 400


async def test_repeated_and_unknown_parameters_change_nothing(world: World) -> None:
    browser = world.browser()
    left = await browser.leave()
    world.honest.claims = {"nonce": left.query["nonce"], **somebody()}
    extra = {"id_token": "x", "access_token": "y", "account_id": "usr_1", "redirect_to": "//evil"}
    query = urlencode(
        [
            *extra.items(),
            ("state", "wrong"),
            ("state", left.state),
            ("code", "c"),
            ("iss", world.honest.url),
        ]
    )
    answer = await browser.get(f"/auth/corp/callback?{query}")
    assert answer.status_code in (303, 400)
    if answer.status_code == 303:
        assert answer.headers["location"] == "/device?code=X"


@pytest.mark.parametrize("path", ["/token", "/keys", WELL_KNOWN])
@pytest.mark.parametrize("status", [500, 503])
async def test_an_issuer_that_is_down_is_no_crash(
    database_server: DatabaseServer,
    tmp_path_factory: pytest.TempPathFactory,
    path: str,
    status: int,
) -> None:
    folder = tmp_path_factory.mktemp("data")
    async with fake_issuer() as fake, database_server.clone() as urls:
        settings = json.dumps([fake.settings("corp")])
        async with running(urls, folder, GUILDHALL_ISSUERS=settings) as auth:
            fake.answers[path] = (status, b"<html>")
            browser = Traveller(auth)
            answer = await browser.get("/auth/corp")
            if path != WELL_KNOWN:
                assert answer.status_code == 303
                answer = await browser.sign_in(fake, **somebody())
            assert answer.status_code == 503
            assert 1 <= int(answer.headers["retry-after"]) <= 31
            assert answer.headers["content-type"].startswith("text/html")
            assert "cannot be reached" in answer.text


async def test_a_sign_in_leaves_no_secret_in_the_audit_log(world: World) -> None:
    browser = world.browser()
    left = await browser.leave()
    await browser.come_back(world.honest, left, **somebody())
    rows = await world.auth.sql.fetch("SELECT row_to_json(e)::text AS row FROM auth.audit_event e")
    text = " ".join(row["row"] for row in rows)
    for secret in (left.state, left.query["nonce"], *browser.cookies.values()):
        assert secret not in text
