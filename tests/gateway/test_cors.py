"""CORS over the wire: preflights, real answers and errors of all surfaces, and a real browser."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.route_table import TABLE, Row
from shared.surfaces import Surface
from tests.gateway.conftest import PLENTY, House, house
from tests.gateway.fake_service import answering, echo, plain
from tests.gateway.machines import Machine
from tests.support import chromium

HOME = "https://home.test"
OTHER = "https://other.test"
ADA = Machine(bytes(range(32)))
APIS = {
    Surface.LEARNINGS: "/v1/learnings",
    Surface.RUNS: "/api/v1/suites",
    Surface.TEAMS: f"/api/teams/{ADA.token}",
    Surface.AGENTS: "/api/v0/agents",
}
API_ROWS = [row for row in TABLE if row.prefix.startswith(("/v1", "/api", "/socket"))]
PAGE_ROWS = [row for row in TABLE if row not in API_ROWS and "well-known" not in row.prefix]


@pytest.fixture(scope="module")
async def cors_house() -> AsyncIterator[House]:
    async with house(rate_limits=PLENTY, cors_origins=HOME) as built:
        yield built


@pytest.fixture
def home(cors_house: House) -> House:
    for service in cors_house.services.values():
        service.asked.clear()
    return cors_house


def wish(origin: str = HOME, method: str = "GET", headers: str = "authorization") -> dict[str, str]:
    """What a browser asks before a page's request."""
    return {
        "origin": origin,
        "access-control-request-method": method,
        "access-control-request-headers": headers,
    }


def by_name(rows: list[Row]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", rows, ids=[row.prefix for row in rows])


@by_name(API_ROWS)
async def test_preflights_are_answered_here(home: House, row: Row) -> None:
    for path in (row.prefix, f"{row.prefix}/x?token=y"):
        answer = await home.client.options(path, headers=wish())
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["access-control-allow-origin"] == HOME
        assert "GET" in answer.headers["access-control-allow-methods"]
        assert "authorization" in answer.headers["access-control-allow-headers"]
        assert answer.headers["access-control-max-age"] == "86400"
        assert answer.headers["vary"] == "origin"
        assert "access-control-allow-credentials" not in answer.headers
        assert "content-length" not in answer.headers
        assert int(answer.headers["x-ratelimit-remaining"]) > 0
        other = await home.client.options(path, headers=wish(OTHER))
        assert (other.status_code, other.headers["vary"]) == (204, "origin")
        assert not [name for name in other.headers if name.startswith("access-control-")]
    assert not any(service.asked for service in home.services.values())


@by_name(PAGE_ROWS)
async def test_pages_with_sessions_are_nobody_elses(home: House, row: Row) -> None:
    answer = await home.client.options(row.prefix, headers=wish())
    assert answer.status_code == 204
    assert not home.services[row.upstream].asked
    answers = [answer, await home.client.get(row.prefix, headers={"origin": HOME})]
    for one in answers:
        assert not [name for name in one.headers if name.startswith("access-control-")]
        assert "vary" not in one.headers


@pytest.mark.parametrize("surface", Surface)
async def test_every_answer_can_be_read(home: House, surface: Surface) -> None:
    path = APIS[surface]
    credential = ADA.headers("GET", path) if surface is Surface.TEAMS else home.bearer()
    for origin, expected in ((HOME, HOME), (OTHER, None), ("null", None)):
        known = await home.client.get(path, headers=credential | {"origin": origin})
        assert known.status_code == 200
        stranger = await home.client.get(path, headers={"origin": origin})
        assert stranger.status_code == 401
        for answer in (known, stranger):
            assert answer.headers.get("access-control-allow-origin") == expected
            assert answer.headers["vary"] == "origin"
            readable = answer.headers.get("access-control-expose-headers", "")
            assert ("x-ratelimit-remaining" in readable) is (expected is not None)
            assert "access-control-allow-methods" not in answer.headers
            assert "access-control-allow-credentials" not in answer.headers
    assert "vary" in (await home.client.get(path, headers=credential)).headers, "for caches"


async def test_faults_can_be_read(home: House) -> None:
    origin = {"origin": HOME}

    async def ask(method: str, path: str, **more: Any) -> httpx.Response:
        headers = {**home.bearer(), **origin, **more.pop("headers", {})}
        return await home.client.request(method, path, headers=headers, **more)

    answers = {
        404: [await ask("GET", path) for path in ("/nowhere", "/api/nowhere", "/v1/../x")],
        413: [await ask("POST", "/v1/learnings", content=b"x" * 2_100_000)],
        405: [await ask("POST", "/openapi.json")],
    }
    home.learnings.behave = answering(b"HTTP/1.1 nonsense\r\n\r\n")
    try:
        answers[502] = [await ask("GET", "/v1/learnings")]
    finally:
        home.learnings.behave = echo
    for status, given in answers.items():
        for answer in given:
            assert answer.status_code == status, answer.text
            assert answer.headers["access-control-allow-origin"] == HOME
            assert answer.headers["vary"] == "origin"


async def test_preflights_are_counted_by_address_and_apart() -> None:
    async with house(cors_origins=HOME, rate_limits="learnings=1/60 preflight=3/60") as home:
        for path in ("/v1/x", "/api/v1/auth/login", "/users/log-in"):
            answer = await home.client.options(path, headers=wish())
            assert answer.status_code == 204
            assert answer.headers["x-ratelimit-limit"] == "3"
        refused = await home.client.options("/v1/x", headers=wish())
        assert refused.status_code == 429
        assert refused.headers["access-control-allow-origin"] == HOME
        assert int(refused.headers["retry-after"]) >= 1
        token, origin = home.bearer(), {"origin": HOME}
        assert (await home.client.get("/v1/x", headers=token | origin)).status_code == 200
        refused = await home.client.get("/v1/x", headers=token | origin)
        assert refused.status_code == 429
        assert refused.headers["access-control-allow-origin"] == HOME
        assert "retry-after" in refused.headers["access-control-expose-headers"]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 204),
        ({"origin": HOME}, 204),
        ({"accept": "text/html"}, 406),
        (wish() | {"accept": "text/html"}, 406),
        (wish() | {"x-teamrc-version": "0"}, 204),
    ],
)
async def test_any_options_of_teams_is_answered_here(
    home: House, headers: dict[str, str], expected: int
) -> None:
    answer = await home.client.options("/api/teams", headers=headers)
    assert answer.status_code == expected
    assert not home.services["teams"].asked
    if expected == 204 and "origin" in headers:
        assert "PATCH" in answer.headers["access-control-allow-methods"]
    for path in ("/api/account", "/api/teams/clone/x", "/api/auth/device", "/api/nowhere"):
        assert (await home.client.options(path)).status_code == 204


