"""HTTP door of workspaces (agents contract, section 4.7)."""

from __future__ import annotations

from typing import Final

from pydantic import RootModel

from services.agents.access.operations import Access
from services.agents.audit.models import Origin
from services.agents.sessions.operations import Bell, Totals
from services.agents.workspaces import operations
from services.agents.workspaces.models import (
    NewWorkspace,
    WorkspaceItem,
    WorkspaceQuery,
    WorkspaceSession,
    WorkspaceSessionQuery,
    WorkspaceSessionRequest,
)
from shared.api import Call, Empty, Operation, Reply
from shared.pagination import array_headers

COLLECTION: Final = "/api/v0/workspaces"
ONE: Final = COLLECTION + "/{id}"
SESSIONS: Final = ONE + "/sessions"
SESSION: Final = SESSIONS + "/{sid}"
TAG: Final = "Workspaces"


class WorkspaceList(RootModel[list[WorkspaceItem]]):
    """Workspaces, by name."""


class WorkspaceSessionList(RootModel[list[WorkspaceSession]]):
    """Sessions of a workspace, newest first."""


async def list_workspaces(call: Call[Empty, WorkspaceQuery]) -> Reply:
    """``GET /api/v0/workspaces``."""
    holder = await call.resource(Access).holder(call.principal)
    items, total = await operations.list_page(call.database, holder, call.query)
    return Reply(items, headers=array_headers(COLLECTION, call.query, total, len(items)))


async def create(call: Call[NewWorkspace, Empty]) -> WorkspaceItem:
    """``POST /api/v0/workspaces``."""
    holder = await call.resource(Access).holder(call.principal)
    return await operations.create(call.database, holder, call.body, Origin.of(call))


async def read(call: Call[Empty, Empty]) -> WorkspaceItem:
    """``GET /api/v0/workspaces/{id}``."""
    holder = await call.resource(Access).holder(call.principal)
    return await operations.read(call.database, holder, call.path["id"])


async def delete(call: Call[Empty, Empty]) -> Reply:
    """``DELETE /api/v0/workspaces/{id}``."""
    holder = await call.resource(Access).holder(call.principal)
    await operations.delete(call.database, holder, call.path["id"], Origin.of(call))
    return Reply(None)


async def list_sessions(call: Call[Empty, WorkspaceSessionQuery]) -> Reply:
    """``GET /api/v0/workspaces/{id}/sessions``."""
    holder = await call.resource(Access).holder(call.principal)
    namespace = call.path["id"]
    found = await operations.list_sessions(
        call.database, call.resource(Totals), holder, namespace, call.query
    )
    path = SESSIONS.format(id=namespace)
    return Reply(found.body, headers=array_headers(path, call.query, found.total, found.shown))


async def create_session(call: Call[WorkspaceSessionRequest, Empty]) -> WorkspaceSession:
    """``POST /api/v0/workspaces/{id}/sessions``."""
    holder = await call.resource(Access).holder(call.principal)
    bell, namespace = call.resource(Bell), call.path["id"]
    return await operations.create_session(
        call.database, bell, holder, namespace, call.body, Origin.of(call)
    )


async def read_session(call: Call[Empty, Empty]) -> WorkspaceSession:
    """``GET /api/v0/workspaces/{id}/sessions/{sid}``."""
    holder = await call.resource(Access).holder(call.principal)
    return await operations.read_session(call.database, holder, *_place(call))


async def delete_session(call: Call[Empty, Empty]) -> Reply:
    """``DELETE /api/v0/workspaces/{id}/sessions/{sid}``."""
    holder = await call.resource(Access).holder(call.principal)
    bell, (namespace, session_id) = call.resource(Bell), _place(call)
    await operations.delete_session(
        call.database, bell, holder, namespace, session_id, Origin.of(call)
    )
    return Reply(None)


async def start(call: Call[Empty, Empty]) -> WorkspaceSession:
    """``POST /api/v0/workspaces/{id}/sessions/{sid}/start``."""
    holder = await call.resource(Access).holder(call.principal)
    bell, (namespace, session_id) = call.resource(Bell), _place(call)
    return await operations.start(
        call.database, bell, holder, namespace, session_id, Origin.of(call)
    )


async def stop(call: Call[Empty, Empty]) -> WorkspaceSession:
    """``POST /api/v0/workspaces/{id}/sessions/{sid}/stop``."""
    holder = await call.resource(Access).holder(call.principal)
    bell, (namespace, session_id) = call.resource(Bell), _place(call)
    return await operations.stop(
        call.database, bell, holder, namespace, session_id, Origin.of(call)
    )


def _place(call: Call[Empty, Empty]) -> tuple[str, str]:
    return call.path["id"], call.path["sid"]


def _row(method: str, path: str, endpoint: object, summary: str, **more: object) -> Operation:
    return Operation(
        method=method,
        path=path,
        endpoint=endpoint,  # type: ignore[arg-type]  # each is an endpoint
        summary=summary,
        authenticated=True,
        tag=TAG,
        **more,  # type: ignore[arg-type]  # each is a field of Operation
    )


OPERATIONS: Final[tuple[Operation, ...]] = (
    _row(
        "GET",
        COLLECTION,
        list_workspaces,
        "List the namespaces that the caller may know of, by name",
        query=WorkspaceQuery,
        answer=WorkspaceList,
    ),
    _row(
        "POST",
        COLLECTION,
        create,
        "Make a namespace by name, before anything is in it",
        body=NewWorkspace,
        answer=WorkspaceItem,
        status=201,
        idempotent=True,
        errors=(403, 409),
    ),
    _row("GET", ONE, read, "Read a namespace", answer=WorkspaceItem, errors=(403, 404)),
    _row(
        "DELETE",
        ONE,
        delete,
        "Drop a namespace in which nothing is",
        answer=None,
        status=204,
        errors=(403, 404, 409),
    ),
    _row(
        "GET",
        SESSIONS,
        list_sessions,
        "List sessions of a namespace, newest first",
        query=WorkspaceSessionQuery,
        answer=WorkspaceSessionList,
        errors=(403, 404),
    ),
    _row(
        "POST",
        SESSIONS,
        create_session,
        "Create a session in a namespace",
        body=WorkspaceSessionRequest,
        answer=WorkspaceSession,
        status=201,
        idempotent=True,
        errors=(403, 404),
    ),
    _row(
        "GET",
        SESSION,
        read_session,
        "Read a session",
        answer=WorkspaceSession,
        errors=(400, 403, 404),
    ),
    _row(
        "DELETE",
        SESSION,
        delete_session,
        "Delete a session",
        answer=None,
        status=204,
        errors=(400, 403, 404),
    ),
    _row(
        "POST",
        SESSION + "/start",
        start,
        "Restore a session",
        answer=WorkspaceSession,
        errors=(400, 403, 404),
    ),
    _row(
        "POST",
        SESSION + "/stop",
        stop,
        "Close a session",
        answer=WorkspaceSession,
        errors=(400, 403, 404),
    ),
)
