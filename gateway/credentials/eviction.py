"""The events that end a credential before its time; the gateway's only consumers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

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


class Holder(Protocol):
    """What holds on to credentials, or to what they opened."""

    def evict(self, tag: str) -> None:
        """Let go of those of a session, account, key, service account or machine."""


def subscriptions(*holders: Holder) -> list[BroadcastSubscription[Any]]:
    """Subscribe what holds on to credentials to all that may revoke one."""
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
        BroadcastSubscription(event, _evict(holders, field_name)) for event, field_name in fields
    ]


def _evict(holders: Sequence[Holder], field_name: str) -> Callable[[Event], Awaitable[None]]:
    async def evict(event: Event) -> None:
        tag = getattr(event, field_name)
        for holder in holders:
            holder.evict(tag)

    return evict
