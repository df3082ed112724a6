"""The HTTP door of the export (learnings contract, section 8, row 18)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from services.learnings.export import operations
from services.learnings.export.models import ExportQuery
from services.learnings.export.operations import Exports
from shared.api import Call, Operation, Reply
from shared.errors import Forbidden
from shared.streams import Draining


async def export(call: Call[Any, ExportQuery]) -> Reply:
    """Give all learnings of the organization as JSON lines, each as the API shows it."""
    org_id = call.principal.org
    if not org_id:
        raise Forbidden("An organization is needed")
    body = await operations.begin(
        call.database,
        call.resource(Exports),
        call.resource(Draining),
        org_id,
        call.query.updated_since,
    )
    name = f"learnings-{datetime.now(UTC):%Y-%m-%d}.jsonl"
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return Reply(body, headers=headers, media_type="application/x-ndjson")


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/learnings/export",
        endpoint=export,
        summary="Export all learnings as JSON lines, oldest first",
        answer=None,
        query=ExportQuery,
        scope="learnings:read",
        errors=(429, 503),
        tag="Learnings",
    ),
)
