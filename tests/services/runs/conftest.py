"""The runs service, running, and callers of its organizations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from services.runs import consumers
from services.runs.app import SERVICE
from shared.bus import Event, Transport
from shared.db import Database
from shared.principal import Kind, Principal, Role
from shared.service import Resources
from shared.settings import ServiceSettings
from tests.services.runs.suite_texts import SUITE, suite_text
from tests.support.postgres import DatabaseServer, DatabaseUrls
from tests.support.service import asserting, client_of, settings_for

API = "/api/v1"

__all__ = ["SUITE", "suite_text"]


def new_org() -> str:
    """Give an organization that no other test uses."""
    return f"org_{uuid4().hex}"


def runs_settings(urls: DatabaseUrls, **values: Any) -> ServiceSettings:
    """Settings of a service whose background work stays undone unless told otherwise."""
    own = {"GUILDHALL_SERVE_BACKGROUND": False, "GUILDHALL_RUNS_ENCRYPTION_KEY": bytes(range(32))}
    return settings_for(SERVICE, urls, **own | values)


class Runs:
    """The running service. Each test works in organizations of its own."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        sql: asyncpg.Connection[asyncpg.Record],
        resources: Resources,
    ) -> None:
        self.client = client
        self.sql = sql
        self.resources = resources

    @property
    def database(self) -> Database:
        """The service's own pool."""
        found: Database = self.resources[Database]
        return found

    def member(self, org: str = "", account: str = "", role: str = Role.MEMBER) -> Principal:
        """Give a person of an organization, a new one of each unless named."""
        account = account or f"usr_{uuid4().hex}"
        return Principal(
            Kind.USER, account, org or new_org(), role, ("*",), f"ses_{uuid4().hex}", account
        )

    def key_of(self, person: Principal, *scopes: str) -> Principal:
        """Give an API key of a person; with every scope unless some are named."""
        key = f"key_{uuid4().hex}"
        return Principal(
            Kind.API_KEY, key, person.org, person.role, scopes or ("*",), key, person.account
        )

    async def send(
        self, method: str, path: str, principal: Principal, **options: Any
    ) -> httpx.Response:
        """Send a request as somebody, as the gateway would introduce them.

        A path without the surface's prefix gets it.
        """
        headers = {**asserting("runs", principal), **options.pop("headers", {})}
        target = path if path.startswith("/") else f"{API}/{path}"
        return await self.client.request(method, target, headers=headers, **options)

    async def get(self, path: str, principal: Principal, **options: Any) -> httpx.Response:
        return await self.send("GET", path, principal, **options)

    async def post(
        self, path: str, principal: Principal, body: Any = None, **options: Any
    ) -> httpx.Response:
        return await self.send(
            "POST", path, principal, json={} if body is None else body, **options
        )

    async def put(
        self, path: str, principal: Principal, body: Any, **options: Any
    ) -> httpx.Response:
        return await self.send("PUT", path, principal, json=body, **options)

    async def patch(
        self, path: str, principal: Principal, body: Any, **options: Any
    ) -> httpx.Response:
        return await self.send("PATCH", path, principal, json=body, **options)

    async def delete(self, path: str, principal: Principal, **options: Any) -> httpx.Response:
        return await self.send("DELETE", path, principal, **options)

    async def tell(self, event: Event) -> None:
        """Deliver an event to whichever consumers of the service hear its kind."""
        handlers = [
            subscription.handler
            for subscription in consumers.subscriptions(self.resources)
            if subscription.event is type(event)
        ]
        assert handlers, f"nobody hears {type(event).kind}"
        for handler in handlers:
            async with self.database.transaction() as connection:
                await handler(connection, event)

    async def add_suite(
        self, org: str, file: str = "sign-up.tripwire.yaml", text: str = SUITE, **columns: Any
    ) -> str:
        """Write a suite's rows, without the service looking at its text; give its file name."""
        values: Mapping[str, Any] = {
            "suite_id": "sign-up",
            "name": "Sign-up",
            "base_url": "http://127.0.0.1:8400",
            "case_count": 2,
            "tags": ["p0", "smoke"],
            "cases": "[]",
            **columns,
        }
        await self.sql.execute(
            """
            WITH written AS (
                INSERT INTO runs.suite_version (org_id, file, n, etag, author, text)
                VALUES ($1, $2, 1, 'none', 'usr_one', $3))
            INSERT INTO runs.suite (org_id, file, suite_id, name, base_url, version, etag,
                                    case_count, tags, cases, updated_by)
            VALUES ($1, $2, $4, $5, $6, 1, 'none', $7, $8, $9::json, 'usr_one')
            """,
            *(org, file, text, *(values[name] for name in _SUITE_COLUMNS)),
        )
        return file

    async def add_run(self, org: str, **columns: Any) -> str:
        """Write a run's row, queued unless told otherwise; give its id."""
        values: dict[str, Any] = {
            "org_id": org,
            "id": f"run_{uuid4().hex}",
            "file": "sign-up.tripwire.yaml",
            "suite_id": "sign-up",
            "suite_name": "Sign-up",
            "version": 1,
            "trigger": "api",
            "created_by": "usr_one",
            **columns,
        }
        names = ", ".join(values)
        places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
        statement = f"INSERT INTO runs.run ({names}) VALUES ({places})"  # noqa: S608
        await self.sql.execute(statement, *values.values())
        return str(values["id"])


_SUITE_COLUMNS = ("suite_id", "name", "base_url", "case_count", "tags", "cases")


@asynccontextmanager
async def running(urls: DatabaseUrls, **values: Any) -> AsyncIterator[Runs]:
    """Run the service; ``values`` are settings."""
    opened: dict[type, Any] = {}

    @asynccontextmanager
    async def opening(
        settings: Any, database: Database, transport: Transport
    ) -> AsyncIterator[Resources]:
        async with SERVICE.open_resources(settings, database, transport) as resources:
            opened.update({Database: database, Transport: transport, **resources})
            yield resources

    service = replace(SERVICE, open_resources=opening)
    sql = await asyncpg.connect(urls.url("runs"), timeout=10)
    try:
        with TemporaryDirectory() as folder:
            own = {"GUILDHALL_DATA_DIR": folder}
            async with client_of(service, runs_settings(urls, **own | values)) as client:
                yield Runs(client, sql, opened)
    finally:
        await sql.close(timeout=5)


@pytest.fixture(scope="module")
async def urls(database_server: DatabaseServer) -> AsyncIterator[DatabaseUrls]:
    """A database that the tests of a module share."""
    async with database_server.clone() as cloned:
        yield cloned


@pytest.fixture(scope="module")
async def runs(urls: DatabaseUrls) -> AsyncIterator[Runs]:
    """The running service; what it says stays in its outbox."""
    async with running(urls) as runs:
        yield runs


@pytest.fixture
def org() -> str:
    """An organization that nobody uses."""
    return new_org()
