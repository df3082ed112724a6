"""Three gateways before the same services count in one store, over HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import httpx
import pytest

from tests.gateway.conftest import house
from tests.gateway.fake_auth import FakeAuth
from tests.gateway.fake_service import FakeService, running
from tests.gateway.gateway_process import GatewayProcess
from tests.support.valkey import Valkey, skip_without_server

pytestmark = pytest.mark.valkey

PASSWORD = "store-pa55word"


@dataclass
class Trio:
    """Three gateway processes, their store, and a client of each."""

    valkey: Valkey
    auth: FakeAuth
    gateways: list[GatewayProcess]
    clients: list[httpx.AsyncClient]


@asynccontextmanager
async def trio(rates: str) -> AsyncIterator[Trio]:
    skip_without_server()
    async with AsyncExitStack() as stack:
        valkey = stack.enter_context(Valkey.running(password=PASSWORD))
        auth = await stack.enter_async_context(running(FakeAuth()))
        learnings = await stack.enter_async_context(running(FakeService()))
        assert isinstance(auth, FakeAuth)
        values = {
            "GUILDHALL_RATE_LIMIT_URL": valkey.url.replace("redis", "valkey"),
            "GUILDHALL_RATE_LIMIT_TIMEOUT": "1",
            "GUILDHALL_RATE_LIMITS": rates,
        }
        gateways = [GatewayProcess(auth, learnings, **values) for _ in range(3)]
        for gateway in gateways:
            await gateway.start()
            stack.push_async_callback(gateway.close)
        clients = []
        for gateway in gateways:
            await gateway.ready()
            client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.port}", timeout=20)
            clients.append(await stack.enter_async_context(client))
        yield Trio(valkey, auth, gateways, clients)


async def statuses(gateway: GatewayProcess, token: str, times: int) -> list[int]:
    """Ask for learnings over and over on one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    found = []
    try:
        async with asyncio.timeout(60):
            for _ in range(times):
                writer.write(
                    b"GET /v1/learnings HTTP/1.1\r\nhost: h\r\n"
                    b"authorization: Bearer %b\r\n\r\n" % token.encode()
                )
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                found.append(int(head[9:12]))
                _, _, length = head.partition(b"content-length: ")
                await reader.readexactly(int(length.partition(b"\r\n")[0]))
    finally:
        writer.close()
    return found


async def login(client: httpx.AsyncClient) -> httpx.Response:
    return await client.post("/v1/auth/login", json={})


async def test_three_gateways_keep_one_limit_and_close_logins_without_their_store() -> None:
    async with trio("learnings=500/3600 auth=6/3600") as house:
        token, began = house.auth.token(), time.monotonic()
        asked = await asyncio.gather(*(statuses(one, token, 230) for one in house.gateways))
        found = [status for each in asked for status in each]
        comes_in = (time.monotonic() - began) * 500 / 3600
        assert set(found) == {200, 429}
        assert 475 <= found.count(200) <= 500 + comes_in + 1

        answers = [await login(house.clients[number % 3]) for number in range(9)]
        assert [answer.status_code for answer in answers] == [200] * 6 + [429] * 3
        left = [answer.headers["x-ratelimit-remaining"] for answer in answers]
        assert left == ["5", "4", "3", "2", "1", "0", "0", "0", "0"]
        for answer in answers:
            assert answer.headers["ratelimit-policy"] == '"auth";q=6;w=3600'
            shown = answer.headers["x-ratelimit-remaining"]
            assert answer.headers["ratelimit"].startswith(f'"auth";r={shown};t=')
        assert 590 <= int(answers[-1].headers["retry-after"]) <= 600

        house.valkey.kill()
        other = house.auth.token("ses_2", sub="usr_2")
        for gateway, client in zip(house.gateways, house.clients, strict=True):
            assert await statuses(gateway, other, 3) == [200] * 3
            answer = await login(client)
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "5"
            assert "detail" in answer.json()
            assert await statuses(gateway, token, 1) == [200], "counted by this gateway alone now"
            samples = await gateway.metrics()
            assert samples["guildhall_gateway_rate_store_up"] == 0
            assert samples["guildhall_gateway_rate_store_outages_total"] == 1
            decisions = "guildhall_gateway_rate_limit_decisions_total"
            assert samples[f'{decisions}{{class="auth",decision="closed"}}'] == 1

        house.valkey.start()
        for gateway, client in zip(house.gateways, house.clients, strict=True):
            await gateway.until(partial(gateway.said, "rate limit store back"))
            assert (await login(client)).status_code == 200
            assert len(gateway.said("rate limit store away")) == 1
            assert PASSWORD not in str(gateway.lines)


async def test_gateway_starts_without_its_store() -> None:
    async with house(rate_limit_url="redis://:word@127.0.0.1:1/0") as home:
        for _ in range(2):
            assert (await home.client.get("/health")).status_code == 200
            answer = await home.client.get("/v1/learnings", headers=home.bearer())
            assert answer.status_code == 200
            answer = await login(home.client)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            poll = await home.client.post("/v1/auth/device/token", json={})
            assert poll.status_code == 200
