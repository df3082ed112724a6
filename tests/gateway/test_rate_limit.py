from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rate_limit import CLASSES, FIXED_WINDOWS, Rate, RateLimiter, default_rates, parse_rates
from tests.gateway.conftest import House, house

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


PATHS = {
    "learnings": "/v1/learnings",
    "runs": "/api/v1/runs",
    "teams": "/api/account/teams",
    "agents": "/api/v0/agents",
}
REFUSALS: dict[str, Callable[[int], dict[str, object]]] = {
    "learnings": lambda n: {"detail": f"Rate limit exceeded. Retry after {n} seconds."},
    "runs": lambda n: {
        "type": "rate_limited",
        "detail": f"Rate limit exceeded. Retry after {n} seconds.",
        "error": {
            "type": "rate_limited",
            "message": f"Rate limit exceeded. Retry after {n} seconds.",
        },
    },
    "teams": lambda n: {"error": "rate limit exceeded"},
    "agents": lambda n: {
        "error": {
            "code": "RATE_LIMITED",
            "message": f"Rate limit exceeded. Retry after {n} seconds.",
        },
        "message": f"Rate limit exceeded. Retry after {n} seconds.",
    },
}


@pytest.mark.parametrize("surface", PATHS)
async def test_refusal_on_every_surface(surface: str) -> None:
    rate_class = "account" if surface == "teams" else surface
    async with house(rate_limits=f"{rate_class}=3/3600") as home:
        token = home.auth.token()
        for left in (2, 1, 0):
            answer = await home.client.get(PATHS[surface], headers=home.bearer(token))
            assert answer.status_code == 200
            assert answer.headers["x-ratelimit-limit"] == "3"
            assert answer.headers["x-ratelimit-remaining"] == str(left)
            reset = int(answer.headers["x-ratelimit-reset"]) - time.time()
            if surface == "teams":
                assert 3590 < reset < 3602
            else:
                assert (2 - left) * 1200 < reset < (3 - left) * 1200 + 2
        answer = await home.client.get(PATHS[surface], headers=home.bearer(token))
        assert answer.status_code == 429
        retry = int(answer.headers["retry-after"])
        assert (3590 < retry <= 3600) if surface == "teams" else (1190 < retry <= 1200)
        assert answer.json() == REFUSALS[surface](retry)
        assert answer.headers["x-ratelimit-remaining"] == "0"
        assert len(home.services[surface].asked) == 3


async def test_waiting_as_told_is_enough() -> None:
    async with house(rate_limits="learnings=5/5") as home:
        headers = home.bearer()
        while (answer := await home.client.get("/v1/learnings", headers=headers)).is_success:
            pass
        assert answer.headers["retry-after"] == "1"
        await asyncio.sleep(1)
        assert (await home.client.get("/v1/learnings", headers=headers)).status_code == 200


async def test_limit_headers_on_every_answer(home: House) -> None:
    asked = [
        ("GET", "/"),
        ("GET", "/health"),
        ("GET", "/health/ready"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("GET", "/swagger-ui/assets/swagger-ui.css"),
        ("GET", "/nothing"),
        ("POST", "/docs"),
        ("GET", "/v1/learnings"),
        ("GET", "/v1/health"),
        ("GET", "/api/v1/nothing"),
        ("GET", "/api/v0/agents"),
        ("GET", "/api/sync"),
        ("GET", "/device"),
    ]
    for method, path in asked:
        answer = await home.client.request(method, path)
        for name in ("limit", "remaining", "reset"):
            values = answer.headers.get_list(f"x-ratelimit-{name}")
            assert len(values) == 1, (path, name)
            assert values[0].isdigit()
        assert answer.headers["x-request-id"]
        assert answer.headers["x-content-type-options"] == "nosniff", path


async def test_strangers_are_counted_by_address_and_people_are_not_hurt() -> None:
    async with house(rate_limits="learnings=3/3600") as home:
        known = home.bearer()
        assert (await home.client.get("/v1/learnings", headers=known)).status_code == 200
        statuses = [(await home.client.get("/v1/learnings")).status_code for _ in range(5)]
        assert statuses == [401, 401, 401, 429, 429]
        assert (await home.client.get("/v1/learnings", headers=known)).status_code == 200


async def test_flood_of_guesses_stops_asking_auth() -> None:
    async with house(rate_limits="learnings=10/3600") as home:
        statuses = []
        for number in range(30):
            guess = home.bearer(f"trw_live_{number:043}")
            statuses.append((await home.client.get("/v1/learnings", headers=guess)).status_code)
        assert statuses == [401] * 10 + [429] * 20
        assert len(home.auth.looked_up) == 10


async def test_device_poll_is_never_429() -> None:
    async with house(rate_limits="device=2/3600 auth=2/3600") as home:
        for _ in range(6):
            answer = await home.client.post("/v1/auth/device/token", json={})
            assert answer.status_code == 200
            assert answer.headers["x-ratelimit-limit"] == "2"
        statuses = [
            (await home.client.post("/v1/auth/token", json={})).status_code for _ in range(3)
        ]
        assert statuses == [200, 200, 429]


async def test_budgets_do_not_starve_each_other() -> None:
    async with house(rate_limits="learnings=1/3600 sync=1/3600 telemetry=1/3600") as home:
        headers = home.bearer()
        for path in (
            "/v1/learnings",
            "/v1/sync/learnings",
            "/v1/telemetry",
            "/v1/telemetry/events",
        ):
            answer = await home.client.get(path, headers=headers)
            assert answer.status_code == (429 if path.endswith("events") else 200), path


async def test_principal_is_counted_not_the_token() -> None:
    async with house(rate_limits="learnings=2/3600") as home:
        one, two = home.auth.token("ses_1"), home.auth.token("ses_2")
        key = home.auth.api_key()
        statuses = []
        for token in (one, two, one, key):
            answer = await home.client.get("/v1/learnings", headers=home.bearer(token))
            statuses.append(answer.status_code)
        assert statuses == [200, 200, 429, 200]


async def test_trusted_proxy_says_whom_to_count() -> None:
    async with house(rate_limits="learnings=1/3600", trusted_proxies="127.0.0.0/8") as home:

        async def ask(forwarded: str) -> int:
            headers = {"x-forwarded-for": forwarded}
            return (await home.client.get("/v1/learnings", headers=headers)).status_code

        assert await ask("10.0.0.1") == 401
        assert await ask("10.0.0.1") == 429
        assert await ask("9.9.9.9, 10.0.0.1") == 429, "what the client adds does not count"
        assert await ask("10.0.0.2") == 401
        await home.client.get(
            "/v1/health", headers={"x-forwarded-for": "9.9.9.9, 10.0.0.3, 127.0.0.2"}
        )
        assert home.learnings.asked[-1].header("x-guildhall-client") == "10.0.0.3"


async def test_reset_is_in_whole_seconds_of_now(home: House) -> None:
    answer = await home.client.get("/health")
    reset = int(answer.headers["x-ratelimit-reset"])
    assert math.floor(time.time()) <= reset <= time.time() + 61
