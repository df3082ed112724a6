"""Limits that several gateways share: the sum is true, and so is what each of them says."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.rate_limit import CLASSES, NEVER_REFUSED, Rate, RateLimiter, shared_buckets
from gateway.rate_limit.shared_buckets import SharedRateLimiter
from tests.gateway.conftest import until
from tests.gateway.shared_limits import ask, shared_limiter
from tests.support.valkey import Valkey, skip_without_server

pytestmark = pytest.mark.valkey

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def server() -> Iterator[Valkey]:
    skip_without_server()
    with Valkey.running() as running:
        yield running


@pytest.fixture
def valkey(server: Valkey) -> Valkey:
    server.command("FLUSHALL")
    return server


async def allowed(limiter: SharedRateLimiter, name: str, times: int, caller: str = "a") -> int:
    return sum([(await ask(limiter, name, caller)).allowed for _ in range(times)])


def keys(valkey: Valkey) -> list[str]:
    lines = valkey.command("KEYS", "*").decode().split("\r\n")
    return [line for line in lines if line and line[0] not in "*$"]


@pytest.mark.parametrize("name", ["runs", "claim"])
async def test_small_limits_are_exact(valkey: Valkey, name: str) -> None:
    rates = {name: Rate(10, 3600.0)}
    async with (
        shared_limiter(valkey.url, rates) as one,
        shared_limiter(valkey.url, rates) as two,
        shared_limiter(valkey.url, rates) as three,
    ):
        limiters = [one, two, three] * 10
        verdicts = [await ask(limiter, name, "a") for limiter in limiters]
        assert [verdict.allowed for verdict in verdicts] == [True] * 10 + [False] * 20
        assert [verdict.remaining for verdict in verdicts] == [*range(9, -1, -1), *[0] * 20]
        alone = RateLimiter(rates)
        for verdict in verdicts:
            told = alone.take(name, "a", 0.0)
            assert verdict.retry == pytest.approx(told.retry, abs=60)
            assert verdict.reset == pytest.approx(told.reset, abs=60)
            assert verdict[5:] == told[5:]


async def test_three_processes_together_keep_the_limit(valkey: Valkey) -> None:
    words = (valkey.url, "60", "learnings=500", "signed_address=600", "claim=10")
    hammers = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.gateway.hammer", *words),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(3)
    ]
    for hammer in hammers:
        assert hammer.stdout is not None
        assert await hammer.stdout.readline() == b"ready\n"
    said = await asyncio.gather(*(hammer.communicate(b"go\n") for hammer in hammers))
    results = [[float(word) for word in output.split()] for output, _ in said]
    even, even_seconds, fixed, _, small, _ = zip(*results, strict=True)
    # From the first's beginning to the last's end it is not longer than one after the other.
    assert 475 <= sum(even) <= 500 + sum(even_seconds) * 500 / 60 + 1
    assert 570 <= sum(fixed) <= 600
    assert sum(small) == 10


async def test_what_idle_gateways_hold_is_within_the_promise(valkey: Valkey) -> None:
    """Two gateways hold all they can and say nothing more; the third still gets the rest."""
    rates = {"signed_address": Rate(1000, 3600.0)}
    async with (
        shared_limiter(valkey.url, rates) as one,
        shared_limiter(valkey.url, rates) as two,
        shared_limiter(valkey.url, rates) as three,
    ):
        used = 0
        for limiter in (one, two):
            used += await allowed(limiter, "signed_address", 1 + 2 + 4 + 8 + 1)
        used += await allowed(three, "signed_address", 1000)
        assert 950 <= used <= 1000


async def test_what_is_not_used_in_time_is_given_back(valkey: Valkey) -> None:
    rates = {"signed": Rate(1000, 60.0)}
    async with shared_limiter(valkey.url, rates) as one, shared_limiter(valkey.url, rates) as two:
        assert await allowed(one, "signed", 1 + 2 + 4 + 8 + 1) == 16
        assert (await ask(two, "signed", "a")).remaining == 1000 - (1 + 2 + 4 + 8 + 10) - 1
        (key,) = (name for name in keys(valkey) if "probe" not in name)
        await until(lambda: valkey.command("GET", key).endswith(b" 17\r\n"))
        assert await allowed(two, "signed", 1000) == 1000 - 17


async def test_requests_of_one_bucket_share_a_flight(valkey: Valkey) -> None:
    async with shared_limiter(valkey.url, {"runs": Rate(40, 3600.0)}) as limiter:
        before = limiter.calls
        verdicts = await asyncio.gather(*(ask(limiter, "runs", "a") for _ in range(50)))
        assert sum(verdict.allowed for verdict in verdicts) == 40
        assert limiter.calls == before + 1


async def test_requests_of_many_buckets_share_calls(valkey: Valkey) -> None:
    rates = {"runs": Rate(2, 3600.0), "signed": Rate(2, 3600.0)}
    async with shared_limiter(valkey.url, rates) as limiter:
        before = limiter.calls
        callers = [str(number) for number in range(100)]
        asked = [ask(limiter, name, caller) for name in rates for caller in callers]
        assert all(verdict.allowed for verdict in await asyncio.gather(*asked))
        assert limiter.calls - before <= 3
        counts = {labels: number for labels, number in limiter.counts().items() if number}
        assert counts == {("runs", "allowed"): 100, ("signed", "allowed"): 100}


async def test_flood_does_not_ask_for_each_request(valkey: Valkey) -> None:
    async with shared_limiter(valkey.url, {"runs": Rate(1000, 60.0)}) as limiter:
        before = limiter.calls
        assert await allowed(limiter, "runs", 900) == 900
        assert limiter.calls - before <= 225, "a quarter; undisturbed it is a tenth"
        assert await allowed(limiter, "runs", 200) < 200
        before = limiter.calls
        refused = 0
        for _ in range(1000):
            refused += not (await ask(limiter, "runs", "a")).allowed
        assert limiter.calls - before <= 2 * (1000 - refused) + 10, "refusals are remembered"


async def test_both_buckets_of_a_request_are_prepared_at_once(valkey: Valkey) -> None:
    rates = {"signed": Rate(2, 3600.0), "signed_address": Rate(3, 3600.0)}
    async with shared_limiter(valkey.url, rates) as limiter:
        wants = [("signed_address", "ip:1"), ("signed", "token")]
        assert limiter.lacks(wants, 0.0)
        before = limiter.calls
        await limiter.prepare(wants)
        assert limiter.calls == before + 1
        assert not limiter.lacks(wants, 0.0)
        assert limiter.take(*wants[0], 0.0).remaining == 2
        assert limiter.take(*wants[1], 0.0).remaining == 1
        assert limiter.lacks(wants, 0.0)


async def test_who_hangs_up_while_waiting_takes_nobody_along(valkey: Valkey) -> None:
    async with shared_limiter(valkey.url, {"runs": Rate(10, 3600.0)}) as limiter:
        waiting = [asyncio.create_task(ask(limiter, "runs", "a")) for _ in range(4)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        waiting[2].cancel()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [isinstance(result, asyncio.CancelledError) for result in results] == [
            True,
            False,
            True,
            False,
        ]
        assert await allowed(limiter, "runs", 20) >= 6


async def test_what_was_not_asked_is_told_afterwards(valkey: Valkey) -> None:
    rates = {"pages": Rate(10, 3600.0)}
    async with shared_limiter(valkey.url, rates) as one, shared_limiter(valkey.url, rates) as two:
        for _ in range(4):
            assert one.take("pages", "a", 0.0).allowed
        await until(lambda: not one.lacks([("pages", "a")], 0.0))
        # Four are used, and one is leased, if it was not given back yet.
        assert await allowed(two, "pages", 10) in (5, 6)
        assert [one.take("pages", "a", 0.0).allowed for _ in range(12)].count(True) <= 8


async def test_peek_takes_nothing_and_knows_refusals(valkey: Valkey) -> None:
    async with shared_limiter(valkey.url, {"auth": Rate(2, 3600.0)}) as limiter:
        assert limiter.peek("auth", "a", 0.0).remaining == 2
        assert limiter.leases == 0
        assert await allowed(limiter, "auth", 5) == 2
        verdict = limiter.peek("auth", "a", 0.0)
        assert not verdict.allowed
        assert verdict.retry == pytest.approx(1800, abs=60)


async def test_waiting_as_told_is_enough(valkey: Valkey) -> None:
    rates = {"runs": Rate(2, 2.0), "signed": Rate(2, 1.0)}
    async with shared_limiter(valkey.url, rates) as one, shared_limiter(valkey.url, rates) as two:
        for name in rates:
            while (await ask(one, name, "a")).allowed:
                pass
            while (verdict := await ask(two, name, "a")).allowed:
                pass
            assert verdict.retry == 1
            await asyncio.sleep(verdict.retry)
            assert (await ask(two, name, "a")).allowed


async def test_store_knows_no_names(valkey: Valkey) -> None:
    rates = {name: Rate(5, 60.0) for name in CLASSES}
    async with shared_limiter(valkey.url, rates) as limiter:
        for name in rates:
            await ask(limiter, name, "usr_secret")
        names = keys(valkey)
        assert len(names) >= len(CLASSES - NEVER_REFUSED)
        assert all(re.fullmatch("guildhall:rate:(probe:)?[0-9a-f]+", name) for name in names)
        assert all(int(valkey.command("PTTL", name)[1:]) > 0 for name in names)


async def test_classes_that_are_never_refused_ask_nobody(valkey: Valkey) -> None:
    async with shared_limiter(valkey.url, {"device": Rate(1, 60.0)}) as limiter:
        assert not limiter.lacks([("device", "a")], 0.0)
        verdicts = [limiter.take("device", "a", 0.0) for _ in range(3)]
        assert all(verdict.allowed for verdict in verdicts)
        assert all("probe" in name for name in keys(valkey))
        assert limiter.leases == 0


async def test_number_of_leases_is_bounded(valkey: Valkey) -> None:
    async with shared_limiter(valkey.url, {"runs": Rate(5, 60.0)}, capacity=10) as limiter:
        for number in range(50):
            await ask(limiter, "runs", str(number))
            assert limiter.leases <= 10


async def test_too_many_waiting_are_counted_in_memory(
    valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_buckets, "MAX_WAITING", 2)
    async with shared_limiter(valkey.url, {"runs": Rate(1, 3600.0)}) as limiter:
        wants = [[("runs", str(number))] for number in range(10)]
        prepared = [asyncio.create_task(limiter.prepare(want)) for want in wants]
        await asyncio.sleep(0)
        assert [task.done() for task in prepared] == [False] * 2 + [True] * 8
        assert not any(limiter.lacks(want, 0.0) for want in wants[2:]), "once is enough"
        assert all(limiter.take(*want[0], 0.0).allowed for want in wants[2:])
        await asyncio.gather(*prepared)
