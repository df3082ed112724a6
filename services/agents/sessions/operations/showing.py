"""Sessions as answers show them: one, and what its turns have taken."""

from __future__ import annotations

from pydantic_core import from_json

from services.agents.access.models import Holder
from services.agents.sessions import rules
from services.agents.sessions.models import Session, SessionItem, SessionUsage, Shown
from services.agents.sessions.operations import permitting
from services.agents.sessions.store import listing as store
from shared.db import Connection, Database
from shared.errors import NotFound


async def read(database: Database, holder: Holder, reference: str) -> SessionItem:
    """Give a session to its owner, or to whoever may ``get-all``.

    Raises:
        BadRequest: the id is none.
        NotFound: there is no such session, or it is where the caller holds nothing.
        Forbidden: it is somebody else's.
    """
    session_id = permitting.read_id(reference)
    async with database.connection() as connection:
        found = (await store.find_shown(connection, [session_id])).get(session_id)
    permitting.judge(holder, None if found is None else found.session, "get-all")
    assert found is not None  # judged
    return item_of(found)


async def read_usage(database: Database, holder: Holder, reference: str) -> SessionUsage:
    """Give what a session's turns have taken; errors are those of ``read``."""
    async with database.connection() as connection:
        session = await permitting.find(connection, holder, reference, "get-all")
        usage = await store.find_usage(connection, session.id)
    if usage is None:
        raise NotFound(permitting.MISSING)
    return usage


async def with_agents(connection: Connection, session: Session) -> SessionItem:
    """Give a session that the caller has in hand, as an answer shows it."""
    return item_of(Shown(session, await store.find_agents(connection, session.id)))


def item_of(shown: Shown) -> SessionItem:
    """Write a session as the wire shows it, in its dialect (section 4.5)."""
    session = shown.session
    return SessionItem(
        id=session.id,
        name=session.name,
        namespace=session.namespace,
        workspace=session.namespace,
        space=session.namespace if session.is_space else None,
        starting_prompt=session.starting_prompt,
        state=rules.shown(session.state, is_space=session.is_space),
        waiting_timeout_seconds=session.waiting_timeout_seconds,
        container_id=session.container_id,
        persistent_volume_id=session.persistent_volume_id,
        created_by=session.created_by,
        parent_session_id=session.parent_session_id,
        agents=from_json(shown.agents),
        created_at=session.created_at,
        started_at=session.started_at,
        last_activity_at=session.last_activity_at,
        terminated_at=session.terminated_at,
        termination_reason=session.termination_reason,
        metadata=from_json(session.metadata),
    )
