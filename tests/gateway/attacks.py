"""Sending attacks to a gateway before taps, and the one oracle that judges what became of them."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httptools

from gateway.route_table import ROUTES
from tests.gateway.conftest import until
from tests.gateway.recorder import Court, Heard
from tests.gateway.smuggles import Case

LAST = b"GET /v1/last HTTP/1.1\r\nhost: x\r\n<ada>\r\nconnection: close\r\n\r\n"
VICTIMS = b"GET /v1/victim HTTP/1.1\r\nhost: x\r\n<victim>\r\nconnection: close\r\n\r\n"
REFUSALS = frozenset({400, 405, 408, 413, 414, 431, 501, 505})
PATIENCE = 10.0


@dataclass
class Answer:
    """An answer as a caller reads it."""

    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""
    is_whole: bool = False

    @property
    def json(self) -> Any:
        """What it says."""
        return json.loads(self.body)


class _Reader:
    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.parser = httptools.HttpResponseParser(self)

    def on_message_begin(self) -> None:
        self.answers.append(Answer())

    def on_header(self, name: bytes, value: bytes) -> None:
        self.answers[-1].headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        self.answers[-1].status = self.parser.get_status_code()

    def on_body(self, data: bytes) -> None:
        self.answers[-1].body += data

    def on_message_complete(self) -> None:
        self.answers[-1].is_whole = True


def read_answers(data: bytes) -> list[Answer]:
    """Read all answers of a connection; they must be whole and nothing else."""
    reader = _Reader()
    if data:
        reader.parser.feed_data(data)
    assert all(answer.is_whole for answer in reader.answers)
    return reader.answers


async def send(court: Court, raw: bytes) -> list[Answer]:
    """Send bytes on a connection of their own and read all answers, until the gateway closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", court.port)
    data = b""
    try:
        async with asyncio.timeout(PATIENCE):
            writer.write(court.fill(raw))
            while piece := await reader.read(65_536):
                data += piece
    finally:
        writer.transport.abort()
    return read_answers(data)


class Wire(asyncio.Transport):
    """A transport without a network: what is fed comes in exactly these pieces.

    Args:
        court: to whose gateway it leads.
    """

    def __init__(self, court: Court) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.sent = bytearray()
        self._is_closing = False
        self._lost = asyncio.Event()
        self._readable = asyncio.Event()
        self._readable.set()
        self._loop = asyncio.get_running_loop()
        self._protocol = court.connect()
        self._protocol.connection_made(self)

    async def feed(self, pieces: Sequence[bytes]) -> list[Answer]:
        """Feed pieces whenever the gateway reads, wait until it closes, and read the answers."""
        async with asyncio.timeout(PATIENCE):
            for piece in pieces:
                while not self._readable.is_set() and not self._is_closing:
                    await asyncio.sleep(0)
                if self._lost.is_set() or self._is_closing:
                    break
                self._protocol.data_received(piece)
            while not self._is_closing:
                await asyncio.sleep(0.001)
        self.abort()
        await self._lost.wait()
        return read_answers(bytes(self.sent))

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if not self._is_closing:
            self.sent += data

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self._is_closing = True

    def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        self._is_closing = True
        if not self._lost.is_set():
            self._lost.set()
            self._loop.call_soon(self._protocol.connection_lost, None)

    def is_closing(self) -> bool:
        return self._is_closing

    def pause_reading(self) -> None:
        self._readable.clear()

    def resume_reading(self) -> None:
        self._readable.set()

    def is_reading(self) -> bool:
        return self._readable.is_set()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0


def judge(court: Court, case: Case, answers: list[Answer]) -> list[tuple[str, bytes]]:
    """Check what became of a case; give what reached the services."""
    heard = court.heard
    _check_judges_agree(court, heard)
    for one in heard:
        _check_heard(one)
    told = [
        [one.seen.method, one.seen.target, one.seen.body.decode("latin-1"), one.principal.subject]
        for one in heard
    ]
    good = [answer.json for answer in answers if answer.status == 200]
    # Auth itself answers otherwise. What is not answered must not have reached a service, either.
    good = [one for one in good if isinstance(one, list)]
    assert sorted(good) == sorted(told), f"answered {good}, forwarded {told}"
    for answer in answers:
        if answer.status not in (200, 204):
            _check_shape(answer)
    reached = [(one.target, one.body) for one in court.seen if one.target != "/v1/last"]
    assert not any("smuggled" in target for target, _ in reached), f"smuggled: {reached}"
    if case.seen is None:
        assert len(reached) <= 2, f"one became many: {reached}"
    else:
        assert sorted(reached) == sorted(case.seen), f"reached the service: {reached}"
        answered = [one[1] for one in good if one[1] != "/v1/last"]
        assert answered == [target for target, _ in case.seen], "answered in another order"
    if case.is_refused:
        assert answers, "closed without a word"
        assert answers[-1].status in REFUSALS, f"answered {answers[-1]}"
        assert answers[-1].headers.get(b"connection") == b"close", "the connection goes on"
    return sorted(reached)


def _check_judges_agree(court: Court, heard: list[Heard]) -> None:
    seen = Counter(one for one in court.seen if one.service != "auth")
    assert seen == Counter(one.seen for one in heard), "the judges do not agree"
    for one in court.seen:
        row = ROUTES.find(one.path)
        assert row is not None, f"{one.path} has no row"
        assert row.upstream == one.service, f"{one.path} is not for {one.service}"


def _check_heard(one: Heard) -> None:
    row = ROUTES.find(one.seen.path)
    assert row is not None
    assert one.is_own_path, "the service routes by another path"
    subject = one.principal.subject
    if subject:
        assert subject == one.claimed, "called in somebody else's name"
    else:
        assert ROUTES.is_public(row, one.seen.method, one.seen.path)


def _check_shape(answer: Answer) -> None:
    assert 400 <= answer.status < 500 or answer.status in (501, 505), f"answered {answer}"
    assert answer.headers[b"content-type"] == b"application/json"
    assert {"detail", "error"} & set(answer.json)
    assert answer.headers[b"x-request-id"]
    assert answer.headers[b"x-ratelimit-limit"].isdigit()


async def attack(court: Court, case: Case) -> list[tuple[str, bytes]]:
    """Send a case, let a bystander ask at once, and judge."""
    court.forget()
    answers = await send(court, case.raw + (LAST if case.ends else b""))
    found = judge(court, case, answers)
    await bystander(court)
    return found


async def bystander(court: Court) -> None:
    """Ask as somebody else, over the connections to services that the attack left behind."""
    await until(lambda: not court.gateway.data_path.connections)
    court.forget()
    (answer,) = await send(court, VICTIMS)
    assert answer.json == ["GET", "/v1/victim", "", "usr_victim"]
    (heard,) = court.heard
    assert heard.principal.subject == "usr_victim"
    _check_judges_agree(court, court.heard)
