"""The opening handshake: callers and services who get it wrong, and services who decline."""

from __future__ import annotations

import asyncio
import json

import pytest
from websockets.frames import Opcode

from gateway.upstream import Limits
from shared.principal import Kind
from tests.gateway.caller import Answer, calling
from tests.gateway.conftest import House, house, until
from tests.gateway.fake_service import FakeService, answering, plain
from tests.gateway.machines import Machine
from tests.gateway.socket_bytes import KEY, accept_for, agreed, frame, handshake
from tests.gateway.sockets import MACHINE, answering_handshakes, stay, target


async def ask(home: House, request: bytes, *, closes: bool = True) -> Answer:
    """Send a handshake and read an answer that declines; the connection ends with it."""
    async with calling(home.port) as caller:
        caller.send(request)
        answer = await caller.answer()
        if closes:
            assert answer.header("connection") == "close"
            assert await caller.rest() == b""
    return answer


def teams(home: House) -> FakeService:
    return home.services["teams"]


def changed(old: str, new: str) -> bytes:
    request = handshake(target())
    assert old.encode() in request
    return request.replace(old.encode(), new.encode())


BAD: dict[str, tuple[int, tuple[str, str]]] = {
    "no key": (400, (f"sec-websocket-key: {KEY}\r\n", "")),
    "two keys": (400, ("host:", f"sec-websocket-key: {KEY}\r\nhost:")),
    "short key": (400, (KEY, "AAAAAAAAAAAAAAAAAAAA")),
    "long key": (400, (KEY, "A" * 28)),
    "key that is not base64": (400, (KEY, "!" * 22 + "==")),
    "empty key": (400, (KEY, "")),
    "no version": (400, ("sec-websocket-version: 13\r\n", "")),
    "old version": (426, ("version: 13", "version: 8")),
    "two versions": (426, ("version: 13", "version: 13\r\nsec-websocket-version: 8")),
    "list of versions": (426, ("version: 13", "version: 13, 8")),
    "POST": (400, ("GET /", "POST /")),
    "PUT": (400, ("GET /", "PUT /")),
    "HEAD": (400, ("GET /", "HEAD /")),
    "HTTP/1.0": (400, ("HTTP/1.1", "HTTP/1.0")),
    "body": (400, ("host:", "content-length: 5\r\nhost:")),
    "chunked body": (400, ("host:", "transfer-encoding: chunked\r\nhost:")),
}


@pytest.mark.parametrize("fault", BAD)
async def test_bad_handshakes_reach_nobody(home: House, fault: str) -> None:
    status, change = BAD[fault]
    request = changed(*change)
    if "body" in fault:
        request += b"hello" if fault == "body" else b"5\r\nhello\r\n0\r\n\r\n"
    async with calling(home.port) as caller:
        caller.send(request)
        answer = await caller.answer("HEAD" if fault == "HEAD" else "GET")
        assert answer.status == status
        assert await caller.rest() == b""
    if fault != "HEAD":
        assert isinstance(json.loads(answer.body)["error"], str)
    if status == 426:
        assert answer.header("sec-websocket-version") == "13"
        assert answer.header("upgrade") == "websocket"
    assert not teams(home).asked


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (("connection: Upgrade\r\n", ""), "/socket/websocket?vsn=2.0.0"),
        (("upgrade: websocket", "upgrade: h2c"), "/socket/websocket?vsn=2.0.0"),
        (("/socket/websocket", "/socket/longpoll"), "/socket/longpoll?vsn=2.0.0"),
    ],
)
async def test_what_asks_for_no_socket_goes_on_without_name_and_ticket(
    home: House, change: tuple[str, str], path: str
) -> None:
    request = changed(*change)
    if change[0].startswith("/"):
        request = request.replace(b"upgrade: websocket\r\n", b"")
    teams(home).behave = answering(plain(404, b"{}", reason="Not Found"))
    async with calling(home.port) as caller:
        caller.send(request)
        assert (await caller.answer()).status == 404
    (asked,) = teams(home).asked
    assert asked.target == path
    assert asked.header("upgrade") == ""
    assert home.principal("teams").kind is Kind.ANONYMOUS


