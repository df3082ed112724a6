"""10,000 requests at random moments: each answer is compared with its request."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
import uvloop

from gateway.upstream import Limits
from gateway.upstream.breaker import Trip
from gateway.upstream.budget import Retries
from tests.gateway.caller import Answer, Broken, Caller, calling, request
from tests.gateway.conftest import PLENTY, House, house, until
from tests.gateway.shuffled import BREAKING, DELAYS, Plan, Services, cut, plan, shuffled

REQUESTS = 2000
CALLERS = 40
PATH = "/v1/learnings"
LIMITS = Limits(
    connect=30.0,
    tick=0.05,
    trip=Trip(faults=10**9, volume=10**9),
    retries=Retries(minimum=10**9),
)
REPEATED = frozenset({"GET", "HEAD", "DELETE"})


@dataclass
class Tally:
    """How requests ended.

    Attributes:
        token: that the gateway soon knows.
        ends: counted.
        undone: numbers that got no answer, because their connection ended before their turn.
    """

    token: str
    ends: Counter[str] = field(default_factory=Counter)
    undone: set[int] = field(default_factory=set)


class Shuffle:
    """One connection and the requests on it."""

    def __init__(self, home: House, caller: Caller, tally: Tally, plans: list[Plan]) -> None:
        self._home = home
        self._caller = caller
        self._tally = tally
        self._plans = plans

    async def pipelined(self) -> None:
        """Send all requests, whatever has been answered."""
        sending = asyncio.create_task(self._send_all(tuple(self._plans)))
        try:
            await self._read_all()
        finally:
            await _stop(sending)

    async def _send_all(self, plans: tuple[Plan, ...]) -> None:
        for asked in plans:
            await self._send(asked)
            if asked.leaves:
                return

    async def _read_all(self) -> None:
        while self._plans:
            asked = self._plans.pop(0)
            if not await self._read(asked):
                return

    async def in_turn(self) -> None:
        """Send each request when the one before is answered."""
        while self._plans:
            asked = self._plans.pop(0)
            sending = asyncio.create_task(self._send(asked))
            try:
                if not await self._read(asked):
                    return
            finally:
                await _stop(sending)

    def _token(self, asked: Plan) -> str:
        if asked.is_stranger:
            return self._home.auth.token(f"ses_{asked.number}")
        return self._tally.token

    async def _send(self, asked: Plan) -> None:
        data = _head(asked, self._token(asked))
        if asked.body is not None:
            data += _framed(asked, asked.body)
        pieces = cut(data, asked.dice)
        if asked.leaves == "sending":
            pieces = pieces[: max(1, len(pieces) // 2)]
        for piece in pieces:
            self._caller.send(piece)
            await asyncio.sleep(asked.dice.choice(DELAYS))

    async def _read(self, asked: Plan) -> bool:
        """Read an answer; gives whether there may be another."""
        if asked.leaves:
            await self._leave(asked)
            self._tally.ends["left"] += 1
            return False
        try:
            answer = await self._caller.answer(asked.method)
        except TimeoutError:
            raise AssertionError(f"no answer: {asked}") from None
        except Broken:
            assert asked.fault in BREAKING, f"{asked.number} broke: {asked}"
            self._tally.ends["broken"] += 1
            return False
        self._compare(asked, answer)
        return answer.header("connection") != "close"

    async def _leave(self, asked: Plan) -> None:
        if asked.leaves == "reading":
            start = await self._caller.some(200)
            assert start.startswith(b"HTTP/1.1 ") or not start
        else:
            await asyncio.sleep(asked.dice.choice(DELAYS))
        if asked.dice.random() < 0.5:
            self._caller.reset()

    def _compare(self, asked: Plan, answer: Answer) -> None:
        mark = answer.header("x-mark")
        if not mark:
            assert answer.status == 502, f"{asked}: {answer}"
            assert b'"detail":' in answer.body or asked.method == "HEAD"
            is_stale = asked.method not in REPEATED
            assert asked.fault in BREAKING or is_stale, f"{asked}: {answer}"
            self._tally.ends["refused"] += 1
            return
        assert mark == str(asked.number)
        assert answer.status == asked.status
        assert answer.header("x-saw") == asked.digest
        assert answer.body == (asked.answer if asked.has_answer_body else b"")
        self._tally.ends["answered"] += 1


async def _stop(sending: asyncio.Task[None]) -> None:
    sending.cancel()
    with suppress(asyncio.CancelledError):
        await sending


def _head(asked: Plan, token: str) -> bytes:
    headers = [f"authorization: Bearer {token}", f"x-mark: {asked.number}"]
    if asked.body is not None:
        framing = "transfer-encoding: chunked"
        headers.append(framing if asked.is_chunked else f"content-length: {len(asked.body)}")
    if asked.expects:
        headers.append("expect: 100-continue")
    return request(asked.method, f"{PATH}/{asked.number}?{asked.number}", *headers)


def _framed(asked: Plan, body: bytes) -> bytes:
    if not asked.is_chunked:
        return body
    chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in cut(body, asked.dice)]
    return b"".join([*chunks, b"0\r\n\r\n"])


async def _call(home: House, numbers: deque[int], seed: int, tally: Tally) -> None:
    while numbers:
        first = plan(seed, numbers.popleft())
        dice = first.dice
        plans = [first]
        while numbers and len(plans) < dice.choice((1, 2, 6)):
            plans.append(plan(seed, numbers.popleft()))
        window = 4096 if dice.random() < 0.1 else 0
        async with calling(home.port, window=window) as caller:
            shuffle = Shuffle(home, caller, tally, plans)
            await (shuffle.pipelined() if dice.random() < 0.5 else shuffle.in_turn())
        # The rest was not asked, or not answered: then it must not have been done either.
        tally.undone |= {asked.number for asked in plans}


async def _play(seed: int) -> None:
    async with shuffled(seed) as services:
        url = f"http://127.0.0.1:{services.port}"
        async with house(LIMITS, rate_limits=PLENTY, learnings_url=url) as home:
            tally, numbers = Tally(home.auth.token()), deque(range(REQUESTS))
            callers = [_call(home, numbers, seed, tally) for _ in range(CALLERS)]
            await asyncio.gather(*callers)
            _check(tally, services)
            gateway = home.gateway
            pool = gateway.upstreams["learnings"].pools[0]
            await until(lambda: not gateway.data_path.connections and not pool.busy)
            await until(lambda: len(services.open) == pool.size)


def _check(tally: Tally, services: Services) -> None:
    assert not services.mixed
    assert tally.ends.total() + len(tally.undone) == REQUESTS
    assert tally.ends["answered"] > 0.7 * REQUESTS, tally
    for number in tally.undone:
        assert not services.began[number], f"{number} was done, but not answered"
    for number, times in services.read.items():
        asked = plan(services.seed, number)
        assert times == 1 or (times == 2 and asked.method in REPEATED), asked


def _on_uvloop(seed: int) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_play(seed))


def _on_asyncio(seed: int) -> None:
    with asyncio.Runner() as runner:
        runner.run(_play(seed))


@pytest.mark.parametrize("seed", range(1, 6))
async def test_each_answer_belongs_to_its_request(seed: int) -> None:
    run: Callable[[int], None] = _on_uvloop if seed % 5 else _on_asyncio
    await asyncio.to_thread(run, seed)
