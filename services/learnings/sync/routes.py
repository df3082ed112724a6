"""The HTTP door of pushes (learnings contract, section 6.2)."""

from __future__ import annotations

from typing import Any, Final

from services.learnings.installations.operations import Sightings, seen
from services.learnings.learnings.models import Likeness
from services.learnings.settings import LearningsSettings
from services.learnings.sync import operations
from services.learnings.sync.models import BODY_LIMIT, Push, Pushed
from shared.api import Call, Operation


async def push(call: Call[Any, Any]) -> Pushed:
    """Take in what an installation learned; the body is read entry by entry."""
    author = operations.author_of(call.principal)
    raw = b"".join([piece async for piece in call.pieces])
    batch = await operations.read(author, raw)
    settings = call.resource(LearningsSettings)
    pushed = await operations.push(
        call.database, author, batch, Likeness.of(settings), settings.key_quota
    )
    call.resource(Sightings).note(
        seen(
            call.principal,
            client_id=batch.client_id,
            pushed=len(batch.entries),
            project=batch.project,
        )
    )
    return pushed


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        method="POST",
        path="/v1/sync/learnings",
        endpoint=push,
        summary="Push what an installation learned, many at once",
        answer=Pushed,
        body=Push,
        raw=True,
        idempotent=True,
        body_limit=BODY_LIMIT,
        scope="sync:write",
        tag="Sync",
    ),
)
