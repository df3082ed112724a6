"""The checks of all addresses: one task asks each for its health every few seconds.

Each check opens a connection of its own, because that is what new requests will need. An address
that fails some in a row is put out, one that passes some in a row comes back; see ``Breaker``.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import Final

import httptools

from gateway.upstream.breaker import State
from gateway.upstream.limits import Checks
from gateway.upstream.pool import Pool
from gateway.upstream.upstream import Upstream
from shared.log import get_logger

_AT_ONCE: Final = 16
_MOST_BYTES: Final = 65_536
_JITTER: Final = 0.2

log = get_logger()


class HealthChecks:
    """Checks the addresses of some services.

    Args:
        upstreams: the services.
        checks: how often, and for how long.
        spread: gives numbers in [0, 1), so that gateways do not check in step.
    """

    def __init__(
        self,
        upstreams: Iterable[Upstream],
        checks: Checks,
        spread: Callable[[], float] = random.random,
    ) -> None:
        self._pools = [(upstream, pool) for upstream in upstreams for pool in upstream.pools]
        self._checks = checks
        self._spread = spread
        self._due: dict[Pool, float] = {}
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin, in an owned task; returns at once."""
        now = asyncio.get_running_loop().time()
        for _, pool in self._pools:
            self._due[pool] = now + self._checks.interval * self._spread()
        self._task = asyncio.create_task(self._run(), name="health checks")

    async def stop(self) -> None:
        """End the task, and the checks under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            due = [(upstream, pool) for upstream, pool in self._pools if self._is_due(pool, now)]
            try:
                async with asyncio.TaskGroup() as group:
                    for upstream, pool in due:
                        group.create_task(self._check(upstream, pool))
            except* Exception:
                log.exception("checks failed")
            await asyncio.sleep(self._checks.again)

    def _is_due(self, pool: Pool, now: float) -> bool:
        """Tell whether to check; what is out or in doubt is checked each time."""
        breaker = pool.breaker
        is_well = breaker.state is State.CLOSED and not breaker.has_failed_check
        return not is_well or now >= self._due[pool]

    async def _check(self, upstream: Upstream, pool: Pool) -> None:
        async with self._places:
            is_well = await is_healthy(pool.host, pool.port, pool.authority, self._checks)
        jitter = 1.0 + _JITTER * (2.0 * self._spread() - 1.0)
        self._due[pool] = asyncio.get_running_loop().time() + self._checks.interval * jitter
        upstream.checked(pool, is_well=is_well)


class _Answer:
    """What is known of the answer to a check."""

    def __init__(self) -> None:
        self.is_complete = False

    def on_message_complete(self) -> None:
        self.is_complete = True


async def is_healthy(host: str, port: int, authority: bytes, checks: Checks) -> bool:
    """Ask an address for its health; anything but a whole answer of 2xx in time is a no."""
    try:
        async with asyncio.timeout(checks.timeout):
            return await _ask(host, port, authority, checks.path.encode("ascii"))
    except (OSError, TimeoutError, UnicodeError):
        return False
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return False


async def _ask(host: str, port: int, authority: bytes, path: bytes) -> bool:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(
            b"GET %b HTTP/1.1\r\nhost: %b\r\nconnection: close\r\n\r\n" % (path, authority)
        )
        answer = _Answer()
        parser = httptools.HttpResponseParser(answer)
        size = 0
        while not answer.is_complete and size <= _MOST_BYTES:
            data = await reader.read(_MOST_BYTES)
            if not data:
                return False
            size += len(data)
            parser.feed_data(data)
        return answer.is_complete and 200 <= parser.get_status_code() < 300
    finally:
        writer.transport.abort()
