"""Use cases of the audit log."""

from __future__ import annotations

from services.auth.audit_events import store
from services.auth.audit_events.models import AuditEvent
from shared.db import Connection, Database


async def record(connection: Connection, event: AuditEvent) -> None:
    """Write down what was done, in the transaction that does it."""
    await store.insert(connection, event)


async def record_alone(database: Database, event: AuditEvent) -> None:
    """Write down what was refused, or what no transaction of its own does."""
    async with database.connection() as connection:
        await store.insert(connection, event)
