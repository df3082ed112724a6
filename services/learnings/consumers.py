"""The event door: what learnings hears."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from services.learnings.organizations import operations as organizations
from shared.bus import Subscription
from shared.contracts.auth import OrganizationCreated
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


SUBSCRIPTIONS: Final[Sequence[Subscription[Any]]] = (
    Subscription("note_organization", OrganizationCreated, on_organization_created),
)


def subscriptions(resources: Resources) -> Sequence[Subscription[Any]]:
    """Give the table; no handler needs a resource."""
    return SUBSCRIPTIONS
