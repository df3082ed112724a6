"""The HTTP door of bundles, and the part of their formats in the documentation."""

from __future__ import annotations

from typing import Final

from services.teams.exports import operations
from services.teams.exports.models import ExportQuery
from services.teams.exports.operations import Exports
from services.teams.replays import operations as replays
from services.teams.teams import operations as teams
from shared.api import Call, Empty, Operation, Reply

FINDINGS_HEADER: Final = "x-guildhall-findings"
"""How many suspicious places a bundle has, by kind: ``total=2, zero-width=2``."""


async def export(call: Call[Empty, ExportQuery]) -> Reply:
    """``GET /api/teams/{token}/export``: a file, an archive, or what one would hold."""
    token = replays.machine_of(call)
    query = call.query
    known = "" if query.report else call.headers.get("if-none-match", "")
    found = await operations.export(
        call.database,
        call.resource(Exports),
        token,
        teams.read_team_id(query.team_id),
        query.format,
        known,
    )
    caching = {"cache-control": "private, no-cache"}
    if found.bundle is None:
        return Reply(None, 304, {"etag": found.etag, **caching})
    headers = {FINDINGS_HEADER: found.findings, **caching}
    if query.report:
        return Reply(operations.report_of(query.format, found.bundle), headers=headers)
    headers |= {
        "etag": found.etag,
        "content-disposition": f'attachment; filename="{found.bundle.filename}"',
    }
    return Reply(found.bundle.body, headers=headers, media_type=found.bundle.media_type)


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/api/teams/{token}/export",
        endpoint=export,
        summary="Export a team as a bundle of files for a platform",
        answer=None,
        query=ExportQuery,
        authenticated=True,
        errors=(400, 404, 409, 503),
        tag="Teams",
    ),
)
