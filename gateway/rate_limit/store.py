"""The shared store: a Valkey or Redis that several gateways count in.

One call, of one script, in a bounded time: whatever goes wrong is ``StoreAway``.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from hashlib import sha1
from typing import Any, Final, NamedTuple

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError

from gateway.rate_limit.script import SCRIPT

NAMESPACE: Final = b"guildhall:rate:"
"""What every key in the store begins with."""

CONNECT_PATIENCE: Final = 1.0
"""Seconds that a probe has, which may have to connect; no request waits for one."""

Answers = list[list[int]]

_SHA: Final = sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()


class StoreAway(Exception):
    """The store did not answer as it should; the text is the kind of fault, without secrets."""


class Order(NamedTuple):
    """What is asked of one bucket.

    Attributes:
        key: in the store.
        kind: ``even`` or ``fixed``.
        limit: tokens of a full bucket.
        window: microseconds in which an empty one fills.
        need: tokens that will be used at once.
        want: tokens to grant if there are as many, not fewer than ``need``.
        debt: tokens used already without asking; given back if negative.
    """

    key: bytes
    kind: bytes
    limit: int
    window: int
    need: int
    want: int
    debt: int


class Grant(NamedTuple):
    """What a bucket answered.

    Attributes:
        tokens: granted.
        spare: tokens left in a fixed window; 0 for an even bucket.
        rest: microseconds until the bucket is full, the granted tokens used.
    """

    tokens: int
    spare: int
    rest: int


class Store:
    """A client of the store.

    Args:
        url: ``redis://``, ``rediss://``, ``valkey://`` or ``valkeys://``.
        patience: seconds an answer may take.
    """

    def __init__(self, url: str, patience: float) -> None:
        self._patience = patience
        # No timeouts of its own: each call has one around it, connecting included.
        self._client: Redis = Redis.from_url(
            as_redis_url(url),
            protocol=2,
            max_connections=2,
            socket_timeout=None,
            socket_connect_timeout=None,
            retry=Retry(NoBackoff(), 0),
            driver_info=None,
        )

    async def ask(self, orders: Sequence[Order], now: int | None = None) -> list[Grant]:
        """Ask several buckets in one round trip.

        Args:
            orders: one for each bucket.
            now: the time in microseconds, where it is not the server's.

        Raises:
            StoreAway: it did not answer, or not as it should.
        """
        return await self._ask(orders, now, self._patience)

    async def probe(self) -> None:
        """Try whether the store can be asked, which means written.

        Raises:
            StoreAway: it cannot.
        """
        await self._ask([_probe()], None, CONNECT_PATIENCE)
        # The connection stands now; requests need an answer in their own, shorter time.
        await self._ask([_probe()], None, self._patience)

    async def close(self) -> None:
        """Close the connections."""
        with suppress(Exception):
            async with asyncio.timeout(CONNECT_PATIENCE):
                await self._client.aclose()

    async def _ask(self, orders: Sequence[Order], now: int | None, patience: float) -> list[Grant]:
        arguments: list[bytes | int | str] = [order.key for order in orders]
        arguments.append("" if now is None else now)
        for order in orders:
            arguments += order[1:]
        try:
            answers = await _in_time(self._run(len(orders), arguments), patience)
            return [Grant(*map(int, answer)) for answer in answers]
        except Exception as error:
            # Whatever it was, requests go on without the store. A connection with an answer
            # under way must not be used again.
            await self._disconnect()
            raise StoreAway(type(error).__name__) from None

    async def _run(self, count: int, arguments: list[bytes | int | str]) -> Answers:
        try:
            answer = await self._client.evalsha(_SHA, count, *arguments)
        except NoScriptError:
            answer = await self._client.eval(SCRIPT, count, *arguments)
        answers: Answers = answer
        return answers

    async def _disconnect(self) -> None:
        with suppress(Exception):
            async with asyncio.timeout(self._patience):
                await self._client.connection_pool.disconnect()


async def _in_time(call: Coroutine[Any, Any, Answers], seconds: float) -> Answers:
    """Await a call, but no longer.

    Unlike with ``asyncio.timeout``, an answer that is here counts even if it is late because this
    process was busy: that is no fault of the store.

    Raises:
        TimeoutError: the answer is not here.
    """
    task = asyncio.create_task(call)
    try:
        await asyncio.wait((task,), timeout=seconds)
        if task.done():
            return task.result()
        raise TimeoutError
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task


def as_redis_url(url: str) -> str:
    """Give the name that the client knows for Valkey's schemes."""
    scheme, _, rest = url.partition("://")
    return f"{scheme.replace('valkey', 'redis')}://{rest}"


def _probe() -> Order:
    key = NAMESPACE + b"probe:" + secrets.token_hex(8).encode()
    return Order(key, b"even", 1, 1_000_000, 1, 1, 0)
