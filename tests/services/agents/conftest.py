"""The agents service, running, and callers whose rights stand in its copy of access."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from pydantic_core import to_json

from services.agents import consumers
from services.agents.access.operations import Access
from services.agents.app import SERVICE
from services.auth.roles.rules import BY_STANDING, SEEDS
from shared.bus import Event, Transport
from shared.db import Database
from shared.principal import Kind, Principal
from shared.service import Resources
from shared.settings import ServiceSettings
from tests.support.postgres import DatabaseServer, DatabaseUrls
from tests.support.service import asserting, client_of, settings_for

API = "/api/v0"


def new_name(prefix: str) -> str:
    """Give a name that no other test uses; also one of a namespace."""
    return f"{prefix}-{uuid4().hex[:12]}"


def rule(resources: str, verbs: str, *, names: tuple[str, ...] | None = None) -> dict[str, Any]:
    """A rule of words separated by blanks."""
    written: dict[str, Any] = {
        "api_groups": ["api"],
        "resources": resources.split(),
        "verbs": verbs.split(),
    }
    return written if names is None else written | {"resource_names": list(names)}


def agents_settings(urls: DatabaseUrls, **values: Any) -> ServiceSettings:
    """Settings of a service whose background work stays undone unless told otherwise."""
    return settings_for(SERVICE, urls, **{"GUILDHALL_SERVE_BACKGROUND": False} | values)


class Agents:
    """The running service, and callers of it. Each test works in namespaces of its own."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        sql: asyncpg.Connection[asyncpg.Record],
        resources: Resources,
    ) -> None:
        self.client = client
        self.sql = sql
        self.resources = resources
        self.roles: dict[str, UUID] = {}

    async def prepare(self) -> None:
        """Put into the copy what auth has from the start."""
        standings = {name: [*rules] for name, (_, rules) in BY_STANDING.items()}
        await self.sql.execute(
            "UPDATE agents.access_copy SET standings = $1::text::jsonb, taken_at = now()",
            to_json(standings).decode(),
        )
        for name, (rules, _) in SEEDS.items():
            self.roles[name] = await self._add_role(name, to_json([*rules]).decode())

    async def send(
        self, method: str, path: str, principal: Principal, **options: Any
    ) -> httpx.Response:
        """Send a request as somebody, as the gateway would introduce them.

        A path without the surface's prefix gets it.
        """
        headers = {**asserting("agents", principal), **options.pop("headers", {})}
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

    async def delete(self, path: str, principal: Principal, **options: Any) -> httpx.Response:
        return await self.send("DELETE", path, principal, **options)

    async def role(self, *rules: Mapping[str, Any]) -> str:
        """Make a role of rules, and give its name."""
        name = new_name("role")
        self.roles[name] = await self._add_role(name, json.dumps(rules))
        return name

    async def bind(self, role: str, principal: Principal, namespace: str | None = None) -> UUID:
        """Give a principal a role in a namespace, or everywhere; give the binding's id."""
        match principal.kind:
            case Kind.SERVICE_ACCOUNT:
                return await self._add_binding(
                    role, "ServiceAccount", "robot", principal.subject, namespace
                )
            case Kind.SUBJECT:
                return await self._add_binding(role, "Subject", principal.subject, None, namespace)
        return await self._add_binding(role, "User", "somebody", principal.account, namespace)

    async def bind_group(self, role: str, group: str, namespace: str | None = None) -> UUID:
        """Give a group of external subjects a role."""
        return await self._add_binding(role, "Group", group, None, namespace)

    async def robot(self, *roles: str, namespace: str | None = None, name: str = "") -> Principal:
        """Make a service account that holds some roles."""
        account = uuid4()
        await self.sql.execute(
            """
            INSERT INTO agents.service_account (id, name, active, version)
            VALUES ($1, $2, true, 0)
            """,
            account,
            name or new_name("robot"),
        )
        principal = Principal(Kind.SERVICE_ACCOUNT, str(account), session=f"sas_{uuid4().hex}")
        for role in roles:
            await self.bind(role, principal, namespace)
        return principal

    async def holding(self, *rules: Mapping[str, Any], namespace: str | None = None) -> Principal:
        """Make a service account that holds some rules."""
        return await self.robot(await self.role(*rules), namespace=namespace)

    async def organization(self, slug: str = "") -> tuple[str, str]:
        """Make an organization; give its id and its slug, which is its people's namespace."""
        org, slug = f"org_{uuid4().hex}", slug or new_name("org")
        await self.sql.execute(
            "INSERT INTO agents.organization (id, slug) VALUES ($1, $2)", org, slug
        )
        return org, slug

    def person(self, org: str, role: str = "member", account: str = "") -> Principal:
        """Give a person of an organization."""
        account = account or f"usr_{uuid4().hex}"
        return Principal(Kind.USER, account, org, role, ("*",), f"ses_{uuid4().hex}", account)

    def subject(self, name: str = "", *groups: str) -> Principal:
        """Give an external subject, as an issuer would vouch for it."""
        name = name or new_name("oidc:subject")
        return Principal(Kind.SUBJECT, name, session=f"sas_{uuid4().hex}", groups=groups)

    def key_of(self, person: Principal, *scopes: str) -> Principal:
        """Give an API key of a person; with every scope unless some are named."""
        key = f"key_{uuid4().hex}"
        return Principal(
            Kind.API_KEY, key, person.org, person.role, scopes or ("*",), key, person.account
        )

    async def tell(self, event: Event) -> None:
        """Deliver an event to whichever consumers of the service hear its kind."""
        handlers = [
            subscription.handler
            for subscription in consumers.subscriptions(self.resources)
            if subscription.event is type(event)
        ]
        assert handlers, f"nobody hears {type(event).kind}"
        for handler in handlers:
            async with self.resources[Database].transaction() as connection:
                await handler(connection, event)
        self.forget()

    def forget(self) -> None:
        """Let the service look again at what callers hold, as a broadcast would."""
        self.resources[Access].forget()

    async def _add_role(self, name: str, rules: str) -> UUID:
        role = uuid4()
        await self.sql.execute(
            """
            INSERT INTO agents.role (id, name, rules, version)
            VALUES ($1, $2, $3::text::jsonb, 0)
            """,
            role,
            name,
            rules,
        )
        return role

    async def _add_binding(
        self, role: str, kind: str, name: str, principal_id: str | None, namespace: str | None
    ) -> UUID:
        binding = uuid4()
        await self.sql.execute(
            """
            INSERT INTO agents.role_binding
                   (id, role_id, principal_type, principal_name, principal_id, namespace, version)
            VALUES ($1, $2, $3, $4, $5, $6, 0)
            """,
            binding,
            self.roles[role],
            kind,
            name,
            principal_id,
            namespace,
        )
        self.forget()
        return binding


