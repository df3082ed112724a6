"""The HTTP door of analytics (runs contract, section 13)."""

from __future__ import annotations

from typing import Final

from services.runs.analytics import operations
from services.runs.analytics.models import Analytics, AnalyticsQuery
from shared.api import Call, Empty, Operation


async def read(call: Call[Empty, AnalyticsQuery]) -> Analytics:
    """``GET /api/v1/analytics``."""
    return await operations.read(call.database, call.principal, call.query)


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        method="GET",
        path="/api/v1/analytics",
        endpoint=read,
        summary="Show which cases are flaky, failing or slow over the history of runs",
        answer=Analytics,
        query=AnalyticsQuery,
        scope="runs:read",
        tag="Analytics",
    ),
)
