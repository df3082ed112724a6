from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.upstream.budget import Retries, RetryBudget


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_idle_gateway_may_try_again_a_little() -> None:
    clock = Clock()
    budget = RetryBudget(Retries(share=0.1, minimum=3), clock)
    assert [budget.take(0) for _ in range(5)] == [True] * 3 + [False] * 2
    assert (budget.spent, budget.exhausted) == (3, 2)


def test_a_tenth_of_the_requests() -> None:
    clock = Clock()
    budget = RetryBudget(Retries(share=0.1, minimum=0), clock)
    budget.note(0)
    assert sum(budget.take(1000) for _ in range(500)) == 100


def test_old_requests_give_nothing() -> None:
    clock = Clock()
    budget = RetryBudget(Retries(share=0.1, minimum=0, window=10.0), clock)
    budget.note(0)
    budget.note(1000)
    for _ in range(25):
        clock.now += 1.0
        budget.note(1000)
    assert not budget.take(1000)


def test_spent_retries_come_back() -> None:
    clock = Clock()
    budget = RetryBudget(Retries(share=0.0, minimum=1, window=10.0), clock)
    taken = []
    for _ in range(40):
        clock.now += 1.0
        budget.note(0)
        taken.append(budget.take(0))
    assert sum(taken) == 4


steps = st.lists(
    st.tuples(st.floats(0.0, 2.0), st.integers(0, 60), st.integers(0, 20)), max_size=60
)


@given(steps=steps, minimum=st.integers(0, 5), share=st.sampled_from([0.0, 0.1, 0.5]))
def test_no_window_has_more_than_its_share(
    steps: list[tuple[float, int, int]], minimum: int, share: float
) -> None:
    clock = Clock()
    allowed = Retries(share=share, minimum=minimum, window=10.0)
    budget = RetryBudget(allowed, clock)
    budget.note(0)
    requests = 0
    log: list[tuple[float, int, int]] = [(0.0, 0, 0)]
    for seconds, more, wanted in steps:
        clock.now += seconds
        budget.note(requests)
        requests += more
        got = sum(budget.take(requests) for _ in range(wanted))
        log.append((clock.now, more, got))
    # A mark may be as old as the longest step and a tenth of a window more.
    for end, _, _ in log:
        retries = sum(got for at, _, got in log if end - 10.0 < at <= end)
        recent = sum(more for at, more, _ in log if end - 13.0 <= at <= end)
        assert retries <= minimum + share * recent
