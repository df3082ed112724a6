"""HTTP door of the audit log (runs and learnings contracts, sections 3.2), and who is refused."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

from services.auth.audit_events import operations
from services.auth.audit_events.models import (
    AuditEvent,
    AuditItem,
    AuditPageQuery,
    AuditQuery,
    Origin,
)
from shared.api import Call, Empty, Operation
from shared.db import Database
from shared.pagination import OffsetPage, Page
from shared.principal import CLIENT_HEADER


async def note_refusal(database: Database, operation: Operation, request: Request) -> None:
    """Write down that a known caller was forbidden an operation."""
    headers = request.headers
    origin = Origin.made(
        headers.get(CLIENT_HEADER, ""), headers.get("user-agent", ""), request.scope["request_id"]
    )
    event = AuditEvent(
        "operation.refused",
        origin,
        request.scope["principal"],
        refused=True,
        detail={"method": operation.method, "path": operation.path},
    )
    await operations.record_alone(database, event)


async def list_own(call: Call[Empty, AuditQuery]) -> OffsetPage[AuditItem]:
    """``GET /api/v1/auth/audit``."""
    return await operations.list_own(call.database, call.principal, call.query)


async def list_all(call: Call[Empty, AuditPageQuery]) -> Page[AuditItem]:
    """``GET /v1/admin/audit-events``."""
    return await operations.list_all(call.database, call.principal, call.query)


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/api/v1/auth/audit",
        endpoint=list_own,
        summary="List who did what in one's organization; for platform administrators, in all",
        query=AuditQuery,
        answer=OffsetPage[AuditItem],
        admin=True,
        tag="Users",
    ),
    Operation(
        method="GET",
        path="/v1/admin/audit-events",
        endpoint=list_all,
        summary="List who did what in all organizations (platform administrators)",
        query=AuditPageQuery,
        answer=Page[AuditItem],
        admin=True,
        tag="Admin",
    ),
)
