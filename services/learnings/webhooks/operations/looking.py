"""What administrators can do with deliveries, and how long those are kept."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from pydantic_core import to_json

from services.learnings.webhooks import rules
from services.learnings.webhooks.models import TEST_TYPE, Delivery, DeliveryQuery
from services.learnings.webhooks.operations.ringing import note_work
from services.learnings.webhooks.store import deliveries as store
from services.learnings.webhooks.store import hooks
from shared.db import Connection, Database
from shared.errors import Conflict, NotFound
from shared.ids import new_id
from shared.pagination import TOTAL_CAP, Page, page_of

KEPT_DAYS: Final = 30
SWEEP_BATCH: Final = 1_000


async def deliveries(
    database: Database, org_id: str, webhook_id: str, query: DeliveryQuery
) -> Page[Delivery]:
    """List a webhook's deliveries, newest first; of very many the newest only.

    Raises:
        NotFound: there is no such webhook, or it is another tenant's.
    """
    async with database.connection() as connection:
        if await hooks.read(connection, org_id, webhook_id) is None:
            raise NotFound
        items: list[Delivery] = []
        if query.offset < TOTAL_CAP:
            items = await store.page(
                connection, org_id, webhook_id, query.status, query.page_size, query.offset
            )
        total = await store.count(connection, org_id, webhook_id, query.status, TOTAL_CAP)
    return page_of(items, total, query)


async def send_test(database: Database, org_id: str, webhook_id: str) -> Delivery:
    """Queue a message of type ``webhook.test`` for a webhook, whatever it listens to.

    Raises:
        NotFound: there is no such webhook, or it is another tenant's.
        Conflict: it is disabled.
    """
    data = to_json({"webhook_id": webhook_id, "message": "This is a test."}).decode()
    body = rules.body_of(TEST_TYPE, datetime.now(UTC), data)
    delivery_id = new_id("dlv_")
    async with database.transaction() as connection:
        await _lock_enabled(connection, org_id, webhook_id)
        await store.insert(
            connection, org_id, new_id("msg_"), TEST_TYPE, body, [webhook_id], [delivery_id]
        )
        return await _begin(connection, org_id, webhook_id, delivery_id)


async def redeliver(database: Database, org_id: str, webhook_id: str, delivery_id: str) -> Delivery:
    """Try a delivery now, under the same message id, whatever became of it before.

    Raises:
        NotFound: there is no such, or it is another tenant's.
        Conflict: the webhook is disabled.
    """
    async with database.transaction() as connection:
        await _lock_enabled(connection, org_id, webhook_id)
        if not await store.begin_again(connection, org_id, webhook_id, delivery_id):
            raise NotFound
        return await _begin(connection, org_id, webhook_id, delivery_id)


async def _lock_enabled(connection: Connection, org_id: str, webhook_id: str) -> None:
    standing = await hooks.lock(connection, org_id, webhook_id)
    if standing is None:
        raise NotFound
    if standing["disabled_at"] is not None:
        raise Conflict("The webhook is disabled; enable it first")


async def _begin(
    connection: Connection, org_id: str, webhook_id: str, delivery_id: str
) -> Delivery:
    await hooks.wake(connection, org_id, [webhook_id], at_once=True)
    note_work()
    found = await store.read(connection, org_id, webhook_id, delivery_id)
    assert found is not None  # written in this transaction
    return found


async def sweep(database: Database) -> None:
    """Delete messages and deliveries that are older than they are kept."""
    deleted = SWEEP_BATCH
    while deleted == SWEEP_BATCH:
        async with database.statement() as connection:
            deleted = await store.delete_old(connection, KEPT_DAYS, SWEEP_BATCH)
