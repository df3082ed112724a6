from __future__ import annotations

import asyncio
import re

import httpx
import pytest

from shared.principal import ANONYMOUS, ASSERTION_HEADER, CLIENT_HEADER, Kind
from tests.gateway.conftest import House
from tests.gateway.fake_service import Asked, answering, plain

RATE_HEADERS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/v1/learnings", "learnings"),
        ("/v1/learnings/", "learnings"),
        ("//v1/learnings", "learnings"),
        ("/v1/admin/installations", "learnings"),
        ("/v1/admin/users", "auth"),
        ("/v1/admin/organizations/org_1/api-keys", "auth"),
        ("/v1/auth/me", "auth"),
        ("/api/v1/runs", "runs"),
        ("/api/v1/auth/me", "auth"),
        ("/api/v0/agents", "agents"),
        ("/api/v0/roles/x", "auth"),
        ("/api/teams/clone/x", "teams"),
        ("/api/account", "auth"),
        ("/api/account/teams", "teams"),
        ("/api/account/machines/x", "auth"),
        ("/device", "auth"),
        ("/t/x", "teams"),
    ],
)
async def test_each_path_reaches_its_service(home: House, path: str, service: str) -> None:
    url = httpx.URL(f"http://127.0.0.1:{home.port}{path}")
    answer = await home.client.get(url, headers=home.bearer())
    assert answer.status_code == 200
    assert answer.json()["target"] == path
    assert home.services[service].asked[-1].target == path