@pytest.mark.parametrize("path", [APIS[Surface.LEARNINGS], APIS[Surface.RUNS], "/api/v0/agents"])
async def test_options_that_are_no_preflight_go_on(home: House, path: str) -> None:
    for headers in ({}, {"origin": HOME}, {"access-control-request-method": "GET"}):
        answer = await home.client.options(path, headers=home.bearer() | headers)
        assert answer.status_code == 200
        assert answer.json()["method"] == "OPTIONS"
        assert (await home.client.options(path, headers=headers)).status_code == 401


async def test_what_services_say_of_it_is_dropped_and_their_vary_kept(home: House) -> None:
    said = (
        "access-control-allow-origin: *",
        "access-control-allow-credentials: true",
        "access-control-expose-headers: secret",
        "Access-Control-Allow-Private-Network: true",
        "vary: Accept-Encoding",
        "vary: cookie",
        "etag: x",
    )
    home.learnings.behave = answering(plain(200, b"{}", *said))
    try:
        for _ in range(3):  # also when the head is remembered
            for origin in (HOME, OTHER, None):
                headers = home.bearer() | ({"origin": origin} if origin else {})
                answer = await home.client.get("/v1/learnings", headers=headers)
                ours = {n: v for n, v in answer.headers.items() if n.startswith("access-control-")}
                assert ours.get("access-control-allow-origin") == (HOME if origin == HOME else None)
                assert ours.keys() <= {
                    "access-control-allow-origin",
                    "access-control-expose-headers",
                }
                assert "secret" not in str(ours)
                assert answer.headers.get_list("vary") == ["origin, Accept-Encoding, cookie"]
                assert answer.headers["etag"] == "x"
    finally:
        home.learnings.behave = echo


async def test_a_stream_has_the_same_headers(home: House) -> None:
    home.learnings.behave = answering(
        b"HTTP/1.1 200 OK\r\nvary: accept\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
    )
    try:
        answer = await home.client.get("/v1/stream", headers=home.bearer() | {"origin": HOME})
        assert answer.text == "hi"
        assert answer.headers.get_list("vary") == ["origin, accept"]
        assert answer.headers["access-control-allow-origin"] == HOME
    finally:
        home.learnings.behave = echo


async def test_own_documents_can_be_read(home: House) -> None:
    for path in ("/openapi.json", "/api-docs/openapi.json", "/.well-known/jwks.json", "/health"):
        answer = await home.client.get(path, headers={"origin": HOME})
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == HOME
        assert (await home.client.options(path, headers=wish())).status_code == 204


async def test_two_origins_are_none(home: House) -> None:
    given = [("origin", HOME), ("origin", HOME), *home.bearer().items()]
    answer = await home.client.get("/v1/learnings", headers=given)
    assert "access-control-allow-origin" not in answer.headers
    assert home.learnings.asked[-1].headers.count(("origin", HOME)) == 2


