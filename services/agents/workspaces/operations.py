"""Use cases of workspaces, by the rules of agents and sessions (agents contract, section 4.7)."""

from __future__ import annotations

from typing import Final

from pydantic_core import to_json

from services.agents.access.models import Holder
from services.agents.agents.models import NAME_TEXT
from services.agents.audit.models import Origin
from services.agents.audit.operations import record
from services.agents.namespaces.operations import claim
from services.agents.sessions import operations as sessions
from services.agents.sessions.models import Listed, SessionQuery, SessionRequest, Shown
from services.agents.sessions.operations import Bell, Totals, permitting
from services.agents.sessions.operations.showing import item_of
from services.agents.workspaces import rules, store
from services.agents.workspaces.models import (
    NewWorkspace,
    WorkspaceItem,
    WorkspaceQuery,
    WorkspaceSession,
    WorkspaceSessionQuery,
    WorkspaceSessionRequest,
    metadata_of,
)
from services.agents.workspaces.store import delete as forget_namespace
from shared.db import Database
from shared.errors import Conflict, Forbidden, NotFound
from shared.pagination import TOTAL_CAP

__all__ = [
    "create",
    "create_session",
    "delete",
    "delete_session",
    "forget_namespace",
    "list_page",
    "list_sessions",
    "read",
    "read_session",
    "start",
    "stop",
]

MISSING: Final = "Workspace not found"
HELD_IN: Final = ("agents", "sessions")
"""What a namespace is there for: whoever may do something with either may do it with the whole."""


async def list_page(
    database: Database, holder: Holder, query: WorkspaceQuery
) -> tuple[list[WorkspaceItem], int]:
    """List the namespaces that the caller may know of, by name, and their number.

    Those in which they hold anything, so that people learn what theirs is called; and all there
    are, if they may list agents or sessions everywhere.
    """
    held = {grant.namespace for grant in holder.grants if grant.namespace is not None}
    sees_all = any(holder.namespaces(resource, "list") is None for resource in HELD_IN)
    async with database.connection() as connection:
        names = sorted(held)
        if sees_all:
            names = await store.list_all(connection, names, TOTAL_CAP)
        page = names[query.offset : query.offset + query.most]
        found = await store.describe(connection, page)
    return [workspace.item() for workspace in found], len(names)


async def create(
    database: Database, holder: Holder, wanted: NewWorkspace, origin: Origin
) -> WorkspaceItem:
    """Make a namespace by name, before anything is in it.

    Raises:
        Forbidden: the caller may create neither agents nor sessions there.
        Conflict: it is there already.
    """
    namespace = rules.namespace_of(wanted.name)
    title = None if namespace == wanted.name else wanted.name
    _require(holder, "create", namespace)
    async with database.transaction() as connection:
        content = await store.look(connection, namespace)
        if content.is_used or not await store.insert(
            connection, namespace, title, wanted.description
        ):
            raise Conflict(f"Workspace '{namespace}' already exists")
        await claim(connection, namespace)
        await record(connection, "workspace.created", holder.owner, origin, namespace, namespace)
        made = await store.describe(connection, [namespace])
    return made[0].item()


async def read(database: Database, holder: Holder, namespace: str) -> WorkspaceItem:
    """Give a namespace in which the caller holds anything.

    Raises:
        NotFound: they do not.
    """
    _require_name(namespace)
    holder.require_seen(namespace, MISSING)
    async with database.connection() as connection:
        found = await store.describe(connection, [namespace])
    return found[0].item()


async def delete(database: Database, holder: Holder, namespace: str, origin: Origin) -> None:
    """Drop a namespace that somebody made and in which nothing is.

    Raises:
        NotFound: there is none, or the caller holds nothing there.
        Forbidden: the caller may delete neither agents nor sessions there.
        Conflict: it holds active agents or sessions, or is there because rights are held in it.
    """
    _require_name(namespace)
    holder.require_seen(namespace, MISSING)
    _require(holder, "delete", namespace)
    async with database.transaction() as connection:
        content = await store.look(connection, namespace)
        if content.is_used:
            raise Conflict(f"Workspace '{namespace}' still holds active agents or sessions")
        if not await store.delete(connection, namespace):
            if any(grant.namespace == namespace for grant in holder.grants):
                raise Conflict(f"Workspace '{namespace}' is there while you hold rights in it")
            raise NotFound(MISSING)
        await record(connection, "workspace.deleted", holder.owner, origin, namespace, namespace)


