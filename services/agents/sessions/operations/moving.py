"""The one way in which a session's state changes (agents contract, section 5).

Callers hold the session's row lock (``permitting.lock``, ``reading.lock``): so of two who want to
move it at once the second sees what the first has done, and is judged by that.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from services.agents.sessions import rules
from services.agents.sessions.models import Move, Session, State
from services.agents.sessions.operations import hearing
from services.agents.sessions.store import moving as store
from shared.bus import outbox
from shared.contracts.agents import SessionChanged
from shared.db import Connection
from shared.errors import BadRequest

CANCELLED: Final = "cancelled"
DELETED: Final = "User requested deletion"


async def move(
    connection: Connection, session: Session, wanted: Move, until: datetime | None = None
) -> Session:
    """Move a session that the caller has locked, as the worker does. Says session.changed.

    Args:
        connection: in the transaction.
        session: as it is; what its row says counts, and not that a reply is held back.
        wanted: where to.
        until: the time of the reply that ends the turn, if that is yet to come.

    Raises:
        BadRequest: there is no such move, or somebody else was faster.
    """
    if not rules.may_move(session.stored, wanted.to):
        raise BadRequest(rules.refusal(session.stored, wanted.to))
    return await _move(connection, session, wanted, until)


async def move_by_hand(connection: Connection, session: Session, wanted: Move) -> Session:
    """Move a session because somebody asks for it: a turn under way ends without a reply.

    What counts is the state that callers see. What waits in the session is looked at when it is
    READY. Raises as ``move`` does.
    """
    if not rules.may_move(session.state, wanted.to):
        raise BadRequest(rules.refusal(session.state, wanted.to))
    if session.stored is State.BUSY:
        await store.dispossess(connection, session.id, CANCELLED)
    moved = await _move(connection, session, wanted, None)
    if moved.stored is State.READY:
        await store.clear_failures(connection, session.id)
        await store.wake(connection, session.id)
    return moved


async def _move(
    connection: Connection, session: Session, wanted: Move, until: datetime | None
) -> Session:
    moved = await store.move(connection, session.id, session.stored, wanted, until)
    if moved is None:
        raise BadRequest(rules.refusal(session.state, wanted.to))
    await say(connection, moved)
    return moved


async def move_all(
    connection: Connection, session_ids: Sequence[UUID], expected: State, wanted: Move
) -> list[Session]:
    """Move sessions that the caller has locked, all at once; give those that were as expected.

    Raises:
        BadRequest: there is no such move.
    """
    if not rules.may_move(expected, wanted.to):
        raise BadRequest(rules.refusal(expected, wanted.to))
    moved = await store.move_all(connection, session_ids, expected, wanted)
    for session in moved:
        hearing.note(session.id)
    await outbox.add_all(connection, [_changed(session) for session in moved])
    return moved


async def say(connection: Connection, session: Session) -> None:
    """Say what a session has become."""
    hearing.note(session.id)
    await outbox.add(connection, _changed(session))


def _changed(session: Session) -> SessionChanged:
    return SessionChanged(
        session_id=str(session.id),
        namespace=session.namespace,
        state=session.stored,
        number=session.number,
    )


async def say_deleted(connection: Connection, session: Session) -> None:
    """Say that a session was deleted."""
    hearing.note(session.id)
    event = SessionChanged(
        session_id=str(session.id),
        namespace=session.namespace,
        state="DELETED",
        number=session.number,
    )
    await outbox.add(connection, event)
