"""The HTTP door of recordings (runs contract, section 3.9)."""

from __future__ import annotations

from typing import Final

from services.runs.recordings import operations
from services.runs.recordings.models import ConvertRequest, Recorded
from shared.api import Call, Empty, Operation, Reply

HOME: Final = "/api/v1/record"
TAG: Final = "Record"

LARGEST_BODY: Final = 2 * 1024 * 1024
"""Bytes (section 16)."""


async def convert(call: Call[ConvertRequest, Empty]) -> Reply:
    """``POST /api/v1/record/convert``."""
    made = await operations.convert(call.database, call.principal, call.body)
    return Reply(made.model_dump(exclude_none=True))


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        method="POST",
        path=HOME + "/convert",
        endpoint=convert,
        summary="Make a suite of a recording",
        body=ConvertRequest,
        answer=Recorded,
        scope="runs:write",
        body_limit=LARGEST_BODY,
        errors=(400, 413),
        tag=TAG,
    ),
)
