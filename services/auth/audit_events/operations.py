"""Use cases of the audit log."""

from __future__ import annotations

from services.auth.audit_events import store
from services.auth.audit_events.models import (
    AuditEvent,
    AuditItem,
    AuditPageQuery,
    AuditQuery,
)
from shared.db import Connection, Database
from shared.errors import Forbidden
from shared.pagination import TOTAL_CAP, OffsetPage, Page, page_of
from shared.principal import Principal


async def record(connection: Connection, event: AuditEvent) -> None:
    """Write down what was done, in the transaction that does it."""
    await store.insert(connection, event)


async def record_alone(database: Database, event: AuditEvent) -> None:
    """Write down what was refused, or what no transaction of its own does."""
    async with database.connection() as connection:
        await store.insert(connection, event)


async def list_own(
    database: Database, principal: Principal, query: AuditQuery
) -> OffsetPage[AuditItem]:
    """List an organization's events, newest first; for a platform administrator, all."""
    org_id = None if principal.is_platform_admin else principal.org
    async with database.connection() as connection:
        items = await store.list_newest(connection, org_id, query, query.limit, query.offset)
        total = await store.count(connection, org_id, query, TOTAL_CAP)
    return OffsetPage(items=items, total=total, limit=query.limit, offset=query.offset)


async def list_all(
    database: Database, principal: Principal, query: AuditPageQuery
) -> Page[AuditItem]:
    """List the events of all organizations, or of one, newest first.

    Raises:
        Forbidden: the caller is no platform administrator.
    """
    if not principal.is_platform_admin:
        raise Forbidden("Platform administrator required")
    async with database.connection() as connection:
        items = await store.list_newest(
            connection, query.org_id, query, query.page_size, query.offset
        )
        total = await store.count(connection, query.org_id, query, TOTAL_CAP)
    return page_of(items, total, query)
