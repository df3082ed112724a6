"""The learnings service, running, and organizations to be a stranger in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from services.learnings.app import SERVICE
from shared.principal import Principal
from shared.settings import ServiceSettings
from tests.support.postgres import DatabaseServer, DatabaseUrls
from tests.support.service import asserting, client_of, person, settings_for


@dataclass
class Tenant:
    """One organization of its own, and its requests to the service."""

    client: httpx.AsyncClient
    principal: Principal = field(default_factory=lambda: person(org=f"org_{uuid4().hex}"))

    @property
    def org(self) -> str:
        return self.principal.org

    async def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = asserting("learnings", self.principal) | options.pop("headers", {})
        return await self.client.request(method, path, headers=headers, **options)

    async def record(self, **fields: Any) -> dict[str, Any]:
        # A summary of its own, because learnings of one text are one learning to a list.
        body = {"summary": uuid4().hex} | fields
        answer = await self.send("POST", "/v1/learnings", json=body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def page(self, **query: Any) -> dict[str, Any]:
        answer = await self.send("GET", "/v1/learnings", params=query)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def ids(self, **query: Any) -> list[str]:
        return [item["id"] for item in (await self.page(**query))["items"]]


@pytest.fixture(scope="module")
async def urls(database_server: DatabaseServer) -> AsyncIterator[DatabaseUrls]:
    """A database that the tests of a module share; each works in organizations of its own."""
    async with database_server.clone() as cloned:
        yield cloned


def learnings_settings(urls: DatabaseUrls, folder: Path, **values: Any) -> ServiceSettings:
    """Settings of a service whose background work stays undone unless told otherwise."""
    own = {
        "GUILDHALL_SERVE_BACKGROUND": False,
        "GUILDHALL_ROOT_SECRET": bytes(range(32)),
        "GUILDHALL_DATA_DIR": folder,
    }
    return settings_for(SERVICE, urls, **own | values)


@pytest.fixture(scope="module")
async def client(
    urls: DatabaseUrls, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx.AsyncClient]:
    """The running service; what it says stays in its outbox."""
    settings = learnings_settings(urls, tmp_path_factory.mktemp("learnings"))
    async with client_of(SERVICE, settings) as client:
        yield client


@pytest.fixture(scope="module")
async def sql(urls: DatabaseUrls) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection of the service's own role, to look behind the answers."""
    connection = await asyncpg.connect(urls.url("learnings"), timeout=10)
    yield connection
    await connection.close(timeout=5)


@pytest.fixture
def tenant(client: httpx.AsyncClient) -> Tenant:
    """An organization that nobody has seen."""
    return Tenant(client)


@pytest.fixture
def stranger(client: httpx.AsyncClient) -> Tenant:
    """Another one."""
    return Tenant(client)
