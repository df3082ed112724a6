from __future__ import annotations

from collections import Counter, deque
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.upstream import Limits, Upstream
from gateway.upstream.breaker import State, Trip

LIMITS = Limits(trip=Trip(faults=1, pause=10, longest=10, jitter=0))


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def make(busy: list[int], out: list[bool]) -> tuple[Upstream, Clock]:
    clock = Clock()
    urls = [f"http://127.0.0.1:{port}" for port in range(1, len(busy) + 1)]
    upstream = Upstream("runs", urls, LIMITS, clock)
    for pool, number, is_out in zip(upstream.pools, busy, out, strict=True):
        if is_out:
            pool.faulted(None)
        waiting: Any = deque(range(number))
        pool._waiting = waiting
    return upstream, clock


addresses = st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=6)


@given(addresses=addresses, picks=st.integers(1, 12))
def test_the_least_busy_that_works(addresses: list[tuple[int, bool]], picks: int) -> None:
    upstream, _ = make([busy for busy, _ in addresses], [out for _, out in addresses])
    able = [pool for pool in upstream.pools if pool.breaker.state is State.CLOSED]
    chosen = []
    for _ in range(picks):
        quick = upstream._single or upstream._least()
        slow = upstream._choose(may_probe=True)
        assert (quick is None) is (slow is None) is (not able)
        chosen += [pool for pool in (quick, slow) if pool is not None]
    least = min((pool.busy for pool in able), default=0)
    assert all(pool in able and pool.busy == least for pool in chosen)


@given(number=st.integers(1, 6), rounds=st.integers(1, 5))
def test_equals_take_turns(number: int, rounds: int) -> None:
    upstream, _ = make([1] * number, [False] * number)
    quick = Counter(upstream._single or upstream._least() for _ in range(number * rounds))
    slow = Counter(upstream._choose(may_probe=True) for _ in range(number * rounds))
    assert quick == slow == Counter(dict.fromkeys(upstream.pools, rounds))


@given(addresses=addresses)
def test_one_that_is_due_gets_a_probe_first(addresses: list[tuple[int, bool]]) -> None:
    upstream, clock = make([busy for busy, _ in addresses], [out for _, out in addresses])
    states = upstream.states()
    clock.now += 10.0
    upstream.note()
    chosen = upstream._single or upstream._least() or upstream._choose(may_probe=True)
    assert chosen is not None
    assert (chosen.breaker.state is State.OPEN) is (State.OPEN in states)
    if State.CLOSED in states:
        other = upstream._choose(may_probe=False)
        assert other is not None
        assert other.breaker.state is State.CLOSED
