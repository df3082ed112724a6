"""HTTP door of invites (teams contract, section 4)."""

from __future__ import annotations

from typing import Final

from services.teams.invites import operations
from services.teams.invites.models import InviteAnswer
from services.teams.replays import operations as replays
from services.teams.replays.models import Signed
from shared.api import Call, Empty, Operation, Reply
from shared.siblings import Siblings

LIMIT: Final = 256_000
"""Bytes of a body (section 2)."""


@replays.changing("POST")
async def create(call: Call[Empty, Empty], signed: Signed) -> Reply:
    """``POST /api/teams/invite``."""
    return await operations.create(call.database, signed)


@replays.changing("POST")
async def join(call: Call[Empty, Empty], signed: Signed) -> Reply:
    """``POST /api/join``."""
    return await operations.join(call.database, call.resource(Siblings), signed)


async def preview(call: Call[Empty, Empty]) -> Reply:
    """``POST /api/teams/preview``, which changes nothing."""
    signed = await replays.read(call, "POST")
    return Reply(await operations.preview(call.database, signed.token, signed.body))


OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/api/teams/invite",
        endpoint=create,
        summary="Invite machines to a team",
        answer=InviteAnswer,
        authenticated=True,
        raw=True,
        no_store=True,
        body_limit=LIMIT,
        errors=(400, 403, 404, 409),
        tag="Teams",
    ),
    Operation(
        method="POST",
        path="/api/join",
        endpoint=join,
        summary="Join a team by an invite code",
        answer=None,
        authenticated=True,
        raw=True,
        body_limit=LIMIT,
        errors=(400, 404),
        tag="Teams",
    ),
    Operation(
        method="POST",
        path="/api/teams/preview",
        endpoint=preview,
        summary="Preview a team by an invite code",
        answer=None,
        authenticated=True,
        raw=True,
        body_limit=LIMIT,
        errors=(400, 404),
        tag="Teams",
    ),
)
