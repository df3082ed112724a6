"""The HTTP door of telemetry (learnings contract, section 5.2)."""

from __future__ import annotations

from typing import Any, Final

from services.learnings.installations.operations import Sightings
from services.learnings.telemetry import operations
from services.learnings.telemetry.models import Summary, SummaryQuery, Taken, TelemetryEvents
from services.learnings.telemetry.operations import Reader
from shared.api import Call, Operation
from shared.errors import UnsupportedMediaType

JSON: Final = "application/json"
BODY_LIMIT: Final = 2_000_000


async def take(call: Call[Any, Any]) -> Taken:
    """``POST /v1/telemetry`` and ``POST /v1/telemetry/events``."""
    media_type = call.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if media_type != JSON and not media_type.endswith("+json"):
        raise UnsupportedMediaType
    raw = b"".join([piece async for piece in call.pieces])
    return await operations.take(
        call.database, call.resource(Reader), call.resource(Sightings), call.principal, raw
    )


async def summary(call: Call[Any, SummaryQuery]) -> Summary:
    """``GET /v1/telemetry/summary``."""
    return await operations.summary(call.database, call.principal, call.query)


def _take_at(path: str, summary: str) -> Operation:
    return Operation(
        method="POST",
        path=path,
        endpoint=take,
        summary=summary,
        answer=Taken,
        body=TelemetryEvents,
        # Read here, because one element that cannot be stored must not fail the others.
        raw=True,
        idempotent=True,
        scope="telemetry:write",
        body_limit=BODY_LIMIT,
        errors=(413,),
        tag="Telemetry",
    )


OPERATIONS: Final = (
    _take_at("/v1/telemetry/events", "Store up to 1,000 events"),
    _take_at("/v1/telemetry", "The same under the path that clients use"),
    Operation(
        method="GET",
        path="/v1/telemetry/summary",
        endpoint=summary,
        summary="Figures of tools, installations, sessions and costs",
        answer=Summary,
        query=SummaryQuery,
        # There is no scope for reading telemetry; who may read what was learned may see this.
        scope="learnings:read",
        tag="Telemetry",
    ),
)
