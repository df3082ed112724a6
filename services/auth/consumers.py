"""The event door: what auth hears, its own news among it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from services.auth.audit_events import operations as audit_events
from services.auth.audit_events.models import AuditEvent, Origin
from services.auth.erasures import operations as erasures
from services.auth.machines import operations as machines
from services.auth.organizations import operations as organizations
from services.auth.role_bindings import operations as role_bindings
from shared.bus import Subscription
from shared.contracts.agents import NamespaceClaimed
from shared.contracts.auth import AccountVerified
from shared.contracts.learnings import ErasureCompleted
from shared.contracts.runs import SettingsChanged
from shared.contracts.teams import MachineSeen
from shared.db import Connection
from shared.principal import Kind, Principal
from shared.service import Resources


async def on_erasure_completed(connection: Connection, event: ErasureCompleted) -> None:
    """Note that one more service has forgotten an account.

    Every service says this kind in the same words; ``service`` tells which one it was.
    """
    await erasures.note_answer(connection, event.account_id, event.service)


async def on_account_verified(connection: Connection, event: AccountVerified) -> None:
    """Give the person what was bound to their address before they came."""
    await role_bindings.resolve_person(connection, event.account_id)


async def on_machine_seen(connection: Connection, event: MachineSeen) -> None:
    """Note when teams last heard of a machine."""
    await machines.note_seen(connection, event.token, event.at)


async def on_namespace_claimed(connection: Connection, event: NamespaceClaimed) -> None:
    """Note that there is something in a namespace, so that no new organization is called so."""
    await organizations.note_namespace(connection, event.namespace)


async def on_settings_changed(connection: Connection, event: SettingsChanged) -> None:
    """Write down who changed which settings of other systems."""
    actor = Principal(Kind.USER, event.account_id, event.org_id, account=event.account_id)
    detail = {"written": event.written, "cleared": event.cleared}
    told = AuditEvent("settings.changed", Origin(), actor, event.org_id, detail=detail)
    await audit_events.record(connection, told)


SUBSCRIPTIONS: Final[Sequence[Subscription[Any]]] = (
    Subscription("close_erasure", ErasureCompleted, on_erasure_completed),
    Subscription("bind_verified_person", AccountVerified, on_account_verified),
    Subscription("note_machine_seen", MachineSeen, on_machine_seen),
    Subscription("note_namespace", NamespaceClaimed, on_namespace_claimed),
    Subscription("note_settings", SettingsChanged, on_settings_changed),
)


def subscriptions(resources: Resources) -> Sequence[Subscription[Any]]:
    """Give the table; no handler needs a resource."""
    return SUBSCRIPTIONS
