"""HTTP door of the public health check and version (agents contract, section 3)."""

from __future__ import annotations

import asyncio
from typing import Any, Final, Literal

from shared import VERSION
from shared.api import Answer, Call, Operation, Reply
from shared.errors import Unavailable

PATIENCE: Final = 2.0
"""Seconds for the database to answer."""

TAG: Final = "Health"


class Version(Answer):
    """Which Guildhall this is, and which version of the surface it speaks."""

    version: str
    api: Literal["v0"] = "v0"


async def show(call: Call[Any, Any]) -> Reply:
    """``GET /api/v0/health``: the text OK, or 503 when the database does not answer."""
    try:
        async with asyncio.timeout(PATIENCE):
            await call.database.ping()
    except (Unavailable, TimeoutError) as error:
        raise Unavailable("The database cannot be reached") from error
    return Reply(b"OK", media_type="text/plain; charset=utf-8")


async def version(call: Call[Any, Any]) -> Version:
    """``GET /api/v0/version``."""
    return Version(version=VERSION)


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/api/v0/health",
        endpoint=show,
        summary="The text OK if the service can work",
        answer=None,
        media_type="text/plain",
        public=True,
        errors=(503,),
        tag=TAG,
    ),
    Operation(
        method="GET",
        path="/api/v0/version",
        endpoint=version,
        summary="Tell the version",
        answer=Version,
        public=True,
        tag=TAG,
    ),
)
