"""Running a service inside a test: the real app, its lifespan entered, on a real database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from starlette.types import ASGIApp, Message

from shared.principal import ANONYMOUS, ASSERTION_HEADER, Kind, Principal, Role, sign_assertion
from shared.service import Service, create_app
from shared.settings import ServiceSettings

ASSERTION_KEY = bytes(range(32))


def person(
    org: str = "org_one", account: str = "usr_one", role: str = Role.OWNER, session: str = "ses_one"
) -> Principal:
    """A person with every scope in an organization."""
    return Principal(Kind.USER, account, org, role, ("*",), session, account)


def asserting(service: str, principal: Principal = ANONYMOUS) -> dict[str, str]:
    """The headers with which the gateway introduces a principal to a service."""
    return {ASSERTION_HEADER: sign_assertion(ASSERTION_KEY, service, principal, time.time())}


@asynccontextmanager
async def lifespan_of(app: ASGIApp) -> AsyncIterator[None]:
    """Start and stop an app as a server would."""
    inbox: asyncio.Queue[Message] = asyncio.Queue()
    outbox: asyncio.Queue[Message] = asyncio.Queue()
    task = asyncio.ensure_future(app({"type": "lifespan", "state": {}}, inbox.get, outbox.put))
    await inbox.put({"type": "lifespan.startup"})
    message = await asyncio.wait_for(outbox.get(), 20)
    assert message["type"] == "lifespan.startup.complete", message
    try:
        yield
    finally:
        await inbox.put({"type": "lifespan.shutdown"})
        await asyncio.wait_for(outbox.get(), 20)
        await task


def settings_for(service: Service, urls: Any, **values: Any) -> ServiceSettings:
    """Settings of a service on a test's own database and bus."""
    fields = {
        "GUILDHALL_PROFILE": "development",
        "GUILDHALL_DATABASE_URL": urls.url(service.name),
        "GUILDHALL_BROKER_URL": urls.url("bus"),
        "GUILDHALL_ASSERTION_KEY": ASSERTION_KEY,
    }
    return service.settings.model_validate(fields | values)


@asynccontextmanager
async def client_of(
    service: Service, settings: ServiceSettings
) -> AsyncIterator[httpx.AsyncClient]:
    """A client that speaks to a running service directly, without the gateway."""
    app = create_app(service, settings)
    async with (
        lifespan_of(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url=f"http://{service.name}", timeout=20
        ) as client,
    ):
        yield client
