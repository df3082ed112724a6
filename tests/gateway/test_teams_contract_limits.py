"""The teams contract where it is the gateway's: section 9, limits, and 13, what no log may hold."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Iterable

import httpx
import pytest

from gateway.rate_limit.rates import FIXED_WINDOWS, default_rates
from tests.gateway.conftest import House, house
from tests.gateway.fake_service import FakeService, plain, running
from tests.gateway.gateway_process import gateway_process
from tests.gateway.machines import Machine

ADA = Machine(bytes(range(32)))
LIMITED = {"error": "rate limit exceeded"}
CLAIM = "/api/teams/claim"
DEVICE = "/api/auth/device"

BUCKETS = {
    "signed": 60,
    "signed_address": 600,
    "clone": 60,
    "device_start": 10,
    "device_poll": 60,
    "claim": 10,
    "claim_address": 30,
    "web_login": 10,
    "account": 60,
    "failed_signature": 120,
}


async def ask(
    home: House, method: str, target: str, machine: Machine = ADA, **changes: str
) -> httpx.Response:
    """Send a signed request; a POST has a body that names its machine."""
    body = machine.body() if method == "POST" else b""
    headers = machine.headers(method, target, body)
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    return await home.client.request(method, target, content=body, headers=headers)


async def statuses(
    home: House, number: int, method: str, target: str, machine: Machine = ADA
) -> list[int]:
    return [(await ask(home, method, target, machine)).status_code for _ in range(number)]


def test_buckets_are_the_contracts() -> None:
    rates = default_rates()
    assert {name: (rates[name].limit, rates[name].window) for name in BUCKETS} == {
        name: (limit, 60.0) for name, limit in BUCKETS.items()
    }
    assert BUCKETS.keys() <= FIXED_WINDOWS


async def test_sixty_first_request_of_a_machine() -> None:
    async with house() as home:
        mine, other = f"/api/teams/{ADA.token}/head", Machine()
        began = time.time()
        for left in reversed(range(60)):
            answer = await ask(home, "GET", mine)
            assert answer.status_code == 200
            assert answer.headers["x-ratelimit-limit"] == "60"
            assert answer.headers["x-ratelimit-remaining"] == str(left)
        reset = int(answer.headers["x-ratelimit-reset"])
        assert began + 59 < reset <= time.time() + 61
        answer = await ask(home, "GET", mine)
        assert (answer.status_code, answer.json()) == (429, LIMITED)
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert answer.headers["x-ratelimit-remaining"] == "0"
        # Neither others of the address nor what is counted apart is blocked.
        assert await statuses(home, 1, "GET", f"/api/teams/{other.token}/head", other) == [200]
        assert await statuses(home, 11, "POST", CLAIM) == [200] * 10 + [429]
        assert await statuses(home, 11, "POST", DEVICE) == [200] * 10 + [429]
        assert await statuses(home, 61, "GET", f"{DEVICE}/0a") == [200] * 60 + [429]
        assert (await home.client.get("/api/teams/clone/x")).status_code == 200


async def test_claims_of_an_address() -> None:
    async with house() as home:
        for machine in (Machine(), Machine(), Machine()):
            assert await statuses(home, 10, "POST", CLAIM, machine) == [200] * 10
        answer = await ask(home, "POST", CLAIM, Machine())
        assert (answer.status_code, answer.json()) == (429, LIMITED)
        assert answer.headers["x-ratelimit-limit"] == "30", "that bucket speaks which refuses"
        mine = await ask(home, "GET", f"/api/teams/{ADA.token}")
        assert mine.headers["x-ratelimit-remaining"] == "59", "claims are counted once"


async def test_repeats_and_refusals_of_the_service_count() -> None:
    async with house(rate_limits="signed=2/3600") as home:
        body, found = ADA.body(), []
        headers = ADA.headers("POST", "/api/join", body)
        for _ in range(3):
            answer = await home.client.post("/api/join", content=body, headers=headers)
            found.append(answer.status_code)
        assert found == [200, 200, 429]


async def test_clones_are_counted_by_address() -> None:
    async with house() as home:
        for number in range(61):
            given = {"x-forwarded-for": f"10.0.0.{number}"}  # nobody's word but a proxy's counts
            answer = await home.client.get(f"/api/teams/clone/{number}", headers=given)
            assert answer.status_code == (200 if number < 60 else 429)
        assert answer.json() == LIMITED
        assert await statuses(home, 1, "GET", f"/api/teams/{ADA.token}") == [200]


async def test_failures_of_an_address() -> None:
    async with house() as home:
        path = f"/api/teams/{ADA.token}"
        for number in range(122):
            answer = await ask(home, "GET", path, x_trc_signature="A" * 86)
            assert answer.status_code == (401 if number < 120 else 429)
            assert answer.headers["x-ratelimit-limit"] == "120"
        assert answer.json() == LIMITED
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert (await ask(home, "GET", path)).status_code == 200, "only failures are refused"
        assert await statuses(home, 1, "POST", CLAIM, Machine()) == [200]


@pytest.mark.parametrize("limited", ["signed", "signed_address", "claim", "failed_signature"])
async def test_waiting_as_told_is_enough(limited: str) -> None:
    method, path = ("POST", CLAIM) if limited == "claim" else ("GET", f"/api/teams/{ADA.token}")
    spoils = limited == "failed_signature"
    async with house(rate_limits=f"{limited}=2/2") as home:

        async def again() -> httpx.Response:
            if spoils:
                return await ask(home, method, path, x_trc_signature="A" * 86)
            return await ask(home, method, path)

        while (answer := await again()).status_code != 429:
            assert answer.headers["x-ratelimit-limit"] == "2", "the bucket nearest its limit"
        retry = int(answer.headers["retry-after"])
        assert 1 <= retry <= 2
        await asyncio.sleep(retry)
        assert (await again()).status_code == (401 if spoils else 200)


# 13. Credentials never logged.


def _held(secrets: Iterable[str], text: str) -> list[str]:
    return [secret for secret in secrets if secret in text]


@pytest.mark.parametrize("status", [200, 404, 500])
async def test_no_output_holds_a_token_a_ticket_or_a_code(status: int) -> None:
    teams = FakeService()

    async def behave(
        asked: object, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(plain(status, b"{}"))

    teams.behave = behave
    stranger = Machine()
    codes = [f"trc_{kind}_" + kind * 8 for kind in ("inv", "cl", "ocs", "view")]
    invite, clone, claim, view = codes
    ticket = ADA.ticket()
    body = ADA.body(invite_code=invite, claim_secret=claim)
    asked = [
        ("GET", f"/api/teams/{ADA.token}/export", b""),
        ("GET", f"/api/teams/tasks/{ADA.token}", b""),
        ("DELETE", f"/api/token/{ADA.token}/erase", b""),
        ("POST", "/api/join", body),
        ("POST", "/api/account/reassociate", body),
        ("POST", "/api/join", body + b"x"),
        ("GET", f"/api/teams/clone/{clone}", b""),
        ("GET", f"/invite/{invite}", b""),
        ("POST", f"/invite/{invite}", b"code=" + invite.encode()),
        ("GET", f"/teams/5e3a?view={view}", b""),
        ("GET", f"/t/{clone}", b""),
        ("GET", f"/socket/websocket?ticket={ticket}", b""),
        ("GET", f"/api/nowhere/{ADA.token}/{claim}", b""),
        ("GET", f"/api/account/machines/{ADA.token}", b""),
    ]
    upgrade = {
        "connection": "upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    async with running(teams):
        values = {"GUILDHALL_TEAMS_URL": teams.url, "GUILDHALL_LOG_LEVEL": "debug"}
        async with gateway_process(values=values) as gateway:
            base = f"http://127.0.0.1:{gateway.port}"
            async with httpx.AsyncClient(base_url=base, timeout=20) as client:
                for method, path, content in asked:
                    for machine in (ADA, stranger):
                        headers = machine.headers(method, path, content)
                        headers |= {"cookie": f"session={view}", "referer": base + path}
                        await client.request(method, path, content=content, headers=headers)
                    await client.request(method, path, content=content)
                await client.get(f"/socket/websocket?ticket={ticket}&vsn=2.0.0", headers=upgrade)
                await client.get(f"/socket/websocket?ticket={ticket}x", headers=upgrade)
            metrics = str(await gateway.metrics())
            gateway.tell(signal.SIGTERM)
            await gateway.ended()
        output = json.dumps(gateway.lines)
    assert teams.asked
    assert "request denied" in output
    mine = ADA.headers("GET", f"/api/teams/{ADA.token}/export")["x-trc-signature"]
    secrets = [*codes, ADA.token[12:], stranger.token[12:], ticket.rpartition(".")[2], mine]
    assert _held(secrets, output + metrics) == []
    assert '/api/teams"' in output
