"""The event door: what runs hears."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from services.runs.erasures import operations as erasures
from shared.bus import Subscription
from shared.contracts.auth import AccountDeleted, OrganizationDeleted
from shared.db import Connection
from shared.service import Resources


async def on_account_deleted(connection: Connection, event: AccountDeleted) -> None:
    """Forget the account, and the organizations that went along."""
    await erasures.forget_account(connection, event.account_id, event.org_ids)


async def on_organization_deleted(connection: Connection, event: OrganizationDeleted) -> None:
    """Forget all that the organization had."""
    await erasures.forget_organization(connection, event.org_id)


ERASURE_TIMEOUT_S: Final = 600.0
"""Somebody may have run suites for years."""

SUBSCRIPTIONS: Final[Sequence[Subscription[Any]]] = (
    Subscription("forget_account", AccountDeleted, on_account_deleted, timeout_s=ERASURE_TIMEOUT_S),
    Subscription(
        "forget_organization",
        OrganizationDeleted,
        on_organization_deleted,
        timeout_s=ERASURE_TIMEOUT_S,
    ),
)


def subscriptions(resources: Resources) -> Sequence[Subscription[Any]]:
    """Give the table; no handler needs a resource."""
    return SUBSCRIPTIONS
