"""SQL of audit events: added and read, never changed."""

from __future__ import annotations

from pydantic_core import to_json

from services.auth.audit_events.models import AuditEvent
from shared.db import Connection


async def insert(connection: Connection, event: AuditEvent) -> None:
    """Add an event."""
    await connection.execute(
        """
        INSERT INTO auth.audit_event (org_id, actor_kind, actor_id, action, outcome, target,
                                      detail, client, user_agent, request_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7::text::jsonb, $8, $9, $10)
        """,
        event.org_id or event.actor.org,
        str(event.actor.kind),
        event.actor.subject,
        event.action,
        "refused" if event.refused else "done",
        event.target,
        to_json(event.detail).decode(),
        event.origin.client,
        event.origin.user_agent,
        event.origin.request_id,
    )
