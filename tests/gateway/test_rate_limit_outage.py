"""The store of shared limits is away: nobody waits for it, logins close, all else goes on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.rate_limit import (
    CLASSES,
    FIXED_WINDOWS,
    GUARDS_SECRETS,
    NEVER_REFUSED,
    Rate,
    default_rates,
)
from gateway.rate_limit.shared_buckets import CLOSED_RETRY, SharedRateLimiter
from tests.gateway.conftest import until
from tests.gateway.shared_limits import ask, shared_limiter
from tests.support.valkey import Valkey, skip_without_server

pytestmark = pytest.mark.valkey

RATES = dict.fromkeys(CLASSES, Rate(5, 3600.0))


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    skip_without_server()
    with Valkey.running() as running:
        yield running


async def is_blind(limiter: SharedRateLimiter) -> None:
    """Check what is promised while the store is away, for a caller that nobody has seen."""
    for name in CLASSES:
        assert not limiter.lacks([(name, "new")], 0.0)
        verdicts = [limiter.take(name, "new", 0.0) for _ in range(6)]
        last = verdicts[-1]
        if name in GUARDS_SECRETS:
            assert not limiter.peek(name, "new", 0.0).allowed
            assert not any(verdict.allowed for verdict in verdicts)
            assert (last.is_closed, last.retry, last.remaining) == (True, CLOSED_RETRY, 0)
        else:
            assert not any(verdict.is_closed for verdict in verdicts)
            expected = [True] * 5 + [name in NEVER_REFUSED]
            assert [verdict.allowed for verdict in verdicts] == expected
            full = 3600 if name in FIXED_WINDOWS else 720
            assert last.retry == (0 if last.allowed else pytest.approx(full, abs=60))


def lines(logs: list[MutableMapping[str, Any]]) -> list[object]:
    return [line["event"] for line in logs]


async def test_store_that_is_away_at_the_start_is_found_later() -> None:
    skip_without_server()
    with Valkey.running(start=False) as valkey, capture_logs() as logs:
        async with shared_limiter(valkey.url, RATES) as limiter:
            assert not limiter.is_up
            await is_blind(limiter)
            await until(lambda: limiter.failures >= 2)
            assert lines(logs) == ["rate limit store away"]
            assert logs[0]["reason"] == "ConnectionError"
            valkey.start()
            await until(lambda: limiter.is_up)
            assert [(await ask(limiter, "auth", "new")).allowed for _ in range(6)].count(True) == 5
            assert lines(logs) == ["rate limit store away", "rate limit store back"]
            assert limiter.outages == 1
            counts = limiter.counts()
            assert counts["auth", "closed"] == 6
            assert counts["auth", "allowed"] == 5


async def test_store_that_is_killed_under_load_and_restarted(valkey: Valkey) -> None:
    with capture_logs() as logs:
        async with shared_limiter(valkey.url, dict.fromkeys(CLASSES, Rate(10**6, 60.0))) as limiter:
            seen: list[tuple[bool, bool]] = []

            async def load(caller: str) -> None:
                while limiter.outages == 0 or not limiter.is_up:
                    for name in ("auth", "runs"):
                        verdict = await ask(limiter, name, caller)
                        assert verdict.allowed or (name == "auth" and verdict.is_closed)
                        seen.append((verdict.allowed, limiter.is_up))
                    await asyncio.sleep(0)

            loads = [asyncio.create_task(load(str(number))) for number in range(20)]
            await until(lambda: len(seen) > 200)
            valkey.kill()
            await until(lambda: not limiter.is_up)
            await is_never_asked(limiter)
            valkey.start()
            await asyncio.gather(*loads)
            assert (await ask(limiter, "auth", "0")).allowed
    assert lines(logs) == ["rate limit store away", "rate limit store back"]


async def is_never_asked(limiter: SharedRateLimiter) -> None:
    """Check that requests do not make calls of a store that is away."""
    before = limiter.calls
    for _ in range(200):
        await ask(limiter, "runs", "somebody")
    assert limiter.calls <= before + 1, "a probe may come in between"


async def test_store_that_freezes_is_waited_for_once(valkey: Valkey) -> None:
    async with shared_limiter(valkey.url, RATES, patience=1.0) as limiter:
        assert (await ask(limiter, "claim", "a")).allowed
        with valkey.frozen():
            waiting = [ask(limiter, "claim", str(number)) for number in range(30)]
            verdicts = await asyncio.gather(*waiting)
            assert all(verdict.is_closed for verdict in verdicts)
            assert limiter.failures == 1, "all of them waited for the same call"
            await is_blind(limiter)
            await is_never_asked(limiter)
            await until(lambda: limiter.failures >= 2)
        await until(lambda: limiter.is_up)


async def test_answers_that_come_late_belong_to_nobody(valkey: Valkey) -> None:
    rates = {"signed": Rate(5, 3600.0), "claim": Rate(3, 3600.0)}
    async with shared_limiter(valkey.url, rates, patience=1.0) as limiter:
        for _ in range(2):
            with valkey.frozen():
                await ask(limiter, "claim", "late")
                await until(lambda: not limiter.is_up)
            await until(lambda: limiter.is_up)
            verdict = await ask(limiter, "signed", "b")
            assert verdict.limit == 5
        assert (await ask(limiter, "signed", "b")).remaining == 2


async def test_answer_that_was_here_in_time_counts_though_we_were_busy(valkey: Valkey) -> None:
    async with shared_limiter(valkey.url, RATES, patience=1.0) as limiter:
        with valkey.frozen():
            waiting = asyncio.create_task(ask(limiter, "auth", "a"))
            await asyncio.sleep(0.3)  # so that it is sent
        threading.Event().wait(1.2)
        assert (await waiting).allowed
        assert limiter.is_up


async def test_wrong_password_is_an_outage_and_is_not_told() -> None:
    skip_without_server()
    with Valkey.running(password="right") as valkey, capture_logs() as logs:
        wrong = valkey.url.replace("right", "wr0ng-secret")
        async with shared_limiter(wrong, RATES) as limiter:
            assert not limiter.is_up
            await is_blind(limiter)
            valkey.command("CONFIG", "SET", "requirepass", "wr0ng-secret")
            await until(lambda: limiter.is_up)
    assert [line["event"] for line in logs] == ["rate limit store away", "rate limit store back"]
    assert logs[0]["reason"] == "AuthenticationError"
    assert "wr0ng" not in str(logs)


@pytest.mark.parametrize(
    ("break_it", "mend_it"),
    [
        (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
        (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
    ],
    ids=["read-only", "full"],
)
async def test_store_that_cannot_be_written_is_away(
    valkey: Valkey, break_it: tuple[str, ...], mend_it: tuple[str, ...]
) -> None:
    async with shared_limiter(valkey.url, RATES) as limiter:
        assert (await ask(limiter, "auth", "a")).allowed
        assert valkey.command(*break_it).startswith(b"+OK")
        assert (await ask(limiter, "auth", "b")).is_closed
        assert (await ask(limiter, "runs", "b")).allowed
        await until(lambda: limiter.failures >= 2)
        await is_blind(limiter)
        assert valkey.command(*mend_it) == b"+OK\r\n"
        await until(lambda: limiter.is_up)
        assert (await ask(limiter, "auth", "a")).allowed


async def test_store_that_speaks_something_else_is_away() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, shared_limiter(f"redis://127.0.0.1:{port}", RATES) as limiter:
        assert not limiter.is_up
        await is_blind(limiter)


async def test_closing_while_the_store_hangs_lets_everybody_go(valkey: Valkey) -> None:
    with valkey.frozen():
        valkey_is_frozen = shared_limiter(valkey.url, default_rates(), patience=1.0)
        async with valkey_is_frozen as limiter:
            assert not limiter.is_up
    async with shared_limiter(valkey.url, default_rates()) as limiter:
        with valkey.frozen():
            waiting = asyncio.create_task(ask(limiter, "auth", "a"))
            await until(lambda: limiter.calls)
            await limiter.close()
            assert (await waiting).is_closed
