"""10,000 callers who leave in the middle: nothing of them stays behind, here or at a service."""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
import socket
import struct
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from itertools import cycle

import uvloop

from gateway.credentials.memory import MAX_QUESTIONS_EACH
from gateway.proxy.body import Body
from gateway.proxy.connection import Connection
from gateway.proxy.turn import Turn
from gateway.upstream import Limits
from gateway.upstream.connection import Connection as UpstreamConnection
from gateway.upstream.exchange import Exchange
from tests.gateway.caller import narrow, request
from tests.gateway.conftest import PLENTY, House, house, until
from tests.gateway.fake_service import Asked

CROWD = 186
ROUNDS = 6
CONNECTIONS = 100
PATH = "/v1/learnings"
LIMITS = Limits(connections=CONNECTIONS, connect=30.0, keep=0.2, tick=0.05)
KINDS = (Connection, Turn, Body, UpstreamConnection, Exchange)
PATIENCE = 30.0


class Crowd:
    """Callers at the same point of their requests.

    Args:
        home: where they call.
        token: of all of them.
    """

    def __init__(self, home: House, token: str) -> None:
        self.home = home
        self.header = f"authorization: Bearer {token}"
        self._sockets: list[socket.socket] = []

    @property
    def path(self) -> Iterator[Connection]:
        """The gateway's side of them."""
        return iter(self.home.gateway.data_path.connections)

    @property
    def busy(self) -> int:
        """How many of them a connection to the service was asked for."""
        return self.home.gateway.upstreams["learnings"].pools[0].busy

    async def come(self) -> None:
        """Connect."""
        for number in range(CROWD):
            # From several addresses: each is allowed only so much.
            source = (f"127.0.0.{1 + number % 8}", 0)
            connection = socket.create_connection(("127.0.0.1", self.home.port), 10, source)
            connection.setblocking(False)
            self._sockets.append(connection)
        data_path = self.home.gateway.data_path
        await until(lambda: len(data_path.connections) == CROWD, PATIENCE)

    def say(self, data: bytes) -> None:
        """Send the same from each; it must be little enough for the system to take at once."""
        for connection in self._sockets:
            assert connection.send(data) == len(data)

    def leave(self, *, reset: bool) -> None:
        """Go, with FIN or with RST."""
        for connection in self._sockets:
            if reset:
                linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            connection.close()
        self._sockets.clear()


