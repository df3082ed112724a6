"""SQL of audit events: added and read, never changed."""

from __future__ import annotations

from typing import Any

from pydantic_core import from_json, to_json

from services.auth.audit_events.models import AuditEvent, AuditFilter, AuditItem
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


async def list_newest(
    connection: Connection, org_id: str | None, wanted: AuditFilter, limit: int, offset: int
) -> list[AuditItem]:
    """Give a page of events, newest first.

    Args:
        connection: to ask.
        org_id: whose events; None reads all tenants: platform administrators alone may.
        wanted: what else they must be.
        limit: most of them.
        offset: how many stand before.
    """
    condition, values = _condition(org_id, wanted)
    rows = await connection.fetch(
        f"""
        SELECT id, occurred_at, org_id, actor_kind, actor_id, action, outcome, target,
               detail::text AS detail, client, user_agent, request_id
          FROM auth.audit_event {condition}
         ORDER BY occurred_at DESC, id DESC
         LIMIT ${len(values) + 1} OFFSET ${len(values) + 2}
        """,  # noqa: S608 - conditions are made of constants; values are parameters
        *values,
        limit,
        offset,
    )
    return [AuditItem(**{**row, "detail": from_json(row["detail"])}) for row in rows]


async def count(connection: Connection, org_id: str | None, wanted: AuditFilter, cap: int) -> int:
    """Count events, up to a cap; for the arguments see ``list_newest``."""
    condition, values = _condition(org_id, wanted)
    total: int = await connection.fetchval(
        f"""
        SELECT count(*) FROM (
            SELECT FROM auth.audit_event {condition} LIMIT ${len(values) + 1}) AS capped
        """,  # noqa: S608 - as above
        *values,
        cap,
    )
    return total


def _condition(org_id: str | None, wanted: AuditFilter) -> tuple[str, list[Any]]:
    given = {
        "org_id =": org_id,
        "action =": wanted.action,
        "actor_id =": wanted.actor,
        "occurred_at >=": wanted.since,
    }
    present = [(column, value) for column, value in given.items() if value is not None]
    terms = [f"{column} ${number}" for number, (column, _) in enumerate(present, 1)]
    return "WHERE " + " AND ".join(terms) if terms else "", [value for _, value in present]