@asynccontextmanager
async def running(urls: DatabaseUrls, **values: Any) -> AsyncIterator[Agents]:
    """Run the service with an empty copy of access; ``values`` are settings."""
    opened: dict[type, Any] = {}

    @asynccontextmanager
    async def opening(
        settings: Any, database: Database, transport: Transport
    ) -> AsyncIterator[Resources]:
        async with SERVICE.open_resources(settings, database, transport) as resources:
            opened.update({Database: database, Transport: transport, **resources})
            yield resources

    service = replace(SERVICE, open_resources=opening)
    sql = await asyncpg.connect(urls.url("agents"), timeout=10)
    try:
        async with client_of(service, agents_settings(urls, **values)) as client:
            yield Agents(client, sql, opened)
    finally:
        await sql.close(timeout=5)


@pytest.fixture(scope="module")
async def urls(database_server: DatabaseServer) -> AsyncIterator[DatabaseUrls]:
    """A database that the tests of a module share."""
    async with database_server.clone() as cloned:
        yield cloned


@pytest.fixture(scope="module")
async def agents(urls: DatabaseUrls) -> AsyncIterator[Agents]:
    """The running service with the first roles; what it says stays in its outbox."""
    async with running(urls) as agents:
        await agents.prepare()
        yield agents


@pytest.fixture
def namespace() -> str:
    """A namespace that nobody uses."""
    return new_name("ns")
