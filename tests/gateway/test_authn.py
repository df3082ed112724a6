from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from typing import Any

import httpx
import pytest

from gateway.authn import ApiKeyAuthenticator
from shared.principal import Kind
from shared.tokens import SigningKey
from tests.gateway.conftest import House, house, until
from tests.gateway.fake_service import answering, plain
from tests.gateway.forgeries import ATTACKS

PROTECTED = {
    "/v1/learnings": {"detail": "Invalid or expired token"},
    "/api/v1/runs": {
        "type": "unauthorized",
        "detail": "Invalid or expired token",
        "error": {"type": "unauthorized", "message": "Invalid or expired token"},
    },
    "/api/v0/agents": {
        "error": {"code": "UNAUTHORIZED", "message": "Authentication required"},
        "message": "Authentication required",
    },
    "/api/account": {"error": "unauthorized", "reason": "missing or invalid token"},
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_forged_credential_is_refused_without_a_question(home: House, attack: str) -> None:
    token = ATTACKS[attack](home.auth)
    home.auth.asked.clear()
    for path, body in PROTECTED.items():
        answer = await home.client.get(path, headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 401, attack
        assert answer.json() == body
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["x-ratelimit-limit"].isdigit()
    # The gateway asks for the public keys by itself now and then.
    assert {asked.target for asked in home.auth.asked} <= {"/.well-known/jwks.json"}
    assert not any(one.asked for one in home.services.values() if one is not home.auth)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("authorization", "")],
        [("authorization", "Bearer")],
        [("authorization", "Basic dXNlcjpwYXNz")],
        [("authorization", "{token}")],
        [("authorization", "Bearer {token}"), ("authorization", "Bearer {token}")],
        [("authorization", "Bearer {token}, Bearer {token}")],
        [("authorization", "Bearer {token} x")],
        [("cookie", "access_token={token}")],
        [("x-api-key", "{token}")],
    ],
)
async def test_nothing_else_is_a_credential(home: House, headers: list[tuple[str, str]]) -> None:
    token = home.auth.token()
    given = [(name, value.format(token=token)) for name, value in headers]
    answer = await home.client.get(f"/v1/learnings?token={token}", headers=given)
    assert answer.status_code == 401
    assert not home.learnings.asked


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEARER"])
async def test_scheme_is_read_in_any_case(home: House, scheme: str) -> None:
    headers = {"authorization": f"{scheme}  {home.auth.token()}"}
    assert (await home.client.get("/v1/learnings", headers=headers)).status_code == 200


async def test_token_is_checked_once_and_remembered(home: House) -> None:
    headers = home.bearer(home.auth.token("ses_once"))
    for path in ("/v1/learnings", "/api/v1/runs", "/api/v0/agents", "/v1/learnings"):
        assert (await home.client.get(path, headers=headers)).status_code == 200
    assert [asked.json for asked in home.auth.looked_up] == [
        {"session_id": "ses_once", "account_id": "usr_1", "org_id": "org_1"}
    ]


async def test_key_is_asked_about_by_its_hash(home: House) -> None:
    key = home.auth.api_key()
    for _ in range(3):
        assert (await home.client.get("/v1/learnings", headers=home.bearer(key))).status_code == 200
    digest = hashlib.sha256(key.encode()).hexdigest()
    assert [asked.json for asked in home.auth.looked_up] == [{"digest": digest}]
    assert all(key.encode() not in asked.body for asked in home.auth.asked)


@pytest.mark.parametrize("prefix", ["trw_live_", "trw_dk_", "tw_"])
async def test_every_kind_of_key(home: House, prefix: str) -> None:
    key = prefix + secrets.token_urlsafe(32)
    home.auth.api_key()
    entry = list(home.auth.keys.values())[-1]
    home.auth.keys[hashlib.sha256(key.encode()).hexdigest()] = entry
    assert (await home.client.get("/v1/learnings", headers=home.bearer(key))).status_code == 200


async def test_unknown_key_is_refused_and_soon_asked_about_again(home: House) -> None:
    key = "trw_live_" + secrets.token_urlsafe(32)
    for _ in range(5):
        answer = await home.client.get("/v1/learnings", headers=home.bearer(key))
        assert answer.status_code == 401
    assert len(home.auth.looked_up) == 1