@pytest.mark.parametrize(
    "path",
    [
        "/internal/sessions/check",
        "/internal/search",
        "/internal/teams/knowledge",
        "/%69nternal/sessions/check",
        "//internal/sessions/check",
        "/v1/../internal/sessions/check",
        "/v1/%2e%2e/internal/sessions/check",
        "/v1/./learnings",
        "/v1/auth/..",
        "/v2",
        "/V1/learnings",
        "/v11",
        "/metrics",
        "/nothing",
    ],
)
async def test_what_no_service_owns_is_not_forwarded(home: House, path: str) -> None:
    token = home.auth.token()
    request = f"GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n"
    answer = await home.raw(request.encode() + b"connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert answer.endswith(b'{"detail":"Not Found"}')
    assert not any(service.asked for service in home.services.values() if service != home.auth)
    assert all(asked.target != path for asked in home.auth.asked)


async def test_unknown_teams_path_speaks_as_teams_does(home: House) -> None:
    answer = await home.client.get("/api/sync")
    assert answer.status_code == 404
    assert answer.json() == {"errors": {"detail": "Not Found"}, "error": "not_found"}


async def test_target_and_body_pass_unchanged(home: House) -> None:
    target = "/v1/learnings/a%2Fb%20c;d=1?q=%C3%A4&x=1&x=2&empty=&plus=+"
    body = bytes(range(256)) * 10
    head = f"POST {target} HTTP/1.1\r\nhost: example.test\r\nconnection: close\r\n"
    head += f"authorization: bearer {home.auth.token()}\r\ncontent-length: {len(body)}\r\n\r\n"
    answer = await home.raw(head.encode() + body)
    assert answer.startswith(b"HTTP/1.1 200 ")
    asked = home.learnings.asked[-1]
    assert (asked.method, asked.target, asked.body) == ("POST", target, body)
    assert asked.header("host") == "example.test"
    assert asked.header("content-length") == str(len(body))


async def test_service_hears_who_is_calling(home: House) -> None:
    await home.client.get("/v1/learnings", headers=home.bearer())
    principal = home.principal("learnings")
    assert (principal.kind, principal.subject, principal.org) == (Kind.USER, "usr_1", "org_1")
    assert (principal.role, principal.scopes, principal.session) == ("member", ("*",), "ses_1")
    assert principal.account == "usr_1"
    await home.client.get("/api/v1/runs", headers=home.bearer(home.auth.api_key()))
    principal = home.principal("runs")
    assert (principal.kind, principal.subject) == (Kind.API_KEY, "key_1")
    assert (principal.scopes, principal.account) == (("learnings:read",), "usr_1")
    await home.client.get("/v1/health")
    assert home.principal("learnings") == ANONYMOUS


async def test_only_the_gateway_speaks_as_the_gateway(home: House) -> None:
    forged = {
        ASSERTION_HEADER: "forged",
        "X-Guildhall-Client": "1.2.3.4",
        "x-guildhall-anything": "forged",
        "x-forwarded-for": "1.2.3.4",
        "x-forwarded-host": "evil.test",
        "forwarded": "for=1.2.3.4",
        "x-real-ip": "1.2.3.4",
    }
    await home.client.get("/v1/learnings", headers=home.bearer() | forged)
    asked = home.learnings.asked[-1]
    names = {name for name, _ in asked.headers}
    assert asked.header(CLIENT_HEADER) == "127.0.0.1"
    assert home.principal("learnings").subject == "usr_1"
    assert not names & {"x-guildhall-anything", "x-forwarded-for", "x-forwarded-host"}
    assert not names & {"forwarded", "x-real-ip", "authorization"}


async def test_hop_by_hop_headers_stop_here(home: House) -> None:
    headers = {
        "connection": "keep-alive, X-Private",
        "x-private": "1",
        "keep-alive": "timeout=5",
        "te": "trailers",
        "proxy-authorization": "Basic x",
        "upgrade": "h2c",
        "x-public": "stays",
        "cookie": "a=b",
    }
    answer = await home.client.get("/v1/learnings", headers=home.bearer() | headers)
    assert answer.status_code == 200
    asked = home.learnings.asked[-1]
    names = {name for name, _ in asked.headers}
    assert not names & {"connection", "keep-alive", "te", "proxy-authorization", "upgrade"}
    assert "x-private" not in names
    assert (asked.header("x-public"), asked.header("cookie")) == ("stays", "a=b")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("abc", True),
        ("A.b_c-9", True),
        ("x" * 64, True),
        ("x" * 65, False),
        ("", False),
        ("a b", False),
        ("é", False),
        ("a/b", False),
        (None, False),
    ],
)
async def test_request_id(home: House, sent: str | None, kept: bool) -> None:
    headers = home.bearer() | ({} if sent is None else {"x-request-id": sent})
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = await home.client.get("/v1/learnings", headers=encoded)
    given = answer.headers.get_list("x-request-id")
    assert len(given) == 1
    assert home.learnings.asked[-1].header("x-request-id") == given[0]
    assert (given[0] == sent) is kept
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", given[0])


async def test_request_ids_of_ours_differ(home: House) -> None:
    answers = [await home.client.get("/health") for _ in range(20)]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 20


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", True),
        ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", False),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", False),
        ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", False),
        ("nonsense", False),
    ],
)
async def test_trace_context(home: House, sent: str, kept: bool) -> None:
    headers = home.bearer() | {"traceparent": sent, "tracestate": "a=1"}
    await home.client.get("/v1/learnings", headers=headers)
    asked = home.learnings.asked[-1]
    given = asked.header("traceparent")
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", given)
    assert (given == sent) is kept
    assert (asked.header("tracestate") == "a=1") is kept


async def test_answer_headers(home: House) -> None:
    home.learnings.behave = answering(
        plain(
            404,
            b"{}",
            "content-type: application/json",
            "server: secret",
            "date: long ago",
            "connection: keep-alive, x-hop",
            "x-hop: 1",
            "x-request-id: theirs",
            "x-ratelimit-limit: 1",
            "set-cookie: a=1",
            "set-cookie: b=2",
            "etag: w",
        )
    )
    headers = home.bearer() | {"x-request-id": "mine"}
    answer = await home.client.get("/v1/learnings/x", headers=headers)
    assert answer.status_code == 404
    assert "server" not in answer.headers
    assert "x-hop" not in answer.headers
    assert len(answer.headers.get_list("date")) == 1
    assert answer.headers["date"] != "long ago"
    assert answer.headers.get_list("x-request-id") == ["mine"]
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert answer.headers["etag"] == "w"
    assert answer.headers["x-content-type-options"] == "nosniff"
    for name in RATE_HEADERS:
        assert len(answer.headers.get_list(name)) == 1
    assert answer.headers["x-ratelimit-limit"] == "1000000"


