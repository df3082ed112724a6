"""HTTP door of messages (agents contract, section 4.6)."""

from __future__ import annotations

from typing import Final

from pydantic import RootModel

from services.agents.access.operations import Access
from services.agents.audit.models import Origin
from services.agents.messages import operations
from services.agents.messages.models import (
    Cleared,
    Completed,
    MessageCount,
    MessageItem,
    MessageQuery,
    NewMessage,
)
from services.agents.sessions.operations import Bell
from shared.api import Call, Empty, Operation, Reply

SESSION: Final = "/api/v0/sessions/{id}"
COLLECTION: Final = SESSION + "/messages"
TAG: Final = "Messages"


class MessageList(RootModel[list[MessageItem]]):
    """Messages, oldest first."""


async def list_messages(call: Call[Empty, MessageQuery]) -> Reply:
    """``GET /api/v0/sessions/{id}/messages``."""
    holder = await call.resource(Access).holder(call.principal)
    found, headers = await operations.list_page(call.database, holder, call.path["id"], call.query)
    return Reply(found.body, headers=headers)


async def post(call: Call[NewMessage, Empty]) -> Reply:
    """``POST /api/v0/sessions/{id}/messages``."""
    holder = await call.resource(Access).holder(call.principal)
    bell = call.resource(Bell)
    return Reply(await operations.post(call.database, bell, holder, call.path["id"], call.body))


async def clear(call: Call[Empty, Empty]) -> Cleared:
    """``DELETE /api/v0/sessions/{id}/messages``."""
    holder = await call.resource(Access).holder(call.principal)
    bell, origin = call.resource(Bell), Origin.of(call)
    return await operations.clear(call.database, bell, holder, call.path["id"], origin)


async def count(call: Call[Empty, Empty]) -> MessageCount:
    """``GET /api/v0/sessions/{id}/messages/count``."""
    holder = await call.resource(Access).holder(call.principal)
    return await operations.count(call.database, holder, call.path["id"])


async def complete(call: Call[Empty, Empty]) -> Completed:
    """``POST /api/v0/sessions/{id}/complete``."""
    holder = await call.resource(Access).holder(call.principal)
    bell, origin = call.resource(Bell), Origin.of(call)
    return await operations.complete(call.database, bell, holder, call.path["id"], origin)


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        method="GET",
        path=COLLECTION,
        endpoint=list_messages,
        summary="List a session's messages, oldest first",
        query=MessageQuery,
        answer=MessageList,
        authenticated=True,
        errors=(400, 403, 404),
        tag=TAG,
    ),
    Operation(
        method="POST",
        path=COLLECTION,
        endpoint=post,
        summary="Post a message; one with role USER is answered by an agent of the session",
        body=NewMessage,
        answer=MessageItem,
        status=201,
        authenticated=True,
        idempotent=True,
        errors=(400, 403, 404),
        tag=TAG,
    ),
    Operation(
        method="DELETE",
        path=COLLECTION,
        endpoint=clear,
        summary="Delete a session's messages, and what waits to be answered with them",
        answer=Cleared,
        authenticated=True,
        errors=(400, 403, 404),
        tag=TAG,
    ),
    Operation(
        method="GET",
        path=COLLECTION + "/count",
        endpoint=count,
        summary="Count a session's messages",
        answer=MessageCount,
        authenticated=True,
        errors=(400, 403, 404),
        tag=TAG,
    ),
    Operation(
        method="POST",
        path=SESSION + "/complete",
        endpoint=complete,
        summary="End the turn of a session that is BUSY by hand",
        answer=Completed,
        authenticated=True,
        errors=(400, 403, 404),
        tag=TAG,
    ),
)
