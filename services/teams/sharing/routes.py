"""HTTP door of sharing (teams contract, section 4)."""

from __future__ import annotations

from typing import Final

from services.teams.replays import operations as replays
from services.teams.replays.models import Signed
from services.teams.settings import TeamsSettings
from services.teams.sharing import operations
from services.teams.sharing.models import ViewTokenAnswer, VisibilityAnswer
from services.teams.teams import operations as teams
from shared.api import Call, Empty, Operation, Reply
from shared.siblings import Siblings

LIMIT: Final = 256_000
"""Bytes of a body (section 2)."""


@replays.changing("POST")
async def set_visibility(call: Call[Empty, Empty], signed: Signed) -> Reply:
    """``POST /api/teams/visibility``."""
    return await operations.set_visibility(call.database, call.resource(Siblings), signed)


@replays.changing("POST")
async def create_view_token(call: Call[Empty, Empty], signed: Signed) -> Reply:
    """``POST /api/teams/view-token``."""
    key = call.resource(TeamsSettings).key_for_view_tokens()
    return await operations.create_view_token(call.database, key, signed)


async def clone(call: Call[Empty, Empty]) -> Reply:
    """``GET /api/teams/clone/{clone_token}``."""
    team = await operations.find_public(call.database, call.path["clone_token"])
    tag = teams.etag(team.id, team.revision)
    if teams.is_named(call.headers.get("if-none-match", ""), tag):
        return Reply(None, 304, {"etag": tag})
    return Reply(operations.clone_bytes(team), headers={"etag": tag})


OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/api/teams/visibility",
        endpoint=set_visibility,
        summary="Publish a team, or take it back",
        answer=VisibilityAnswer,
        authenticated=True,
        raw=True,
        no_store=True,
        body_limit=LIMIT,
        errors=(400, 403, 404, 409),
        tag="Teams",
    ),
    Operation(
        method="POST",
        path="/api/teams/view-token",
        endpoint=create_view_token,
        summary="Make a token to look at a team's page",
        answer=ViewTokenAnswer,
        authenticated=True,
        raw=True,
        no_store=True,
        body_limit=LIMIT,
        errors=(400, 403, 404, 409),
        tag="Teams",
    ),
    Operation(
        method="GET",
        path="/api/teams/clone/{clone_token}",
        endpoint=clone,
        summary="Copy a public team",
        answer=None,
        public=True,
        errors=(404,),
        tag="Teams",
    ),
)