async def test_new_key_works_at_once(home: House) -> None:
    await home.client.get("/v1/learnings", headers=home.bearer("trw_live_" + "a" * 43))
    key = home.auth.api_key()
    assert (await home.client.get("/v1/learnings", headers=home.bearer(key))).status_code == 200


@pytest.mark.parametrize(
    "changes", [{"active": False}, {"expires_at": 1}, {"key_id": None}, {"expires_at": 0.0}]
)
async def test_key_that_does_not_hold(home: House, changes: dict[str, Any]) -> None:
    key = home.auth.api_key(**changes)
    assert (await home.client.get("/v1/learnings", headers=home.bearer(key))).status_code == 401


async def test_expired_token_of_runs_is_told_so_in_both_shapes(home: House) -> None:
    runs = home.services["runs"]
    made = {}
    for name, left in {"over": -1, "holds": 3600}.items():
        key = "tw_" + secrets.token_urlsafe(32)
        home.auth.api_key(name, expires_at=int(time.time()) + left)
        entry = list(home.auth.keys.values())[-1]
        home.auth.keys[hashlib.sha256(key.encode()).hexdigest()] = entry
        made[name] = home.bearer(key)
    for path in ("/api/v1/runs", "/api/v1/suites", "/api/v1/artifacts/run_1/a.png"):
        answer = await home.client.get(path, headers=made["over"])
        assert (answer.status_code, answer.json()) == (401, PROTECTED["/api/v1/runs"])
        assert answer.headers["www-authenticate"] == "Bearer"
    assert not runs.asked
    assert (await home.client.get("/api/v1/runs", headers=made["holds"])).status_code == 200


async def test_key_that_expires_while_it_is_remembered() -> None:
    async with house() as home:
        pipeline, now, wall = home.gateway.pipeline, time.monotonic(), time.time()
        pipeline._clock = lambda: now
        keys = pipeline._bearer._authenticators["api_key"]
        assert isinstance(keys, ApiKeyAuthenticator)
        keys._clock, keys._wall = lambda: now, lambda: wall
        headers = home.bearer(home.auth.api_key(expires_at=wall + 2))
        for status in (200, 200, 401):
            answer = await home.client.get("/api/v1/runs", headers=headers)
            assert answer.status_code == status
            now, wall = now + 1, wall + 1
        assert len(home.services["runs"].asked) == 2


async def test_session_that_is_over(home: House) -> None:
    token = home.auth.token("ses_over")
    home.auth.sessions["ses_over"] = {"active": False, "role": "", "scopes": []}
    assert (await home.client.get("/v1/learnings", headers=home.bearer(token))).status_code == 401


async def test_role_and_scopes_are_what_auth_says_now(home: House) -> None:
    home.auth.sessions["ses_now"] = {
        "active": True,
        "role": "admin",
        "scopes": ["a:read", "b:read"],
    }
    await home.client.get("/v1/learnings", headers=home.bearer(home.auth.token("ses_now")))
    principal = home.principal("learnings")
    assert (principal.role, principal.scopes) == ("admin", ("a:read", "b:read"))


@pytest.mark.parametrize(
    ("token", "session", "result"),
    [
        (None, ["*"], ("*",)),
        (["a:read"], ["*"], ("a:read",)),
        (["*"], ["a:read"], ("a:read",)),
        (["a:read", "b:read"], ["b:read", "c:read"], ("b:read",)),
        ([], ["*"], ()),
    ],
)
async def test_token_is_never_wider_than_its_session(
    home: House, token: list[str] | None, session: list[str], result: tuple[str, ...]
) -> None:
    sid = f"ses_{secrets.token_hex(4)}"
    home.auth.sessions[sid] = {"active": True, "role": "member", "scopes": session}
    changes = {} if token is None else {"scp": token}
    await home.client.get("/v1/learnings", headers=home.bearer(home.auth.token(sid, **changes)))
    assert home.principal("learnings").scopes == result


