"""Signed requests through a real gateway: stages, exact refusals, limits, and what arrives."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.signed_requests import signature
from shared.principal import Kind
from tests.gateway.conftest import House, house
from tests.gateway.machines import Machine

ADA = Machine(bytes(range(32)))
OLD = {
    "error": "upgrade_required",
    "message": "Your teamrc CLI is outdated. Please update: npm install -g teamrc",
    "minimum_version": 1,
}
MALFORMED = {
    "error": "bad_request",
    "message": "Malformed version header. Expected an integer.",
}
LIMITED = {"error": "rate limit exceeded"}

ROUTES_SIGNED = [
    ("POST", "/api/teams", "teams"),
    ("GET", f"/api/teams/{ADA.token}", "teams"),
    ("GET", f"/api/teams/{ADA.token}/head?team_id=a%2Fb&x=", "teams"),
    ("GET", f"/api/teams/all/{ADA.token}", "teams"),
    ("POST", "/api/join", "teams"),
    ("POST", "/api/teams/preview", "teams"),
    ("POST", "/api/teams/claim", "teams"),
    ("PATCH", "/api/teams/tasks/7", "teams"),
    ("DELETE", f"/api/token/{ADA.token}/erase?team_id=1", "teams"),
    ("POST", "/api/auth/device", "auth"),
    ("GET", "/api/auth/device/0abc", "auth"),
]


async def ask(
    home: House, method: str, target: str, body: bytes = b"", **changes: str
) -> httpx.Response:
    """Send a request that Ada signed; an empty change takes a header away."""
    headers = ADA.headers(method, target, body)
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    given = {name: value for name, value in headers.items() if value}
    url = httpx.URL(f"http://127.0.0.1:{home.port}{target}")
    return await home.client.request(method, url, content=body, headers=given)


@pytest.mark.parametrize(("method", "target", "service"), ROUTES_SIGNED)
async def test_machine_is_known_and_all_passes_unchanged(
    home: House, method: str, target: str, service: str
) -> None:
    body = ADA.body(a="é", z=[1, 2]) + b" \n" if method in signature.BODY_METHODS else b""
    answer = await ask(home, method, target, body)
    assert answer.status_code == 200, answer.text
    principal = home.principal(service)
    assert (principal.kind, principal.subject) == (Kind.MACHINE, ADA.token)
    assert (principal.org, principal.account, principal.scopes) == ("", "", ())
    asked = home.services[service].asked[-1]
    assert (asked.method, asked.target, asked.body) == (method, target, body)
    assert asked.header("x-trc-signature") == answer.request.headers["x-trc-signature"]
    assert home.auth.looked_up == []


@pytest.mark.parametrize(("method", "target", "service"), ROUTES_SIGNED)
@pytest.mark.parametrize("credential", ["none", "person", "key", "cookie"])
async def test_nothing_else_opens(
    home: House, method: str, target: str, service: str, credential: str
) -> None:
    token = home.auth.api_key() if credential == "key" else home.auth.token()
    headers = {"cookie": f"session={token}"} if credential == "cookie" else home.bearer(token)
    answer = await home.client.request(
        method, target, headers={} if credential == "none" else headers
    )
    assert answer.status_code == 401
    assert answer.json()["error"] == "unauthorized"
    assert answer.json()["reason"] in (signature.NO_TOKEN, signature.NO_SIGNATURE)
    assert not home.services[service].asked
    assert home.auth.looked_up == []


async def test_bearer_beside_a_signature_says_nothing(home: House) -> None:
    target = f"/api/teams/{ADA.token}"
    for token in (home.auth.token(), "noise"):
        answer = await ask(home, "GET", target, authorization=f"Bearer {token}")
        assert answer.status_code == 200
        assert home.principal("teams").subject == ADA.token


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"x_trc_token": ""}, "missing or invalid token"),
        ({"x_trc_signature": ""}, "missing or invalid signature header"),
        ({"x_trc_signature": "AAA="}, "missing or invalid signature header"),
        ({"x_trc_timestamp": ""}, "missing timestamp header"),
        ({"x_trc_timestamp": "1"}, "timestamp out of range"),
        ({"x_trc_token": "trc_" + "A" * 43}, "invalid token format"),
        ({"x_trc_token": Machine().token}, "signature verification failed"),
        ({"x_trc_signature": "A" * 86}, "signature verification failed"),
    ],
)
async def test_refusals_are_exact(home: House, changes: dict[str, str], reason: str) -> None:
    answer = await ask(home, "POST", "/api/teams/invite", b"{}", **changes)
    assert answer.status_code == 401
    assert answer.json() == {"error": "unauthorized", "reason": reason}
    assert not home.services["teams"].asked


async def test_method_without_a_rule(home: House) -> None:
    headers = ADA.headers("GET", "/api/teams/preview")
    answer = await home.client.request("PURGE", "/api/teams/preview", headers=headers)
    assert answer.json()["reason"] == "unable to construct sign message"
    answer = await home.client.head("/api/teams/preview", headers=headers)
    assert (answer.status_code, answer.content) == (401, b"")


async def test_captured_signature_opens_no_other_target(home: House) -> None:
    headers = ADA.headers("GET", f"/api/teams/{ADA.token}")
    for target in (f"/api/teams/{ADA.token}/head", f"/api/teams/{ADA.token}?team_id=1"):
        answer = await home.client.get(target, headers=headers)
        assert answer.json()["reason"] == "signature verification failed"
    answer = await home.client.delete(f"/api/token/{ADA.token}/erase", headers=headers)
    assert answer.json()["reason"] == "signature verification failed"


async def test_connection_header_takes_no_signature_away(home: House) -> None:
    target = f"/api/teams/{ADA.token}"
    answer = await ask(home, "GET", target, connection="x-trc-signature, x-trc-timestamp")
    assert answer.status_code == 200
    asked = home.services["teams"].asked[-1]
    assert asked.header("x-trc-signature")
    assert asked.header("x-trc-timestamp")


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 40_000):
        yield body[start : start + 40_000]


@pytest.mark.parametrize("size", [1, 65_535, 65_537, 200_000, 256_000])
@pytest.mark.parametrize("chunked", [False, True])
async def test_bodies_up_to_the_cap(home: House, size: int, chunked: bool) -> None:
    body = ADA.body(pad="x" * (size - len(ADA.body(pad="")))) if size > 1 else b"1"
    assert len(body) == size
    content = _pieces(body) if chunked else body
    headers = ADA.headers("POST", "/api/teams", body)
    answer = await home.client.post("/api/teams", content=content, headers=headers)
    assert answer.status_code == 200, answer.text
    assert home.services["teams"].asked[-1].body == body


@pytest.mark.parametrize("chunked", [False, True])
async def test_bodies_beyond_the_cap(home: House, chunked: bool) -> None:
    body = b"x" * 256_001
    content = _pieces(body) if chunked else body
    headers = ADA.headers("POST", "/api/teams", body)
    answer = await home.client.post("/api/teams", content=content, headers=headers)
    assert answer.status_code == 413
    assert answer.json() == {"error": "request body too large"}
    assert answer.headers["x-ratelimit-limit"].isdigit()
    assert not home.services["teams"].asked


async def test_body_that_is_not_json(home: House) -> None:
    answer = await ask(home, "POST", "/api/teams", b"{")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("The body is not valid JSON")
    assert not home.services["teams"].asked


@pytest.mark.parametrize(
    ("version", "status", "body"),
    [
        ("", 200, None),
        ("1", 200, None),
        ("01", 200, None),
        ("+1", 200, None),
        ("9" * 4000, 200, None),
        ("0", 426, OLD),
        ("-1", 426, OLD),
        ("00", 426, OLD),
        ("1.0", 400, MALFORMED),
        ("one", 400, MALFORMED),
        ("1 2", 400, MALFORMED),
        ("+", 400, MALFORMED),
        ("0x1", 400, MALFORMED),
    ],
)
async def test_version(home: House, version: str, status: int, body: object) -> None:
    answer = await ask(home, "GET", f"/api/teams/{ADA.token}", x_teamrc_version=version)
    assert answer.status_code == status
    if body is not None:
        assert answer.json() == body


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("*/*", 200),
        ("application/json", 200),
        ("text/html, application/*;q=0.1", 200),
        ("text/html", 406),
        ("application/json;q=0", 406),
    ],
)
async def test_accept(home: House, accept: str, status: int) -> None:
    answer = await ask(home, "GET", f"/api/teams/{ADA.token}", accept=accept)
    assert answer.status_code == status
    if status == 406:
        assert answer.json() == {"error": "not_acceptable"}


async def test_stages_come_in_order(home: House) -> None:
    wrong = {"accept": "text/html", "x-teamrc-version": "0"}
    statuses = []
    for body in (b"{", b"{}"):
        statuses.append(await home.client.post("/api/teams", content=body, headers=wrong))
    wrong.pop("accept")
    statuses.append(await home.client.post("/api/teams", content=b"{", headers=wrong))
    wrong.pop("x-teamrc-version")
    statuses.append(await home.client.post("/api/teams", content=b"{", headers=wrong))
    statuses.append(await home.client.post("/api/teams", content=b"{}", headers=wrong))
    assert [one.status_code for one in statuses] == [406, 406, 426, 400, 401]
    assert (await home.client.options("/api/teams")).status_code == 204


async def test_cors_is_for_known_origins() -> None:
    async with house(cors_origins="https://a.test http://localhost:3000") as home:
        answer = await home.client.options("/api/teams/x", headers={"origin": "https://a.test"})
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["access-control-allow-origin"] == "https://a.test"
        assert "PATCH" in answer.headers["access-control-allow-methods"]
        assert "x-trc-token" in answer.headers["access-control-allow-headers"]
        assert answer.headers["access-control-max-age"] == "86400"
        assert answer.headers["vary"] == "origin"
        for origin in ("https://b.test", "null", ""):
            answer = await home.client.options("/api/teams/x", headers={"origin": origin})
            assert answer.status_code == 204
            assert "access-control-allow-origin" not in answer.headers
        target = f"/api/teams/{ADA.token}"
        for mac in (ADA.headers("GET", target)["x-trc-signature"], ""):
            answer = await ask(home, "GET", target, origin="https://a.test", x_trc_signature=mac)
            assert answer.headers["access-control-allow-origin"] == "https://a.test"
            assert "access-control-allow-methods" not in answer.headers


async def test_clone_is_open_and_nothing_beside_it(home: House) -> None:
    for headers in ({}, home.bearer("noise"), ADA.headers("GET", "/elsewhere")):
        answer = await home.client.get("/api/teams/clone/trc_cl_x", headers=headers)
        assert answer.status_code == 200
        assert home.principal("teams").is_anonymous
    for path in ("/api/teams/clones/x", "/api/teams/cloned", "/api/teams/x/clone"):
        assert (await home.client.get(path)).status_code == 401


async def test_body_that_never_comes() -> None:
    async with house() as home:
        headers = ADA.headers("POST", "/api/teams", b"0123456789")
        lines = [f"{name}: {value}" for name, value in headers.items()]
        head = ["POST /api/teams HTTP/1.1", "host: x", "connection: close", *lines]
        data = "\r\n".join([*head, "content-length: 10", "", "half"]).encode()
        answer = await home.raw(data)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert not home.services["teams"].asked


async def test_caller_who_leaves_is_no_fault(home: House) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", home.port)
    writer.write(b"POST /api/teams HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await ask(home, "POST", "/api/teams", b"{}")).status_code == 200


async def test_token_is_never_logged(home: House, capfd: pytest.CaptureFixture[str]) -> None:
    await ask(home, "GET", f"/api/teams/{ADA.token}")
    await ask(home, "GET", f"/api/teams/{ADA.token}", x_trc_signature="")
    await ask(home, "POST", "/api/teams", ADA.body() + b"x")
    written = "".join(capfd.readouterr())
    assert "signature: missing or invalid signature header" in written
    assert ADA.token[:12] not in written


# How often.


async def test_machines_are_counted_apart_and_together_by_address() -> None:
    async with house(rate_limits="signed=3/3600 signed_address=5/3600") as home:
        statuses, remaining = [], []
        for machine in (ADA, ADA, ADA, ADA, Machine(), Machine()):
            target = f"/api/teams/{machine.token}"
            headers = machine.headers("GET", target)
            answer = await home.client.get(target, headers=headers)
            statuses.append(answer.status_code)
            remaining.append(answer.headers["x-ratelimit-remaining"])
        assert statuses == [200, 200, 200, 429, 200, 429]
        assert remaining == ["2", "1", "0", "0", "0", "0"]
        assert answer.json() == LIMITED
        assert 3590 < int(answer.headers["retry-after"]) <= 3600
        reset = int(answer.headers["x-ratelimit-reset"]) - time.time()
        assert 3590 < reset < 3602
        assert len(home.services["teams"].asked) == 4


async def test_ordinary_calls_block_neither_claim_nor_device_login() -> None:
    rates = "signed=1/3600 claim=1/3600 device_start=1/3600 device_poll=2/3600"
    async with house(rate_limits=rates) as home:
        asked = [
            ("GET", f"/api/teams/{ADA.token}", [200, 429]),
            ("POST", "/api/teams/claim", [200, 429]),
            ("POST", "/api/auth/device", [200, 429]),
            ("GET", "/api/auth/device/0a", [200, 200, 429]),
        ]
        for method, target, statuses in asked:
            found = [(await ask(home, method, target)).status_code for _ in statuses]
            assert found == statuses, target


async def test_claims_of_an_address_are_counted_in_a_bucket_of_their_own() -> None:
    async with house(rate_limits="claim_address=2/3600 signed_address=1/3600") as home:
        statuses = []
        for machine in (Machine(), Machine(), Machine()):
            body = machine.body(claim_secret="x")
            headers = machine.headers("POST", "/api/teams/claim", body)
            answer = await home.client.post("/api/teams/claim", content=body, headers=headers)
            statuses.append(answer.status_code)
        assert statuses == [200, 200, 429]
        assert (await ask(home, "GET", f"/api/teams/{ADA.token}")).status_code == 200


async def test_after_too_many_failures_only_failures_are_refused() -> None:
    async with house(rate_limits="failed_signature=3/3600") as home:
        target = f"/api/teams/{ADA.token}"
        for status in (401, 401, 401, 429, 429):
            answer = await ask(home, "GET", target, x_trc_signature="A" * 86)
            assert answer.status_code == status
            assert (await ask(home, "GET", target)).status_code == 200
        assert answer.json() == LIMITED
        assert 3590 < int(answer.headers["retry-after"]) <= 3600
