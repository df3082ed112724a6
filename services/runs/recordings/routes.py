"""The HTTP door of recordings (runs contract, section 3.9)."""

from __future__ import annotations

from typing import Any, Final

from services.runs.recordings import operations
from services.runs.recordings.models import (
    ConvertRequest,
    Done,
    Input,
    PictureQuery,
    Recorded,
    RecordingState,
    Seen,
    Started,
    StartRequest,
    StopRequest,
)
from services.runs.recordings.operations import Means
from shared.api import Call, Empty, Operation, Reply
from shared.fetch import Fetcher
from shared.vault import Vault

HOME: Final = "/api/v1/record"
TAG: Final = "Record"

LARGEST_BODY: Final = 2 * 1024 * 1024
"""Bytes (section 16)."""


async def convert(call: Call[ConvertRequest, Empty]) -> Reply:
    """``POST /api/v1/record/convert``."""
    made = await operations.convert(call.database, call.principal, call.body)
    return Reply(made.model_dump(exclude_none=True))


async def start(call: Call[StartRequest, Empty]) -> Started:
    """``POST /api/v1/record/start``."""
    return Started(record_id=await operations.start(_means(call), call.principal, call.body))


async def show(call: Call[Empty, Empty]) -> RecordingState:
    """``GET /api/v1/record/sessions/{id}``."""
    return await operations.state(_means(call), call.principal.org, call.path["id"])


async def picture(call: Call[Empty, PictureQuery]) -> Seen:
    """``GET /api/v1/record/sessions/{id}/picture``."""
    where = (call.principal.org, call.path["id"], call.query.after)
    return await operations.picture(_means(call), *where)


async def act(call: Call[Input, Empty]) -> Done:
    """``POST /api/v1/record/sessions/{id}/input``."""
    await operations.act(_means(call), call.principal.org, call.path["id"], call.body)
    return Done()


async def stop(call: Call[StopRequest, Empty]) -> Reply:
    """``POST /api/v1/record/stop``."""
    made = await operations.stop(_means(call), call.principal, call.body)
    return Reply(made.model_dump(exclude_none=True))


def _means(call: Call[Any, Any]) -> Means:
    return Means(call.database, call.resource(Vault), call.resource(Fetcher))


def _row(method: str, path: str, endpoint: Any, summary: str, **more: Any) -> Operation:
    row: dict[str, Any] = {
        "scope": "runs:write",
        "tag": TAG,
        "errors": (400, 404),
        "no_store": True,
    }
    return Operation(
        method=method, path=HOME + path, endpoint=endpoint, summary=summary, **(row | more)
    )


_ONE: Final = "/sessions/{id}"

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
    _row(
        *("POST", "/start", start, "Begin to record in a browser"),
        body=StartRequest,
        answer=Started,
        errors=(400,),
    ),
    _row("GET", _ONE, show, "Say how a recording stands", answer=RecordingState, scope="runs:read"),
    _row(
        *("GET", _ONE + "/picture", picture, "Show what a remote browser shows"),
        query=PictureQuery,
        answer=Seen,
    ),
    _row(
        *("POST", _ONE + "/input", act, "Click, type and navigate in a remote browser"),
        body=Input,
        answer=Done,
    ),
    _row(
        *("POST", "/stop", stop, "End a recording, and make a suite of it"),
        body=StopRequest,
        answer=Recorded,
        errors=(400, 404, 502),
    ),
)
