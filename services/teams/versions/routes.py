"""HTTP door of versions (teams contract, sections 4 and 5.1)."""

from __future__ import annotations

from typing import Final

from services.teams.replays import operations as replays
from services.teams.replays.models import Signed
from services.teams.versions import operations
from services.teams.versions.models import TeamQuery, VersionList, VersionQuery
from shared.api import Call, Empty, Operation, Reply
from shared.siblings import Siblings


async def list_of(call: Call[Empty, VersionQuery]) -> VersionList:
    """``GET /api/teams/{token}/versions``."""
    token = replays.machine_of(call)
    return VersionList(versions=await operations.list_of(call.database, token, call.query))


async def read(call: Call[Empty, TeamQuery]) -> Reply:
    """``GET /api/teams/{token}/versions/{version}``."""
    token, number = replays.machine_of(call), call.path["version"]
    return Reply(await operations.read_one(call.database, token, call.query.team_id, number))


@replays.changing("POST")
async def roll_back(call: Call[Empty, Empty], signed: Signed) -> Reply:
    """``POST /api/teams/rollback``."""
    return await operations.roll_back(call.database, call.resource(Siblings), signed)


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/api/teams/{token}/versions",
        endpoint=list_of,
        summary="Read what a team's versions changed",
        answer=VersionList,
        query=VersionQuery,
        authenticated=True,
        errors=(400, 404, 409),
        tag="Versions",
    ),
    Operation(
        method="GET",
        path="/api/teams/{token}/versions/{version}",
        endpoint=read,
        summary="Read a team as it was",
        answer=None,
        query=TeamQuery,
        authenticated=True,
        errors=(400, 404, 409),
        tag="Versions",
    ),
    Operation(
        method="POST",
        path="/api/teams/rollback",
        endpoint=roll_back,
        summary="Bring back what a team was",
        answer=None,
        authenticated=True,
        raw=True,
        body_limit=256_000,
        errors=(400, 403, 404, 409),
        tag="Versions",
    ),
)