async def test_token_bought_with_a_key_acts_as_the_key(home: House) -> None:
    home.auth.sessions["key_9"] = {"active": True, "role": "owner", "scopes": ["*"]}
    token = home.auth.token("key_9", scp=["a:read"])
    await home.client.get("/v1/learnings", headers=home.bearer(token))
    principal = home.principal("learnings")
    assert (principal.kind, principal.subject, principal.account) == (
        Kind.API_KEY,
        "key_9",
        "usr_1",
    )
    assert principal.scopes == ("a:read",)


async def test_many_at_once_ask_once(home: House) -> None:
    home.auth.before_answer = asyncio.Event()
    headers = home.bearer(home.auth.token("ses_many"))
    requests = [
        asyncio.create_task(home.client.get("/v1/learnings", headers=headers)) for _ in range(20)
    ]
    flights = home.gateway.credentials._flights
    await until(lambda: home.auth.looked_up and len(flights) == 1)
    home.auth.before_answer.set()
    assert {answer.status_code for answer in await asyncio.gather(*requests)} == {200}
    assert len(home.auth.looked_up) == 1


async def test_caller_who_leaves_takes_nobody_along(home: House) -> None:
    home.auth.before_answer = asyncio.Event()
    headers = home.bearer(home.auth.token("ses_leaves"))
    first = asyncio.create_task(home.client.get("/v1/learnings", headers=headers))
    await until(lambda: home.auth.looked_up)
    second = asyncio.create_task(home.client.get("/v1/learnings", headers=headers))
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    home.auth.before_answer.set()
    assert (await second).status_code == 200
    assert len(home.auth.looked_up) == 1


PUBLIC = [
    ("POST", "/v1/auth/token", "auth"),
    ("POST", "/v1/auth/register", "auth"),
    ("POST", "/v1/auth/2fa/verify", "auth"),
    ("POST", "/v1/auth/device/token", "auth"),
    ("POST", "/v1/waitlist", "auth"),
    ("GET", "/v1/health", "learnings"),
    ("HEAD", "/v1/health", "learnings"),
    ("GET", "/v1/health/", "learnings"),
    ("GET", "/v1/releases/latest", "learnings"),
    ("GET", "/v1/releases/1.2.3/artifact", "learnings"),
    ("POST", "/v1/proprietary/entitlement", "learnings"),
    ("GET", "/api/v1/health/ready", "runs"),
    ("GET", "/api/v1/auth/setup", "auth"),
    ("POST", "/api/v1/auth/login", "auth"),
    ("GET", "/api/v0/version", "agents"),
    ("POST", "/api/v0/auth/internal", "auth"),
    ("GET", "/api/teams/clone/x", "teams"),
    ("GET", "/auth/verify", "auth"),
    ("GET", "/.well-known/jwks.json", "auth"),
]


@pytest.mark.parametrize(("method", "path", "service"), PUBLIC)
@pytest.mark.parametrize("credential", [None, "noise", "old"])
async def test_public_operation_needs_no_credential(
    home: House, method: str, path: str, service: str, credential: str | None
) -> None:
    headers = {}
    if credential is not None:
        token = home.auth.token(exp=1, iat=0) if credential == "old" else credential
        headers = home.bearer(token)
    answer = await home.client.request(method, path, headers=headers)
    assert answer.status_code == 200
    assert home.principal(service).is_anonymous


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/auth/token"),
        ("DELETE", "/v1/health"),
        ("GET", "/v1/releases"),
        ("GET", "/v1/releases/1/2/artifact"),
        ("POST", "/v1/releases/1.2.3/artifact"),
        ("POST", "/api/v1/auth/invites"),
        ("GET", "/api/v0/auth/me"),
        ("OPTIONS", "/v1/learnings"),
    ],
)
async def test_what_stands_beside_the_public_is_not_public(
    home: House, method: str, path: str
) -> None:
    assert (await home.client.request(method, path)).status_code == 401


async def test_person_is_known_on_public_operations_too(home: House) -> None:
    await home.client.post("/v1/auth/2fa/verify", headers=home.bearer(), json={})
    assert home.principal("auth").subject == "usr_1"


