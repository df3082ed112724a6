"""Requests on one connection: each gets its own answer, and nothing of another's."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

import pytest

from gateway.route_table import ROUTES
from gateway.upstream import Limits
from tests.gateway.caller import calling, chunked, narrow, request
from tests.gateway.conftest import House, house, until
from tests.gateway.fake_service import Asked, Hangup, answering, echo, plain

PATH = "/v1/learnings"


@pytest.fixture
def home(patient: House) -> House:
    return patient


def bearer(home: House) -> str:
    return f"authorization: Bearer {home.auth.token()}"


@pytest.mark.parametrize("size", [1, 60_000, 300_000, 1_900_000])
@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_body_behind_another_request(home: House, size: int, framing: str) -> None:
    body = b"x" * size
    first = request("GET", f"{PATH}/1", bearer(home))
    if framing == "length":
        second = request("POST", f"{PATH}/2", bearer(home), body=body)
    else:
        second = request("POST", f"{PATH}/2", bearer(home), "transfer-encoding: chunked")
        second += chunked(body)
    third = request("GET", f"{PATH}/3", bearer(home))
    async with calling(home.port) as caller:
        caller.send(first + second + third)
        for number in "123":
            answer = await caller.answer()
            assert answer.status == 200
            assert f'"target": "{PATH}/{number}"'.encode() in answer.body
    assert home.learnings.asked[1].body == body


async def test_requests_may_be_cut_anywhere(home: House) -> None:
    home.learnings.behave = answering(plain(200, b"x"))
    async with calling(home.port) as caller:
        caller.send(request("GET", PATH, bearer(home)) * 1000)
        for _ in range(1000):
            assert (await caller.answer()).status == 200


async def test_what_follows_a_refusal_that_closes_is_not_done(home: House) -> None:
    refused = request("POST", "/nothing", body=b"hello")
    async with calling(home.port) as caller:
        caller.send(refused + request("POST", PATH, bearer(home), body=b"again"))
        answer = await caller.answer()
        assert (answer.status, answer.header("connection")) == (404, "close")
        assert await caller.rest() == b""
    assert not home.learnings.asked


async def test_begun_answer_is_not_followed_by_a_refusal_when_the_body_is_too_large(
    home: House,
) -> None:
    home.learnings.reads_body = False
    home.learnings.behave = _begins_early
    piece = b"x" * 100_000
    async with calling(home.port) as caller:
        caller.send(request("POST", PATH, bearer(home), "transfer-encoding: chunked"))
        caller.send(chunked(piece, end=False))
        assert (await caller.head()).status == 200
        for _ in range(25):
            caller.send(chunked(piece, end=False))
        rest = await caller.rest()
    assert b"HTTP/1.1" not in rest
    assert rest == b"begun"


async def test_begun_answer_is_not_followed_by_a_refusal_when_the_body_is_late() -> None:
    async with house(Limits(idle=5.0, tick=0.05)) as home:
        home.gateway.data_path.patience = 0.3
        home.learnings.reads_body = False
        home.learnings.behave = _begins_early
        async with calling(home.port) as caller:
            caller.send(request("POST", PATH, bearer(home), "content-length: 200000"))
            caller.send(b"x" * 100_000)
            assert (await caller.head()).status == 200
            rest = await caller.rest()
        assert rest == b"begun"


async def _begins_early(
    asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nbegun")
    while await reader.read(65_536):
        pass


async def test_slow_service_is_not_blamed_on_the_caller() -> None:
    async with house(Limits(idle=1.0, tick=0.05)) as home:
        home.gateway.data_path.patience = 0.2
        home.learnings.reads_body = False
        stop = asyncio.Event()

        async def behave(
            asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            reader._transport.pause_reading()  # type: ignore[attr-defined]
            await stop.wait()

        home.learnings.behave = behave
        row = ROUTES.find("/v1/sync")
        assert row is not None
        async with calling(home.port) as caller:
            caller.send(request("POST", "/v1/sync", bearer(home), body=b"x" * row.body_limit))
            answer = await caller.answer()
        stop.set()
        assert answer.status == 504


async def test_caller_of_http_1_0_is_not_told_to_continue(home: House) -> None:
    head = f"POST {PATH} HTTP/1.0\r\n{bearer(home)}\r\nexpect: 100-continue\r\n"
    async with calling(home.port) as caller:
        caller.send(head.encode() + b"content-length: 2\r\n\r\n")
        await asyncio.sleep(0.05)
        caller.send(b"{}")
        answer = await caller.answer()
    assert (answer.status, answer.interim) == (200, [])


async def test_caller_who_reads_nothing_is_answered_no_further() -> None:
    async with house(Limits(stall=0.5, tick=0.05), rate_limits="learnings=1000000/1") as home:
        home.learnings.behave = answering(plain(200, b"x" * 100_000))
        async with calling(home.port, window=4096) as caller:
            caller.send(request("GET", PATH, bearer(home)) * 2000)
            await until(lambda: not home.gateway.data_path.connections)
        assert 0 < len(home.learnings.asked) < 200


async def test_slow_reader_gets_the_whole_of_a_last_answer() -> None:
    async with house(Limits(tick=0.05)) as home:
        await _reads_a_last_answer_slowly(home)


async def _reads_a_last_answer_slowly(home: House) -> None:
    body = b"0123456789abcdef" * 100_000
    home.learnings.behave = answering(plain(200, body))
    before = set(home.gateway.data_path.connections)
    async with calling(home.port, window=4096) as caller:
        await until(lambda: home.gateway.data_path.connections - before)
        (connection,) = home.gateway.data_path.connections - before
        narrow(connection.transport)
        caller.send(request("GET", PATH, bearer(home), "connection: close"))
        assert (await caller.head()).header("content-length") == str(len(body))
        pieces = [await caller.some(4096)]
        while home.gateway.upstreams["learnings"].pools[0].busy:
            pieces.append(await caller.some(4096))
        # Nothing is left to come from the service; the rest waits in the gateway.
        assert connection.transport.get_write_buffer_size()
        await asyncio.sleep(2.5)
        pieces.append(await caller.rest())
    assert b"".join(pieces) == body


async def test_answer_to_half_a_connection_is_not_repeated(home: House) -> None:
    await home.client.get(PATH, headers=home.bearer())
    first = set(home.learnings.writers)
    home.learnings.asked.clear()

    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if writer in first:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-le")
            await writer.drain()
            writer.close()
            return
        await echo(asked, reader, writer)

    home.learnings.behave = behave
    answer = await home.client.get(PATH, headers=home.bearer())
    assert answer.status_code == 502
    assert len(home.learnings.asked) == 1


async def test_connection_that_is_closing_is_not_lent(home: House) -> None:
    data = request("POST", PATH, bearer(home), body=b"{}")
    async with calling(home.port) as caller:
        for _ in range(5):
            caller.send(data)
            assert (await caller.answer()).status == 200
            # Both arrive while the gateway is not looking, and in this order.
            for writer in home.learnings.writers:
                with suppress(OSError):  # one of an earlier test that is closing already
                    writer.get_extra_info("socket").shutdown(socket.SHUT_WR)
            caller.send(data)
            assert (await caller.answer()).status == 200


async def test_half_an_answer_never_looks_whole_to_http_1_0(home: House) -> None:
    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        await writer.drain()
        raise Hangup

    home.learnings.behave = behave
    async with calling(home.port) as caller:
        caller.send(f"GET {PATH} HTTP/1.0\r\n{bearer(home)}\r\n\r\n".encode())
        assert (await caller.head()).status == 200
        with pytest.raises(ConnectionResetError):
            await caller.read(100)


async def test_chain_that_breaks_off_is_a_500(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(home.gateway.pipeline, "decide", broken)
    async with calling(home.port) as caller:
        caller.send(request("GET", PATH, bearer(home)))
        answer = await caller.answer()
    assert answer.status == 500
    assert b"secret" not in answer.body
    assert answer.header("x-request-id")
