"""What is erased with an account or an organization.

Of an account teams holds that it owns teams, and in which organization it made them. Its machines
are keys, which no table of teams connects with it; auth says of each that it was revoked, upon
which it leaves its teams.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.teams.erasures import store
from services.teams.erasures.store import clear_owner
from shared.bus import outbox
from shared.contracts.teams import ErasureCompleted
from shared.db import Connection

__all__ = ["clear_owner", "forget_account", "forget_organizations"]


async def forget_account(
    connection: Connection, account_id: str, org_ids: Sequence[str] = ()
) -> None:
    """Erase what is held of an account, and of organizations that go with it.

    Says erasure.completed, in the transaction of the erasure itself.
    """
    await clear_owner(connection, account_id)
    await forget_organizations(connection, org_ids)
    await outbox.add(connection, ErasureCompleted(account_id=account_id))


async def forget_organizations(connection: Connection, org_ids: Sequence[str]) -> None:
    """Erase what is held of organizations; teams that were made there stay."""
    if org_ids:
        await store.clear_organizations(connection, org_ids)
