"""``POST /api/v0/auth/external``: an issuer's token, or a subject on a caller's word."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from shared.principal import ANONYMOUS, Kind, Principal
from tests.services.auth.conftest import GATEWAY, Auth, running
from tests.services.auth.external_support import (
    CLIENT,
    WELL_KNOWN,
    FakeIssuer,
    ec_signer,
    fake_issuer,
    unsigned,
)
from tests.support.postgres import DatabaseServer

PATH = "/api/v0/auth/external"
ADMIN_PASSWORD = "a long pass phrase"


@dataclass
class World:
    """The running service, the first issuer that it trusts, and the second."""

    auth: Auth
    one: FakeIssuer
    two: FakeIssuer

    async def show(
        self,
        token: str,
        issuer: str | None = None,
        client: str = CLIENT,
        principal: Principal = ANONYMOUS,
        **fields: Any,
    ) -> httpx.Response:
        config = {"issuer": issuer or self.one.url, "client_id": client}
        body = {"provider": "oidc", "token": token, "provider_config": config} | fields
        return await self.auth.post(PATH, principal, **body)

    async def principal(self, token: str) -> tuple[Principal, dict[str, Any]]:
        """Introduce the bearer of a token as the gateway would."""
        claims = await self.auth.claims_of(token)
        answer = await self.auth.post(
            "/internal/sessions/check",
            GATEWAY,
            session_id=claims.sid,
            account_id=claims.sub,
            org_id=claims.org,
        )
        verdict: dict[str, Any] = answer.json()
        groups = tuple(verdict["groups"])
        return (
            Principal(Kind(verdict["kind"]), claims.sub, session=claims.sid, groups=groups),
            verdict,
        )


@pytest.fixture(scope="module")
async def world(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("data")
    async with fake_issuer() as one, fake_issuer() as two, database_server.clone() as urls:
        agents = {"agents": True, "sign_in": False, "groups_claim": "groups"}
        issuers = [
            one.settings("one", **agents),
            one.settings("people", client_id="for people", trusted_email=True),
            two.settings("two", subject_prefix="partner", **agents),
        ]
        async with running(
            urls,
            folder,
            GUILDHALL_ISSUERS=json.dumps(issuers),
            GUILDHALL_SERVICE_ADMIN_PASSWORD=ADMIN_PASSWORD,
        ) as auth:
            yield World(auth, one, two)


async def test_a_token_is_exchanged(world: World) -> None:
    answer = await world.show(world.one.id_token(sub="ada", groups=["devs", "partner:boss"]))
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    expires_at = datetime.strptime(body["expires_at"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    assert abs(expires_at - datetime.now(UTC) - timedelta(hours=24)) < timedelta(minutes=1)
    assert body == {
        "token": body["token"],
        "token_type": "Bearer",
        "expires_at": body["expires_at"],
        "service_account": {"user": "oidc:ada", "namespace": None, "provider": "oidc"},
    }
    principal, verdict = await world.principal(body["token"])
    assert (principal.kind, principal.subject) == (Kind.SUBJECT, "oidc:ada")
    assert (verdict["scopes"], verdict["role"]) == ([], "")
    # What reads like the other issuer's group is not its own.
    assert principal.groups == ("devs",)
    me = await world.auth.send("GET", "/api/v0/auth/me", principal)
    assert (me.json()["user"], me.json()["type"]) == ("oidc:ada", "Subject")


async def test_two_issuers_never_share_a_subject(world: World) -> None:
    answer = await world.show(world.two.id_token(sub="ada", groups=["devs"]), world.two.url)
    assert answer.json()["service_account"]["user"] == "partner:ada"
    principal, _ = await world.principal(answer.json()["token"])
    assert principal.groups == ("partner:devs",)


async def test_a_subject_named_like_an_account_is_not_that_account(world: World) -> None:
    for sub in ("admin", "usr_1", "sas_1", "oidc:ada", "current-user"):
        answer = await world.show(world.one.id_token(sub=sub))
        assert answer.json()["service_account"]["user"] == f"oidc:{sub}"
        principal, _ = await world.principal(answer.json()["token"])
        answer = await world.auth.send("GET", "/api/v0/service-accounts", principal)
        assert answer.status_code == 403


async def test_a_token_may_be_shown_again_while_it_holds(world: World) -> None:
    token = world.one.id_token()
    tokens = {(await world.show(token)).json()["token"] for _ in range(3)}
    assert len(tokens) == 3


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"aud": "other"},
        {"aud": [CLIENT, "other"]},
        {"azp": "other"},
        {"exp": 1},
        {"iat": 1},
        {"nbf": 4_000_000_000},
        {"sub": None},
        {"sub": "a\x00b"},
    ],
)
async def test_a_bad_token_is_401(world: World, claims: dict[str, Any]) -> None:
    await _is_401(await world.show(world.one.id_token(**claims)))


async def _is_401(answer: httpx.Response) -> None:
    assert answer.status_code == 401
    assert answer.json() == {
        "error": {"code": "UNAUTHORIZED", "message": "Authentication required"},
        "message": "Authentication required",
    }


async def test_a_forged_token_is_401(world: World) -> None:
    claims = world.one.standard()
    for token in (
        "",
        "x",
        "a.b.c",
        unsigned({"alg": "none"}, claims),
        unsigned({"alg": "HS256", "kid": "es"}, claims, b"x" * 32),
        ec_signer("es").sign(claims),
        world.two.signer.sign(claims),
        world.one.id_token() + "A",
    ):
        await _is_401(await world.show(token))


async def test_issuer_and_client_must_be_those_of_the_settings(world: World) -> None:
    token = world.one.id_token()
    await _is_401(await world.show(token, "https://evil.example"))
    await _is_401(await world.show(token, world.one.url + "/"))
    await _is_401(await world.show(token, world.two.url))
    await _is_401(await world.show(token, client="other"))
    # Trusted for people's sign-in is not trusted here.
    await _is_401(await world.show(world.one.id_token(aud="for people"), client="for people"))


async def test_a_flood_of_unknown_keys_makes_us_fetch_no_more(world: World) -> None:
    await world.show(world.one.id_token())
    before = len(world.one.asked("/keys")), len(world.one.asked(WELL_KNOWN))
    claims = world.one.standard()
    for number in range(50):
        await _is_401(await world.show(ec_signer(f"k{number}").sign(claims)))
    after = len(world.one.asked("/keys")), len(world.one.asked(WELL_KNOWN))
    assert after[0] - before[0] <= 1
    assert after[1] == before[1]


async def test_refusals_and_logins_are_written_down(world: World) -> None:
    name = uuid4().hex
    await world.show(world.one.id_token(sub=name))
    row = await world.auth.sql.fetchrow(
        "SELECT * FROM auth.audit_event WHERE actor_id = $1", f"oidc:{name}"
    )
    assert row is not None
    assert (row["action"], row["outcome"]) == ("session.opened", "done")
    refused = "SELECT count(*) FROM auth.audit_event WHERE action = 'external_login.opened'"
    before = await world.auth.sql.fetchval(refused)
    await world.show(world.one.id_token(aud="other"))
    assert await world.auth.sql.fetchval(refused) == before + 1


@pytest.mark.parametrize("provider", ["oauth2", "saml"])
async def test_other_providers_need_a_bridge(world: World, provider: str) -> None:
    answer = await world.show("x", provider=provider)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "BAD_REQUEST"
    assert "put an OpenID Connect bridge in front of it" in answer.json()["message"]


async def test_an_unknown_provider_is_400(world: World) -> None:
    answer = await world.show("x", provider="<script>")
    assert (answer.status_code, answer.json()["message"]) == (400, "Unsupported external provider")


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"provider", "token", "provider_config"}),
        ({"provider": "oidc"}, {"token", "provider_config"}),
        ({"provider": "oidc", "token": "x", "provider_config": {}}, {"issuer", "client_id"}),
        ({"provider": 7, "token": [], "provider_config": "x"}, None),
        ({"provider": "oidc", "token": "x" * 40_000}, None),
        ({"subject": ""}, None),
        ({"subject": "x" * 400}, None),
        ({"subject": {}}, None),
        ({"subject": "a\x00"}, None),
    ],
)
async def test_what_is_missing_is_named(
    world: World, body: dict[str, Any], fields: set[str] | None
) -> None:
    answer = await world.auth.post(PATH, **body)
    assert answer.status_code == 422
    details = answer.json()["error"]["details"]
    if fields is not None:
        assert {detail["loc"][-1] for detail in details} == fields


async def test_unknown_fields_change_nothing(world: World) -> None:
    more: dict[str, Any] = {
        "role": "admin",
        "groups": ["admins"],
        "namespace": "acme",
        "user": "admin",
    }
    answer = await world.show(world.one.id_token(sub="ada"), **more)
    assert answer.json()["service_account"]["user"] == "oidc:ada"
    principal, _ = await world.principal(answer.json()["token"])
    assert principal.groups == ()


async def _admin(auth: Auth) -> Principal:
    login: dict[str, Any] = {"user": "admin", "pass": ADMIN_PASSWORD}
    answer = await auth.post("/api/v0/auth/internal", **login)
    assert answer.status_code == 200, answer.text
    claims = await auth.claims_of(answer.json()["token"])
    return Principal(Kind.SERVICE_ACCOUNT, claims.sub, session=claims.sid)


async def test_a_bare_subject_needs_a_caller_who_holds_everything(world: World) -> None:
    subject = f"robot-{uuid4().hex}"
    await _is_401(await world.auth.post(PATH, subject=subject))
    principal, _ = await world.principal((await world.show(world.one.id_token())).json()["token"])
    answer = await world.auth.post(PATH, principal, subject=subject)
    assert answer.status_code == 403
    member = (await world.auth.person()).principal
    assert (await world.auth.post(PATH, member, subject=subject)).status_code == 403

    answer = await world.auth.post(PATH, await _admin(world.auth), subject=subject)
    assert answer.status_code == 200, answer.text
    principal, _ = await world.principal(answer.json()["token"])
    assert (principal.kind, principal.subject) == (Kind.SUBJECT, subject)


async def test_form_two_needs_a_caller_whatever_else_is_sent(world: World) -> None:
    await _is_401(await world.show(world.one.id_token(), subject="admin"))


async def test_an_issuer_that_is_away_is_503_with_a_time(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("data")
    async with fake_issuer() as fake, database_server.clone() as urls:
        issuers = json.dumps([fake.settings("one", agents=True)])
        async with running(urls, folder, GUILDHALL_ISSUERS=issuers) as auth:
            fake.answers["/keys"] = (503, {})
            answer = await World(auth, fake, fake).show(fake.id_token())
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.json()["error"]["code"] == "UNAVAILABLE"


@pytest.mark.parametrize("agents", [None, False])
async def test_without_a_trusted_issuer_a_token_is_no_proof(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory, agents: bool | None
) -> None:
    folder = tmp_path_factory.mktemp("data")
    async with fake_issuer() as fake, database_server.clone() as urls:
        settings = {"GUILDHALL_SERVICE_ADMIN_PASSWORD": ADMIN_PASSWORD}
        if agents is not None:
            settings["GUILDHALL_ISSUERS"] = json.dumps([fake.settings("one", agents=agents)])
        async with running(urls, folder, **settings) as auth:
            world = World(auth, fake, fake)
            await _is_401(await world.show(fake.id_token()))
            await _is_401(await world.show("x", provider="saml"))
            await _is_401(await world.auth.post(PATH))
            admin = await _admin(auth)
            await _is_401(await world.show(fake.id_token(), principal=admin))
            answer = await world.show("x", provider="saml", principal=admin)
            assert answer.status_code == 400
            assert fake.service.asked == []
