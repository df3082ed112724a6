"""What callers are told of the limits, on every surface."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Callable

import pytest

from tests.gateway.caller import calling, request
from tests.gateway.conftest import PATIENT, House, house

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


RUNS_PATHS = ("suites", "runs", "runs/queue", "artifacts/run_1/a.png", "heals", "analytics")


async def test_runs_takes_600_a_minute_whatever_is_asked() -> None:
    """Runs contract, section 16: as many as that by default, counted together."""
    async with house(PATIENT) as home:
        pipeline, now = home.gateway.pipeline, time.monotonic()
        pipeline._clock = lambda: now  # no token comes in meanwhile, however long this takes
        token = home.auth.token()
        lines = [
            request("GET", f"/api/v1/{path}", f"authorization: Bearer {token}")
            for path in RUNS_PATHS
        ]
        async with calling(home.port) as caller:
            caller.send(b"".join(lines) * 100)
            for left in range(599, -1, -1):
                answer = await caller.answer()
                assert (answer.status, answer.header("x-ratelimit-limit")) == (200, "600")
                assert answer.header("x-ratelimit-remaining") == str(left)
                assert answer.header("x-ratelimit-reset").isdigit()
            for line in lines:
                caller.send(line)
                answer = await caller.answer()
                assert (answer.status, answer.header("retry-after")) == (429, "1")
                assert answer.header("x-ratelimit-remaining") == "0"
                assert json.loads(answer.body) == REFUSALS["runs"](1)
            now += 1
            for status in [200] * 10 + [429]:
                caller.send(lines[0])
                assert (await caller.answer()).status == status
        assert len(home.services["runs"].asked) == 610


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
