"""HTTP door of knowledge (teams contract, section 4), and what a sibling service looks up."""

from __future__ import annotations

from typing import Final

from services.teams.knowledge import operations
from services.teams.knowledge.models import KnowledgeQuestion, KnowledgeStored, TeamKnowledge
from services.teams.replays import operations as replays
from services.teams.replays.models import Signed
from shared.api import Call, Empty, Operation, Reply
from shared.siblings import Siblings


@replays.changing("POST")
async def add(call: Call[Empty, Empty], signed: Signed) -> Reply:
    """``POST /api/teams/knowledge``."""
    return await operations.add(call.database, signed)


async def look_up(call: Call[KnowledgeQuestion, Empty]) -> TeamKnowledge:
    """``POST /internal/teams/knowledge``."""
    return await operations.look_up(call.database, call.resource(Siblings), call.body)


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
    Operation(
        method="POST",
        path="/internal/teams/knowledge",
        endpoint=look_up,
        summary="What a team knows, for somebody whose team it is",
        body=KnowledgeQuestion,
        answer=TeamKnowledge,
        internal=True,
        no_store=True,
    ),
)
