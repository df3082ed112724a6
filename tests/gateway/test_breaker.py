from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.upstream.breaker import Breaker, State, Trip

TRIP = Trip(faults=3, share=0.5, volume=8, window=10.0, pause=1.0, longest=8.0, jitter=0.2)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def nothing() -> None:
    """Hear of a change and do nothing."""


def make(clock: Clock, trip: Trip = TRIP, spread: float = 0.5) -> Breaker:
    return Breaker(trip, clock, nothing, lambda: spread)


def state_of(breaker: Breaker) -> State:
    return breaker.state


def opened(clock: Clock) -> Breaker:
    breaker = make(clock)
    assert [breaker.faulted(None) for _ in range(3)] == [False, False, True]
    return breaker


def test_faults_in_a_row_open_it(clock: Clock) -> None:
    breaker = make(clock)
    for _ in range(3):
        breaker.faulted(None)
        breaker.faulted(None)
        assert state_of(breaker) is State.CLOSED
        for _ in range(10):
            breaker.answered(None)
    assert not breaker.is_troubled


def test_a_share_of_faults_opens_it(clock: Clock) -> None:
    breaker = make(clock)
    results = []
    for _ in range(4):
        results.append(breaker.faulted(None))
        breaker.answered(None)
    # Four of eight would be enough, but the eighth was an answer: the next fault counts.
    assert not any(results)
    assert breaker.faulted(None)


def test_old_faults_do_not_count(clock: Clock) -> None:
    breaker = make(clock)
    for _ in range(20):
        assert not breaker.faulted(None)
        breaker.answered(None)
        clock.now += 5.0


def test_few_requests_have_no_share(clock: Clock) -> None:
    breaker = make(clock)
    for _ in range(3):
        assert not breaker.faulted(None)
        assert not breaker.faulted(None)
        breaker.answered(None)
        clock.now += 10.0


def test_one_probe_after_the_pause(clock: Clock) -> None:
    breaker = opened(clock)
    assert not breaker.is_due(clock.now)
    assert breaker.wait(clock.now) == 1.0
    clock.now += 1.0
    assert breaker.is_due(clock.now)
    probe = object()
    breaker.send_probe(probe)
    assert state_of(breaker) is State.HALF_OPEN
    assert not breaker.is_due(clock.now)
    breaker.answered(object())
    assert state_of(breaker) is State.HALF_OPEN, "an older exchange says nothing about now"
    breaker.faulted(object())
    assert state_of(breaker) is State.HALF_OPEN, "an older exchange says nothing about now"
    breaker.answered(probe)
    assert state_of(breaker) is State.CLOSED
    assert not breaker.is_troubled


def test_pauses_grow_and_end(clock: Clock) -> None:
    breaker = opened(clock)
    pauses = []
    for _ in range(6):
        pauses.append(breaker.wait(clock.now))
        clock.now = breaker.retry_at
        probe = object()
        breaker.send_probe(probe)
        assert breaker.faulted(probe)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_growth_is_forgotten_by_who_stays_well(clock: Clock) -> None:
    breaker = opened(clock)

    def recover() -> None:
        clock.now = breaker.retry_at
        breaker.send_probe(breaker)
        breaker.answered(breaker)

    recover()
    for _ in range(3):
        breaker.faulted(None)
    assert breaker.wait(clock.now) == 2.0, "it opened again at once"
    recover()
    clock.now += TRIP.window
    for _ in range(3):
        breaker.faulted(None)
    assert breaker.wait(clock.now) == 1.0


@pytest.mark.parametrize(("spread", "pause"), [(0.0, 0.8), (0.5, 1.0), (0.75, 1.1)])
def test_pauses_differ(clock: Clock, spread: float, pause: float) -> None:
    breaker = make(clock, spread=spread)
    for _ in range(3):
        breaker.faulted(None)
    assert breaker.wait(clock.now) == pytest.approx(pause)


def test_probe_without_a_verdict_makes_room_for_another(clock: Clock) -> None:
    breaker = opened(clock)
    clock.now += 1.0
    first = object()
    breaker.send_probe(first)
    breaker.forget(object())
    assert state_of(breaker) is State.HALF_OPEN
    breaker.forget(first)
    assert state_of(breaker) is State.OPEN
    assert breaker.is_due(clock.now)
    assert breaker.wait(clock.now) == 0.0


def test_very_slow_probe_makes_room_for_another(clock: Clock) -> None:
    breaker = opened(clock)
    clock.now += 1.0
    first, second = object(), object()
    breaker.send_probe(first)
    clock.now += TRIP.longest
    assert breaker.is_due(clock.now)
    breaker.send_probe(second)
    breaker.answered(first)
    assert state_of(breaker) is State.HALF_OPEN
    breaker.answered(second)
    assert state_of(breaker) is State.CLOSED


def test_doubt_ends_with_an_answer(clock: Clock) -> None:
    breaker = make(clock)
    breaker.doubt()
    assert breaker.is_doubted_until > clock.now
    seen = [breaker.is_troubled]
    breaker.answered(None)
    seen.append(breaker.is_troubled)
    assert seen == [True, False]
    assert breaker.faults == 0


def test_checks_put_out_and_bring_back(clock: Clock) -> None:
    breaker = make(clock)
    assert [breaker.failed(may_eject=True) for _ in range(3)] == [False, False, True]
    assert breaker.ejections == 1
    assert [breaker.passed() for _ in range(2)] == [False, True]
    assert state_of(breaker) is State.CLOSED


