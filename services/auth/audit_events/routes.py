"""HTTP door of the audit log, and what writes refusals into it."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

from services.auth.audit_events import operations
from services.auth.audit_events.models import AuditEvent, Origin
from shared.api import Operation
from shared.db import Database
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


OPERATIONS: Final[tuple[Operation, ...]] = ()
