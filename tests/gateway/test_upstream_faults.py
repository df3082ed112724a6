from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from gateway.upstream import Limits
from tests.gateway.conftest import House, house, until
from tests.gateway.fake_service import Asked, Behaviour, Hangup, answering, echo, plain

SURFACES = {
    "learnings": "/v1/learnings",
    "runs": "/api/v1/runs",
    "teams": "/api/account/teams",
    "agents": "/api/v0/agents",
}
SHAPES: dict[str, Callable[[Any], bool]] = {
    "learnings": lambda body: isinstance(body["detail"], str),
    "runs": lambda body: (
        body["detail"] == body["error"]["message"] and body["type"] == body["error"]["type"]
    ),
    "teams": lambda body: body == {"error": "service temporarily unavailable"},
    "agents": lambda body: body["error"]["message"] == body["message"],
}


def check(answer: httpx.Response, surface: str, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert SHAPES[surface](answer.json())
    assert answer.headers["content-type"] == "application/json"
    for name in ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"):
        assert answer.headers[name].isdigit()
    assert answer.headers["x-request-id"] == "mine"
    assert ("retry-after" in answer.headers) is (status == 503)


async def ask(home: House, surface: str) -> httpx.Response:
    headers = home.bearer() | {"x-request-id": "mine"}
    return await home.client.post(SURFACES[surface], headers=headers, json={})


async def silent(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def closes(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    raise Hangup


@pytest.mark.parametrize("surface", SURFACES)
async def test_service_that_is_not_there(surface: str) -> None:
    async with house() as home:
        await home.services[surface].stop()
        check(await ask(home, surface), surface, 503)
        await home.services[surface].start()
        assert (await ask(home, surface)).status_code == 200


@pytest.mark.parametrize("surface", SURFACES)
async def test_service_that_does_not_answer(home: House, surface: str) -> None:
    home.services[surface].behave = silent
    check(await ask(home, surface), surface, 504)


MALFORMED = {
    "closes": closes,
    "half a head": None,
    "nonsense": answering(b"hello\r\n\r\n"),
    "another protocol": answering(
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"
    ),
    "two lengths": answering(
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"
    ),
    "length and chunks": answering(
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n"
        b"1\r\na\r\n0\r\n\r\n"
    ),
    "negative length": answering(b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n"),
    "status 0": answering(b"HTTP/1.1 000 OK\r\ncontent-length: 0\r\n\r\n"),
    "status 999": answering(b"HTTP/1.1 999 OK\r\ncontent-length: 0\r\n\r\n"),
    "long head": answering(plain(200, b"", "x-long: " + "x" * 70_000)),
    "many headers": answering(plain(200, b"", *(f"x-{n}: 1" for n in range(300)))),
    "split value": answering(b"HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 0\r\n\r\n"),
}


async def half_a_head(
    asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-le")
    raise Hangup


MALFORMED["half a head"] = half_a_head


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("fault", MALFORMED)
async def test_service_that_answers_nonsense(home: House, surface: str, fault: str) -> None:
    behaviour = MALFORMED[fault]
    assert behaviour is not None
    home.services[surface].behave = behaviour
    check(await ask(home, surface), surface, 502)
    home.services[surface].behave = echo
    assert (await ask(home, surface)).status_code == 200


def cut(data: bytes) -> Behaviour:
    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(data)
        await writer.drain()
        raise Hangup

    return behave


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
    ],
)
async def test_half_an_answer_never_looks_whole(home: House, data: bytes) -> None:
    home.learnings.behave = cut(data)
    with pytest.raises(httpx.RemoteProtocolError):
        await home.client.get("/v1/learnings", headers=home.bearer())
    home.learnings.behave = echo
    assert (await home.client.get("/v1/learnings", headers=home.bearer())).status_code == 200


async def test_stalled_answer_is_broken_off(home: House) -> None:
    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
        await reader.read()

    home.learnings.behave = behave
    with pytest.raises(httpx.RemoteProtocolError):
        await home.client.get("/v1/learnings", headers=home.bearer())


async def test_unasked_bytes_reach_nobody(home: House) -> None:
    poison = plain(200, b"poison")

    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(plain(200, b"first") + poison)
        await writer.drain()

    home.learnings.behave = behave
    for _ in range(5):
        answer = await home.client.get("/v1/learnings", headers=home.bearer())
        assert answer.text == "first"


async def test_late_unasked_bytes_reach_nobody(home: House) -> None:
    home.learnings.behave = answering(plain(200, b"right"))
    await home.client.get("/v1/learnings", headers=home.bearer())
    for writer in home.learnings.writers:
        writer.write(plain(200, b"poison"))
    for _ in range(5):
        answer = await home.client.get("/v1/learnings", headers=home.bearer())
        assert answer.text == "right"


@pytest.fixture
async def stale(home: House) -> House:
    """A house whose kept connection to learnings closes on the next request."""
    await home.client.get("/v1/learnings", headers=home.bearer())
    await until(lambda: home.learnings.writers)
    first = set(home.learnings.writers)

    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if writer in first:
            raise Hangup
        await echo(asked, reader, writer)

    home.learnings.behave = behave
    home.learnings.asked.clear()
    return home


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
async def test_stale_connection_costs_no_repeatable_request(stale: House, method: str) -> None:
    content = None if method != "PUT" else b""
    answer = await stale.client.request(
        method, "/v1/learnings/1", headers=stale.bearer(), content=content
    )
    assert answer.status_code == 200
    assert [asked.method for asked in stale.learnings.asked] == [method, method]


@pytest.mark.parametrize(
    ("method", "content"),
    [
        ("POST", b""),
        ("POST", b"x"),
        ("PUT", b"x"),
        ("PUT", b"x" * 70_000),
        ("DELETE", b"x" * 200_000),
    ],
)
async def test_what_may_have_acted_is_not_repeated(
    stale: House, method: str, content: bytes
) -> None:
    answer = await stale.client.request(
        method, "/v1/learnings/1", headers=stale.bearer(), content=content
    )
    assert answer.status_code == 502
    assert len(stale.learnings.asked) == 1


async def test_stale_connection_costs_no_question_to_auth(home: House) -> None:
    await home.client.get("/v1/learnings", headers=home.bearer(home.auth.token("ses_before")))
    first, answer = set(home.auth.writers), home.auth.behave

    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if writer in first:
            raise Hangup
        await answer(asked, reader, writer)

    home.auth.behave = behave
    try:
        headers = home.bearer(home.auth.token("ses_after"))
        assert (await home.client.get("/v1/learnings", headers=headers)).status_code == 200
    finally:
        home.auth.behave = answer


async def test_fresh_connection_that_closes_is_not_tried_again(home: House) -> None:
    home.learnings.hang_up()
    await until(lambda: not home.learnings.writers)
    home.learnings.behave = closes
    answer = await home.client.get("/v1/learnings", headers=home.bearer())
    assert answer.status_code == 502
    assert len(home.learnings.asked) == 1


async def test_closed_connections_are_not_used(home: House) -> None:
    for _ in range(5):
        assert (await home.client.post("/v1/learnings", headers=home.bearer())).status_code == 200
        home.learnings.hang_up()
        await until(lambda: not home.learnings.writers)


async def test_crowd_waits_for_a_bounded_number_of_connections() -> None:
    limits = Limits(connections=4, waiting=20, connect=5.0, head=5.0, idle=5.0, tick=0.05)
    async with house(limits) as home:
        release = asyncio.Event()

        async def behave(
            asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            await release.wait()
            await echo(asked, reader, writer)

        home.learnings.behave = behave
        headers = home.bearer()
        await home.client.get("/api/v1/runs", headers=headers)
        requests = [
            asyncio.create_task(home.client.get("/v1/learnings", headers=headers))
            for _ in range(30)
        ]
        await until(lambda: sum(task.done() for task in requests) == 6)
        assert home.learnings.connections == 4
        release.set()
        statuses = sorted(answer.status_code for answer in await asyncio.gather(*requests))
        assert statuses == [200] * 24 + [503] * 6
        assert home.learnings.connections == 4


async def test_waiting_for_a_connection_ends() -> None:
    limits = Limits(connections=1, connect=0.3, head=5.0, idle=5.0, tick=0.05)
    async with house(limits) as home:
        home.learnings.behave = silent
        headers = home.bearer()
        first = asyncio.create_task(home.client.get("/v1/learnings", headers=headers))
        await until(lambda: home.learnings.asked)
        answer = await home.client.get("/v1/learnings", headers=headers)
        assert answer.status_code == 503
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


async def test_caller_who_hangs_up_frees_the_service() -> None:
    async with house(Limits(head=60, tick=0.05)) as home:
        gone = asyncio.Event()

        async def behave(
            asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n")
            await reader.read()
            gone.set()

        for started in (False, True):
            gone.clear()
            home.learnings.behave = behave if started else _waits(gone)
            reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
            head = f"GET /v1/learnings HTTP/1.1\r\nauthorization: Bearer {home.auth.token()}\r\n"
            writer.write(head.encode() + b"host: x\r\n\r\n")
            if started:
                await reader.readuntil(b"a\r\n")
            else:
                await until(lambda: home.learnings.asked)
            writer.close()
            await asyncio.wait_for(gone.wait(), 10)


def _waits(gone: asyncio.Event) -> Behaviour:
    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.read()
        gone.set()

    return behave


async def test_idle_connections_are_let_go() -> None:
    async with house(Limits(keep=0.1, tick=0.05)) as home:
        await home.client.get("/v1/learnings", headers=home.bearer())
        await until(lambda: not home.learnings.writers)
        assert (await home.client.get("/v1/learnings", headers=home.bearer())).status_code == 200
