"""SQL of audit events: added, and dropped when their time is over."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from pydantic_core import to_json

from services.agents.audit.models import AuditEvent
from shared.db import Connection

ERASURE_TIMEOUT: Final = 280.0
"""Seconds that the events of a person, or of a whole namespace, may take."""

SYSTEM: Final = ("System", "", "")
"""Stands for the service itself."""


async def insert(connection: Connection, event: AuditEvent) -> None:
    """Add an event."""
    owner = event.owner
    await connection.execute(
        """
        INSERT INTO agents.audit_event (owner_type, owner_id, owner_name, namespace, action, target,
                                        detail, client, user_agent, request_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7::text::jsonb, $8, $9, $10)
        """,
        *(SYSTEM if owner is None else (owner.type, owner.id, owner.name)),
        event.namespace,
        event.action,
        event.target,
        to_json(event.detail).decode(),
        event.origin.client,
        event.origin.user_agent,
        event.origin.request_id,
    )


async def delete_older(connection: Connection, age: timedelta, limit: int) -> int:
    """Drop some events older than an age, and tell how many; all tenants: age alone decides."""
    rows = await connection.fetch(
        """
        DELETE FROM agents.audit_event WHERE id IN (
            SELECT id FROM agents.audit_event WHERE at < now() - $1::interval ORDER BY at LIMIT $2)
        RETURNING 1
        """,
        age,
        limit,
    )
    return len(rows)


async def clear_owner(connection: Connection, owner_type: str, owner_id: str) -> None:
    """Take a person out of what they did: what was done stays, who and from where goes."""
    await connection.execute(
        """
        UPDATE agents.audit_event
           SET owner_id = '', owner_name = '', client = '', user_agent = '', request_id = ''
         WHERE owner_type = $1 AND owner_id = $2
        """,
        owner_type,
        owner_id,
        timeout=ERASURE_TIMEOUT,
    )


async def delete_namespace(connection: Connection, namespace: str, until: datetime) -> None:
    """Drop the events of a namespace until then."""
    await connection.execute(
        "DELETE FROM agents.audit_event WHERE namespace = $1 AND at <= $2",
        namespace,
        until,
        timeout=ERASURE_TIMEOUT,
    )
