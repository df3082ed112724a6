"""Services that answer what is no HTTP, or more or less than an answer."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from tests.gateway.caller import Answer, Broken, calling, narrow, request
from tests.gateway.conftest import House, until
from tests.gateway.fake_service import Asked, Behaviour, Hangup, answering, echo, plain, read_body

PATH = "/v1/learnings"
OK = b"HTTP/1.1 200 OK\r\n"
POISON = plain(200, b"poison", "x-poison: 1")


@pytest.fixture
def home(patient: House) -> House:
    return patient


def bearer(home: House) -> str:
    return f"authorization: Bearer {home.auth.token()}"


def then_closes(data: bytes) -> Behaviour:
    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(data)
        await writer.drain()
        raise Hangup

    return behave


def in_pieces(data: bytes, size: int) -> Behaviour:
    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        for start in range(0, len(data), size):
            writer.write(data[start : start + size])
            await asyncio.sleep(0)

    return behave


async def ask(home: House, method: str = "GET", *headers: str) -> Answer:
    async with calling(home.port) as caller:
        caller.send(request(method, PATH, bearer(home), *headers))
        return await caller.answer(method)


async def all_is_well(home: House) -> None:
    """See that nothing of what went before has any effect on who comes next."""
    home.learnings.behave = echo
    async with calling(home.port) as caller:
        for number in range(3):
            caller.send(request("POST", f"{PATH}/{number}", bearer(home), body=b"mine"))
            answer = await caller.answer()
            assert answer.status == 200
            assert f'"target": "{PATH}/{number}"'.encode() in answer.body


NO_HEAD = {
    "nothing of HTTP": b"220 mail.example ESMTP\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(300),
    "HTTP/2": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64",
    "an empty line": b"\r\n" * 50_000,
    "a request": b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
    "no version": b"200 OK\r\ncontent-length: 0\r\n\r\n",
    "small letters": b"http/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    "version 11": b"HTTP/11 200 OK\r\ncontent-length: 0\r\n\r\n",
    "letters for a status": b"HTTP/1.1 2OO OK\r\ncontent-length: 0\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\ncontent-length: 0\r\n\r\n",
    "status 20": b"HTTP/1.1 20 OK\r\ncontent-length: 0\r\n\r\n",
    "status 099": b"HTTP/1.1 099 OK\r\ncontent-length: 0\r\n\r\n",
    "status -1": b"HTTP/1.1 -1 OK\r\ncontent-length: 0\r\n\r\n",
    "status 600": b"HTTP/1.1 600 OK\r\ncontent-length: 0\r\n\r\n",
    "status 1000": b"HTTP/1.1 1000 OK\r\ncontent-length: 0\r\n\r\n",
    "NUL in a value": OK + b"x: a\0b\r\ncontent-length: 0\r\n\r\n",
    "CR in a value": OK + b"x: a\rb\r\ncontent-length: 0\r\n\r\n",
    "CR that could end a line": OK + b"x: a\r\rcontent-length: 0\r\n\r\n",
    "control in a value": OK + b"x: a\x01b\r\ncontent-length: 0\r\n\r\n",
    "NUL in a name": OK + b"x\0y: a\r\ncontent-length: 0\r\n\r\n",
    "space in a name": OK + b"x y: a\r\ncontent-length: 0\r\n\r\n",
    "space before the colon": OK + b"content-length : 0\r\n\r\n",
    "no name": OK + b": a\r\ncontent-length: 0\r\n\r\n",
    "no colon": OK + b"nonsense\r\ncontent-length: 0\r\n\r\n",
    "folded value": OK + b"x: a\r\n\tb\r\ncontent-length: 0\r\n\r\n",
    "1 MB of a header": plain(200, b"", "x: " + "x" * 1_000_000),
    "1 MB of a name": plain(200, b"", "x" * 1_000_000 + ": x"),
    "1 MB of a reason": plain(200, b"", reason="x" * 1_000_000),
    "1 MB of headers": plain(200, b"", *(f"x-{n}: {'x' * 1000}" for n in range(1000))),
    "1,000 headers": plain(200, b"", *(f"x-{n}: 1" for n in range(1000))),
    "interim answers without end": b"HTTP/1.1 100 Continue\r\n\r\n" * 50_000,
    "another protocol": OK.replace(b"200 OK", b"101 X")
    + b"upgrade: x\r\nconnection: upgrade\r\n\r\n",
    "length and chunks": OK + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": OK + b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": OK + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
    "a length twice": OK + b"content-length: 5\r\ncontent-length: 5\r\n\r\nhello",
    "a list of lengths": OK + b"content-length: 5, 5\r\n\r\nhello",
    "signed length": OK + b"content-length: +5\r\n\r\nhello",
    "negative length": OK + b"content-length: -5\r\n\r\nhello",
    "hexadecimal length": OK + b"content-length: 0x5\r\n\r\nhello",
    "length with a space": OK + b"content-length: 5 5\r\n\r\nhello",
    "length without digits": OK + b"content-length: \r\n\r\nhello",
    "length beyond 64 bits": OK + b"content-length: 18446744073709551621\r\n\r\nhello",
    "compressed chunks": OK + b"transfer-encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "chunks compressed": OK + b"transfer-encoding: chunked, gzip\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "chunked twice": OK
    + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "unknown coding": OK + b"transfer-encoding: xchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "identity coding": OK + b"transfer-encoding: identity\r\n\r\nhello",
    "chunks of HTTP/1.0": b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "interim with a length": b"HTTP/1.1 103 X\r\ncontent-length: 64\r\n\r\n"
    + POISON.ljust(64)
    + POISON,
    "interim with a body": b"HTTP/1.1 110 X\r\ncontent-length: 90\r\n\r\n" + POISON.ljust(90),
}


@pytest.mark.parametrize("fault", NO_HEAD)
@pytest.mark.parametrize("closes", [False, True])
async def test_no_answer(home: House, fault: str, closes: bool) -> None:
    data = NO_HEAD[fault]
    home.learnings.behave = then_closes(data) if closes else answering(data)
    answer = await ask(home)
    assert answer.status == 502
    assert b"detail" in answer.body
    assert not answer.header("x-poison")
    assert answer.header("retry-after") == ""
    await all_is_well(home)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"H",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 200 O",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_close_within_the_head(home: House, data: bytes, method: str) -> None:
    home.learnings.behave = then_closes(data)
    assert (await ask(home, method)).status == 502
    await all_is_well(home)


CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
NO_BODY = {
    "less than its length": OK + b"content-length: 10\r\n\r\nhello",
    "nothing of its length": OK + b"content-length: 10\r\n\r\n",
    "no last chunk": CHUNKED + b"5\r\nhello\r\n",
    "half a chunk": CHUNKED + b"5\r\nhel",
    "half a size": CHUNKED + b"5",
    "half an end": CHUNKED + b"5\r\nhello\r\n0\r\n",
    "half a trailer": CHUNKED + b"5\r\nhello\r\n0\r\nx: y\r\n",
    "no size": CHUNKED + b"\r\nhello\r\n0\r\n\r\n",
    "size of letters": CHUNKED + b"hello\r\nhello\r\n0\r\n\r\n",
    "negative size": CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n",
    "size beyond 64 bits": CHUNKED + b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "size with 0x": CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n",
    "longer than its size": CHUNKED + b"5\r\nhello!\r\n0\r\n\r\n",
    "shorter than its size": CHUNKED + b"5\r\nhell\r\n0\r\n\r\n",
    "NUL in an extension": CHUNKED + b"5;a=\0\r\nhello\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("fault", NO_BODY)
async def test_half_an_answer_is_not_given_for_one(home: House, fault: str) -> None:
    home.learnings.behave = then_closes(NO_BODY[fault])
    with contextlib.suppress(Broken):
        assert (await ask(home)).status == 502
    await all_is_well(home)


MORE = {
    "more than its length": (OK + b"content-length: 5\r\n\r\nright!!!", 200, b"right"),
    "a second answer": (plain(200, b"right") + POISON, 200, b"right"),
    "many answers": (plain(200, b"right") + POISON * 100, 200, b"right"),
    "an answer after chunks": (CHUNKED + b"5\r\nright\r\n0\r\n\r\n" + POISON, 200, b"right"),
    "half a second answer": (plain(200, b"right") + POISON[:-3], 200, b"right"),
    "204 with a body": (b"HTTP/1.1 204 X\r\ncontent-length: 6\r\n\r\npoison", 204, b""),
    "204 with chunks": (
        b"HTTP/1.1 204 X\r\ntransfer-encoding: chunked\r\n\r\n6\r\npoison\r\n0\r\n\r\n",
        204,
        b"",
    ),
    "204 with an answer": (b"HTTP/1.1 204 X\r\n\r\n" + POISON, 204, b""),
    "304 with a body": (b"HTTP/1.1 304 X\r\ncontent-length: 6\r\n\r\npoison", 304, b""),
    "304 with an answer": (
        b"HTTP/1.1 304 X\r\ncontent-length: %d\r\n\r\n" % len(POISON) + POISON,
        304,
        b"",
    ),
    "garbage": (plain(200, b"right") + b"\0\xff" * 1000, 200, b"right"),
    "interim answer after it": (plain(200, b"right") + b"HTTP/1.1 100 X\r\n\r\n", 200, b"right"),
}


@pytest.mark.parametrize("fault", MORE)
async def test_what_follows_an_answer_reaches_nobody(home: House, fault: str) -> None:
    data, status, body = MORE[fault]
    home.learnings.behave = answering(data)
    async with calling(home.port) as caller:
        for _ in range(5):
            caller.send(request("GET", PATH, bearer(home)))
            answer = await caller.answer()
            assert (answer.status, answer.body) == (status, body)
    await all_is_well(home)


@pytest.mark.parametrize("framing", ["content-length: 6", "transfer-encoding: chunked", "x: y"])
@pytest.mark.parametrize("body", [b"poison", b"6\r\npoison\r\n0\r\n\r\n", POISON])
async def test_body_for_head_reaches_nobody(home: House, framing: str, body: bytes) -> None:
    home.learnings.behave = answering(OK + framing.encode() + b"\r\n\r\n" + body)
    async with calling(home.port) as caller:
        for _ in range(3):
            caller.send(request("HEAD", PATH, bearer(home)))
            assert (await caller.answer("HEAD")).status == 200
    await all_is_well(home)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_answers_may_be_cut_anywhere(home: House, size: int) -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n"
    chunks = b"2\r\nri\r\n3;x=y\r\nght\r\n0\r\nx-trailer: 1\r\n\r\n"
    for data in (plain(200, b"right", "x: y"), CHUNKED + chunks, interim + plain(200, b"right")):
        home.learnings.behave = in_pieces(data, size)
        before = home.learnings.connections
        for _ in range(3):
            answer = await ask(home)
            assert (answer.status, answer.body) == (200, b"right")
            assert not answer.header("x-trailer")
        assert home.learnings.connections <= before + 1, "the connection is not kept"


@pytest.mark.parametrize("size", [10_000, 60_000, 200_000, 1_900_000])
@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_answer_before_the_body(home: House, size: int, framing: str) -> None:
    """The service says no at once, reads on, and keeps the connection."""
    home.learnings.reads_body = False

    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(plain(413, b"enough"))
        await read_body(asked, reader)

    home.learnings.behave = behave
    async with calling(home.port) as caller:
        if framing == "length":
            caller.send(request("POST", PATH, bearer(home), body=b"x" * size))
        else:
            caller.send(request("POST", PATH, bearer(home), "transfer-encoding: chunked"))
            caller.send(b"%x\r\n%b\r\n0\r\n\r\n" % (size, b"x" * size))
        answer = await caller.answer()
        assert (answer.status, answer.body) == (413, b"enough")
        if answer.header("connection") != "close":
            caller.send(request("GET", PATH, bearer(home)))
            assert (await caller.answer()).status == 413
    home.learnings.reads_body = True
    await all_is_well(home)


@pytest.mark.parametrize("size", [200_000, 1_900_000])
async def test_answer_before_the_body_and_a_close(home: House, size: int) -> None:
    home.learnings.reads_body = False
    home.learnings.behave = then_closes(plain(413, b"enough", "connection: close"))
    for _ in range(3):
        async with calling(home.port) as caller:
            caller.send(request("POST", PATH, bearer(home), body=b"x" * size))
            try:
                answer = await caller.answer()
            except Broken:
                continue
            assert answer.status in (413, 502)
    home.learnings.reads_body = True
    await all_is_well(home)


async def test_connection_that_speaks_unasked_is_not_used_again(home: House) -> None:
    home.learnings.behave = answering(plain(200, b"right"))
    assert (await ask(home)).body == b"right"
    talkers = set(home.learnings.writers)
    for writer in talkers:
        writer.write(POISON[:-3])
    await until(lambda: not talkers & home.learnings.writers)
    await all_is_well(home)


async def test_connection_is_given_back_as_it_was_lent(home: House) -> None:
    """Whose reader paused it and left the rest to the end of the answer, at whatever byte."""
    token = bearer(home)
    for size in range(130_000, 400_000, 9_000):
        home.learnings.behave = answering(plain(200, b"x" * size))
        before = set(home.gateway.data_path.connections)
        async with calling(home.port, window=4096) as slow:
            await until(lambda: home.gateway.data_path.connections - before)  # noqa: B023
            for connection in home.gateway.data_path.connections - before:
                narrow(connection.transport)
            slow.send(request("GET", PATH, token))
            await slow.head()
            while home.gateway.upstreams["learnings"].pools[0].busy:
                await slow.some(4096)
            home.learnings.behave = echo
            assert (await ask(home)).status == 200
