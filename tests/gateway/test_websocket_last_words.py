"""What a service wants said if it vanishes is said then, to its own caller, and never before."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Opcode

from gateway.websocket.frames import Frames, Violation
from gateway.websocket.last_words import ServiceFrames
from shared import last_words
from shared.last_words import HEADER, LONGEST, MOST, forget, remember
from tests.gateway.conftest import House, house, until
from tests.gateway.fake_service import Asked, Behaviour, Hangup, echo
from tests.gateway.socket_bytes import accept_for, agreed, frame, handshake, read_frame
from tests.gateway.sockets import UNHURRIED, answering_handshakes, limit, stay, target

KEY = "k" * last_words.KEY_LENGTH
HASTY = replace(UNHURRIED, linger=0.2)
GONE = frame(Opcode.CLOSE, b"\x03\xf4service gone", mask=False)
Script = Callable[[str], bytes]
End = Callable[[StreamReader, StreamWriter], Awaitable[None]]


def text(payload: bytes) -> bytes:
    """What a service says."""
    return frame(Opcode.TEXT, payload, mask=False)


def pong(payload: bytes) -> bytes:
    """What a service answers to a ping."""
    return frame(Opcode.PONG, payload, mask=False)


# Following the frames.

STREAM = (
    text(b"before")
    + remember(KEY, b"one")
    + pong(b"echoed")
    + frame(Opcode.TEXT, b"half", fin=False, mask=False)
    + remember(KEY, b"two")
    + frame(Opcode.CONT, b"whole", mask=False)
    + forget(KEY, b"one")
    + remember(KEY, b"x" * LONGEST)
    + text(b"y" * 70_000)
    + pong(KEY.encode()[:-1])
)
PASSED = (
    text(b"before")
    + pong(b"echoed")
    + frame(Opcode.TEXT, b"half", fin=False, mask=False)
    + frame(Opcode.CONT, b"whole", mask=False)
    + text(b"y" * 70_000)
    + pong(KEY.encode()[:-1])
)
KEPT = text(b"two") + text(b"x" * LONGEST)


def followed(stream: bytes, cuts: list[int]) -> tuple[bytes, ServiceFrames]:
    """Feed a stream in pieces; give what passed on."""
    frames, passed, start = ServiceFrames(KEY.encode()), b"", 0
    for cut in [*cuts, len(stream)]:
        passed += frames.feed(stream[start:cut])
        start = cut
    return passed, frames


def test_words_are_taken_out_wherever_the_stream_is_cut() -> None:
    short = STREAM.replace(text(b"y" * 70_000), text(b"y" * 300))
    wanted = PASSED.replace(text(b"y" * 70_000), text(b"y" * 300))
    for cut in range(len(short) + 1):
        passed, frames = followed(short, [cut])
        assert (passed, frames.last_words()) == (wanted, KEPT)
    passed, frames = followed(short, list(range(len(short))))
    assert (passed, frames.last_words(), frames.left) == (wanted, KEPT, 0)


@given(st.sets(st.integers(0, len(STREAM)), max_size=30))
def test_words_are_taken_out_of_any_pieces(cuts: set[int]) -> None:
    passed, frames = followed(STREAM, sorted(cuts))
    assert (passed, frames.last_words(), frames.left) == (PASSED, KEPT, 0)


def test_what_came_before_a_fault_passes_without_words() -> None:
    with pytest.raises(Violation) as raised:
        followed(text(b"a") + remember(KEY, b"w") + text(b"b") + b"\x83\x00", [])
    assert raised.value.passed == text(b"a") + text(b"b")


def test_nothing_is_heard_after_a_close() -> None:
    close = frame(Opcode.CLOSE, b"\x03\xe8", mask=False)
    passed, frames = followed(close + remember(KEY, b"late"), [])
    assert (passed, frames.last_words()) == (close, b"")


def test_words_are_few_and_kept_once() -> None:
    many = [b"%d" % number for number in range(MOST + 5)]
    said = b"".join(remember(KEY, word) * 2 for word in many)
    passed, frames = followed(said + forget(KEY, b"never announced"), [])
    assert (passed, frames.last_words()) == (b"", b"".join(map(text, many[:MOST])))
    frames.feed(forget(KEY, many[0]) + remember(KEY, b"now there is room"))
    assert frames.last_words().endswith(text(b"15") + text(b"now there is room"))


@pytest.mark.parametrize("rest", [b"", b"?", b"*word", b"\x00+word"])
def test_what_has_the_key_never_passes_on(rest: bytes) -> None:
    passed, frames = followed(pong(KEY.encode() + rest), [])
    assert (passed, frames.last_words()) == (b"", b"")


def test_word_that_is_too_long_is_not_announced() -> None:
    assert len(remember(KEY, b"x" * LONGEST)) == 2 + 125
    assert remember(KEY, b"x" * (LONGEST + 1)) == b""
    assert remember("", b"x") == forget("", b"x") == b""


@pytest.mark.parametrize("values", [[], [KEY, KEY], [KEY + "k"], [KEY[1:]], [KEY[1:] + "\n"]])
def test_keys_that_are_none(values: list[str]) -> None:
    assert last_words.read_key(values) == ""
    assert last_words.read_key([KEY]) == KEY


def test_callers_have_no_last_words() -> None:
    said = frame(Opcode.PONG, remember(KEY, b"word")[2:])
    assert Frames(is_masked=True).feed(said) == said


# Through a gateway.


@pytest.fixture(scope="module")
async def built() -> AsyncIterator[House]:
    async with house() as home:
        yield home


@pytest.fixture
async def hasty(built: House) -> AsyncIterator[House]:
    """A gateway that waits for no answers."""
    limit(built, HASTY)
    yield built
    await until(lambda: not len(built.gateway.sockets))
    built.services["teams"].behave = echo


async def vanish(reader: StreamReader, writer: StreamWriter) -> None:
    """Die."""
    writer.transport.abort()


async def read_on(reader: StreamReader, writer: StreamWriter) -> None:
    """Hear everything until the end, and answer nothing."""
    while await reader.read(65_536):
        pass


def saying(script: Script, end: End = vanish) -> Behaviour:
    """Say something with the key in it, hear one word, and come to an end."""

    async def behave(asked: Asked, reader: StreamReader, writer: StreamWriter) -> None:
        if not asked.header("sec-websocket-key"):
            await echo(asked, reader, writer)  # a health check
            return
        proof = agreed(accept=accept_for(asked.header("sec-websocket-key")))
        writer.write(proof + script(asked.header(HEADER)))
        await read_frame(reader)
        await end(reader, writer)
        raise Hangup

    return behave


async def call(home: House, *lines: str) -> tuple[StreamReader, StreamWriter]:
    """Open a socket."""
    reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
    writer.write(handshake(target(), *lines))
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    assert head.startswith(b"HTTP/1.1 101 ")
    assert HEADER.encode() not in head
    return reader, writer


async def heard(home: House, behave: Behaviour, said: bytes = frame(Opcode.TEXT, b"go")) -> bytes:
    """Call a service, say something, and give everything that is heard."""
    home.services["teams"].behave = behave
    reader, writer = await call(home)
    writer.write(said)
    try:
        return await asyncio.wait_for(reader.read(), 20)
    finally:
        writer.close()


def two_words(key: str) -> bytes:
    """Announce three and take one back."""
    first = text(b"hello") + remember(key, b"one") + remember(key, b"two")
    return first + text(b"still here") + forget(key, b"one") + remember(key, b"three")


SAID = text(b"hello") + text(b"still here")
WORDS = text(b"two") + text(b"three")


async def hang_up(reader: StreamReader, writer: StreamWriter) -> None:
    """Die more gently."""


@pytest.mark.parametrize("end", [vanish, hang_up])
async def test_service_that_is_gone(hasty: House, end: End) -> None:
    assert await heard(hasty, saying(two_words, end)) == SAID + WORDS + GONE


async def test_service_that_breaks_the_protocol(hasty: House) -> None:
    async def lie(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(b"\x83\x00")
        await read_on(reader, writer)

    goodbye = frame(Opcode.CLOSE, b"\x03\xf3bad gateway", mask=False)
    assert await heard(hasty, saying(two_words, lie)) == SAID + WORDS + goodbye


async def test_silence(hasty: House) -> None:
    limit(hasty, replace(HASTY, idle=0.2))
    goodbye = frame(Opcode.CLOSE, b"\x03\xe9idle", mask=False)
    assert await heard(hasty, saying(two_words, read_on)) == SAID + WORDS + goodbye


async def test_gateway_that_stops_before_a_service_that_says_nothing() -> None:
    async with house() as home:
        limit(home, replace(HASTY, farewell=0.1))

        async def stop(reader: StreamReader, writer: StreamWriter) -> None:
            home.gateway.sockets.shutdown()
            await read_on(reader, writer)

        goodbye = frame(Opcode.CLOSE, b"\x03\xe9gateway stops", mask=False)
        assert await heard(home, saying(two_words, stop)) == SAID + WORDS + goodbye


async def test_caller_who_breaks_the_protocol_may_come_back(hasty: House) -> None:
    goodbye = frame(Opcode.CLOSE, b"\x03\xeareserved bits", mask=False)
    bad = b"\xc1" + frame(Opcode.TEXT, b"x")[1:]
    assert await heard(hasty, saying(two_words, read_on), bad) == SAID + WORDS + goodbye


async def test_login_that_is_revoked_hears_none(hasty: House) -> None:
    hasty.services["teams"].behave = saying(two_words, read_on)
    reader, writer = await call(hasty)
    (socket,) = hasty.gateway.sockets._open
    socket.tags = ("ses_1",)
    hasty.gateway.sockets.evict("ses_1")
    goodbye = frame(Opcode.CLOSE, b"\x03\xf0login revoked", mask=False)
    assert await reader.read() == SAID + goodbye
    writer.close()


async def test_service_that_says_goodbye_has_said_what_it_wanted(hasty: House) -> None:
    close = frame(Opcode.CLOSE, b"\x03\xe9bye", mask=False)

    async def part(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(close)
        await writer.drain()

    assert await heard(hasty, saying(two_words, part)) == SAID + close


async def test_caller_who_says_goodbye_hears_none(hasty: House) -> None:
    said = frame(Opcode.CLOSE, b"\x03\xe8")
    assert await heard(hasty, saying(two_words), said) == SAID + GONE


async def test_nothing_can_be_said_within_a_frame(hasty: House) -> None:
    half = text(b"x" * 1000)[:500]
    assert await heard(hasty, saying(lambda key: two_words(key) + half)) == SAID + half


async def test_no_text_is_said_within_a_message(hasty: House) -> None:
    part = frame(Opcode.TEXT, b"half", fin=False, mask=False)
    assert await heard(hasty, saying(lambda key: two_words(key) + part)) == SAID + part + GONE


@pytest.mark.parametrize("left", [1, 2, 20])
async def test_words_that_broke_off_are_not_kept(hasty: House, left: int) -> None:
    def script(key: str) -> bytes:
        return two_words(key) + remember(key, b"never whole")[:-left]

    assert await heard(hasty, saying(script)) == SAID + WORDS + GONE


async def test_message_under_way_is_finished_before_the_words(hasty: House) -> None:
    message = text(b"x" * 1000)
    finish = asyncio.Event()

    async def finishing(asked: Asked, reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(two_words(asked.header(HEADER)) + message[:500])
        await finish.wait()
        writer.write(message[500:] + message)
        await stay(asked, reader, writer)

    hasty.services["teams"].behave = answering_handshakes(agreed(), finishing)
    reader, writer = await call(hasty)
    said = await reader.readexactly(len(SAID) + 500)
    hasty.gateway.sockets._leave()
    finish.set()
    goodbye = frame(Opcode.CLOSE, b"\x03\xe9gateway stops", mask=False)
    assert said + await reader.read() == SAID + message + WORDS + goodbye
    writer.close()


# Who may have words kept.


async def test_callers_can_write_none(hasty: House) -> None:
    """A service answers a caller's ping with what the caller said, and the key is no secret of
    theirs to choose."""
    forged = b"+forged", b"-two", f"{KEY}+forged".encode(), HEADER.encode() + b"+forged"

    async def answer(reader: StreamReader, writer: StreamWriter) -> None:
        for _ in forged:
            opcode, payload = await read_frame(reader)
            assert opcode == Opcode.PING
            writer.write(pong(payload))
        await read_frame(reader)
        await vanish(reader, writer)

    teams = hasty.services["teams"]
    teams.behave = saying(two_words, answer)
    teams.asked.clear()
    reader, writer = await call(hasty, f"{HEADER}: {KEY}", f"{HEADER.replace('-', '_')}: {KEY}")
    go = frame(Opcode.TEXT, b"go")
    writer.write(go + b"".join(frame(Opcode.PING, payload) for payload in forged))
    echoed = b"".join(map(pong, forged))
    assert await reader.readexactly(len(SAID + echoed)) == SAID + echoed
    writer.write(go)
    assert await reader.read() == WORDS + GONE
    writer.close()
    (asked,) = (one for one in teams.asked if one.header("sec-websocket-key"))
    key = asked.header(HEADER)
    assert last_words.read_key([key]) == key != KEY
    assert not any("_" in name for name, _ in asked.headers)


async def test_each_hears_the_words_of_their_own_socket(hasty: House) -> None:
    words = iter([b"for one", b"for two"])
    hasty.services["teams"].behave = saying(lambda key: remember(key, next(words)))
    first, second = await call(hasty), await call(hasty)
    for (reader, writer), word in ((first, b"for one"), (second, b"for two")):
        writer.write(frame(Opcode.TEXT, b"go"))
        assert await reader.read() == text(word) + GONE
        writer.close()
