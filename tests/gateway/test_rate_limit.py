from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rate_limit import CLASSES, FIXED_WINDOWS, Rate, RateLimiter, default_rates, parse_rates

steps = st.lists(st.floats(min_value=0, max_value=30, allow_nan=False), min_size=1, max_size=80)


@given(limit=st.integers(1, 20), window=st.integers(1, 60), waits=steps)
def test_bucket_never_gives_more_than_burst_and_average(
    limit: int, window: int, waits: list[float]
) -> None:
    limiter = RateLimiter({"runs": Rate(limit, float(window))})
    now, passed = 1000.0, []
    for wait in waits:
        now += wait
        verdict = limiter.take("runs", "a", now)
        assert verdict.limit == limit
        assert 0 <= verdict.remaining <= limit
        assert 0 <= verdict.reset <= window + 1e-6
        if verdict.allowed:
            passed.append(now)
            assert verdict.retry == 0
        else:
            assert verdict.remaining == 0
            assert verdict.retry >= 1
    for first, start in enumerate(passed):
        for last in range(first, len(passed)):
            allowed = limit + (passed[last] - start) * limit / window
            assert last - first + 1 <= allowed + 1e-6


@given(limit=st.integers(1, 50), window=st.integers(1, 120), waits=steps)
def test_retry_after_is_true(limit: int, window: int, waits: list[float]) -> None:
    limiter = RateLimiter({"runs": Rate(limit, float(window))})
    now = 0.0
    for wait in [*waits, *[0.0] * 60]:
        now += wait
        verdict = limiter.take("runs", "a", now)
        if verdict.allowed:
            continue
        if verdict.retry > 1:
            assert not limiter.take("runs", "a", now + verdict.retry - 1.001).allowed
        now += verdict.retry
        assert limiter.take("runs", "a", now).allowed


def test_bucket_refills_evenly() -> None:
    limiter = RateLimiter({"runs": Rate(60, 60.0)})
    assert [limiter.take("runs", "a", 0.0).remaining for _ in range(60)] == list(range(59, -1, -1))
    assert limiter.take("runs", "a", 0.0).retry == 1
    assert limiter.take("runs", "a", 1.0).allowed
    assert not limiter.take("runs", "a", 1.5).allowed
    assert limiter.take("runs", "a", 3600.0).remaining == 59


def test_callers_and_classes_do_not_share() -> None:
    limiter = RateLimiter({"runs": Rate(1, 60.0), "auth": Rate(1, 60.0)})
    assert limiter.take("runs", "a", 0.0).allowed
    assert not limiter.take("runs", "a", 0.0).allowed
    assert limiter.take("runs", "b", 0.0).allowed
    assert limiter.take("auth", "a", 0.0).allowed


def test_clock_that_goes_back_gives_nothing() -> None:
    limiter = RateLimiter({"runs": Rate(1, 60.0)})
    assert limiter.take("runs", "a", 100.0).allowed
    assert not limiter.take("runs", "a", 0.0).allowed


@pytest.mark.parametrize("name", ["runs", "signed"])
def test_request_that_has_waited_is_told_no_longer_than_a_window(name: str) -> None:
    limiter = RateLimiter({name: Rate(2, 60.0)})
    limiter.take(name, "a", 100.0)
    limiter.take(name, "a", 100.0)
    verdict = limiter.take(name, "a", 40.0)
    assert (verdict.allowed, verdict.retry, verdict.reset) == (False, 60, 60.0)


def test_peek_takes_nothing() -> None:
    limiter = RateLimiter({"runs": Rate(1, 60.0)})
    assert limiter.peek("runs", "a", 0.0).remaining == 1
    assert len(limiter) == 0
    limiter.take("runs", "a", 0.0)
    for _ in range(3):
        verdict = limiter.peek("runs", "a", 30.0)
        assert (verdict.allowed, verdict.retry) == (False, 30)


def test_device_polls_are_never_refused() -> None:
    limiter = RateLimiter({"device": Rate(1, 60.0)})
    verdicts = [limiter.take("device", "a", 0.0) for _ in range(5)]
    assert all(verdict.allowed for verdict in verdicts)
    assert [verdict.remaining for verdict in verdicts] == [0] * 5


def test_number_of_buckets_is_bounded() -> None:
    limiter = RateLimiter({"runs": Rate(2, 60.0), "signed": Rate(2, 60.0)}, capacity=6)
    for number in range(50):
        limiter.take("runs", "often", 0.0)
        limiter.take("signed", "often", 0.0)
        limiter.take("runs", f"once {number}", 0.0)
        limiter.take("signed", f"once {number}", 0.0)
        assert len(limiter) <= 6
    assert not limiter.peek("runs", "often", 0.0).allowed, "those least used go first"
    assert not limiter.peek("signed", "often", 0.0).allowed
    assert limiter.peek("runs", "once 0", 0.0).remaining == 2


def test_buckets_that_are_full_again_are_forgotten() -> None:
    limiter = RateLimiter({"runs": Rate(2, 60.0), "signed": Rate(2, 10.0)})
    limiter.take("runs", "a", 0.0)
    limiter.take("signed", "a", 0.0)
    limiter.take("runs", "b", 61.0)
    limiter.take("runs", "c", 122.0)
    assert len(limiter) == 2