async def list_sessions(
    database: Database,
    totals: Totals,
    holder: Holder,
    namespace: str,
    query: WorkspaceSessionQuery,
) -> Listed:
    """List a namespace's sessions, newest first: all of them for whom may list all, else their own.

    The web client shows one list and asks for nobody's in particular.

    Raises:
        NotFound: no namespace can be called so.
        Forbidden: others' sessions are asked for, and the caller may not list them there.
    """
    _require_name(namespace)
    may_all = holder.may(permitting.SESSIONS, "list-all", namespace)
    created_by = query.created_by or ("*" if may_all else None)
    wanted = SessionQuery(
        namespace=namespace, created_by=created_by, page=query.page, limit=query.limit
    )
    return await sessions.list_page(database, totals, holder, wanted, _written)


def _written(shown: Shown) -> str:
    return to_json(rules.seen(item_of(shown))).decode()


async def create_session(
    database: Database,
    bell: Bell,
    holder: Holder,
    namespace: str,
    wanted: WorkspaceSessionRequest,
    origin: Origin,
) -> WorkspaceSession:
    """Make a session, and have it started unless it is to be stopped. Says session.created.

    Raises:
        NotFound: no namespace can be called so.
        Forbidden: the caller may not create sessions there.
    """
    _require_name(namespace)
    metadata = metadata_of(wanted.container_info)
    fields = {"namespace": namespace, "name": wanted.name, "metadata": metadata}
    request = SessionRequest.model_validate(fields)
    is_stopped = wanted.status.lower() == rules.STOPPED
    return rules.seen(
        await sessions.create(database, bell, holder, request, origin, is_stopped=is_stopped)
    )


async def read_session(
    database: Database, holder: Holder, namespace: str, reference: str
) -> WorkspaceSession:
    """Give a session of a namespace; errors are as for ``delete_session``."""
    await _require_in(database, holder, namespace, reference, "get-all")
    return rules.seen(await sessions.read(database, holder, reference))


async def delete_session(
    database: Database, bell: Bell, holder: Holder, namespace: str, reference: str, origin: Origin
) -> None:
    """Delete a session of a namespace. Says session.changed.

    Errors are those of a session's own route; one of another namespace is not there.
    """
    await _require_in(database, holder, namespace, reference, "delete")
    await sessions.delete(database, bell, holder, reference, origin)


async def start(
    database: Database, bell: Bell, holder: Holder, namespace: str, reference: str, origin: Origin
) -> WorkspaceSession:
    """Restore a session of a namespace; errors are as for ``delete_session``."""
    await _require_in(database, holder, namespace, reference, "update")
    return rules.seen(await sessions.restore(database, bell, holder, reference, origin))


async def stop(
    database: Database, bell: Bell, holder: Holder, namespace: str, reference: str, origin: Origin
) -> WorkspaceSession:
    """Close a session of a namespace; errors are as for ``delete_session``."""
    await _require_in(database, holder, namespace, reference, "update")
    return rules.seen(await sessions.close(database, bell, holder, reference, origin))


async def _require_in(
    database: Database, holder: Holder, namespace: str, reference: str, verb: str
) -> None:
    """Check that a session is of a namespace, which no session ever leaves."""
    async with database.connection() as connection:
        session = await permitting.find(connection, holder, reference, verb, verb)
    if session.namespace != namespace:
        raise NotFound(permitting.MISSING)


def _require(holder: Holder, verb: str, namespace: str) -> None:
    if not any(holder.may(resource, verb, namespace) for resource in HELD_IN):
        raise Forbidden


def _require_name(namespace: str) -> None:
    if not NAME_TEXT.fullmatch(namespace):
        raise NotFound(MISSING)
