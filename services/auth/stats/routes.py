"""HTTP door of the counters (learnings contract, section 3.2)."""

from __future__ import annotations

from typing import Final

from services.auth.stats import operations
from services.auth.stats.models import Stats
from shared.api import Call, Empty, Operation


async def read(call: Call[Empty, Empty]) -> Stats:
    """``GET /v1/admin/stats``."""
    return await operations.read(call.database, call.principal)


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/admin/stats",
        endpoint=read,
        summary="Count accounts, organizations, sessions, keys (platform administrators)",
        answer=Stats,
        admin=True,
        tag="Admin",
    ),
)
