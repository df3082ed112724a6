"""Editing, moving, closing, restoring and deleting sessions (agents contract, 4.5 and 5)."""

from __future__ import annotations

from collections.abc import Sequence

from services.agents.access.models import Holder
from services.agents.audit.models import Origin
from services.agents.audit.operations import record
from services.agents.sessions import rules
from services.agents.sessions.models import (
    Move,
    Session,
    SessionEdit,
    SessionItem,
    State,
    StateEdit,
)
from services.agents.sessions.operations import moving, permitting
from services.agents.sessions.operations.bell import Bell
from services.agents.sessions.operations.showing import with_agents
from services.agents.sessions.operations.working import add_job
from services.agents.sessions.store import changing
from services.agents.sessions.store import moving as store
from shared.db import Connection, Database
from shared.errors import BadRequest, NotFound


async def update(
    database: Database, holder: Holder, reference: str, edit: SessionEdit, origin: Origin
) -> SessionItem:
    """Change a session's name, timeout or metadata. Says session.changed.

    Raises:
        BadRequest: the id is none, or nothing would change.
        NotFound: there is no such session, or it is where the caller holds nothing.
        Forbidden: it is somebody else's.
    """
    async with database.transaction() as connection:
        session = await permitting.lock(connection, holder, reference, "update", "update")
        if not edit.model_fields_set:
            raise BadRequest("No fields to update")
        changed = await changing.update(
            connection,
            session.id,
            name=edit.name,
            metadata=edit.metadata,
            sets_timeout="waiting_timeout_seconds" in edit.model_fields_set,
            waiting=edit.waiting_timeout_seconds,
        )
        await moving.say(connection, changed)
        fields = ",".join(sorted(edit.model_fields_set))
        await _record(connection, "session.updated", holder, origin, session, fields=fields)
        return await with_agents(connection, changed)


async def change_state(
    database: Database,
    bell: Bell,
    holder: Holder,
    reference: str,
    edit: StateEdit,
    origin: Origin,
) -> SessionItem:
    """Move a session by hand. Says session.changed.

    Raises:
        BadRequest: the id is none, or there is no such move.
        NotFound: there is no such session, or it is where the caller holds nothing.
        Forbidden: it is somebody else's.
    """
    wanted = Move(edit.state, edit.termination_reason, edit.container_id, edit.persistent_volume_id)
    async with bell.ringing(database) as connection:
        session = await permitting.lock(connection, holder, reference, "update", "update")
        moved = await _move(connection, session, wanted)
        await _record_move(connection, "session.moved", holder, origin, session, moved)
        return await with_agents(connection, moved)


async def close(
    database: Database, bell: Bell, holder: Holder, reference: str, origin: Origin
) -> SessionItem:
    """Make a session IDLE, and end a turn under way. Says session.changed.

    Errors are those of ``change_state``.
    """
    async with bell.ringing(database) as connection:
        session = await permitting.lock(connection, holder, reference, "update", "update")
        moves = rules.to_close(session.state)
        if moves is None:
            raise BadRequest(rules.refusal(session.state, State.IDLE))
        moved = await _move_along(connection, session, moves)
        if moves:
            await _record_move(connection, "session.closed", holder, origin, session, moved)
        return await with_agents(connection, moved)


async def restore(
    database: Database, bell: Bell, holder: Holder, reference: str, origin: Origin
) -> SessionItem:
    """Make a session READY that is IDLE or has failed. Says session.changed.

    Errors are those of ``change_state``.
    """
    async with bell.ringing(database) as connection:
        session = await permitting.lock(connection, holder, reference, "update", "update")
        moves = rules.to_restore(session.state)
        if moves is None:
            raise BadRequest(rules.refusal(session.state, State.READY))
        moved = await _move_along(connection, session, moves)
        if moves:
            await _record_move(connection, "session.restored", holder, origin, session, moved)
        return await with_agents(connection, moved)


async def delete(
    database: Database, bell: Bell, holder: Holder, reference: str, origin: Origin
) -> None:
    """Delete a session softly, end a turn under way and release its runner. Says session.changed.

    Raises:
        BadRequest: the id is none.
        NotFound: there is no such session, or it is where the caller holds nothing.
        Forbidden: it is somebody else's.
    """
    async with bell.ringing(database) as connection:
        session = await permitting.lock(connection, holder, reference, "delete", "delete")
        await store.dispossess(connection, session.id, moving.CANCELLED)
        deleted = await store.mark_deleted(connection, session.id, moving.DELETED)
        if deleted is None:
            raise NotFound(permitting.MISSING)
        await add_job(connection, deleted, "destroy_session")
        await moving.say_deleted(connection, deleted)
        await _record(connection, "session.deleted", holder, origin, session)


async def _move_along(connection: Connection, session: Session, moves: Sequence[State]) -> Session:
    for to in moves:
        session = await _move(connection, session, Move(to))
    return session


async def _move(connection: Connection, session: Session, wanted: Move) -> Session:
    """Move a session by hand, and have what runs it follow."""
    moved = await moving.move_by_hand(connection, session, wanted)
    job = rules.job_after(session.state, wanted.to)
    if job is not None:
        await add_job(connection, moved, job)
    return moved


async def _record_move(
    connection: Connection,
    action: str,
    holder: Holder,
    origin: Origin,
    before: Session,
    after: Session,
) -> None:
    detail = {"from": before.state.value, "to": after.state.value}
    await _record(connection, action, holder, origin, before, **detail)


async def _record(
    connection: Connection,
    action: str,
    holder: Holder,
    origin: Origin,
    session: Session,
    **detail: str,
) -> None:
    target, namespace = str(session.id), session.namespace
    await record(connection, action, holder.owner, origin, target, namespace, **detail)
