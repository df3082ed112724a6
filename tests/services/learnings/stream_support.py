"""Reading the stream of learnings, as the client of section 6.5 does."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import httpx

from tests.support import event_stream
from tests.support.event_stream import LIMIT, Reading

__all__ = ["LIMIT", "Reading", "reading"]


def reading(
    client: httpx.AsyncClient, headers: dict[str, str], last: str | int | None = None
) -> AbstractAsyncContextManager[Reading]:
    """Keep a stream open and read it."""
    return event_stream.reading(client, "/v1/learnings/stream", headers, last)