async def test_service_hears_who_it_is_and_no_ticket(home: House) -> None:
    teams(home).behave = answering_handshakes(agreed(), stay)
    lines = (
        "sec-websocket-extensions: permessage-deflate; client_max_window_bits",
        "Sec-WebSocket-Extensions: x-webkit-deflate-frame",
        "sec-websocket-protocol: phoenix",
        "origin: https://elsewhere.test",
        "x-guildhall-assertion: forged",
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
    writer.write(handshake(target(), *lines))
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode()
    assert head.startswith("HTTP/1.1 101 Switching Protocols\r\n")
    assert f"sec-websocket-accept: {accept_for()}\r\n" in head
    (asked,) = teams(home).asked
    assert asked.method == "GET"
    assert asked.target == "/socket/websocket?vsn=2.0.0"
    assert asked.header("sec-websocket-extensions") == ""
    assert asked.header("sec-websocket-protocol") == "phoenix"
    assert asked.header("sec-websocket-key") == KEY
    assert asked.header("sec-websocket-version") == "13"
    assert asked.header("connection") == "Upgrade"
    assert asked.header("upgrade") == "websocket"
    assert asked.header("origin") == "https://elsewhere.test"
    principal = home.principal("teams")
    assert (principal.kind, principal.subject) == (Kind.MACHINE, MACHINE.token)
    writer.close()


LIES: dict[str, bytes] = {
    "wrong proof": agreed(accept=accept_for("AAAAAAAAAAAAAAAAAAAAAA==")),
    "no proof": agreed().replace(b"sec-websocket-accept", b"x-accept"),
    "two proofs": agreed(f"sec-websocket-accept: {accept_for()}"),
    "compression": agreed("sec-websocket-extensions: permessage-deflate"),
    "protocol nobody offered": agreed("sec-websocket-protocol: soap"),
    "two protocols": agreed("sec-websocket-protocol: a", "sec-websocket-protocol: b"),
    "no upgrade": agreed().replace(b"upgrade: websocket\r\n", b""),
    "no connection": agreed().replace(b"connection: Upgrade\r\n", b""),
    "another protocol": agreed().replace(b"upgrade: websocket", b"upgrade: h2c"),
    "HTTP/1.0": agreed(start="HTTP/1.0 101 OK"),
    "noise": b"\x81\x05hello",
    "nothing": b"",
    "half a head": agreed()[:40],
    "endless head": b"HTTP/1.1 101 OK\r\n" + b"x: y\r\n" * 50_000,
    "answer cut short": plain(404, b"hello")[:-2],
    "endless answer": plain(200, b"x" * 200_000),
}


@pytest.mark.parametrize("lie", LIES)
async def test_service_that_gets_it_wrong_has_given_no_answer(lie: str) -> None:
    async with house() as home:
        teams(home).behave = answering_handshakes(LIES[lie])
        answer = await ask(home, handshake(target(), "sec-websocket-protocol: a, b"))
        assert answer.status == 502
        assert answer.body == b'{"error":"service temporarily unavailable"}'
        await until(lambda: not home.gateway.sockets.held)


async def test_service_that_switches_unasked_has_given_no_answer() -> None:
    async with house() as home:
        teams(home).behave = answering_handshakes(agreed())
        answer = await ask(home, b"GET /socket/longpoll HTTP/1.1\r\nhost: x\r\n\r\n", closes=False)
        assert answer.status == 502


async def test_interim_answers_are_passed_over(home: House) -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
    teams(home).behave = answering_handshakes(interim + agreed(), stay)
    reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
    writer.write(handshake(target()))
    assert (await asyncio.wait_for(reader.readline(), 10)).startswith(b"HTTP/1.1 101 ")
    assert b"link" not in await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def test_words_that_come_with_the_answer_are_heard(home: House) -> None:
    hello = frame(Opcode.TEXT, b"hello", mask=False)
    teams(home).behave = answering_handshakes(agreed("set-cookie: a=b") + hello, stay)
    reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
    writer.write(handshake(target()))
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    assert b"\r\nset-cookie: a=b\r\n" in head
    assert await reader.readexactly(len(hello)) == hello
    writer.close()


@pytest.mark.parametrize(
    "framing", [["content-length: 5"], ["transfer-encoding: chunked"], ["connection: close"]]
)
@pytest.mark.parametrize("status", [200, 302, 403, 404, 426, 429, 503])
async def test_service_that_declines_is_passed_on_once(
    home: House, status: int, framing: list[str]
) -> None:
    body = b"5\r\nhello\r\n0\r\n\r\n" if "chunked" in framing[0] else b"hello"
    lines = [f"HTTP/1.1 {status} No", "x-own: 1", "sec-websocket-version: 13", *framing, "", ""]
    teams(home).behave = answering_handshakes("\r\n".join(lines).encode() + body)
    answer = await ask(home, handshake(target()))
    assert (answer.status, answer.body) == (status, b"hello")
    assert answer.header("x-own") == "1"
    assert answer.header("sec-websocket-version") == "13"
    assert answer.header("x-ratelimit-limit")
    assert len(teams(home).asked) == 1
    assert not home.gateway.sockets.held


async def test_service_that_declines_without_a_body(home: House) -> None:
    teams(home).behave = answering_handshakes(b"HTTP/1.1 204 No\r\n\r\n")
    answer = await ask(home, handshake(target()))
    assert (answer.status, answer.body) == (204, b"")


async def test_what_follows_a_handshake_that_was_declined_is_no_request(home: House) -> None:
    teams(home).behave = answering_handshakes(plain(403, b"no"))
    hidden = b"GET /socket/longpoll HTTP/1.1\r\nhost: x\r\n\r\n"
    answer = await ask(home, handshake(target()) + hidden)
    assert answer.status == 403
    assert len(teams(home).asked) == 1


async def test_service_that_does_not_answer_in_time() -> None:
    async with house() as home:
        teams(home).behave = stay
        answer = await ask(home, handshake(target()))
        assert answer.status == 504
        await until(lambda: not home.gateway.sockets.held)


async def test_caller_who_leaves_meanwhile_ends_it_at_the_service() -> None:
    patient = Limits(head=60.0, tick=0.05)
    async with house(patient) as home:
        teams(home).behave = stay
        _, writer = await asyncio.open_connection("127.0.0.1", home.port)
        writer.write(handshake(target()))
        await until(lambda: teams(home).asked)
        writer.transport.abort()
        await until(lambda: not home.gateway.sockets.held)
        await until(lambda: not teams(home).writers)


async def test_caller_who_talks_on_meanwhile_is_held_back() -> None:
    patient = Limits(head=60.0, tick=0.05)
    async with house(patient) as home:
        teams(home).behave = stay
        _, writer = await asyncio.open_connection("127.0.0.1", home.port)
        writer.write(handshake(target()))
        await until(lambda: teams(home).asked)
        sent = 0

        async def talk() -> None:
            nonlocal sent
            while True:
                writer.write(frame(Opcode.BINARY, b"x" * 65_536))
                await writer.drain()
                sent += 65_536

        talking, previous = asyncio.create_task(talk()), -1
        while sent != previous:  # until it can send no more
            previous = sent
            await asyncio.sleep(0.1)
        (connection,) = home.gateway.data_path.connections
        assert 0 < len(connection._early or b"") < 2**20
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)
        writer.transport.abort()


async def test_service_that_is_away() -> None:
    async with house() as home:
        await teams(home).stop()
        answer = await ask(home, handshake(target()))
        assert answer.status == 503
        assert int(answer.header("retry-after")) > 0


async def test_address_that_is_away_is_passed_over() -> None:
    async with house() as home:
        spare = teams(home)
        async with house(teams_url=f"http://127.0.0.1:1 {spare.url}") as doubled:
            spare.behave = answering_handshakes(agreed(), stay)
            for _ in range(4):
                reader, writer = await asyncio.open_connection("127.0.0.1", doubled.port)
                writer.write(handshake(target()))
                line = await asyncio.wait_for(reader.readline(), 10)
                assert line.startswith(b"HTTP/1.1 101 ")
                writer.close()


async def test_errors_of_the_gateway_are_all_in_the_surfaces_words(home: House) -> None:
    stranger = Machine(b"s" * 32)
    answer = await ask(home, handshake(f"/socket/websocket?ticket={stranger.ticket(1.0)}"))
    assert (answer.status, answer.body) == (403, b'{"error":"forbidden"}')
