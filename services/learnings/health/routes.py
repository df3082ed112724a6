"""The HTTP door of the public health check (learnings surface, section 4)."""

from __future__ import annotations

import asyncio
from typing import Any, Final, Literal

from shared import VERSION
from shared.api import Answer, Call, Operation
from shared.errors import Unavailable

PATIENCE: Final = 2.0
"""Seconds for the database to answer; clients of this route wait five (section 7, row 12)."""


class Health(Answer):
    """Whether the service can work."""

    status: Literal["ok"]
    version: str


async def show(call: Call[Any, Any]) -> Health:
    """Answer 200, or 503 with ``status`` "error" when the database does not answer."""
    try:
        async with asyncio.timeout(PATIENCE):
            await call.database.ping()
    except (Unavailable, TimeoutError) as error:
        trouble = Unavailable("The database cannot be reached")
        trouble.extra = {"status": "error", "version": VERSION}
        raise trouble from error
    return Health(status="ok", version=VERSION)


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/health",
        endpoint=show,
        summary="Health check",
        answer=Health,
        public=True,
        tag="Health",
    ),
)