async def silent(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def begins(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10000000\r\n\r\n" + bytes(400_000))
    await reader.read()


async def in_the_head(crowd: Crowd) -> None:
    crowd.say(request("GET", PATH, crowd.header)[:-10])


async def in_a_small_body(crowd: Crowd) -> None:
    crowd.say(request("POST", PATH, crowd.header, body=b"x" * 1000)[:-500])


async def in_a_large_body(crowd: Crowd) -> None:
    crowd.say(request("POST", PATH, crowd.header, "content-length: 1000000"))
    for _ in range(10):
        crowd.say(b"x" * 8000)
        await asyncio.sleep(0)
    await until(lambda: crowd.busy == CROWD, PATIENCE)


async def before_the_answer(crowd: Crowd) -> None:
    crowd.say(request("GET", PATH, crowd.header))
    await _all_asked(crowd)


async def before_the_answer_to_a_body(crowd: Crowd) -> None:
    crowd.say(request("POST", PATH, crowd.header, body=b"x" * 1000))
    await _all_asked(crowd)


async def behind_another_request(crowd: Crowd) -> None:
    crowd.say(request("GET", PATH, crowd.header) * 3)
    await _all_asked(crowd)


async def in_the_answer(crowd: Crowd) -> None:
    for connection in crowd.path:
        narrow(connection.transport)
    crowd.home.learnings.behave = begins
    crowd.say(request("GET", PATH, crowd.header))
    await _all_asked(crowd)
    await until(lambda: sum(not one.is_writable for one in crowd.path) == CONNECTIONS, PATIENCE)


async def before_auth_knows_them(crowd: Crowd) -> None:
    auth = crowd.home.auth
    auth.before_answer = asyncio.Event()
    tokens = [auth.token(f"ses_{secrets.token_hex(8)}") for _ in range(MAX_QUESTIONS_EACH)]
    for connection, token in zip(crowd._sockets, cycle(tokens), strict=False):
        connection.send(request("GET", PATH, f"authorization: Bearer {token}"))
    await until(lambda: len(auth.looked_up) >= MAX_QUESTIONS_EACH, PATIENCE)


async def before_a_page(crowd: Crowd) -> None:
    crowd.say(request("GET", "/health/ready"))
    await until(lambda: crowd.home.learnings.asked, PATIENCE)


async def _all_asked(crowd: Crowd) -> None:
    service = crowd.home.learnings
    await until(lambda: len(service.asked) == CONNECTIONS and crowd.busy == CROWD, PATIENCE)


Moment = Callable[[Crowd], Awaitable[None]]
MOMENTS: tuple[Moment, ...] = (
    in_the_head,
    in_a_small_body,
    in_a_large_body,
    before_the_answer,
    before_the_answer_to_a_body,
    behind_another_request,
    in_the_answer,
    before_auth_knows_them,
    before_a_page,
)


@dataclass
class Stock:
    """What there is."""

    connections: int
    busy: int
    tasks: int
    descriptors: int
    objects: dict[str, int]

    def __le__(self, other: Stock) -> bool:
        pairs = [(self.connections, other.connections), (self.busy, other.busy)]
        pairs += [(self.tasks, other.tasks), (self.descriptors, other.descriptors)]
        pairs += [(self.objects[name], other.objects[name]) for name in self.objects]
        return all(mine <= theirs for mine, theirs in pairs)


def _take_stock(home: House) -> Stock:
    gc.collect()
    counted = Counter(type(one) for one in gc.get_objects() if type(one) in KINDS)
    pools = [one.pools[0] for one in home.gateway.upstreams.values()]
    return Stock(
        connections=len(home.gateway.data_path.connections),
        busy=sum(pool.busy for pool in pools),
        tasks=len(asyncio.all_tasks()),
        descriptors=len(os.listdir("/proc/self/fd")),
        objects={f"{kind.__module__}.{kind.__name__}": counted[kind] for kind in KINDS},
    )


async def _let_leave(home: House, token: str, moment: Moment, *, reset: bool) -> None:
    learnings, auth, gateway = home.learnings, home.auth, home.gateway
    for heard in (learnings.asked, auth.asked, auth.looked_up):
        heard.clear()
    learnings.behave = silent
    crowd = Crowd(home, token)
    try:
        await crowd.come()
        await moment(crowd)
    finally:
        crowd.leave(reset=reset)
    if auth.before_answer is not None:
        auth.before_answer.set()
        auth.before_answer = None
    await until(lambda: not gateway.data_path.connections, PATIENCE)
    # What was asked of the service is given up, not waited for.
    await until(lambda: not crowd.busy and not learnings.writers, PATIENCE)


async def _play() -> None:
    async with house(LIMITS, rate_limits=PLENTY) as home:
        token = home.auth.token()
        home.auth.api_key()
        await home.client.get(PATH, headers=home.bearer(token))
        await home.client.get("/health/ready")
        await home.client.aclose()
        pools = [one.pools[0] for one in home.gateway.upstreams.values()]
        await until(lambda: not any(pool.size for pool in pools))
        await until(lambda: not home.gateway.data_path.connections)
        before = _take_stock(home)
        for moment in MOMENTS:
            for number in range(ROUNDS):
                await _let_leave(home, token, moment, reset=number % 2 == 1)
            await _check(home, before, moment.__name__)


async def _check(home: House, before: Stock, name: str) -> None:
    """Compare; connections to services that are kept for a moment are no leak."""
    deadline = time.monotonic() + PATIENCE
    while not (now := _take_stock(home)) <= before:
        assert time.monotonic() < deadline, f"{name}: {now}, {before} before"
        await asyncio.sleep(0.05)


def _on_uvloop() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_play())


async def test_who_leaves_leaves_nothing() -> None:
    assert CROWD * ROUNDS * len(MOMENTS) >= 10_000
    await asyncio.to_thread(_on_uvloop)
