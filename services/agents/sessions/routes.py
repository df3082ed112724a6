"""HTTP door of sessions (agents contract, section 4.5)."""

from __future__ import annotations

from typing import Final

from pydantic import RootModel

from services.agents.access.operations import Access
from services.agents.audit.models import Origin
from services.agents.sessions import operations
from services.agents.sessions.models import (
    RemixRequest,
    SessionEdit,
    SessionItem,
    SessionQuery,
    SessionRequest,
    SessionUsage,
    StateEdit,
)
from services.agents.sessions.operations import Bell, Totals
from shared.api import Call, Empty, Operation, Reply
from shared.pagination import array_headers

COLLECTION: Final = "/api/v0/sessions"
ONE: Final = COLLECTION + "/{id}"
TAG: Final = "Sessions"


class SessionList(RootModel[list[SessionItem]]):
    """Sessions, newest first."""


async def list_sessions(call: Call[Empty, SessionQuery]) -> Reply:
    """``GET /api/v0/sessions``."""
    holder = await call.resource(Access).holder(call.principal)
    found = await operations.list_page(call.database, call.resource(Totals), holder, call.query)
    headers = array_headers(COLLECTION, call.query, found.total, found.shown)
    return Reply(found.body, headers=headers)


async def create(call: Call[SessionRequest, Empty]) -> SessionItem:
    """``POST /api/v0/sessions``."""
    holder = await call.resource(Access).holder(call.principal)
    return await operations.create(
        call.database, call.resource(Bell), holder, call.body, Origin.of(call)
    )


async def read(call: Call[Empty, Empty]) -> SessionItem:
    """``GET /api/v0/sessions/{id}``."""
    holder = await call.resource(Access).holder(call.principal)
    return await operations.read(call.database, holder, call.path["id"])


async def update(call: Call[SessionEdit, Empty]) -> SessionItem:
    """``PUT`` and ``PATCH /api/v0/sessions/{id}``."""
    holder = await call.resource(Access).holder(call.principal)
    return await operations.update(
        call.database, holder, call.path["id"], call.body, Origin.of(call)
    )


async def change_state(call: Call[StateEdit, Empty]) -> SessionItem:
    """``PUT`` and ``PATCH /api/v0/sessions/{id}/state``."""
    holder = await call.resource(Access).holder(call.principal)
    return await operations.change_state(
        call.database, call.resource(Bell), holder, call.path["id"], call.body, Origin.of(call)
    )


async def remix(call: Call[RemixRequest, Empty]) -> SessionItem:
    """``POST /api/v0/sessions/{id}/remix``."""
    holder = await call.resource(Access).holder(call.principal)
    return await operations.remix(
        call.database, call.resource(Bell), holder, call.path["id"], call.body, Origin.of(call)
    )


async def close(call: Call[Empty, Empty]) -> SessionItem:
    """``POST /api/v0/sessions/{id}/close``."""
    holder = await call.resource(Access).holder(call.principal)
    return await operations.close(
        call.database, call.resource(Bell), holder, call.path["id"], Origin.of(call)
    )


async def restore(call: Call[Empty, Empty]) -> SessionItem:
    """``POST /api/v0/sessions/{id}/restore``."""
    holder = await call.resource(Access).holder(call.principal)
    return await operations.restore(
        call.database, call.resource(Bell), holder, call.path["id"], Origin.of(call)
    )


async def delete(call: Call[Empty, Empty]) -> Reply:
    """``DELETE /api/v0/sessions/{id}``."""
    holder = await call.resource(Access).holder(call.principal)
    await operations.delete(
        call.database, call.resource(Bell), holder, call.path["id"], Origin.of(call)
    )
    return Reply(None)


async def read_usage(call: Call[Empty, Empty]) -> SessionUsage:
    """``GET /api/v0/sessions/{id}/usage``."""
    holder = await call.resource(Access).holder(call.principal)
    return await operations.read_usage(call.database, holder, call.path["id"])


def _update(method: str) -> Operation:
    return Operation(
        method=method,
        path=ONE,
        endpoint=update,
        summary="Change a session's name, timeout or metadata",
        body=SessionEdit,
        answer=SessionItem,
        authenticated=True,
        errors=(400, 403, 404),
        tag=TAG,
    )


def _change_state(method: str) -> Operation:
    return Operation(
        method=method,
        path=ONE + "/state",
        endpoint=change_state,
        summary="Move a session to another state",
        body=StateEdit,
        answer=SessionItem,
        authenticated=True,
        errors=(400, 403, 404),
        tag=TAG,
    )


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        method="GET",
        path=COLLECTION,
        endpoint=list_sessions,
        summary="List one's own sessions, or those of others where the caller may, newest first",
        query=SessionQuery,
        answer=SessionList,
        authenticated=True,
        errors=(400, 403),
        tag=TAG,
    ),
    Operation(
        method="POST",
        path=COLLECTION,
        endpoint=create,
        summary="Create a session, and start it",
        body=SessionRequest,
        answer=SessionItem,
        status=201,
        authenticated=True,
        idempotent=True,
        errors=(400, 403),
        tag=TAG,
    ),
    Operation(
        method="GET",
        path=ONE,
        endpoint=read,
        summary="Read a session",
        answer=SessionItem,
        authenticated=True,
        errors=(400, 403, 404),
        tag=TAG,
    ),
    _update("PUT"),
    _update("PATCH"),
    Operation(
        method="DELETE",
        path=ONE,
        endpoint=delete,
        summary="Delete a session from whatever state",
        answer=None,
        status=204,
        authenticated=True,
        errors=(400, 403, 404),
        tag=TAG,
    ),
    _change_state("PUT"),
    _change_state("PATCH"),
    Operation(
        method="POST",
        path=ONE + "/remix",
        endpoint=remix,
        summary="Make a session from another one, without its messages",
        body=RemixRequest,
        answer=SessionItem,
        status=201,
        authenticated=True,
        idempotent=True,
        errors=(400, 403, 404),
        tag=TAG,
    ),
    Operation(
        method="POST",
        path=ONE + "/close",
        endpoint=close,
        summary="Make a session idle, and end a turn under way",
        answer=SessionItem,
        authenticated=True,
        errors=(400, 403, 404),
        tag=TAG,
    ),
    Operation(
        method="POST",
        path=ONE + "/restore",
        endpoint=restore,
        summary="Make a session ready that is idle or has failed",
        answer=SessionItem,
        authenticated=True,
        errors=(400, 403, 404),
        tag=TAG,
    ),
    Operation(
        method="GET",
        path=ONE + "/usage",
        endpoint=read_usage,
        summary="What the turns of a session have taken: tokens, and cost in dollars",
        answer=SessionUsage,
        authenticated=True,
        errors=(400, 403, 404),
        tag=TAG,
    ),
)
