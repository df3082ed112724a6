"""The teams contract, row by row, where it is the gateway's: sections 1 and 2."""

from __future__ import annotations

import json
import time
from typing import Any, NamedTuple

import httpx
import pytest

from gateway.signed_requests import signature
from shared.principal import Kind
from tests.gateway.conftest import House, house
from tests.gateway.fake_service import answering, plain
from tests.gateway.machines import Machine

ADA = Machine(bytes(range(32)))
NOT_FOUND = {"errors": {"detail": "Not Found"}, "error": "not_found"}
AWAY = {"error": "service temporarily unavailable"}
UNSIGNED = "missing or invalid signature header"
CODE = "trc_inv_" + "c" * 24
BODIES = signature.BODY_METHODS


async def sign_and_send(
    home: House, method: str, target: str, body: bytes = b"", **changes: str | None
) -> httpx.Response:
    """Send a request that Ada signed; what is changed to None is left out."""
    headers: dict[str, str | None] = {**ADA.headers(method, target, body)}
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    given = {name: value for name, value in headers.items() if value is not None}
    url = httpx.URL(f"http://127.0.0.1:{home.port}{target}")
    return await home.client.request(method, url, content=body, headers=given)


# 1. Who serves what.

SIGNED = [
    ("POST", "/api/teams", "teams"),
    ("GET", f"/api/teams/{ADA.token}", "teams"),
    ("GET", f"/api/teams/{ADA.token}?team_id=%41&x=%2f", "teams"),
    ("GET", f"/api/teams/{ADA.token}/head", "teams"),
    ("GET", f"/api/teams/all/{ADA.token}", "teams"),
    ("POST", "/api/join", "teams"),
    ("POST", "/api/teams/preview", "teams"),
    ("POST", "/api/teams/invite", "teams"),
    ("POST", "/api/teams/view-token", "teams"),
    ("POST", "/api/teams/visibility", "teams"),
    ("POST", "/api/teams/claim", "teams"),
    ("POST", "/api/teams/knowledge", "teams"),
    ("POST", "/api/teams/tasks", "teams"),
    ("GET", f"/api/teams/tasks/{ADA.token}?status=todo", "teams"),
    ("PATCH", "/api/teams/tasks/7", "teams"),
    ("PATCH", "/api/teams/tasks/notanumber", "teams"),
    ("DELETE", f"/api/token/{ADA.token}/erase", "teams"),
    ("GET", f"/api/teams/{ADA.token}/versions?limit=5&before=3", "teams"),
    ("GET", f"/api/teams/{ADA.token}/versions/3", "teams"),
    ("GET", f"/api/teams/{ADA.token}/export?platform=cursor", "teams"),
    ("POST", "/api/teams/rollback", "teams"),
    ("POST", "/api/auth/device", "auth"),
    ("GET", "/api/auth/device/" + "0a" * 32, "auth"),
    ("POST", "/api/account/reassociate", "teams"),
]
OPEN = [
    ("GET", "/api/teams/clone/trc_cl_x", "teams"),
    ("GET", "/api/account", "auth"),
    ("DELETE", "/api/account", "auth"),
    ("GET", "/api/account/export", "auth"),
    ("DELETE", f"/api/account/machines/{ADA.token}", "auth"),
    ("GET", "/api/account/teams", "teams"),
    ("GET", "/auth/verify?code=ABCD-2345", "auth"),
    ("GET", "/auth/github", "auth"),
    ("GET", "/auth/google/callback?code=x", "auth"),
    ("GET", "/users/log-in?redirect_to=/auth/verify", "auth"),
    ("DELETE", "/users/log-out", "auth"),
    ("GET", "/dashboard", "auth"),
    ("GET", "/new", "teams"),
    ("POST", "/new", "teams"),
    ("GET", f"/invite/{CODE}", "teams"),
    ("GET", "/teams/5e3a?view=x", "teams"),
    ("POST", "/teams/5e3a", "teams"),
    ("GET", "/teams/5e3a/members/reviewer", "teams"),
    ("GET", "/t/trc_cl_x", "teams"),
]


@pytest.mark.parametrize(("method", "target", "service"), SIGNED)
async def test_signed_route(home: House, method: str, target: str, service: str) -> None:
    body = b'{ "a" : "\xc3\xa9\\u0000" } \n' if method in BODIES else b""
    answer = await sign_and_send(home, method, target, body)
    assert answer.status_code == 200, answer.text
    (asked,) = home.services[service].asked
    assert (asked.method, asked.target, asked.body) == (method, target, body)
    principal = home.principal(service)
    assert (principal.kind, principal.subject) == (Kind.MACHINE, ADA.token)
    unsigned = await sign_and_send(home, method, target, body, x_trc_signature=None)
    assert unsigned.status_code == 401
    assert unsigned.json() == {"error": "unauthorized", "reason": UNSIGNED}


@pytest.mark.parametrize(("method", "target", "service"), OPEN)
async def test_open_route(home: House, method: str, target: str, service: str) -> None:
    given = {"cookie": "session=x", "origin": "http://guildhall.test"}
    answer = await home.client.request(method, target, headers=given)
    assert answer.status_code == 200, answer.text
    (asked,) = home.services[service].asked
    assert (asked.method, asked.target) == (method, target)
    assert home.principal(service).is_anonymous
    for name, value in given.items():
        assert asked.header(name) == value


