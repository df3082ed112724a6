"""Signing in with an issuer: whose account it opens, which it links, and which it makes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from services.auth.external_logins.operations import sweep
from services.auth.external_logins.rules.steps import challenge
from services.auth.two_factor.rules import hotp, step_at
from shared.db import Database
from shared.vault import Vault
from tests.services.auth.conftest import (
    ENCRYPTION_KEY,
    PASSWORD,
    PUBLIC_URL,
    new_address,
    running,
    text_of,
)
from tests.services.auth.external_support import (
    CLIENT,
    Traveller,
    World,
    is_refused,
    new_subject,
    trusting_world,
    verified,
)
from tests.support.postgres import DatabaseServer


@pytest.fixture(scope="module")
async def world(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    async with trusting_world(database_server, tmp_path_factory.mktemp("data")) as world:
        yield world


async def test_leaving(world: World) -> None:
    browser = world.browser()
    answer = await browser.get("/auth/corp")
    assert answer.status_code == 303
    assert answer.headers["cache-control"] == "no-store"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-guildhall_external=")
    assert "HttpOnly; SameSite=Lax; Max-Age=600; Secure" in cookie
    parts = urlsplit(answer.headers["location"])
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{world.fake.url}/authorize"
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert len({query.pop("state"), query.pop("nonce"), query.pop("code_challenge")}) == 3
    assert query == {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": f"{PUBLIC_URL}/auth/corp/callback",
        "scope": "openid email profile",
        "code_challenge_method": "S256",
    }
    stored = await world.auth.sql.fetchrow("SELECT * FROM auth.external_login")
    assert stored is not None
    for secret in (cookie.partition("=")[2].partition(";")[0], parts.query):
        assert secret.encode() not in str(dict(stored)).encode()


async def test_the_verifier_is_the_one_of_the_challenge(world: World) -> None:
    browser = world.browser()
    left = await browser.leave()
    answer = await browser.come_back(world.fake, left, **verified(new_address()))
    assert answer.status_code == 303, answer.text
    form = parse_qs(world.fake.asked("/token")[-1].body.decode())
    assert challenge(form["code_verifier"][0]) == left.query["code_challenge"]
    assert form["redirect_uri"] == [f"{PUBLIC_URL}/auth/corp/callback"]
    assert form["code"] == ["good"]


async def test_a_stranger_becomes_a_member(world: World) -> None:
    browser, address = world.browser(), new_address()
    claims = verified(address, name="Ada <script>\nLovelace")
    answer = await browser.sign_in(world.fake, **claims)
    assert (answer.status_code, answer.headers["location"]) == (303, "/device?code=X")
    account = await browser.account()
    row = await world.auth.sql.fetchrow("SELECT * FROM auth.account WHERE id = $1", account)
    assert row is not None
    assert (row["email"], row["name"]) == (address, "Ada <script>Lovelace")
    assert row["verified_at"] is not None
    assert row["password_hash"] is None
    assert row["active_org_id"] is not None
    assert not row["platform_admin"]
    for kind in ("account.registered.v1", "account.verified.v1"):
        assert account in [event["account_id"] for event in await world.auth.events(kind)]
    answer = await world.auth.post("/v1/auth/token", email=address, password="")
    assert answer.status_code == 401

    again = world.browser()
    await again.sign_in(world.fake, **claims | {"email": "moved@corp.example"})
    assert await again.account() == account


async def test_the_many_windows_of_a_stranger_make_one_account(world: World) -> None:
    claims = verified(new_address())
    browsers = [world.browser() for _ in range(8)]
    lefts = [await browser.leave() for browser in browsers]
    nonces = {left.state: left.query["nonce"] for left in lefts}

    async def arrive(browser: Traveller, state: str) -> int:
        answer = await browser.return_with(state=state, code=state, iss=world.fake.url)
        return answer.status_code

    def tokens(asked: Any) -> tuple[int, Any]:
        state = parse_qs(asked.body.decode())["code"][0]
        return 200, {"id_token": world.fake.id_token(nonce=nonces[state], **claims)}

    before, world.fake.answers["/token"] = world.fake.answers["/token"], tokens
    try:
        statuses = await asyncio.gather(*map(arrive, browsers, nonces))
    finally:
        world.fake.answers["/token"] = before
    assert statuses == [303] * 8
    assert len({await browser.account() for browser in browsers}) == 1


async def test_the_address_of_an_account_opens_it_when_both_have_proved_it(world: World) -> None:
    person = await world.auth.person()
    browser = world.browser()
    answer = await browser.sign_in(world.fake, "known", **verified(person.email.upper()))
    assert answer.status_code == 303
    assert await browser.account() == person.claims.sub
    letter = (await world.auth.letters(person.email, 2))[-1]
    assert letter["Subject"] == "A way to sign in was added to your account"
    assert "sign in to Guildhall with Known" in text_of(letter)
    audit = await world.auth.sql.fetchrow(
        "SELECT * FROM auth.audit_event WHERE action = 'external_identity.linked' AND target = $1",
        person.claims.sub,
    )
    assert audit is not None
    # The password goes on to work.
    await world.auth.sign_in(person.email)


async def test_a_known_identity_needs_no_address(world: World) -> None:
    person, subject = await world.auth.person(), new_subject()
    await world.browser().sign_in(world.fake, "known", **verified(person.email, sub=subject))
    for claims in ({}, {"email": "other@mail.example"}, {"email": 7, "email_verified": "no"}):
        browser = world.browser()
        await browser.sign_in(world.fake, "known", sub=subject, **claims)
        assert await browser.account() == person.claims.sub


@pytest.mark.parametrize(
    "claims",
    [
        {"email_verified": False},
        {"email_verified": None},
        {"email_verified": "true"},
        {"email_verified": 1},
        {"email": None},
        {"email": "not an address"},
        {"email": ["ada@corp.example"]},
    ],
)
@pytest.mark.parametrize("provider", ["corp", "known"])
async def test_an_address_that_the_issuer_has_not_verified_opens_nothing(
    world: World, provider: str, claims: dict[str, Any]
) -> None:
    person = await world.auth.person()
    await is_refused(world, provider, **verified(person.email) | claims)


async def test_an_issuer_that_is_not_believed_links_nothing(world: World) -> None:
    person = await world.auth.person()
    await is_refused(world, "doubted", **verified(person.email))
    await is_refused(world, "doubted", **verified(new_address()))


async def test_without_registration_a_stranger_is_refused(world: World) -> None:
    await is_refused(world, "known", **verified(new_address()))


async def test_an_account_whose_address_somebody_else_vouched_for_is_not_linked(
    world: World,
) -> None:
    person = await world.auth.person()
    await world.auth.sql.execute(
        "UPDATE auth.account SET vouched_by = 'org_x' WHERE id = $1", person.claims.sub
    )
    for provider in ("corp", "known"):
        await is_refused(world, provider, **verified(person.email))


async def test_whoever_registered_an_address_first_gains_nothing(world: World) -> None:
    address = new_address()
    assert (await world.auth.register(address, name="Mallory")).status_code == 201
    token = await world.auth.token_for(address)
    await is_refused(world, "known", **verified(address))

    browser = world.browser()
    await browser.sign_in(world.fake, **verified(address, name="Ada"))
    account = await browser.account()
    name = await world.auth.sql.fetchval("SELECT name FROM auth.account WHERE id = $1", account)
    assert name == "Ada"
    answer = await world.auth.post("/v1/auth/verify-email", token=token)
    assert answer.status_code == 400
    answer = await world.auth.post("/v1/auth/token", email=address, password=PASSWORD)
    assert answer.status_code == 401


@pytest.mark.parametrize("column", ["disabled_at"])
async def test_an_account_that_may_not_act_is_refused(world: World, column: str) -> None:
    person, claims = await world.auth.person(), verified("x@mail.example")
    claims["email"] = person.email
    await world.browser().sign_in(world.fake, "known", **claims)
    await world.auth.sql.execute(
        f"UPDATE auth.account SET {column} = now() WHERE id = $1",  # noqa: S608 - a column
        person.claims.sub,
    )
    browser = world.browser()
    answer = await browser.sign_in(world.fake, "known", **claims)
    assert answer.status_code == 403
    assert await browser.account() is None


async def test_the_second_factor_holds(world: World) -> None:
    person, secret = await world.auth.person(), b"s" * 20
    await world.auth.sql.execute(
        """
        INSERT INTO auth.two_factor (account_id, sealed_secret, confirmed_at)
        VALUES ($1, $2, now())
        """,
        person.claims.sub,
        Vault(ENCRYPTION_KEY).seal(secret),
    )
    browser = world.browser()
    answer = await browser.sign_in(world.fake, "known", **verified(person.email))
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/users/complete-login?redirect_to=/device")
    assert await browser.account() is None

    page = await browser.get(answer.headers["location"])
    assert page.status_code == 200
    answer = await browser.submit(page, totp="000000")
    assert answer.status_code == 401
    assert await browser.account() is None
    answer = await browser.submit(page, totp=hotp(secret, step_at(time.time())))
    assert (answer.status_code, answer.headers["location"]) == (303, "/device?code=X")
    assert await browser.account() == person.claims.sub


async def test_only_addresses_of_a_domain_may_come(world: World) -> None:
    person = await world.auth.person()
    await is_refused(world, "narrow", **verified(person.email))
    colleague = f"{new_subject()}@corp.example"
    assert (await world.auth.register(colleague)).status_code == 201
    await world.auth.post("/v1/auth/verify-email", token=await world.auth.token_for(colleague))
    browser, subject = world.browser(), new_subject()
    answer = await browser.sign_in(world.fake, "narrow", **verified(colleague, sub=subject))
    assert answer.status_code == 303
    # Who has left the company stays outside, although the identity is known.
    for claims in (verified("x@mail.example"), {"email_verified": False}, {"email": None}):
        gone = verified(colleague) | claims | {"sub": subject}
        answer = await world.browser().sign_in(world.fake, "narrow", **gone)
        assert answer.status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/x\r\nset-cookie: a=b",
        "/" + "x" * 3000,
    ],
)
async def test_no_other_site_is_returned_to(world: World, path: str) -> None:
    browser = world.browser()
    left = await browser.leave(redirect_to=path)
    answer = await browser.come_back(world.fake, left, **verified(new_address()))
    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard")


@pytest.mark.parametrize(
    "name", ["github", "google", "robots", "corp%2F..", "CORP", "%00", "x" * 999]
)
async def test_what_is_not_set_up_is_a_page_that_says_so(world: World, name: str) -> None:
    browser = world.browser()
    for path in (f"/auth/{name}", f"/auth/{name}/callback"):
        answer = await browser.get(path)
        assert answer.status_code in (404, 422)
        if answer.status_code == 404 and "%2F" not in name:
            assert answer.headers["content-type"].startswith("text/html")
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


async def test_without_issuers_nothing_is_set_up(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("data")
    async with database_server.clone() as urls, running(urls, folder) as auth:
        assert (await Traveller(auth).get("/auth/github")).status_code == 404
        assert "/auth/github" not in (await Traveller(auth).get("/users/log-in")).text


async def test_the_sign_in_page_has_a_button_for_each(world: World) -> None:
    page = (await world.browser().get("/users/log-in")).text
    assert "Corp &amp; Sons" in page
    assert page.count('href="/auth/') == 4
    assert "/auth/robots" not in page


async def test_sign_ins_that_never_came_back_are_swept(world: World) -> None:
    await world.browser().leave()
    await world.auth.sql.execute(
        "UPDATE auth.external_login SET expires_at = now() - interval '1s'"
    )
    kept = world.browser()
    left = await kept.leave()
    database = await Database.connect(world.urls.url("auth"), size=1)
    try:
        await sweep(database)
    finally:
        await database.close()
    assert await world.auth.sql.fetchval("SELECT count(*) FROM auth.external_login") == 1
    answer = await kept.come_back(world.fake, left, **verified(new_address()))
    assert answer.status_code == 303