async def test_artifacts_take_the_token_in_the_query(home: House) -> None:
    token = home.auth.token()
    answer = await home.client.get(f"/api/v1/artifacts/run_1/a.png?token={token}&x=1")
    assert answer.status_code == 200
    assert home.principal("runs").subject == "usr_1"
    assert home.services["runs"].asked[-1].target == "/api/v1/artifacts/run_1/a.png?x=1"
    for query in ("", "?token=", "?token=noise", f"?token={token}&token={token}", "?Token=x"):
        answer = await home.client.get(f"/api/v1/artifacts/run_1/a.png{query}")
        assert answer.status_code == 401
    assert (await home.client.get(f"/api/v1/runs?token={token}")).status_code == 401


async def _ask_all(home: House, headers: dict[str, str]) -> list[httpx.Response]:
    return [await home.client.get(path, headers=headers) for path in PROTECTED]


async def test_auth_that_is_away_logs_nobody_out() -> None:
    async with house() as home:
        known = home.bearer()
        assert (await home.client.get("/v1/learnings", headers=known)).status_code == 200
        token, key = home.auth.token("ses_new"), home.auth.api_key()
        await home.auth.stop()
        for credential in (token, key):
            for answer in await _ask_all(home, home.bearer(credential)):
                assert answer.status_code == 503
                assert int(answer.headers["retry-after"]) >= 1
        assert (await home.client.get("/v1/learnings", headers=known)).status_code == 200
        forged = home.bearer(ATTACKS["alg none"](home.auth))
        assert {answer.status_code for answer in await _ask_all(home, forged)} == {401}
        public = await home.client.get("/v1/health", headers=home.bearer(token))
        assert public.status_code == 200
        assert home.principal("learnings").is_anonymous


@pytest.mark.parametrize("status", [401, 404, 500])
async def test_auth_that_does_not_understand_logs_nobody_out(home: House, status: int) -> None:
    home.auth.behave, before = answering(plain(status, b"{}")), home.auth.behave
    try:
        token = home.auth.token(f"ses_{status}")
        answer = await home.client.get("/v1/learnings", headers=home.bearer(token))
        assert answer.status_code == 503
    finally:
        home.auth.behave = before


async def test_tokens_wait_for_the_first_keys() -> None:
    async with house() as home:
        home.gateway.signing_keys.current = {}
        token = home.auth.token()
        answer = await home.client.get("/v1/learnings", headers=home.bearer(token))
        assert answer.status_code == 503
        forged = home.bearer(ATTACKS["alg none"](home.auth))
        assert (await home.client.get("/v1/learnings", headers=forged)).status_code == 401


async def test_signing_keys_rotate() -> None:
    async with house() as home:
        old = home.auth.token("ses_old")
        assert (await home.client.get("/v1/learnings", headers=home.bearer(old))).status_code == 200
        new_key = SigningKey(secrets.token_bytes(32))
        home.auth.signing_keys.insert(0, new_key)
        new = home.auth.token("ses_new")
        answer = await home.client.get("/v1/learnings", headers=home.bearer(new))
        assert answer.status_code == 401
        await home.gateway.signing_keys.refresh()
        for token in (old, new):
            answer = await home.client.get("/v1/learnings", headers=home.bearer(token))
            assert answer.status_code == 200
        home.auth.signing_keys.pop()
        await home.gateway.signing_keys.refresh()
        answer = await home.client.get("/v1/learnings", headers=home.bearer(old))
        assert answer.status_code == 401
        answer = await home.client.get("/v1/learnings", headers=home.bearer(new))
        assert answer.status_code == 200
        home.auth.signing_keys.clear()
        await home.gateway.signing_keys.refresh()
        assert home.gateway.signing_keys.is_loaded


async def test_credentials_never_reach_the_log(
    home: House, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    secret = "trw_live_" + secrets.token_urlsafe(32)
    forged = ATTACKS["bit of the payload flipped"](home.auth)
    await home.client.get(f"/v1/learnings?token={secret}", headers=home.bearer(secret))
    await home.client.get(f"/v1/{forged}", headers=home.bearer(forged))
    await home.client.get(f"/{secret}")
    written = "".join(capfd.readouterr()) + caplog.text
    assert secret not in written
    assert forged not in written
    assert "api key: unknown or revoked" in written
    assert "jwt: bad signature" in written
