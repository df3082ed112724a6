"""HTTP door of claims (teams contract, section 4)."""

from __future__ import annotations

from typing import Final

from services.teams.claims import operations
from services.teams.claims.models import Claimed
from services.teams.replays import operations as replays
from services.teams.replays.models import Signed
from shared.api import Call, Empty, Operation, Reply
from shared.siblings import Siblings


@replays.changing("POST")
async def claim(call: Call[Empty, Empty], signed: Signed) -> Reply:
    """``POST /api/teams/claim``."""
    return await operations.claim(call.database, call.resource(Siblings), signed)


OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/api/teams/claim",
        endpoint=claim,
        summary="Claim a team with its secret",
        answer=Claimed,
        authenticated=True,
        raw=True,
        body_limit=256_000,
        errors=(400, 403, 404, 409),
        tag="Teams",
    ),
)
