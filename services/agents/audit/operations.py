"""Use cases of the audit log (agents contract, section 9.15)."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from services.agents.access.models import Owner
from services.agents.audit import store
from services.agents.audit.models import LONGEST_DETAIL, AuditEvent, Origin
from services.agents.audit.store import delete_namespace as forget_namespace
from shared.db import Connection, Database
from shared.service import Sweep

__all__ = ["forget_namespace", "forget_person", "record", "sweep_of"]

SWEPT: Final = 10_000
"""Events dropped in one statement."""


async def record(
    connection: Connection,
    action: str,
    owner: Owner | None,
    origin: Origin,
    target: str,
    namespace: str,
    **detail: str,
) -> None:
    """Write down what was done, in the transaction that does it.

    Args:
        connection: in the transaction.
        action: ``noun.verb``, such as ``agent.created``.
        owner: who did it; None for what the service does by itself.
        origin: where the request came from.
        target: the id of what it was done to.
        namespace: where that is.
        detail: a few words more; never a secret, a prompt or a message.
    """
    cut = {name: text[:LONGEST_DETAIL] for name, text in detail.items()}
    await store.insert(connection, AuditEvent(action, owner, origin, target, namespace, cut))


async def forget_person(connection: Connection, account_id: str) -> None:
    """Take a person whose account is erased out of what they did, in the caller's transaction."""
    await store.clear_owner(connection, "User", account_id)


def sweep_of(days: int) -> Sweep:
    """Make the hourly clean-up of events older than so many days."""

    async def sweep(database: Database) -> None:
        found = SWEPT
        while found == SWEPT:
            async with database.connection() as connection:
                found = await store.delete_older(connection, timedelta(days=days), SWEPT)

    return sweep
