"""The HTTP door of the resolution cache and of heal records (runs contract, section 3.10)."""

from __future__ import annotations

from typing import Final

from services.runs.resolutions import operations
from services.runs.resolutions.models import (
    Done,
    Export,
    Heal,
    HealQuery,
    Import,
    Imported,
    SpotQuery,
    SuiteQuery,
)
from shared.api import Call, Empty, Operation
from shared.pagination import OffsetPage

_CACHE: Final = "/api/v1/resolutions"
_HEALS: Final = "/api/v1/heals"
_TAG: Final = "Heals and resolutions"


async def export(call: Call[Empty, SuiteQuery]) -> Export:
    """``GET /api/v1/resolutions``."""
    return await operations.export(call.database, call.principal, call.query)


async def import_(call: Call[Import, Empty]) -> Imported:
    """``PUT /api/v1/resolutions``."""
    return await operations.import_(call.database, call.principal, call.body)


async def delete(call: Call[Empty, SpotQuery]) -> Done:
    """``DELETE /api/v1/resolutions``."""
    await operations.delete(call.database, call.principal, call.query)
    return Done()


async def index(call: Call[Empty, HealQuery]) -> OffsetPage[Heal]:
    """``GET /api/v1/heals``."""
    return await operations.page(call.database, call.principal, call.query)


async def accept(call: Call[Empty, Empty]) -> Heal:
    """``POST /api/v1/heals/{id}/accept``."""
    return await operations.decide(call.database, call.principal, call.path["id"], "accepted")


async def reject(call: Call[Empty, Empty]) -> Heal:
    """``POST /api/v1/heals/{id}/reject``."""
    return await operations.decide(call.database, call.principal, call.path["id"], "rejected")


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        method="GET",
        path=_CACHE,
        endpoint=export,
        summary="Export where steps of a suite found their elements",
        answer=Export,
        query=SuiteQuery,
        scope="runs:read",
        errors=(404,),
        tag=_TAG,
    ),
    Operation(
        method="PUT",
        path=_CACHE,
        endpoint=import_,
        summary="Import what was exported",
        answer=Imported,
        body=Import,
        scope="runs:write",
        errors=(404,),
        tag=_TAG,
    ),
    Operation(
        method="DELETE",
        path=_CACHE,
        endpoint=delete,
        summary="Forget where elements of a suite, a case or a step were",
        answer=Done,
        query=SpotQuery,
        scope="runs:write",
        errors=(404,),
        tag=_TAG,
    ),
    Operation(
        method="GET",
        path=_HEALS,
        endpoint=index,
        summary="List what was healed, newest first",
        answer=OffsetPage[Heal],
        query=HealQuery,
        scope="runs:read",
        errors=(404,),
        tag=_TAG,
    ),
    Operation(
        method="POST",
        path=_HEALS + "/{id}/accept",
        endpoint=accept,
        summary="Accept a heal: the cache keeps what was found",
        answer=Heal,
        scope="runs:write",
        errors=(404, 409),
        tag=_TAG,
    ),
    Operation(
        method="POST",
        path=_HEALS + "/{id}/reject",
        endpoint=reject,
        summary="Reject a heal: its target is refused for the step from then on",
        answer=Heal,
        scope="runs:write",
        errors=(404, 409),
        tag=_TAG,
    ),
)
