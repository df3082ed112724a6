"""The events that end a credential before its time; the gateway's only consumers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from gateway.credentials.memory import Credentials
from shared.bus import BroadcastSubscription, Event
from shared.contracts.auth import (
    AccountDeleted,
    AccountDisabled,
    ApiKeyRevoked,
    MachineRevoked,
    MembershipChanged,
    ServiceAccountChanged,
    SessionRevoked,
)


def subscriptions(credentials: Credentials) -> list[BroadcastSubscription[Any]]:
    """Subscribe the memory of credentials to all that may revoke one."""
    fields: tuple[tuple[type[Event], str], ...] = (
        (SessionRevoked, "session_id"),
        (ApiKeyRevoked, "key_id"),
        (AccountDisabled, "account_id"),
        (AccountDeleted, "account_id"),
        (MembershipChanged, "account_id"),
        (ServiceAccountChanged, "service_account_id"),
        (MachineRevoked, "token"),
    )
    return [
        BroadcastSubscription(event, _evict(credentials, field_name))
        for event, field_name in fields
    ]


def _evict(credentials: Credentials, field_name: str) -> Callable[[Event], Awaitable[None]]:
    async def evict(event: Event) -> None:
        credentials.evict(getattr(event, field_name))

    return evict
