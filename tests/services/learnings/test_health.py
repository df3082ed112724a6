from __future__ import annotations

import asyncio
from pathlib import Path

from services.learnings.app import SERVICE
from services.learnings.health.routes import PATIENCE
from shared import VERSION
from shared.db import CONNECT_TIMEOUT
from shared.principal import ANONYMOUS
from tests.services.learnings.conftest import Tenant, learnings_settings
from tests.support.door import door_to
from tests.support.postgres import DatabaseUrls
from tests.support.service import client_of


async def test_anybody_may_ask_for_health(tenant: Tenant) -> None:
    anonymous = Tenant(tenant.client, ANONYMOUS)
    answer = await anonymous.send("GET", "/v1/health")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "version": VERSION}


async def test_without_its_database_the_service_says_so_and_recovers(
    urls: DatabaseUrls, tmp_path: Path
) -> None:
    async with door_to(urls) as (door, through):
        settings = learnings_settings(through, tmp_path)
        async with client_of(SERVICE, settings) as client:
            tenant = Tenant(client)
            made = await tenant.record()
            await door.shut()
            health = await tenant.send("GET", "/v1/health")
            assert health.status_code == 503
            assert health.json()["status"] == "error"
            assert health.json()["version"] == VERSION
            assert health.headers["retry-after"]
            for method in ("GET", "POST"):
                refused = await tenant.send(method, "/v1/learnings", json={"summary": "s"})
                assert refused.status_code == 503
                assert set(refused.json()) == {"detail"}
            ready = await client.get("/health/ready")
            assert (ready.status_code, ready.json()["checks"]["database"]) == (503, False)
            await door.open()
            assert (await tenant.send("GET", "/v1/health")).status_code == 200
            assert (await tenant.page())["items"] == [made]


async def test_a_database_that_hangs_is_told_before_clients_give_up(
    urls: DatabaseUrls, tmp_path: Path
) -> None:
    """Section 7, row 12: clients wait five seconds, and nothing more is waited for than that."""
    async with door_to(urls) as (door, through):
        settings = learnings_settings(through, tmp_path)
        async with client_of(SERVICE, settings) as client:
            tenant = Tenant(client)
            assert (await tenant.send("GET", "/v1/health")).status_code == 200
            with door.stuck():
                async with asyncio.timeout(PATIENCE + CONNECT_TIMEOUT - 0.5):
                    health = await tenant.send("GET", "/v1/health")
            assert (health.status_code, health.json()["status"]) == (503, "error")
            assert (await tenant.send("GET", "/v1/health")).status_code == 200