def test_verdict_names_its_class() -> None:
    limiter = RateLimiter({"runs": Rate(600, 60.0)})
    for verdict in (limiter.peek("runs", "a", 0.0), limiter.take("runs", "a", 0.0)):
        assert (verdict.name, verdict.limit, verdict.window) == ("runs", 600, 60.0)
        lines = b'ratelimit-policy: "runs";q=600;w=60\r\nx-ratelimit-limit: 600\r\n'
        assert verdict.policy == lines
        assert not verdict.is_closed


async def test_memory_alone_needs_no_preparing() -> None:
    limiter = RateLimiter(default_rates())
    await limiter.open()
    assert not limiter.lacks([("runs", "a")], 0.0)
    await limiter.prepare([("runs", "a")])
    await limiter.close()
    assert len(limiter) == 0


def test_decisions_are_counted_by_class() -> None:
    limiter = RateLimiter({"runs": Rate(1, 60.0), "signed": Rate(2, 60.0), "device": Rate(1, 60.0)})
    for name in ("runs", "signed", "device"):
        for _ in range(3):
            limiter.take(name, "a", 0.0)
        limiter.peek(name, "a", 0.0)
    assert {labels: number for labels, number in limiter.counts().items() if number} == {
        ("runs", "allowed"): 1,
        ("runs", "refused"): 2,
        ("signed", "allowed"): 2,
        ("signed", "refused"): 1,
        ("device", "allowed"): 3,
    }


@given(name=st.sampled_from(["runs", "signed"]), limit=st.integers(1, 10), waits=steps)
def test_peek_says_what_take_would(name: str, limit: int, waits: list[float]) -> None:
    limiter = RateLimiter({name: Rate(limit, 60.0)})
    now = 0.0
    for wait in waits:
        now += wait
        seen, taken = limiter.peek(name, "a", now), limiter.take(name, "a", now)
        assert (seen.allowed, seen.retry) == (taken.allowed, taken.retry)
        assert seen.remaining == taken.remaining + taken.allowed


def test_every_class_has_a_default() -> None:
    assert default_rates().keys() == CLASSES
    assert default_rates()["learnings"] == Rate(500, 60)
    assert default_rates()["runs"] == Rate(600, 60)
    assert default_rates()["agents"] == Rate(1200, 60)


def test_rates_of_the_teams_surface() -> None:
    rates = {name: rate.limit for name, rate in default_rates().items() if name in FIXED_WINDOWS}
    assert rates == {
        "signed": 60,
        "signed_address": 600,
        "failed_signature": 120,
        "clone": 60,
        "device_start": 10,
        "device_poll": 60,
        "claim": 10,
        "claim_address": 30,
        "web_login": 10,
        "account": 60,
    }
    assert {default_rates()[name].window for name in FIXED_WINDOWS} == {60}


def test_fixed_window_fills_at_once_when_it_is_over() -> None:
    limiter = RateLimiter({"signed": Rate(60, 60.0)})
    for number in range(60):
        verdict = limiter.take("signed", "a", 1000.0 + number * 0.9)
        assert (verdict.allowed, verdict.remaining) == (True, 59 - number)
        assert verdict.reset == pytest.approx(60.0 - number * 0.9)
    verdict = limiter.take("signed", "a", 1054.5)
    assert (verdict.allowed, verdict.retry) == (False, 6)
    assert not limiter.take("signed", "a", 1059.9).allowed
    assert limiter.peek("signed", "a", 1060.0).allowed
    verdict = limiter.take("signed", "a", 1060.5)
    assert (verdict.allowed, verdict.remaining) == (True, 59)


@given(limit=st.integers(1, 10), waits=steps)
def test_retry_after_of_a_fixed_window_is_true(limit: int, waits: list[float]) -> None:
    limiter = RateLimiter({"signed": Rate(limit, 60.0)})
    now = 0.0
    for wait in [*waits, *[0.0] * 12]:
        now += wait
        verdict = limiter.take("signed", "a", now)
        if verdict.allowed:
            continue
        assert 1 <= verdict.retry <= 60
        if verdict.retry > 1:
            assert not limiter.take("signed", "a", now + verdict.retry - 1.001).allowed
        now += verdict.retry
        assert limiter.take("signed", "a", now).allowed


def test_rates_are_read() -> None:
    assert parse_rates("") == {}
    assert parse_rates(" learnings=500/60\n\tauth=5/1 ") == {
        "learnings": Rate(500, 60),
        "auth": Rate(5, 1),
    }


@pytest.mark.parametrize(
    "text",
    [
        "other=1/1",
        "auth",
        "auth=",
        "auth=1",
        "auth=1/",
        "auth=/1",
        "auth=0/1",
        "auth=1/0",
        "auth=-1/1",
        "auth=1.5/1",
        "auth=1/1 auth=2/1",
        "=1/1",
        "auth=1/1,runs=1/1",
    ],
)
def test_bad_rates(text: str) -> None:
    with pytest.raises(ValueError, match=r"class|twice"):
        parse_rates(text)
