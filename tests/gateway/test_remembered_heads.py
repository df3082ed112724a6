"""A head that is remembered must mean what it meant when the parser read it, byte for byte."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway.proxy.heads import CAPACITY, MOST_BYTES, HeadMemory
from tests.gateway.caller import calling
from tests.gateway.conftest import PLENTY, House, house
from tests.gateway.fake_service import answering, plain

GOOD = "authorization: Bearer {token}"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PATHS = (
    "/v1/learnings",
    "/v1/learnings/",
    "//v1/learnings",
    "/v1//learnings",
    "/v1/%6cearnings",
    "/v1/a%2Fb",
    "/v1/%2e%2e/x",
    "/v1/../x",
    "/v1/health",
    "/api/v1/runs;x=1",
    "/api/v0/agents",
    "/api/teams/T",
    "/api/account",
    "/t/secret",
    "/",
    "/health",
    "/nowhere",
    "/v1/ünicode",
    "/v1/learnings?",
    "/v1/learnings?q=a&token=b",
    "/v1/learnings?q=?/%zz",
    "/v1/learnings#part",
    "*",
    "http://other/v1/learnings",
)
HEADERS = (
    GOOD,
    GOOD,
    "Authorization: Bearer  {token} ",
    "authorization: Bearer wrong",
    "authorization: Basic eDp5",
    "host: x",
    "HOST: y",
    "x-request-id: mine-1",
    "x-request-id: not ok",
    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "traceparent: 00-0-0-0",
    "tracestate: a=b",
    "connection: keep-alive",
    "connection: close",
    "connection: x-mine, keep-alive",
    "x-mine: 1",
    "x-guildhall-assertion: forged",
    "x-forwarded-for: 10.0.0.1",
    "origin: https://page.test",
    "accept: application/json",
    "accept: text/html",
    "content-length: 0",
    "content-length: 00",
    "transfer-encoding: chunked",
    "upgrade: websocket",
    "expect: 100-continue",
    "te: trailers",
    "empty:",
    "x-trc-signature: AAAA",
    "x-trc-timestamp: 1",
    "x-teamrc-version: 0",
    " folded",
    "bad header: 1",
)
CHANGING = re.compile(
    rb"(?im)^(date|x-request-id|traceparent|ratelimit|x-ratelimit-remaining|x-ratelimit-reset|"
    rb"x-guildhall-assertion): ?[^\r]*"
)
IDS = re.compile(rb"req_[0-9a-z]+")


@pytest.fixture(scope="module")
async def quiet() -> AsyncIterator[House]:
    async with house(rate_limits=PLENTY) as built:
        constant = answering(plain(200, b"ok", "content-type: text/plain"))
        built.auth.otherwise = constant
        for service in built.services.values():
            if service is not built.auth:
                service.behave = constant
        yield built


def masked(data: bytes) -> bytes:
    """Take out what differs between two requests anyway."""
    return IDS.sub(b"ID", CHANGING.sub(rb"\1", data))


def asked(home: House) -> list[object]:
    """Give what the services were asked since the last time, apart from what always differs."""
    seen: list[object] = []
    for name, service in home.services.items():
        if service is home.auth:
            continue
        for one in service.asked:
            headers = "\r\n".join(f"{key}: {value}" for key, value in one.headers).encode()
            seen.append((name, one.method, one.target, masked(headers), one.body))
        service.asked.clear()
    return seen


async def exchange(home: House, data: bytes) -> tuple[object, list[object]]:
    """Send one request on a connection of its own; give the answer as it came."""
    async with calling(home.port) as caller:
        caller.send(data)
        answer = await caller.answer(data.partition(b" ")[0].decode())
    lines = "\r\n".join(f"{name}: {value}" for name, value in answer.headers).encode()
    return (answer.status, masked(lines), masked(answer.body)), asked(home)


@settings(deadline=None, max_examples=120, suppress_health_check=list(HealthCheck))
@given(
    method=st.sampled_from(METHODS),
    path=st.sampled_from(PATHS),
    headers=st.lists(st.sampled_from(HEADERS), max_size=5),
)
@example(method="GET", path="/v1/learnings", headers=[GOOD, "host: x"])
@example(method="GET", path="/v1/learnings", headers=["host: x", "connection: x-mine", "x-mine: 1"])
async def test_remembered_and_parsed_heads_are_answered_alike(
    quiet: House, method: str, path: str, headers: list[str]
) -> None:
    token = quiet.auth.token("ses_heads", jti="jti_heads")
    text = "\r\n".join([f"{method} {path} HTTP/1.1", *headers, "", ""])
    data = text.replace("{token}", token).encode("utf-8")
    if "transfer-encoding: chunked" in headers:
        data += b"0\r\n\r\n"
    await exchange(quiet, data)  # so that auth has been asked
    memory = quiet.gateway.data_path.heads = HeadMemory(quiet.gateway.pipeline)
    parsed = await exchange(quiet, data)
    again = await exchange(quiet, data)
    known = memory.find(data)
    remembered = await exchange(quiet, data)
    assert parsed == again == remembered
    if headers == [GOOD, "host: x"] and path == "/v1/learnings":
        assert known is not None


async def test_known_headers_serve_another_path(quiet: House) -> None:
    memory = quiet.gateway.data_path.heads = HeadMemory(quiet.gateway.pipeline)
    block = f"\r\nhost: x\r\nauthorization: Bearer {quiet.auth.token()}\r\n\r\n"
    asked(quiet)
    for number in range(4):
        await exchange(quiet, f"GET /v1/learnings/{number} HTTP/1.1{block}".encode())
    assert memory.find(f"GET /v1/other HTTP/1.1{block}".encode()) is not None


@pytest.mark.parametrize(
    "line",
    [
        "GET  /v1/x HTTP/1.1",
        "GET /v1/x  HTTP/1.1",
        "GET /v1/x HTTP/1.0",
        "GET /v1/x http/1.1",
        "get /v1/x HTTP/1.1",
        "CONNECT /v1/x HTTP/1.1",
        "GET v1/x HTTP/1.1",
        "GET /v1/x\tHTTP/1.1",
        "GET /v1/x#y HTTP/1.1",
        'GET /v1/"x HTTP/1.1',
        "GET /v1/x HTTP/1.1 ",
        "GET /v1/x HTTP/1.1\nhost: y",
        "\nGET /v1/x HTTP/1.1",
        "",
    ],
)
async def test_odd_line_is_left_to_the_parser(quiet: House, line: str) -> None:
    memory = quiet.gateway.data_path.heads = HeadMemory(quiet.gateway.pipeline)
    block = f"\r\nhost: x\r\nauthorization: Bearer {quiet.auth.token()}\r\n\r\n"
    for _ in range(3):
        await exchange(quiet, f"GET /v1/learnings HTTP/1.1{block}".encode())
    assert memory.find(f"GET /v1/x HTTP/1.1{block}".encode()) is not None
    assert memory.find(f"{line}{block}".encode()) is None


async def test_memory_is_bounded(quiet: House) -> None:
    memory = quiet.gateway.data_path.heads = HeadMemory(quiet.gateway.pipeline)
    token = quiet.auth.token()
    async with calling(quiet.port) as caller:
        for number in range(CAPACITY + 50):
            head = f"GET /v1/{number} HTTP/1.1\r\nhost: x\r\nx-mine: {number}\r\n"
            data = f"{head}authorization: Bearer {token}\r\n\r\n".encode()
            for _ in range(2):
                caller.send(data)
                await caller.answer()
    assert len(memory._blocks) <= CAPACITY
    assert len(memory._destinations) <= CAPACITY
    large = f"GET /v1/x HTTP/1.1\r\nhost: x\r\nx-mine: {'x' * MOST_BYTES}\r\n\r\n".encode()
    for _ in range(3):
        await exchange(quiet, large)
    assert memory.find(large) is None


async def test_what_is_remembered_ends_with_its_credential(quiet: House) -> None:
    quiet.gateway.data_path.heads = HeadMemory(quiet.gateway.pipeline)
    token = quiet.auth.token("ses_ends")
    data = (
        f"GET /v1/learnings HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n".encode()
    )
    async with calling(quiet.port) as caller:
        for _ in range(4):
            caller.send(data)
            assert (await caller.answer()).status == 200
        quiet.auth.sessions["ses_ends"]["active"] = False
        quiet.gateway.credentials.evict("ses_ends")
        caller.send(data)
        assert (await caller.answer()).status == 401


async def test_known_head_in_pieces_is_read_as_well(quiet: House) -> None:
    quiet.gateway.data_path.heads = HeadMemory(quiet.gateway.pipeline)
    token = quiet.auth.token()
    data = (
        f"GET /v1/learnings HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n".encode()
    )
    async with calling(quiet.port) as caller:
        for cut in (len(data), len(data), len(data), 1, 20, len(data) - 1, len(data)):
            caller.send(data[:cut])
            await asyncio.sleep(0.002)
            if data[cut:]:
                caller.send(data[cut:])
            answer = await caller.answer()
            assert (answer.status, answer.body) == (200, b"ok")
