"""What administrators can do with their organization's webhooks."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Final

from services.learnings.webhooks import rules
from services.learnings.webhooks.models import (
    MOST_WEBHOOKS,
    NewWebhook,
    Webhook,
    WebhookChange,
    WebhookWithSecret,
)
from services.learnings.webhooks.operations.ringing import note_work
from services.learnings.webhooks.store import hooks
from shared.db import Database
from shared.errors import Conflict, Invalid, NotFound
from shared.ids import new_id
from shared.pagination import Page, PageQuery, page_of
from shared.targets import TargetPolicy
from shared.vault import Vault

OVERLAP: Final = timedelta(hours=24)
"""For which a replaced secret signs as well."""


async def create(
    database: Database, vault: Vault, policy: TargetPolicy, org_id: str, new: NewWebhook
) -> WebhookWithSecret:
    """Add a webhook; its secret is shown only now.

    Raises:
        Invalid: nothing could be delivered to its address.
        Conflict: the organization has as many as it may have.
    """
    rules.check_url(new.url, policy)
    key = secrets.token_bytes(rules.SECRET_SIZE)
    async with database.transaction() as connection:
        await hooks.lock_organization(connection, org_id)
        if await hooks.count(connection, org_id) >= MOST_WEBHOOKS:
            raise Conflict(f"An organization has at most {MOST_WEBHOOKS} webhooks")
        made = await hooks.insert(connection, org_id, new_id("whk_"), new, vault.seal(key))
    return _with_secret(made, key)


async def page(database: Database, org_id: str, query: PageQuery) -> Page[Webhook]:
    """List an organization's webhooks, newest first."""
    async with database.connection() as connection:
        items = await hooks.page(connection, org_id, query.page_size, query.offset)
        total = await hooks.count(connection, org_id)
    return page_of(items, total, query)


async def show(database: Database, org_id: str, webhook_id: str) -> Webhook:
    """Give one webhook.

    Raises:
        NotFound: there is none, or it is another tenant's.
    """
    async with database.connection() as connection:
        return _found(await hooks.read(connection, org_id, webhook_id))


async def change(
    database: Database, policy: TargetPolicy, org_id: str, webhook_id: str, wanted: WebhookChange
) -> Webhook:
    """Change what was sent; enabling makes good whatever failed before.

    What waits is delivered to a new address too, and when a disabled webhook is enabled again.

    Raises:
        NotFound: there is none, or it is another tenant's.
        Invalid: nothing was sent, or nothing could be delivered to the address.
    """
    fields = wanted.model_dump(exclude_none=True)
    if not fields:
        names = ", ".join(WebhookChange.model_fields)
        raise Invalid.field("body", msg=f"give at least one of {names}", type="missing")
    if wanted.url is not None:
        rules.check_url(wanted.url, policy)
    async with database.transaction() as connection:
        standing = await hooks.lock(connection, org_id, webhook_id)
        if standing is None:
            raise NotFound
        changed = await hooks.change(connection, org_id, webhook_id, fields)
        if wanted.enabled is True and standing["disabled_at"] is not None:
            changed = await hooks.enable(connection, org_id, webhook_id)
            note_work()
        elif wanted.enabled is False and standing["disabled_at"] is None:
            changed = await hooks.disable(connection, org_id, webhook_id, "administrator")
    return _found(changed)


async def rotate(
    database: Database, vault: Vault, org_id: str, webhook_id: str
) -> WebhookWithSecret:
    """Give a webhook a new secret, shown only now; for a day messages are signed with both.

    Raises:
        NotFound: there is none, or it is another tenant's.
    """
    key = secrets.token_bytes(rules.SECRET_SIZE)
    async with database.statement() as connection:
        changed = await hooks.rotate(
            connection, org_id, webhook_id, vault.seal(key), OVERLAP.total_seconds()
        )
    return _with_secret(_found(changed), key)


async def delete(database: Database, org_id: str, webhook_id: str) -> None:
    """Delete a webhook with its deliveries; one that is on its way may still arrive.

    Raises:
        NotFound: there is none, or it is another tenant's.
    """
    async with database.statement() as connection:
        if not await hooks.delete(connection, org_id, webhook_id):
            raise NotFound


def _found(webhook: Webhook | None) -> Webhook:
    if webhook is None:
        raise NotFound
    return webhook


def _with_secret(webhook: Webhook, key: bytes) -> WebhookWithSecret:
    return WebhookWithSecret(**webhook.model_dump(), secret=rules.secret_text(key))
