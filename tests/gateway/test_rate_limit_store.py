"""The script in a real store, against the buckets in memory."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterator
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.rate_limit import Rate, RateLimiter
from gateway.rate_limit.store import NAMESPACE, Grant, Order, Store, StoreAway, as_redis_url
from tests.support.valkey import Valkey, skip_without_server

pytestmark = pytest.mark.valkey

SECOND = 1_000_000
START = 50_000_000 * SECOND

_numbers = count()


@pytest.fixture(scope="module")
def valkey() -> Iterator[Valkey]:
    skip_without_server()
    with Valkey.running() as running:
        yield running


@pytest.fixture(scope="module")
async def store(valkey: Valkey) -> AsyncIterator[Store]:
    store = Store(valkey.url, patience=5.0)
    yield store
    await store.close()


def fresh_key() -> bytes:
    return NAMESPACE + b"%d" % next(_numbers)


def order(kind: str, rate: Rate, key: bytes, need: int = 1, want: int = 1, debt: int = 0) -> Order:
    window = round(rate.window * SECOND)
    return Order(key, kind.encode(), rate.limit, window, need, want, debt)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from(["runs", "signed"]),
    limit=st.integers(1, 20),
    window=st.integers(1, 60),
    waits=st.lists(
        st.one_of(st.integers(0, 3 * SECOND), st.integers(0, 70 * SECOND)), min_size=1, max_size=40
    ),
)
async def test_script_and_memory_agree(
    store: Store, name: str, limit: int, window: int, waits: list[int]
) -> None:
    rate = Rate(limit, float(window))
    memory = RateLimiter({name: rate})
    asked = order("even" if name == "runs" else "fixed", rate, fresh_key())
    now = 0
    for wait in waits:
        now += wait
        (grant,) = await store.ask([asked], START + now)
        verdict = memory.take(name, "a", now / SECOND)
        assert bool(grant.tokens) == verdict.allowed
        assert grant.rest / SECOND == pytest.approx(verdict.reset, abs=3e-6)
        if name == "signed":
            assert grant.spare == verdict.remaining
        if not verdict.allowed:
            rest = grant.rest / SECOND
            missing = rest if name == "signed" else rest - window + window / limit
            # The store rounds up to microseconds, so whole seconds may be told either way.
            least, most = (max(1, math.ceil(missing + hair)) for hair in (-4e-6, 4e-6))
            assert least <= verdict.retry <= most


@pytest.mark.parametrize("kind", ["even", "fixed"])
async def test_many_tokens_at_once_count_as_many(store: Store, kind: str) -> None:
    rate, key = Rate(10, 60.0), fresh_key()
    grants = [
        (await store.ask([order(kind, rate, key, need=4, want=4)], START))[0] for _ in range(4)
    ]
    assert [grant.tokens for grant in grants] == [4, 4, 2, 0]
    assert grants[-1].rest == 60 * SECOND


@pytest.mark.parametrize("kind", ["even", "fixed"])
async def test_debt_is_paid_and_what_is_given_back_can_be_had_again(
    store: Store, kind: str
) -> None:
    rate, key = Rate(10, 60.0), fresh_key()

    async def ask(want: int, debt: int) -> int:
        (grant,) = await store.ask([order(kind, rate, key, want, want, debt)], START)
        return grant.tokens

    assert await ask(5, 3) == 5
    assert await ask(5, 0) == 2
    assert await ask(0, -4) == 0
    assert await ask(5, 0) == 4
    assert await ask(1, 5) == 0, "a debt may be larger than what is there"


async def test_giving_back_to_a_window_that_is_over_begins_none(store: Store) -> None:
    rate, key = Rate(10, 60.0), fresh_key()
    await store.ask([order("fixed", rate, key)], START)
    (grant,) = await store.ask([order("fixed", rate, key, 0, 0, -1)], START + 60 * SECOND)
    assert grant == Grant(0, 10, 0)
    (grant,) = await store.ask([order("fixed", rate, key)], START + 70 * SECOND)
    assert grant == Grant(1, 9, 60 * SECOND)


async def test_bucket_does_not_fill_up_behind_what_may_be_held(store: Store) -> None:
    """For a lease's time, the bucket and what was leased are together never over the limit."""
    rate, key = Rate(500, 60.0), fresh_key()
    (lease,) = await store.ask([order("even", rate, key, 1, 5)], START)
    assert lease.tokens == 5
    (grant,) = await store.ask([order("even", rate, key, 600, 600)], START + SECOND)
    assert grant.tokens == 496, "eight tokens have come in, and four may be held"
    key = fresh_key()
    await store.ask([order("even", rate, key, 1, 5)], START)
    (grant,) = await store.ask([order("even", rate, key, 600, 600)], START + 3 * SECOND)
    assert grant.tokens == 500, "nobody can hold them any more"


async def test_clock_that_is_put_back_does_not_close_a_bucket_for_long(store: Store) -> None:
    for kind in ("even", "fixed"):
        asked = order(kind, Rate(1, 60.0), fresh_key())
        await store.ask([asked], START + 3600 * SECOND)
        (grant,) = await store.ask([asked], START)
        assert grant.tokens == 0
        assert grant.rest <= 120 * SECOND


async def test_several_buckets_are_asked_at_once(store: Store) -> None:
    rate = Rate(3, 60.0)
    orders = [order("even", rate, fresh_key(), 2, 2), order("fixed", rate, fresh_key())]
    assert await store.ask(orders, START) == [Grant(2, 0, 40 * SECOND), Grant(1, 2, 60 * SECOND)]


async def test_keys_live_as_long_as_they_say_something(store: Store, valkey: Valkey) -> None:
    for kind in ("even", "fixed"):
        key = fresh_key()
        await store.ask([order(kind, Rate(60, 60.0), key)])
        lives = int(valkey.command("PTTL", key.decode())[1:])
        assert 0 < lives <= 65_000


async def test_script_that_was_forgotten_is_sent_again(store: Store, valkey: Valkey) -> None:
    asked = order("even", Rate(2, 60.0), fresh_key())
    await store.ask([asked])
    assert valkey.command("SCRIPT", "FLUSH") == b"+OK\r\n"
    (grant,) = await store.ask([asked])
    assert grant.tokens == 1


async def test_what_is_no_bucket_is_a_fault_of_the_store(store: Store, valkey: Valkey) -> None:
    key = fresh_key()
    valkey.command("LPUSH", key.decode(), "x")
    with pytest.raises(StoreAway):
        await store.ask([order("even", Rate(2, 60.0), key)])
    await store.probe()


def test_schemes_of_valkey_are_known() -> None:
    assert as_redis_url("valkey://:word@host:1/2") == "redis://:word@host:1/2"
    assert as_redis_url("valkeys://host") == "rediss://host"
    assert as_redis_url("rediss://host") == "rediss://host"
