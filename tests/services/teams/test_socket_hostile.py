"""Hostile frames hurt their own socket, and nobody else's (teams contract, section 10.2)."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.services.teams.socket_support import (
    LIMIT,
    Phoenix,
    Served,
    masked,
    raw_socket,
    served,
    until,
)
from tests.support.postgres import DatabaseUrls

CLOSE = 8
PING = 9
PONG = 10


@pytest.fixture(scope="module")
async def service(urls: DatabaseUrls, auth_url: str) -> AsyncIterator[Served]:
    async with served(urls, auth_url) as running:
        yield running


@pytest.fixture(scope="module")
async def healthy(service: Served) -> AsyncIterator[Phoenix]:
    """A socket beside, which must not notice."""
    machine = service.machine()
    async with await service.joined(machine, await service.team(machine)) as socket:
        yield socket


async def ended_with(service: Served, healthy: Phoenix, *pieces: bytes) -> int:
    """Send bytes on a socket of their own; give the code with which it was closed."""
    reader, writer = await raw_socket(service, service.machine())
    for piece in pieces:
        writer.write(piece)
    async with asyncio.timeout(LIMIT):
        first, length = await reader.readexactly(2)
        assert first == 0x80 | CLOSE
        payload = await reader.readexactly(length)
    await gone(reader, writer)
    assert (await healthy.ask("phoenix", "heartbeat"))["status"] == "ok"
    code: int = struct.unpack("!H", payload[:2])[0]
    return code


async def gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Break a connection off."""
    writer.transport.abort()
    with suppress(ConnectionError):
        await reader.read()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def test_binary_is_refused(service: Served, healthy: Phoenix) -> None:
    assert await ended_with(service, healthy, masked(b"\x00\x01", 2)) == 1003
    assert await ended_with(service, healthy, masked(b"", 2)) == 1003
    assert await ended_with(service, healthy, masked(b"x", 2, fin=False)) == 1003


async def test_what_is_too_long_is_refused_before_it_has_come(
    service: Served, healthy: Phoenix
) -> None:
    announced = struct.pack("!BBQ", 0x81, 0x80 | 127, 256_001) + bytes(4)
    assert await ended_with(service, healthy, announced) == 1009
    endless = struct.pack("!BBQ", 0x81, 0x80 | 127, 2**62) + bytes(4) + b"x" * 1_000_000
    assert await ended_with(service, healthy, endless) == 1009


async def test_the_goodbye_of_one_that_goes_on_sending_arrives(
    service: Served, healthy: Phoenix
) -> None:
    assert await ended_with(service, healthy, masked(b"x" * 3_000_000)) == 1009


async def test_a_message_of_the_greatest_length_is_read(service: Served) -> None:
    async with await service.open(service.machine()) as socket:
        start = len(json.dumps([None, "r1", "phoenix", "heartbeat", {"x": ""}]))
        answer = await socket.ask(
            "phoenix", "heartbeat", {"x": "y" * (256_000 - start)}, join_ref=None
        )
        assert answer["status"] == "ok"


async def test_fragments_count_together(service: Served, healthy: Phoenix) -> None:
    pieces = [masked(b"x" * 100_000, 1, fin=False)]
    pieces += [masked(b"x" * 100_000, 0, fin=False)] * 2
    assert await ended_with(service, healthy, *pieces) == 1009


async def test_a_message_may_come_in_fragments(service: Served, healthy: Phoenix) -> None:
    reader, writer = await raw_socket(service, service.machine())
    text = b'[null,"1","phoenix","heartbeat",{"a":"' + "é".encode() + b'"}]'
    writer.write(masked(text[:1], 1, fin=False))
    for byte in text[1:-1]:
        writer.write(masked(bytes((byte,)), 0, fin=False) + masked(b"", 0, fin=False))
        writer.write(masked(b"between", PING))
    writer.write(masked(text[-1:], 0))
    pongs = (bytes((0x80 | PONG, 7)) + b"between") * (len(text) - 2)
    reply = b'[null,"1","phoenix","phx_reply",{"status":"ok","response":{}}]'
    answer = await reader.readexactly(len(pongs) + 2 + len(reply))
    assert reply in answer
    assert answer.count(b"between") == len(text) - 2
    await gone(reader, writer)


