"""The HTTP door of a session's stream (agents contract, section 4.6)."""

from __future__ import annotations

from typing import Final

from services.agents.access.operations import Access
from services.agents.events import operations
from services.agents.events.models import EventQuery
from services.agents.events.operations import Streams
from shared.api import Call, Empty, Operation, Reply
from shared.server_sent import HEADERS, MEDIA_TYPE, cursor_of
from shared.streams import Draining


async def follow(call: Call[Empty, EventQuery]) -> Reply:
    """``GET /api/v0/sessions/{id}/events``."""
    cursor = cursor_of(call.headers.get("last-event-id", ""))
    asked = cursor_of(call.query.last_event_id, "query", "last_event_id")
    access, streams = call.resource(Access), call.resource(Streams)
    holder = await access.holder(call.principal)
    session = await operations.find(call.database, holder, call.path["id"])
    follower = await operations.admit(streams, holder, session)
    try:
        start = await operations.begin(call.database, session, asked if cursor is None else cursor)
    except BaseException:
        streams.leave(follower)
        raise
    body = operations.follow(
        call.database,
        streams,
        call.resource(Draining),
        access,
        follower,
        call.principal,
        start,
    )
    return Reply(body, headers=HEADERS, media_type=MEDIA_TYPE)


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        method="GET",
        path="/api/v0/sessions/{id}/events",
        endpoint=follow,
        summary="Follow a session's messages and states as server-sent events; Last-Event-ID "
        "replays what came after",
        query=EventQuery,
        answer=None,
        media_type=MEDIA_TYPE,
        authenticated=True,
        errors=(400, 403, 404, 429, 503),
        tag="Messages",
    ),
)
