"""The HTTP door of the stream (learnings contract, section 6.5)."""

from __future__ import annotations

from typing import Any, Final

from services.learnings.stream import operations
from services.learnings.stream.operations import Streams
from shared.api import Call, Operation, Reply
from shared.streams import Draining


async def stream(call: Call[Any, Any]) -> Reply:
    """Follow the organization's learnings as they are published, updated and retired."""
    streams = call.resource(Streams)
    follower = await streams.admit(call.principal)
    try:
        last = call.headers.get("last-event-id", "")
        cursor = await operations.begin(call.database, follower, last)
    except BaseException:
        streams.leave(follower)
        raise
    body = operations.follow(call.database, streams, call.resource(Draining), follower, cursor)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return Reply(body, headers=headers, media_type="text/event-stream")


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        method="GET",
        path="/v1/learnings/stream",
        endpoint=stream,
        summary="Follow learnings as server-sent events; Last-Event-ID replays what came after",
        answer=None,
        scope="learnings:read",
        errors=(429, 503),
        tag="Learnings",
    ),
)