async def test_everybody_may_be_allowed() -> None:
    async with house(cors_origins="*") as home:
        for headers in ({}, {"origin": OTHER}, {"origin": "null"}):
            answer = await home.client.get("/v1/learnings", headers=home.bearer() | headers)
            assert answer.headers["access-control-allow-origin"] == "*"
            assert "vary" not in answer.headers, "it is the same for all"
        answer = await home.client.options("/v1/learnings", headers=wish(OTHER))
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "authorization" in answer.headers["access-control-allow-headers"]


async def test_the_contracts_defaults() -> None:
    async with house() as home:
        for port, expected in ((3400, True), (5173, True), (3000, False)):
            origin = f"http://localhost:{port}"
            answer = await home.client.options("/api/v1/suites", headers=wish(origin))
            assert (answer.headers.get("access-control-allow-origin") == origin) is expected
            for path in ("/v1/learnings", "/api/v0/agents", "/api/teams"):
                answer = await home.client.options(path, headers=wish(origin))
                assert answer.status_code == 204
                assert "access-control-allow-origin" not in answer.headers


PAGE = """<!DOCTYPE html><title>page</title><script>
async function ask(url, options) {
  try {
    const answer = await fetch(url, options);
    const names = ["x-ratelimit-remaining", "x-ratelimit-limit", "retry-after", "x-request-id"];
    const headers = Object.fromEntries(names.map(name => [name, answer.headers.get(name)]));
    return {status: answer.status, body: await answer.text(), headers};
  } catch (error) {
    return {error: String(error)};
  }
}
(async () => {
  const told = {};
  for (const [name, [url, options]] of Object.entries(QUESTIONS)) {
    told[name] = await ask(url, options);
  }
  await fetch("/told", {method: "POST", body: JSON.stringify(told)});
  if (NEXT) location = NEXT;
})();
</script>"""


class Site:
    """A web site whose only page asks the gateway what it is told to, and tells what it got."""

    def __init__(self) -> None:
        self.page = ""
        self.told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            if head.startswith("POST /told "):
                length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
                self.told.set_result(json.loads(await reader.readexactly(length)))
                writer.write(b"HTTP/1.1 204 OK\r\nconnection: close\r\n\r\n")
            elif head.startswith("GET / "):
                closing = ("content-type: text/html", "connection: close")
                writer.write(plain(200, self.page.encode(), *closing))
            else:
                writer.write(plain(404, b"", "connection: close"))
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def site() -> AsyncIterator[Site]:
    built = Site()
    server = await asyncio.start_server(built.serve, "127.0.0.1", 0)
    built.port = server.sockets[0].getsockname()[1]
    try:
        yield built
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.slow
async def test_a_browser_lets_only_known_pages_read(tmp_path: Path) -> None:
    if chromium.program() is None:
        pytest.skip("Chromium is not installed: make test installs it where it may")
    async with site() as known, site() as unknown:
        origin = f"http://127.0.0.1:{known.port}"
        async with house(cors_origins=origin) as home:
            url = f"http://127.0.0.1:{home.port}/v1/learnings"
            extra = {"X-Request-Id": "req-of-a-page", "Content-Type": "application/json"}
            questions = {
                "known": [url, {"headers": home.bearer()}],
                "write": [url, {"method": "PATCH", "headers": home.bearer() | extra, "body": "{}"}],
                "stranger": [url, {"headers": {"Authorization": "Bearer x"}}],
                "nowhere": [f"http://127.0.0.1:{home.port}/nowhere", {}],
                "plain": [url, {}],
                "cookies": [url, {"credentials": "include"}],
                "foreign": [url, {"headers": {"X-Not-Allowed": "x"}}],
            }
            page = PAGE.replace("QUESTIONS", json.dumps(questions))
            known.page = page.replace("NEXT", json.dumps(f"http://127.0.0.1:{unknown.port}/"))
            unknown.page = page.replace("NEXT", "null")
            async with chromium.opened(f"{origin}/", tmp_path), asyncio.timeout(60):
                told, told_to_unknown = await known.told, await unknown.told
            asked = [(one.method, one.header("origin")) for one in home.learnings.asked]
    assert told["known"]["status"] == 200
    assert int(told["known"]["headers"]["x-ratelimit-remaining"]) >= 0
    assert told["write"]["status"] == 200
    assert json.loads(told["write"]["body"])["method"] == "PATCH"
    assert told["write"]["headers"]["x-request-id"] == "req-of-a-page"
    assert told["stranger"]["status"] == 401
    assert json.loads(told["stranger"]["body"])["detail"] == "Invalid or expired token"
    assert told["nowhere"]["status"] == 404
    assert told["plain"]["status"] == 401
    assert "error" in told["cookies"], "no answer allows credentials"
    assert "error" in told["foreign"], "only the headers of the contract"
    assert all("error" in answer for answer in told_to_unknown.values()), told_to_unknown
    assert asked == [("GET", origin), ("PATCH", origin)], "no preflight, and nothing unknown"
