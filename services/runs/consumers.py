"""The event door: what runs hears."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from services.runs.erasures import operations as erasures
from shared.bus import Subscription
from shared.contracts.auth import AccountDeleted
from shared.db import Connection
from shared.service import Resources


async def on_account_deleted(connection: Connection, event: AccountDeleted) -> None:
    """Forget the account."""
    await erasures.forget_account(connection, event.account_id)


SUBSCRIPTIONS: Final[Sequence[Subscription[Any]]] = (
    Subscription("forget_account", AccountDeleted, on_account_deleted),
)


def subscriptions(resources: Resources) -> Sequence[Subscription[Any]]:
    """Give the table; no handler needs a resource."""
    return SUBSCRIPTIONS