@pytest.mark.parametrize("path", ["/api/v0/agents", "/api/v1/runs", "/api/v1/sync"])
async def test_other_surfaces_come_before_it(home: House, path: str) -> None:
    answer = await home.client.get(path, headers=home.bearer())
    assert answer.status_code == 200
    assert not home.services["teams"].asked


@pytest.mark.parametrize(
    "path", ["sync", "push", "pull", "log", "nowhere", "v2", "teamsters", "joined", ""]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_what_is_not_offered(home: House, method: str, path: str) -> None:
    answer = await sign_and_send(home, method, f"/api/{path}")
    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)


@pytest.mark.parametrize("path", ["/admin/dashboard", "/internal/sessions/check", "/socketed"])
async def test_what_nobody_may_reach(home: House, path: str) -> None:
    assert (await home.client.get(path)).status_code == 404
    assert not any(service.asked for service in home.services.values())


async def test_what_the_gateway_answers_itself(home: House) -> None:
    health = await home.client.get("/health", headers={"x-trc-signature": "noise"})
    assert (health.status_code, health.json()) == (200, {"status": "ok"})
    for path in ("/", "/terms", "/privacy", "/guide", "/guide/start"):
        answer = await home.client.get(path, headers={"accept": "text/html"})
        assert answer.status_code == 200
        assert "<h1>" in answer.text
    assert (await home.client.get("/")).json()["surfaces"]["teams"] == "/api"
    assert not any(service.asked for service in home.services.values())


async def test_service_that_is_away_is_no_404() -> None:
    async with house() as home:
        await home.services["teams"].stop()
        for method, path in (("GET", f"/api/teams/{ADA.token}/head"), ("POST", "/api/join")):
            answer = await sign_and_send(home, method, path)
            assert (answer.status_code, answer.json()) == (503, AWAY)
            assert int(answer.headers["retry-after"]) >= 1
        await home.services["teams"].start()


# 2. Request authentication.


class Step(NamedTuple):
    """What spoils a request, and what is said of it."""

    reason: str
    change: dict[str, str | None]


# Each is wrong beside all that come after it, so the first is told.
STEPS = [
    Step("missing or invalid token", {"x_trc_token": None}),
    Step("missing or invalid signature header", {"x_trc_signature": "AAA="}),
    Step("missing timestamp header", {"x_trc_timestamp": None}),
    Step("timestamp out of range", {"x_trc_timestamp": "1"}),
    Step("invalid token format", {"x_trc_token": "trc_xx_" + "A" * 43}),
    Step("signature verification failed", {"x_trc_signature": "A" * 86}),
]


@pytest.mark.parametrize("first", range(len(STEPS)), ids=lambda n: STEPS[n].reason)
async def test_first_failure_is_told(home: House, first: int) -> None:
    changes: dict[str, str | None] = {}
    for step in reversed(STEPS[first:]):
        changes |= step.change
    answer = await sign_and_send(home, "POST", "/api/teams/preview", b"{}", **changes)
    assert answer.status_code == 401
    assert answer.json() == {"error": "unauthorized", "reason": STEPS[first].reason}
    assert not home.services["teams"].asked


async def test_method_that_has_no_message_comes_before_the_signature(home: House) -> None:
    answer = await sign_and_send(home, "PURGE", "/api/teams/preview", x_trc_signature="A" * 86)
    assert answer.json()["reason"] == "unable to construct sign message"
    token = "trc_xx_" + "A" * 43
    answer = await sign_and_send(home, "PURGE", "/api/teams/preview", x_trc_token=token)
    assert answer.json()["reason"] == "invalid token format"


