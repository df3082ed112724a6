"""The HTTP door of the stream (learnings contract, section 6.5)."""

from __future__ import annotations

from typing import Any, Final

from services.learnings.stream import operations
from services.learnings.stream.operations import Streams
from shared.api import Call, Operation, Reply
from shared.server_sent import HEADERS, MEDIA_TYPE
from shared.streams import Draining


async def stream(call: Call[Any, Any]) -> Reply:
    """Follow the organization's learnings as they are published, updated and retired."""
    streams, draining = call.resource(Streams), call.resource(Draining)
    follower = await streams.admit_principal(call.principal)
    try:
        last = call.headers.get("last-event-id", "")
        cursor = await operations.begin(call.database, follower.topic, last)
    except BaseException:
        streams.leave(follower)
        raise
    body = operations.follow(call.database, streams, draining, follower, call.principal, cursor)
    return Reply(body, headers=HEADERS, media_type=MEDIA_TYPE)


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        method="GET",
        path="/v1/learnings/stream",
        endpoint=stream,
        summary="Follow learnings as server-sent events; Last-Event-ID replays what came after",
        answer=None,
        media_type=MEDIA_TYPE,
        scope="learnings:read",
        errors=(429, 503),
        tag="Learnings",
    ),
)
