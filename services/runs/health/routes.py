"""HTTP door of the public health checks (runs contract, section 3.1)."""

from __future__ import annotations

from typing import Any, Final, Literal

from services.runs.artifacts.operations import Store
from services.runs.health import operations
from shared.api import Answer, Call, Operation
from shared.bus import Transport
from shared.errors import Unavailable

TAG: Final = "Health"


class Health(Answer):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(Answer):
    """Which parts answer."""

    status: Literal["ready"] = "ready"
    checks: dict[str, bool]


async def show(call: Call[Any, Any]) -> Health:
    """``GET /api/v1/health``: touches nothing."""
    return Health()


async def show_ready(call: Call[Any, Any]) -> Readiness:
    """``GET /api/v1/health/ready``."""
    transport: Transport = call.resources[Transport]
    checks = await operations.checks(call.database, transport, call.resource(Store))
    if not all(checks.values()):
        error = Unavailable("The service cannot work now")
        error.code = "not_ready"
        error.extra = {"status": "unavailable", "checks": checks}
        raise error
    return Readiness(checks=checks)


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/api/v1/health",
        endpoint=show,
        summary="Tell that the service answers",
        answer=Health,
        public=True,
        tag=TAG,
    ),
    Operation(
        method="GET",
        path="/api/v1/health/ready",
        endpoint=show_ready,
        summary="Tell whether data can be written",
        answer=Readiness,
        public=True,
        errors=(503,),
        tag=TAG,
    ),
)
