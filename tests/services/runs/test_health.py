"""Readiness over HTTP while something that runs need is away (runs contract, 2.1 and 3.1)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest

from tests.services.runs.artifacts_support import folder_of
from tests.services.runs.conftest import Runs
from tests.services.runs.runs_support import until
from tests.support.postgres import DatabaseServer, DatabaseUrls
from tests.support.service import asserting


@pytest.fixture
async def admin(database_server: DatabaseServer) -> AsyncIterator[asyncpg.Connection]:
    """A superuser beside the service's database."""
    connection = await asyncpg.connect(database_server.admin, timeout=10)
    yield connection
    await connection.close(timeout=5)


async def ask(runs: Runs, path: str = "health/ready") -> httpx.Response:
    return await runs.client.get(f"/api/v1/{path}", headers=asserting("runs"))


def assert_not_ready(answer: httpx.Response, away: str) -> None:
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) >= 1
    said = answer.json()
    assert said["type"] == said["error"]["type"] == "not_ready"
    assert said["detail"] == said["error"]["message"]
    assert said["status"] == "unavailable"
    checks = {"database": True, "broker": True, "artifacts": True}
    assert said["checks"] == checks | {away: False}


async def is_ready(runs: Runs) -> bool:
    return (await ask(runs)).status_code == 200


async def test_it_is_not_ready_without_its_object_store(runs: Runs) -> None:
    folder = folder_of(runs)
    aside = folder.with_name("aside")
    folder.rename(aside)
    assert_not_ready(await ask(runs), "artifacts")
    assert (await ask(runs, "health")).status_code == 200
    aside.rename(folder)
    assert await is_ready(runs)


async def test_it_is_not_ready_without_its_database(
    runs: Runs, urls: DatabaseUrls, admin: asyncpg.Connection
) -> None:
    name = urls.admin.rpartition("/")[2].partition("?")[0]
    await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    await end_connections(admin, name)
    assert_not_ready(await ask(runs), "database")
    assert (await ask(runs, "health")).status_code == 200
    await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    await until(lambda: is_ready(runs), "never ready again")


async def test_a_database_that_takes_no_data_is_none(
    runs: Runs, urls: DatabaseUrls, admin: asyncpg.Connection
) -> None:
    name = urls.admin.rpartition("/")[2].partition("?")[0]
    await admin.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    await end_connections(admin, name)
    await ask(runs)  # finds out that its connections are over, and opens others
    assert_not_ready(await ask(runs), "database")
    await admin.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
    await end_connections(admin, name)
    await until(lambda: is_ready(runs), "never ready again")


async def end_connections(admin: asyncpg.Connection, name: str) -> None:
    """End those of the service's own pool, and wait until they are over."""
    ours = "FROM pg_stat_activity WHERE datname = $1 AND usename LIKE '%runs'"
    ours += " AND application_name = 'guildhall'"
    await admin.execute(f"SELECT pg_terminate_backend(pid) {ours}", name)

    async def over() -> bool:
        return not await admin.fetchval(f"SELECT count(*) {ours}", name)

    await until(over, "connections do not end")
