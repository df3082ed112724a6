"""Security headers: every answer has them, a service's own words win, and caches still work."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from gateway.pipeline.security_headers import OWNED, SPEAKS, VALIDATOR, SecurityHeaders
from tests.gateway.conftest import House, house
from tests.gateway.fake_service import answering, plain

PLAIN = SecurityHeaders(is_https=False)
HTTPS = SecurityHeaders(is_https=True, hsts_max_age=31_536_000)


def read(lines: bytes) -> dict[str, str]:
    assert lines.endswith(b"\r\n")
    pairs = [line.split(": ", 1) for line in lines.decode("ascii").split("\r\n")[:-1]]
    headers = dict(pairs)
    assert len(headers) == len(pairs), "no header stands twice"
    return headers


@pytest.mark.parametrize("table", [PLAIN.public, PLAIN.private, HTTPS.public, HTTPS.private])
def test_a_service_that_speaks_is_not_contradicted(table: tuple[bytes, ...]) -> None:
    assert len(table) == 2 * VALIDATOR
    for said in range(len(table)):
        headers = read(table[said])
        assert headers["x-content-type-options"] == "nosniff"
        for name, bit in SPEAKS.items():
            if bit != VALIDATOR and said & bit:
                assert name.decode() not in headers


def test_who_says_nothing_gets_all() -> None:
    assert read(PLAIN.private[0]) == {
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "content-security-policy": (
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        "x-frame-options": "DENY",
        "cross-origin-opener-policy": "same-origin",
        "cache-control": "no-store",
    }
    assert read(PLAIN.public[0]) == {
        name: value for name, value in read(PLAIN.private[0]).items() if name != "cache-control"
    }


def test_what_can_be_asked_for_again_may_be_kept_by_its_owner() -> None:
    assert read(PLAIN.private[VALIDATOR])["cache-control"] == "private, no-cache"
    assert "cache-control" not in read(PLAIN.public[VALIDATOR])


def test_https_is_demanded_only_where_it_is_spoken() -> None:
    for said in range(2 * VALIDATOR):
        assert "strict-transport-security" not in read(PLAIN.private[said])
        assert read(HTTPS.public[said])["strict-transport-security"] == "max-age=31536000"
    forgotten = SecurityHeaders(is_https=True, hsts_max_age=0)
    assert read(forgotten.public[0])["strict-transport-security"] == "max-age=0"


def test_names_are_written_as_they_are_compared() -> None:
    for name in (*SPEAKS, *OWNED):
        assert name == name.lower()
    assert OWNED.isdisjoint(SPEAKS)


EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
}


def check(answer: httpx.Response, **more: str) -> None:
    """Every header that is ours is there once, and nothing names the server."""
    expected = EVERYWHERE | {name.replace("_", "-"): value for name, value in more.items()}
    for name, value in expected.items():
        assert answer.headers.get_list(name) == [value], (name, answer.url)
    assert answer.headers["content-security-policy"]
    assert "server" not in answer.headers
    assert len(answer.headers.get_list("cache-control")) <= 1


def said(home: House, *headers: str, status: int = 200) -> None:
    """Let the learnings service answer with these headers."""
    home.learnings.behave = answering(plain(status, b"" if status == 304 else b"{}", *headers))


async def test_who_asks_with_a_credential_is_answered_privately(home: House) -> None:
    for _ in range(2):  # also when the head is remembered
        answer = await home.client.get("/v1/learnings", headers=home.bearer())
        check(answer, cache_control="no-store")


@pytest.mark.parametrize("status", [200, 206, 304, 404, 500])
async def test_what_has_a_validator_may_be_kept_and_asked_for_again(
    home: House, status: int
) -> None:
    for validator in ('etag: "x"', "last-modified: Sun, 22 Nov 2026 10:00:00 GMT"):
        said(home, validator, status=status)
        answer = await home.client.get("/v1/intel/state", headers=home.bearer())
        assert answer.status_code == status
        check(answer, cache_control="private, no-cache")


async def test_a_public_operation_may_be_kept_by_anybody(home: House) -> None:
    said(home, 'etag: "x"')
    public = await home.client.get("/v1/releases/latest")
    check(public)
    assert "cache-control" not in public.headers
    private = await home.client.get("/v1/releases/latest", headers=home.bearer())
    check(private, cache_control="private, no-cache")


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/api/account", "auth"),
        ("/api/account/teams", "teams"),
        ("/api/teams/clone/x", "teams"),
        ("/users/settings", "auth"),
        ("/t/x", "teams"),
    ],
)
async def test_sessions_and_secret_addresses_are_private(
    home: House, path: str, service: str
) -> None:
    answer = await home.client.get(path, headers={"cookie": "session=x"})
    assert home.services[service].asked
    check(answer, cache_control="no-store")


async def test_services_know_their_pages_better(home: House) -> None:
    own = {
        "cache_control": "public, max-age=5",
        "referrer_policy": "same-origin",
        "content_security_policy": "default-src 'self'",
        "x_frame_options": "SAMEORIGIN",
        "cross_origin_opener_policy": "unsafe-none",
    }
    for left_out in (None, *own):
        told = {name: value for name, value in own.items() if name != left_out}
        said(home, *(f"{name.replace('_', '-')}: {value}" for name, value in told.items()))
        answer = await home.client.get("/v1/learnings", headers=home.bearer())
        check(answer, **told)


async def test_some_words_are_ours_alone(home: House) -> None:
    said(
        home,
        "x-content-type-options: none",
        "strict-transport-security: max-age=5",
        "server: fake",
        "ratelimit: x",
    )
    answer = await home.client.get("/v1/learnings", headers=home.bearer())
    check(answer)
    assert "strict-transport-security" not in answer.headers
    assert answer.headers["ratelimit"] != "x"


async def test_the_gateways_own_answers_have_them_too(home: House) -> None:
    async def ask(method: str, path: str, **more: Any) -> httpx.Response:
        return await home.client.request(method, path, **more)

    refused = [
        await ask("GET", "/v1/learnings"),
        await ask("GET", "/nowhere"),
        await ask("GET", "/api/teams/x"),
        await ask("POST", "/v1/learnings", content=b"x" * 2_100_000),
        await ask("OPTIONS", "/api/teams"),
        await ask("GET", "/"),
        await ask("GET", "/health"),
        await ask("HEAD", "/health/ready"),
        await ask("GET", "/openapi.json"),
    ]
    home.learnings.behave = answering(b"nonsense\r\n\r\n")
    refused.append(await ask("GET", "/v1/learnings", headers=home.bearer()))
    for answer in refused:
        check(answer, cache_control="no-store")
    docs = await ask("GET", "/docs")
    check(docs)
    assert "script-src 'self'" in docs.headers["content-security-policy"]


async def test_a_request_that_cannot_be_read_is_answered_alike(home: House) -> None:
    text = (await home.raw(b"GET / HTTP/1.1\r\nbad header\r\n\r\n")).decode().lower()
    assert text.startswith("http/1.1 400 ")
    for line in (
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "cache-control: no-store",
    ):
        assert text.count(line) == 1


async def test_https_is_demanded_where_the_public_address_has_it() -> None:
    async with house(public_url="https://guildhall.test", hsts_max_age=60) as home:
        said(home, "strict-transport-security: max-age=1; includeSubDomains")
        for path in ("/v1/releases/latest", "/v1/learnings", "/nowhere", "/health"):
            answer = await home.client.get(path)
            check(answer, strict_transport_security="max-age=60")


async def test_a_stream_has_them_too(home: House) -> None:
    home.learnings.behave = answering(
        b"HTTP/1.1 200 OK\r\ncache-control: no-store\r\ncontent-type: text/event-stream\r\n"
        b"transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
    )
    check(await home.client.get("/v1/stream", headers=home.bearer()), cache_control="no-store")
