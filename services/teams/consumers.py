"""The event door: what teams hears.

Events may come late, twice and out of order. Whether a revocation is still news is told by its
version: a machine that became a member since, as far as auth was asked about it then, stays one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from services.teams.erasures import operations as erasures
from services.teams.machines import operations as machines
from services.teams.memberships import operations as memberships
from services.teams.replays import operations as replays
from shared.bus import Subscription
from shared.contracts.auth import (
    AccountDeleted,
    MachineLinked,
    MachineRevoked,
    OrganizationDeleted,
)
from shared.db import Connection
from shared.service import Resources


async def on_machine_linked(connection: Connection, event: MachineLinked) -> None:
    """Repeat no answer that the machine was given before (teams contract, section 2.1)."""
    await replays.drop_of_token(connection, event.token)


async def on_machine_revoked(connection: Connection, event: MachineRevoked) -> None:
    """End the machine's memberships, unless its link has changed again since."""
    if await machines.take_revocation(connection, event.token, event.version):
        await replays.drop_of_token(connection, event.token)
        await memberships.leave(connection, event.token, None)


async def on_account_deleted(connection: Connection, event: AccountDeleted) -> None:
    """Forget the account."""
    await erasures.forget_account(connection, event.account_id, event.org_ids)


async def on_organization_deleted(connection: Connection, event: OrganizationDeleted) -> None:
    """Forget the organization."""
    await erasures.forget_organizations(connection, [event.org_id])


SUBSCRIPTIONS: Final[Sequence[Subscription[Any]]] = (
    Subscription("hear_of_link", MachineLinked, on_machine_linked),
    Subscription("end_memberships", MachineRevoked, on_machine_revoked),
    Subscription("forget_account", AccountDeleted, on_account_deleted),
    Subscription("forget_organization", OrganizationDeleted, on_organization_deleted),
)


def subscriptions(resources: Resources) -> Sequence[Subscription[Any]]:
    """Give the table; no handler needs a resource."""
    return SUBSCRIPTIONS
