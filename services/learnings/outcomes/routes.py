"""The HTTP door of outcomes (learnings contract, section 6.3)."""

from __future__ import annotations

from typing import Final

from services.learnings.installations.operations import Sightings
from services.learnings.outcomes import operations
from services.learnings.outcomes.models import (
    OutcomePage,
    OutcomeQuery,
    SentOutcomes,
    TakenOutcomes,
)
from shared.api import Call, Empty, Operation


async def take(call: Call[Empty, Empty]) -> TakenOutcomes:
    """``POST /v1/sync/outcomes``."""
    raw = b"".join([piece async for piece in call.pieces])
    return await operations.take(call.database, call.resource(Sightings), call.principal, raw)


async def index(call: Call[Empty, OutcomeQuery]) -> OutcomePage:
    """``GET /v1/outcomes``."""
    return await operations.page(call.database, call.principal, call.query)


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        method="POST",
        path="/v1/sync/outcomes",
        endpoint=take,
        summary="Tell what came of work that learnings were used in",
        answer=TakenOutcomes,
        body=SentOutcomes,
        # Read here: one bad element must not fail a batch that the client sends again for ever.
        raw=True,
        idempotent=True,
        scope="sync:write",
        errors=(413,),
        tag="Sync",
    ),
    Operation(
        method="GET",
        path="/v1/outcomes",
        endpoint=index,
        summary="List outcomes, of one learning with its score",
        answer=OutcomePage,
        query=OutcomeQuery,
        scope="learnings:read",
        tag="Sync",
    ),
)