def test_checks_must_fail_in_a_row(clock: Clock) -> None:
    breaker = make(clock)
    for _ in range(5):
        breaker.failed(may_eject=True)
        breaker.failed(may_eject=True)
        breaker.passed()
    assert state_of(breaker) is State.CLOSED


def test_the_last_address_is_not_put_out_by_checks(clock: Clock) -> None:
    breaker = make(clock)
    assert not any(breaker.failed(may_eject=False) for _ in range(10))
    assert breaker.failed(may_eject=True), "another one works again"


@pytest.mark.parametrize(("is_reached", "comes_back"), [(False, True), (True, False)])
def test_checks_say_little_about_answers(clock: Clock, is_reached: bool, comes_back: bool) -> None:
    breaker = make(clock)
    for _ in range(3):
        breaker.faulted(None, is_reached=is_reached)
    assert [breaker.passed() for _ in range(2)] == [False, comes_back]
    clock.now += 1.0
    assert breaker.passed() is not comes_back
    assert state_of(breaker) is State.CLOSED


class Machine(RuleBasedStateMachine):
    """Whatever happens in whatever order, the breaker keeps what it promises."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.changes = 0
        self.breaker = Breaker(TRIP, self.clock, self.changed, lambda: self.spread)
        self.spread = 0.5
        self.probes: list[object] = []
        self.history: list[tuple[float, bool]] = []  # answers and faults since it closed
        self.failed_checks = 0
        self.was = State.CLOSED

    def changed(self) -> None:
        self.changes += 1

    @rule(seconds=st.sampled_from([0.0, 0.3, 1.0, 4.0, 9.0, 30.0]), spread=st.floats(0, 0.999))
    def wait(self, seconds: float, spread: float) -> None:
        self.clock.now += seconds
        self.spread = spread

    @rule(number=st.integers(1, 12))
    def answers(self, number: int) -> None:
        for _ in range(number):
            self.breaker.answered(object())
            self.history.append((self.clock.now, False))

    @rule(is_reached=st.booleans())
    def fault(self, is_reached: bool) -> None:
        self.history.append((self.clock.now, True))
        expected = self.breaker.state is State.CLOSED and self.is_too_much()
        assert self.breaker.faulted(object(), is_reached=is_reached) is expected

    def is_too_much(self) -> bool:
        """Count naively, from the history."""
        kinds = [is_fault for _, is_fault in self.history]
        row = next((n for n, kind in enumerate(reversed(kinds)) if not kind), len(kinds))
        window: list[bool] = []
        since = float("-inf")
        for at, is_fault in self.history:
            if is_fault and at - since >= TRIP.window:
                since, window = at, []
            window.append(is_fault)
        is_share = len(window) >= TRIP.volume and sum(window) >= TRIP.share * len(window)
        return row >= TRIP.faults or is_share

    @rule()
    def doubt(self) -> None:
        self.breaker.doubt()

    @precondition(lambda self: self.breaker.is_due(self.clock.now))
    @rule()
    def probe(self) -> None:
        assert self.clock.now >= self.breaker.retry_at
        probe = object()
        self.probes.append(probe)
        self.breaker.send_probe(probe)
        assert not self.breaker.is_due(self.clock.now), "one at a time"

    @precondition(lambda self: self.probes)
    @rule(data=st.data(), how=st.sampled_from(["answered", "faulted", "forgotten"]))
    def probe_ends(self, data: st.DataObject, how: str) -> None:
        probe = self.probes.pop(data.draw(st.integers(0, len(self.probes) - 1)))
        before, decides = self.breaker.state, probe is self.breaker.probe
        if before is State.CLOSED and how != "forgotten":
            return  # it is then like any other exchange
        if how == "answered":
            self.breaker.answered(probe)
            assert self.breaker.state is (State.CLOSED if decides else before)
        elif how == "faulted":
            assert self.breaker.faulted(probe) is decides
            assert self.breaker.state is (State.OPEN if decides else before)
        else:
            self.breaker.forget(probe)
            assert self.breaker.state is (State.OPEN if decides else before)

    @rule(others=st.booleans())
    def check_fails(self, others: bool) -> None:
        self.failed_checks += 1
        expected = (
            self.breaker.state is State.CLOSED and others and self.failed_checks >= TRIP.failures
        )
        assert self.breaker.failed(may_eject=others) is expected

    @rule()
    def check_passes(self) -> None:
        self.failed_checks = 0
        before = self.breaker.state
        if self.breaker.passed():
            assert before is not State.CLOSED
            assert self.breaker.state is State.CLOSED

    @invariant()
    def keeps_its_promises(self) -> None:
        breaker, now = self.breaker, self.clock.now
        if breaker.state is State.CLOSED and self.was is not State.CLOSED:
            self.history, self.failed_checks = [], 0
        self.was = breaker.state
        assert (breaker.probe is not None) is (breaker.state is State.HALF_OPEN)
        if breaker.state is State.CLOSED:
            assert not breaker.is_due(now)
            assert breaker.wait(now) == 0.0
        else:
            assert breaker.is_troubled
            assert breaker.wait(now) <= TRIP.longest * (1 + TRIP.jitter)
        assert self.changes >= breaker.opened


Machine.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestMachine = Machine.TestCase
