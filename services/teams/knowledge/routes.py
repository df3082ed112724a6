"""HTTP door of knowledge (teams contract, section 4)."""

from __future__ import annotations

from typing import Final

from services.teams.knowledge import operations
from services.teams.knowledge.models import KnowledgeStored
from services.teams.replays import operations as replays
from services.teams.replays.models import Signed
from shared.api import Call, Empty, Operation, Reply


@replays.changing("POST")
async def add(call: Call[Empty, Empty], signed: Signed) -> Reply:
    """``POST /api/teams/knowledge``."""
    return await operations.add(call.database, signed)


OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/api/teams/knowledge",
        endpoint=add,
        summary="Append to a team's knowledge",
        answer=KnowledgeStored,
        authenticated=True,
        raw=True,
        body_limit=256_000,
        errors=(400, 404, 409),
        tag="Teams",
    ),
)