async def test_empty_fragments_without_end_fill_nothing(service: Served, healthy: Phoenix) -> None:
    reader, writer = await raw_socket(service, service.machine())
    writer.write(masked(b'[null,"1","phoenix"', 1, fin=False))
    for _ in range(50):
        writer.write(masked(b"", 0, fin=False) * 1_000)
        assert (await healthy.ask("phoenix", "heartbeat"))["status"] == "ok"
    writer.write(masked(b',"heartbeat",{}]', 0))
    assert b"phx_reply" in await asyncio.wait_for(reader.readexactly(60), LIMIT)
    await gone(reader, writer)


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (masked(b"\xff\xfe"), 1007),
        (masked(b'["\xc3'), 1007),
        (masked(b"\xc3", 1, fin=False) + masked(b"\x28", 0), 1007),
        (masked(b"\xed\xa0\x80"), 1007),
        (masked(b"x", 0), 1002),
        (masked(b"x", 1, fin=False) + masked(b"x", 1), 1002),
        (masked(b"x", 3), 1002),
        (masked(b"x", 11), 1002),
        (masked(b"x" * 126, PING), 1002),
        (masked(b"x", PING, fin=False), 1002),
        (b"\xc1\x80" + bytes(4), 1002),
        (b"\x81\x01x", 1002),
        (masked(b"\x03", CLOSE), 1002),
        (masked(b"\x00\x00", CLOSE), 1002),
        (masked(struct.pack("!H", 1005), CLOSE), 1002),
        (masked(struct.pack("!H", 1000) + b"\xff", CLOSE), 1007),
        (masked(struct.pack("!H", 4321), CLOSE), 4321),
    ],
    ids=lambda value: value[:12].hex() if isinstance(value, bytes) else str(value),
)
async def test_frames_against_the_rules_of_websocket(
    service: Served, healthy: Phoenix, frames: bytes, code: int
) -> None:
    assert await ended_with(service, healthy, frames) == code


async def test_ten_bad_messages_at_once(service: Served, healthy: Phoenix) -> None:
    assert await ended_with(service, healthy, masked("no") * 10_000) == 1003
    assert await ended_with(service, healthy, masked("[" * 100_000) * 10) == 1003
    assert await ended_with(service, healthy, masked("1" * 100_000) * 10) == 1003


async def test_a_flood_of_pings_lets_others_speak(service: Served, healthy: Phoenix) -> None:
    reader, writer = await raw_socket(service, service.machine())
    # Nobody reads the answers: the flood itself is not read any more.
    writer.write(masked(b"", PING) * 1_000_000)
    for _ in range(20):
        assert (await healthy.ask("phoenix", "heartbeat"))["status"] == "ok"
    await gone(reader, writer)


async def test_a_flood_of_joins_is_worked_off_in_its_own_time(
    service: Served, healthy: Phoenix
) -> None:
    reader, writer = await raw_socket(service, service.machine())
    stranger = json.dumps(
        ["1", "1", "knowledge:8f14e45f-ceea-467f-ab6d-0a6b8a5c9a11", "phx_join", {}]
    )
    writer.write(masked(stranger) * 20_000)
    for _ in range(20):
        assert (await healthy.ask("phoenix", "heartbeat"))["status"] == "ok"
    sessions = service.sockets._open
    assert all(len(session._waiting or ()) < 64 for session in sessions)
    await gone(reader, writer)
    await until(lambda: len(service.sockets) == 1)


async def test_half_a_frame_waits_without_harm(service: Served, healthy: Phoenix) -> None:
    reader, writer = await raw_socket(service, service.machine())
    whole = masked(b'[null,"1","phoenix","heartbeat",{}]')
    for end in range(len(whole)):
        writer.write(whole[end : end + 1])
        await writer.drain()
    other = await raw_socket(service, service.machine())
    other[1].write(whole[:7])
    assert (await healthy.ask("phoenix", "heartbeat"))["status"] == "ok"
    await gone(reader, writer)
    await gone(*other)
    await until(lambda: len(service.sockets) == 1)


bytes_of_frames = st.builds(
    masked,
    st.binary(max_size=200) | st.text(max_size=60).map(str.encode),
    st.integers(0, 15),
    fin=st.booleans(),
)
words = st.text(max_size=8) | st.none() | st.integers() | st.lists(st.none(), max_size=2)
messages = st.lists(words, min_size=4, max_size=6).map(lambda parts: masked(json.dumps(parts)))
events = st.sampled_from(["phx_join", "phx_leave", "knowledge:push", "heartbeat", "x"])
topics = st.sampled_from(["phoenix", "knowledge:", "tasks:x", "knowledge:x", ""])
calls = st.tuples(
    st.none() | st.text(max_size=3),
    st.none() | st.text(max_size=3),
    topics,
    events,
    st.dictionaries(st.sampled_from(["content", "x"]), words, max_size=2),
).map(lambda parts: masked(json.dumps(parts)))


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(bytes_of_frames | messages | calls | st.binary(max_size=100), max_size=8))
async def test_any_bytes_leave_others_alone(
    service: Served, healthy: Phoenix, pieces: list[bytes]
) -> None:
    reader, writer = await raw_socket(service, service.machine())
    for piece in pieces:
        writer.write(piece)
    with suppress(OSError, RuntimeError):
        writer.write_eof()
    with suppress(ConnectionError):
        await asyncio.wait_for(reader.read(), LIMIT)
    await gone(reader, writer)
    assert (await healthy.ask("phoenix", "heartbeat"))["status"] == "ok"