@pytest.mark.parametrize(
    ("method", "data", "status", "body"),
    [
        ("GET", b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n", 204, b""),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        ("GET", b'HTTP/1.1 304 Not Modified\r\netag: "a"\r\ncontent-length: 9\r\n\r\n', 304, b""),
        ("HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n", 200, b""),
        ("HEAD", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", 200, b""),
        ("GET", b"HTTP/1.1 100 Continue\r\n\r\n" + plain(200, b"x"), 200, b"x"),
        ("GET", b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n" + plain(201, b"x"), 201, b"x"),
        (
            "GET",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
            b"2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n",
            200,
            b"abc",
        ),
        ("GET", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200, b""),
        ("OPTIONS", plain(200, b"x"), 200, b"x"),
        ("PATCH", plain(599, b"x"), 599, b"x"),
    ],
)
async def test_framing_of_answers(
    home: House, method: str, data: bytes, status: int, body: bytes
) -> None:
    home.learnings.behave = answering(data)
    connections = home.learnings.connections
    for _ in range(3):
        answer = await home.client.request(method, "/v1/learnings", headers=home.bearer())
        assert (answer.status_code, answer.content) == (status, body)
        if method == "HEAD" and b"content-length" in data:
            assert answer.headers["content-length"] == "99"
    assert home.learnings.connections <= connections + 1, "the connection is not kept"


async def test_answer_that_ends_with_the_connection(home: House) -> None:
    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nall of ")
        await writer.drain()
        writer.write(b"it")
        writer.close()

    home.learnings.behave = behave
    answer = await home.client.get("/v1/learnings", headers=home.bearer())
    assert (answer.status_code, answer.text) == (200, "all of it")


async def test_connections_are_kept_and_shared(home: House) -> None:
    await home.client.get("/v1/learnings", headers=home.bearer())
    before = home.learnings.connections
    for _ in range(20):
        await home.client.get("/v1/learnings", headers=home.bearer())
    assert home.learnings.connections == before


async def test_post_without_body_says_so(home: House) -> None:
    answer = await home.client.post("/v1/learnings", headers=home.bearer())
    assert answer.status_code == 200
    assert home.learnings.asked[-1].header("content-length") == "0"


async def test_expect_is_answered_here(home: House) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
    head = "POST /v1/learnings HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n"
    head += f"authorization: Bearer {home.auth.token()}\r\ncontent-length: 2\r\n"
    writer.write(head.encode() + b"connection: close\r\n\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
    writer.write(b"{}")
    assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    writer.close()
    assert home.learnings.asked[-1].body == b"{}"
    assert home.learnings.asked[-1].header("expect") == ""


async def test_parallel_requests_do_not_mix(home: House) -> None:
    async def one(number: int) -> None:
        body = f"{number}" * 50
        path = f"/v1/learnings/{number}"
        answer = await home.client.put(path, content=body, headers=home.bearer())
        assert answer.json()["target"] == path
        assert answer.json()["body"] == body

    await asyncio.gather(*(one(number) for number in range(200)))


async def test_pipelined_requests_keep_their_order(home: House) -> None:
    head = f"host: x\r\nauthorization: Bearer {home.auth.token()}\r\n"
    data = "".join(f"GET /v1/learnings/{n} HTTP/1.1\r\n{head}\r\n" for n in range(5))
    data += f"GET /v1/learnings/5 HTTP/1.1\r\n{head}connection: close\r\n\r\n"
    answer = (await home.raw(data.encode())).decode()
    assert re.findall(r'"target": "/v1/learnings/(\d)"', answer) == list("012345")
