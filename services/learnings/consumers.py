"""The event door: what learnings hears."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from services.learnings.erasures import operations as erasures
from services.learnings.organizations import operations as organizations
from shared.bus import Subscription
from shared.contracts.auth import AccountDeleted, OrganizationCreated, OrganizationDeleted
from shared.db import Connection
from shared.service import Resources


async def on_organization_created(connection: Connection, event: OrganizationCreated) -> None:
    """Keep the organization's name."""
    await organizations.note_created(
        connection,
        org_id=event.org_id,
        name=event.name,
        slug=event.slug,
        said_at=event.occurred_at,
    )


async def on_organization_deleted(connection: Connection, event: OrganizationDeleted) -> None:
    """Forget the organization."""
    await erasures.forget_organization(connection, event.org_id)


async def on_account_deleted(connection: Connection, event: AccountDeleted) -> None:
    """Forget who wrote, and what went along."""
    await erasures.forget_account(connection, event.account_id, event.org_ids)


ERASURE_TIMEOUT_S: Final = 600.0
"""Somebody may have written for years."""

SUBSCRIPTIONS: Final[Sequence[Subscription[Any]]] = (
    Subscription("note_organization", OrganizationCreated, on_organization_created),
    Subscription(
        "forget_organization",
        OrganizationDeleted,
        on_organization_deleted,
        timeout_s=ERASURE_TIMEOUT_S,
    ),
    Subscription("forget_account", AccountDeleted, on_account_deleted, timeout_s=ERASURE_TIMEOUT_S),
)


def subscriptions(resources: Resources) -> Sequence[Subscription[Any]]:
    """Give the table; no handler needs a resource."""
    return SUBSCRIPTIONS
