"""Taking what auth says into the copy; each runs in the transaction of the inbox.

Events may come late, twice and out of order; the numbers tell what is news.
"""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json

from services.agents.access import rules, store
from services.agents.access.models import (
    CopiedBinding,
    CopiedRole,
    CopiedServiceAccount,
)
from services.agents.access.store import Table
from shared.contracts.auth import (
    OrganizationCreated,
    RoleBindingChanged,
    RoleChanged,
    ServiceAccountChanged,
)
from shared.db import Connection


async def hear_role(connection: Connection, event: RoleChanged) -> None:
    """Note that a role was made or deleted."""
    said = event.model_dump() | {"id": event.role_id}
    await _hear(connection, Table.ROLE, CopiedRole.model_validate(said), deleted=event.deleted)


async def hear_binding(connection: Connection, event: RoleBindingChanged) -> None:
    """Note that a role was bound to somebody, or is no more."""
    said = CopiedBinding.model_validate(event.model_dump() | {"id": event.binding_id})
    await _hear(connection, Table.ROLE_BINDING, said, deleted=event.deleted)


async def hear_service_account(connection: Connection, event: ServiceAccountChanged) -> None:
    """Note that a service account was made, changed or deleted."""
    said = CopiedServiceAccount.model_validate(
        event.model_dump() | {"id": event.service_account_id}
    )
    await _hear(connection, Table.SERVICE_ACCOUNT, said, deleted=event.deleted)


async def note_organization(connection: Connection, event: OrganizationCreated) -> None:
    """Note an organization and its slug, the namespace of its people."""
    await store.add_organization(connection, event.org_id, event.slug)


async def end_organization(connection: Connection, org_id: str) -> None:
    """Note that an organization was deleted: its people hold nothing through it any more."""
    await store.end_organization(connection, org_id)


async def slug_of(connection: Connection, org_id: str) -> str | None:
    """Give the slug that an organization has, or had when it was deleted; None if never heard."""
    return await store.find_slug(connection, org_id)


async def forget_slug(connection: Connection, org_id: str) -> None:
    """Forget what an organization was called that has ended, once nothing of it is left."""
    await store.forget_slug(connection, org_id)


async def _hear(
    connection: Connection,
    table: Table,
    said: CopiedRole | CopiedBinding | CopiedServiceAccount,
    *,
    deleted: bool,
) -> None:
    copied = await store.note(connection, said.version)
    known = await store.find_one(connection, table, said.id)
    if rules.is_news(said.version, copied, known):
        await store.put(connection, table, written([said], deleted=deleted))


def written(rows: Any, *, deleted: bool = False) -> str:
    """Write rows as the store takes them."""
    return to_json([row.row() | {"deleted": deleted} for row in rows]).decode()