async def test_token_written_in_another_way_comes_last(home: House) -> None:
    """The last character of 43 has two bits that no key needs."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    other = ADA.token[:-1] + letters[letters.index(ADA.token[-1]) + 1]
    answer = await sign_and_send(home, "POST", "/api/teams/preview", b"{}", x_trc_token=other)
    assert answer.json()["reason"] == "token does not match signing key"
    spoiled = {"x_trc_token": other, "x_trc_signature": "A" * 86}
    answer = await sign_and_send(home, "POST", "/api/teams/preview", b"{}", **spoiled)
    assert answer.json()["reason"] == "signature verification failed"


async def test_signature_of_another_request_is_the_services_to_notice(home: House) -> None:
    said = {"error": "unauthorized", "reason": "signature already used for another request"}
    content = json.dumps(said).encode()
    behave = answering(plain(401, content, "content-type: application/json"))
    home.services["teams"].behave = behave
    answer = await sign_and_send(home, "POST", "/api/teams/invite", b"{}")
    assert (answer.status_code, answer.json()) == (401, said)


async def test_answer_to_a_repeat_passes(home: House) -> None:
    behave = answering(plain(200, b"{}", "idempotent-replay: true", 'etag: "abc"'))
    home.services["teams"].behave = behave
    for _ in range(2):
        answer = await sign_and_send(home, "POST", "/api/teams/invite", b"{}")
        assert answer.headers["idempotent-replay"] == "true"
        assert answer.headers["etag"] == '"abc"'
    assert len(home.services["teams"].asked) == 2, "the gateway tells nobody that it is a repeat"


async def test_question_whether_it_changed_passes(home: House) -> None:
    home.services["teams"].behave = answering(b'HTTP/1.1 304 Not Modified\r\netag: "abc"\r\n\r\n')
    path = f"/api/teams/{ADA.token}/head"
    answer = await sign_and_send(home, "GET", path, if_none_match='"abc"')
    assert (answer.status_code, answer.content) == (304, b"")
    assert home.services["teams"].asked[-1].header("if-none-match") == '"abc"'
    assert answer.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize(("age", "status"), [(0, 200), (28, 200), (-28, 200), (60, 401)])
async def test_window(home: House, age: int, status: int) -> None:
    path = f"/api/teams/{ADA.token}"
    given = ADA.headers("GET", path, at=time.time() - age)
    assert (await home.client.get(path, headers=given)).status_code == status


@pytest.mark.parametrize("body", [b"", b"{}"])
async def test_empty_body_is_signed_as_an_empty_object(home: House, body: bytes) -> None:
    answer = await sign_and_send(home, "POST", "/api/teams/invite", body)
    assert answer.status_code == 200
    assert home.services["teams"].asked[-1].body == body


async def test_token_in_the_query_is_none(home: House) -> None:
    path = f"/api/auth/device/0a?token={ADA.token}"
    answer = await sign_and_send(home, "GET", path, x_trc_token=None)
    assert answer.json()["reason"] == "missing or invalid token"


async def test_captured_post_names_its_machine_on_any_route(home: House) -> None:
    """Method and path are not covered, so the service must know what it has seen (2.1)."""
    body = ADA.body(invite_code=CODE)
    headers = ADA.headers("POST", "/api/join", body)
    for path in ("/api/join", "/api/teams/invite"):
        assert (await home.client.post(path, content=body, headers=headers)).status_code == 200
        assert home.services["teams"].asked[-1].header("x-trc-signature")


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"{", 400, "The body is not valid JSON"),
        (b'{"a": NaN}', 400, "The body is not valid JSON"),
        (b"[" * 50_000, 400, "The body is not valid JSON"),
        (b" " * 256_001, 413, "request body too large"),
    ],
)
async def test_bodies(home: House, body: bytes, status: int, said: str) -> None:
    answer = await sign_and_send(home, "POST", "/api/teams", body)
    assert answer.status_code == status
    assert answer.json()["error"].startswith(said)
    assert not home.services["teams"].asked


async def test_crash_is_told_without_a_word_of_it(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*arguments: object) -> str:
        raise RuntimeError("secret")

    monkeypatch.setattr(signature, "verify", crash)
    answer = await sign_and_send(home, "POST", "/api/teams", b"{}")
    assert (answer.status_code, answer.json()) == (500, {"error": "internal_error"})


async def test_every_error_is_a_text(home: House) -> None:
    given: list[dict[str, Any]] = [
        {"accept": "text/html"},
        {"x_teamrc_version": "0"},
        {"x_teamrc_version": "x"},
        {"x_trc_signature": None},
    ]
    for changes in given:
        answer = await sign_and_send(home, "POST", "/api/join", b"{}", **changes)
        assert answer.is_client_error
        assert isinstance(answer.json()["error"], str)


@pytest.mark.parametrize("path", ["/api/teams", "/api/account", "/api/sync", "/api/teams/x/y/z"])
async def test_any_options_is_answered_here(home: House, path: str) -> None:
    answer = await home.client.options(path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-length" not in answer.headers
    assert not home.services["teams"].asked


# Pages (sections 1 and 13).


async def test_forms_of_the_pages_arrive(home: House) -> None:
    body = b"name=a&souls=" + b"%C3%A9" * 100_000
    given = {
        "cookie": "session=x",
        "origin": "http://guildhall.test",
        "content-type": "application/x-www-form-urlencoded",
    }
    for path in ("/new", f"/invite/{CODE}", "/teams/5e3a/members/reviewer"):
        answer = await home.client.post(path, content=body, headers=given)
        assert answer.status_code == 200
        asked = home.services["teams"].asked[-1]
        assert asked.body == body
        for name, value in given.items():
            assert asked.header(name) == value
        answer = await home.client.post(path, content=b"x" * 2_000_001, headers=given)
        assert answer.status_code == 413


async def test_page_decides_what_it_tells_of_its_address(home: House) -> None:
    """Browsers send ``Origin: null`` from pages that are never to be named, so forms need more."""
    for said, heard in (("same-origin", "same-origin"), (None, "no-referrer")):
        lines = ["content-type: text/html"] + ([f"referrer-policy: {said}"] if said else [])
        home.services["teams"].behave = answering(plain(200, b"<p>", *lines))
        answer = await home.client.get(f"/invite/{CODE}")
        assert answer.headers.get_list("referrer-policy") == [heard]
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-frame-options"] == "DENY"
