"""Webhooks under test: administrators of them, couriers that deliver, receivers that answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import asyncpg
from standardwebhooks import Webhook

from services.learnings.settings import LearningsSettings
from services.learnings.webhooks import operations
from shared.db import Database
from shared.vault import Vault
from tests.gateway.fake_service import Asked, Behaviour, FakeService, answering, plain, running
from tests.services.learnings.conftest import Tenant, learnings_settings
from tests.support.postgres import DatabaseUrls

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
PATIENCE = 20.0


async def until(condition: Callable[[], Awaitable[Any]], what: str) -> Any:
    """Wait for a condition, and give what it gave."""
    deadline = time.monotonic() + PATIENCE
    while not (found := await condition()):
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.01)
    return found


@dataclass
class Hooks:
    """An organization's webhooks, through the API."""

    tenant: Tenant

    async def create(self, url: str, **fields: Any) -> dict[str, Any]:
        answer = await self.tenant.send("POST", "/v1/webhooks", json={"url": url} | fields)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def show(self, webhook_id: str) -> dict[str, Any]:
        answer = await self.tenant.send("GET", f"/v1/webhooks/{webhook_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def change(self, webhook_id: str, **fields: Any) -> dict[str, Any]:
        answer = await self.tenant.send("PATCH", f"/v1/webhooks/{webhook_id}", json=fields)
        assert answer.status_code == 200, answer.text
        changed: dict[str, Any] = answer.json()
        return changed

    async def test(self, webhook_id: str) -> dict[str, Any]:
        answer = await self.tenant.send("POST", f"/v1/webhooks/{webhook_id}/test")
        assert answer.status_code == 201, answer.text
        queued: dict[str, Any] = answer.json()
        return queued

    async def deliveries(self, webhook_id: str, **query: Any) -> list[dict[str, Any]]:
        path = f"/v1/webhooks/{webhook_id}/deliveries"
        answer = await self.tenant.send("GET", path, params=query)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def tried(self, webhook_id: str, attempts: int = 1) -> dict[str, Any]:
        """Wait until the newest delivery was tried so often and is written down; give it."""

        async def newest() -> dict[str, Any] | None:
            found = (await self.deliveries(webhook_id))[0]
            is_written = found["duration_ms"] is not None
            return found if found["attempts"] >= attempts and is_written else None

        found: dict[str, Any] = await until(newest, f"not tried {attempts} times")
        return found


def answer_with(status: int, body: bytes = b"", *headers: str) -> Behaviour:
    return answering(plain(status, body, *headers))


async def silence(asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer nothing until the other side hangs up."""
    await reader.read()


@asynccontextmanager
async def receiver() -> AsyncIterator[FakeService]:
    """A server that takes everything."""
    async with running(FakeService()) as service:
        service.behave = answer_with(204)
        yield service


async def got(service: FakeService, count: int) -> list[Asked]:
    """Wait until a receiver was asked so often."""

    async def enough() -> list[Asked] | None:
        return service.asked if len(service.asked) >= count else None

    asked: list[Asked] = await until(enough, f"only {len(service.asked)} of {count} came")
    return asked


def verified(secret: str, asked: Asked) -> Any:
    """Check a message as the specification's own library does, and give its content."""
    return Webhook(secret).verify(asked.body, dict(asked.headers))


@asynccontextmanager
async def courier(urls: DatabaseUrls, folder: Path, **values: Any) -> AsyncIterator[Database]:
    """Deliver as a process of the service does; give its database."""
    settings = learnings_settings(urls, folder, **values)
    assert isinstance(settings, LearningsSettings)
    database = await Database.connect(urls.url("learnings"))
    try:
        resources = {
            LearningsSettings: settings,
            Vault: Vault(settings.key_for_secrets()),
        }
        async with operations.delivering(resources, database):
            yield database
    finally:
        await database.close()


async def make_due(sql: Sql, org_id: str) -> None:
    """Let all that waits in an organization be due now, and nothing rest."""
    await sql.execute(
        "UPDATE learnings.webhook_delivery SET due_at = now()"
        " WHERE org_id = $1 AND status = 'pending'",
        org_id,
    )
    await sql.execute(
        "UPDATE learnings.webhook SET next_at = now(), rests_until = NULL"
        " WHERE org_id = $1 AND disabled_at IS NULL AND held_until IS NULL",
        org_id,
    )


async def queue(sql: Sql, org_id: str, webhook_id: str, count: int) -> None:
    """Let so many messages wait, as if they had been told one a second until now."""
    name = uuid4().hex
    await sql.execute(
        """
        INSERT INTO learnings.webhook_message (org_id, id, type, body, created_at)
        SELECT $1, 'msg_' || $2 || n, 'learning.recorded', '{"n":' || n || '}',
               now() - ($3 - n) * interval '1 s'
          FROM generate_series(1, $3::int) AS n
        """,
        org_id,
        name,
        count,
    )
    await sql.execute(
        """
        INSERT INTO learnings.webhook_delivery
               (org_id, id, webhook_id, message_id, created_at, due_at)
        SELECT $1, 'dlv_' || substr(id, 5), $2, id, created_at, created_at
          FROM learnings.webhook_message WHERE org_id = $1 AND id LIKE 'msg_' || $3 || '%'
        """,
        org_id,
        webhook_id,
        name,
    )
    await make_due(sql, org_id)
