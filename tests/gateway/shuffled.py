"""Requests and answers by the dice: what each number asks, how its caller behaves, and its service.

Everything about a request follows from a seed and its number alone, so both sides know what the
other does, whatever order things happen in, and a seed that fails can be played again.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import httptools

METHODS = ("GET", "GET", "GET", "HEAD", "DELETE", "POST", "POST", "PUT", "PATCH")
SIZES = (0, 1, 10, 1000, 20_000, 65_536, 70_000, 300_000)
SIZE_WEIGHTS = (4, 8, 20, 20, 6, 2, 3, 1)
FAULTS = (
    "no answer",
    "reset",
    "half a head",
    "half a body",
    "garbage",
    "more",
    "early",
    "early and gone",
    "stale",
    "silence",
)
FAULT_WEIGHTS = (4, 4, 4, 6, 4, 10, 6, 4, 20, 4)
BREAKING = frozenset(
    {"no answer", "reset", "half a head", "half a body", "garbage", "early and gone"}
)
"""After which an error of the gateway, or a broken answer, is right."""

POISON = b"HTTP/1.1 200 OK\r\nx-mark: poison\r\ncontent-length: 6\r\n\r\npoison"
DELAYS = (0.0, 0.0, 0.0, 0.001, 0.003)


@dataclass(slots=True)
class Plan:
    """What one number stands for.

    Attributes:
        number: unique.
        method: of the request.
        body: of the request, or None.
        is_chunked: how it is framed.
        expects: whether the caller waits to be told to send it.
        is_stranger: whether the token was never seen before.
        status: of the answer.
        answer: its body.
        framing: ``length``, ``chunks`` or ``end``.
        interim: answers before it.
        fault: what the service does wrong, or nothing.
        leaves: when the caller leaves: ``sending``, ``waiting``, ``reading`` or never.
        dice: for the order of bytes and the rest.
    """

    number: int
    method: str
    body: bytes | None
    is_chunked: bool
    expects: bool
    is_stranger: bool
    status: int
    answer: bytes
    framing: str
    interim: int
    fault: str
    leaves: str
    dice: random.Random

    @property
    def digest(self) -> str:
        """What the service must have read."""
        return hashlib.sha1(self.body or b"").hexdigest()  # noqa: S324 - no secret

    @property
    def has_answer_body(self) -> bool:
        """Whether the answer has a body on the wire."""
        return self.method != "HEAD" and self.status not in (204, 304)


def plan(seed: int, number: int) -> Plan:
    """Throw the dice for a number."""
    dice = random.Random(f"{seed}/{number}")
    method = dice.choice(METHODS)
    body = fill(f"{number}?", _size(dice)) if method in ("POST", "PUT", "PATCH") else None
    fault = dice.choices(FAULTS, FAULT_WEIGHTS)[0] if dice.random() < 0.15 else ""
    framings = ("length", "chunks", "end")
    framing = dice.choices(framings, (60, 35, 0 if fault == "half a body" else 5))[0]
    leaves = dice.choice(("sending", "waiting", "reading")) if dice.random() < 0.06 else ""
    return Plan(
        number=number,
        method=method,
        body=body,
        is_chunked=dice.random() < 0.3,
        expects=bool(body) and dice.random() < 0.1,
        is_stranger=dice.random() < 0.03,
        status=dice.choices((200, 201, 204, 304, 404, 500), (70, 8, 6, 4, 8, 4))[0],
        answer=fill(f"{number}!", _size(dice)),
        framing=framing,
        interim=dice.choices((0, 1, 2), (92, 6, 2))[0],
        fault=fault,
        leaves="waiting" if fault == "silence" else leaves,
        dice=random.Random(dice.random()),
    )


def _size(dice: random.Random) -> int:
    return dice.choices(SIZES, SIZE_WEIGHTS)[0]


def fill(mark: str, size: int) -> bytes:
    """Write a text again and again, up to a size."""
    text = mark.encode()
    return (text * (size // len(text) + 1))[:size]


def cut(data: bytes, dice: random.Random, most: int = 4) -> list[bytes]:
    """Cut bytes at random places."""
    places = sorted(dice.randrange(len(data) + 1) for _ in range(dice.randrange(most + 1)))
    ends = zip([0, *places], [*places, len(data)], strict=True)
    return [data[start:end] for start, end in ends if end > start]


class Service(asyncio.Protocol):
    """A connection of the service; it answers as the plan of what it is asked says."""

    def __init__(self, house: Services) -> None:
        self._house = house
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._digest = hashlib.sha1()  # noqa: S324 - no secret
        self._plan: Plan | None = None
        self._is_read = False
        self._is_answered = False
        self._is_gone = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._house.open.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._is_gone = True
        self._house.open.discard(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        assert self._plan is None, "a request came before the answer to another"
        self._url, self._headers = b"", {}
        self._digest = hashlib.sha1()  # noqa: S324 - no secret
        self._is_read = self._is_answered = False

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        path, _, query = self._url.partition(b"?")
        mark = path.rpartition(b"/")[2]
        if not mark.isdigit() or query != mark or self._headers[b"x-mark"] != mark:
            self._house.mixed.append(f"{self._url!r} {self._headers!r}")
        self._plan = asked = plan(self._house.seed, int(mark))
        self._house.began[asked.number] += 1
        if self._parser.get_method().decode() != asked.method:
            self._house.mixed.append(f"{asked.number} came as {self._parser.get_method()!r}")
        if asked.fault.startswith("early"):
            self._answer(asked)

    def on_body(self, data: bytes) -> None:
        self._digest.update(data)

    def on_message_complete(self) -> None:
        asked = self._plan
        assert asked is not None
        self._is_read = True
        self._house.read[asked.number] += 1
        if self._digest.hexdigest() != asked.digest:
            self._house.mixed.append(f"the body of {asked.number} is another's")
        if asked.fault.startswith("early"):
            self._rest()
        else:
            self._answer(asked)

    def _answer(self, asked: Plan) -> None:
        fault, dice = asked.fault, asked.dice
        data = _written(asked)
        is_last = asked.framing == "end" and asked.has_answer_body
        if fault == "silence":
            return
        if fault in ("no answer", "reset"):
            data = b""
        elif fault == "half a head":
            data = data[: dice.randrange(1, data.index(b"\r\n\r\n") + 3)]
        elif fault == "half a body":
            data = data[: dice.randrange(data.rindex(b"x-mark"), len(data))]
        elif fault == "garbage":
            data = b"\x00garbage\r\n\r\n"
        pieces = cut(data, dice)
        if fault == "more" and not is_last:
            pieces = [data + POISON] if len(data) < 30_000 else [data]
        self._write(pieces, is_last or (fault in BREAKING), is_reset=fault == "reset")

    def _write(self, pieces: list[bytes], is_last: bool, *, is_reset: bool) -> None:
        if self._is_gone:
            return
        if pieces:
            self._transport.write(pieces.pop(0))
        if pieces or not self._is_answered:
            asked = self._plan
            assert asked is not None
            if not pieces:
                self._is_answered = True
                if is_reset:
                    self._transport.abort()
                    return
                if is_last:
                    self._transport.close()
                    return
                self._rest()
                return
            delay = asked.dice.choice(DELAYS)
            call = asyncio.get_running_loop().call_later
            call(delay, lambda: self._write(pieces, is_last, is_reset=is_reset))

    def _rest(self) -> None:
        """Go on to the next request, once this one is read and answered."""
        asked = self._plan
        if not (self._is_read and self._is_answered) or asked is None:
            return
        self._plan = None
        if asked.fault == "stale":
            # As a service does whose patience with an unused connection is over.
            asyncio.get_running_loop().call_later(asked.dice.random() * 0.005, self._tire)

    def _tire(self) -> None:
        if self._plan is None and not self._is_gone:
            self._transport.close()


def _written(asked: Plan) -> bytes:
    """Write the right answer."""
    lines = [b"HTTP/1.1 103 Early Hints\r\nx-mark: interim\r\n\r\n"] * asked.interim
    lines.append(b"HTTP/1.1 %d X\r\nx-mark: %d\r\nx-saw: " % (asked.status, asked.number))
    lines.append(asked.digest.encode() + b"\r\n")
    answer = asked.answer
    if not asked.has_answer_body:
        if asked.method == "HEAD" and asked.status not in (204, 304):
            lines.append(b"content-length: %d\r\n" % len(answer))
        return b"".join([*lines, b"\r\n"])
    if asked.framing == "length":
        lines += [b"content-length: %d\r\n\r\n" % len(answer), answer]
    elif asked.framing == "chunks":
        lines.append(b"transfer-encoding: chunked\r\n\r\n")
        for piece in cut(answer, asked.dice):
            lines.append(b"%x\r\n%b\r\n" % (len(piece), piece))
        lines.append(b"0\r\n\r\n")
    else:
        lines += [b"connection: close\r\n\r\n", answer]
    return b"".join(lines)


class Services:
    """All connections of the service, and what they saw.

    Attributes:
        seed: of the plans.
        began: how often the head of each number came.
        read: how often it came whole.
        mixed: what did not belong together.
        open: connections.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.began: defaultdict[int, int] = defaultdict(int)
        self.read: defaultdict[int, int] = defaultdict(int)
        self.mixed: list[str] = []
        self.open: set[Service] = set()
        self.port = 0


@asynccontextmanager
async def shuffled(seed: int) -> AsyncIterator[Services]:
    """Run the service."""
    services = Services(seed)
    loop = asyncio.get_running_loop()
    server: Any = await loop.create_server(lambda: Service(services), "127.0.0.1", 0, backlog=1000)
    services.port = server.sockets[0].getsockname()[1]
    try:
        yield services
    finally:
        server.close()
        for connection in tuple(services.open):
            connection._transport.abort()
        await server.wait_closed()
