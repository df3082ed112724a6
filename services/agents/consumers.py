"""The event door: what agents hears.

Events may come late, twice and out of order; what auth says of access is told apart by its numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from services.agents.access import operations as access
from services.agents.erasures import operations as erasures
from shared.bus import Subscription
from shared.contracts.auth import (
    AccountDeleted,
    OrganizationCreated,
    OrganizationDeleted,
    RoleBindingChanged,
    RoleChanged,
    ServiceAccountChanged,
)
from shared.db import Connection
from shared.service import Resources


async def on_account_deleted(connection: Connection, event: AccountDeleted) -> None:
    """Forget the account, and the organizations that went along."""
    await erasures.forget_account(connection, event.account_id, event.org_ids, event.occurred_at)


async def on_organization_deleted(connection: Connection, event: OrganizationDeleted) -> None:
    """End what its people held through it, and forget what is in its namespace."""
    await erasures.forget_organization(connection, event.org_id, event.occurred_at)


ERASURE_TIMEOUT_S: Final = 600.0
"""Somebody may have talked for years."""

SUBSCRIPTIONS: Final[Sequence[Subscription[Any]]] = (
    Subscription("copy_role", RoleChanged, access.hear_role),
    Subscription("copy_role_binding", RoleBindingChanged, access.hear_binding),
    Subscription("copy_service_account", ServiceAccountChanged, access.hear_service_account),
    Subscription("copy_organization", OrganizationCreated, access.note_organization),
    Subscription(
        "end_organization",
        OrganizationDeleted,
        on_organization_deleted,
        timeout_s=ERASURE_TIMEOUT_S,
    ),
    Subscription("forget_account", AccountDeleted, on_account_deleted, timeout_s=ERASURE_TIMEOUT_S),
)


def subscriptions(resources: Resources) -> Sequence[Subscription[Any]]:
    """Give the table; no handler needs a resource."""
    return SUBSCRIPTIONS
