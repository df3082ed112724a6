"""What other rooms do in a session that they have locked."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from services.agents.sessions import rules
from services.agents.sessions.models import JobKind, Move, Session, State
from services.agents.sessions.operations import moving as moves
from services.agents.sessions.store import moving, reading
from shared.db import Connection
from shared.errors import BadRequest


async def lock_by_id(connection: Connection, session_id: UUID) -> Session | None:
    """Find a session that is not deleted, and keep it from everybody else until commit."""
    return await reading.lock(connection, session_id)


async def take_number(connection: Connection, session: Session) -> Session:
    """Note that something happens in a session, and give it with its next number taken."""
    return await moving.touch(connection, session.id)


async def add_job(
    connection: Connection, session: Session, kind: JobKind, message_number: int | None = None
) -> int:
    """Add a job under the session's next number, and wake who works; give that number.

    Args:
        connection: in the transaction.
        session: locked by the caller.
        kind: of the job.
        message_number: of the USER message to be answered, for ``run_turn`` alone.
    """
    return await moving.add_job(connection, session.id, kind, message_number)


async def add_jobs(connection: Connection, sessions: Sequence[Session], kind: JobKind) -> None:
    """Add a job to each of some sessions that the caller has locked, and wake who works."""
    await moving.add_jobs(connection, [session.id for session in sessions], kind)


async def take_up(connection: Connection, session: Session, message_number: int) -> Session:
    """Make the moves of a USER message that was added, and the jobs (section 4.6).

    What the row says counts: while a reply is held back, the next turn may begin.

    Args:
        connection: in the transaction.
        session: locked by the caller.
        message_number: of that message.
    """
    to_make = rules.on_user_message(session.stored)
    if to_make[:1] == (State.READY,):
        await moving.add_job(connection, session.id, "reactivate_session", None)
    for to in to_make:
        session = await moves.move(connection, session, Move(to))
    await moving.add_job(connection, session.id, "run_turn", message_number)
    return session


async def end_turn(connection: Connection, session: Session, reason: str) -> Session:
    """End the turn that is under way, if there is one, without a reply: BUSY becomes READY.

    Args:
        connection: in the transaction.
        session: locked by the caller.
        reason: kept with the turn's job.
    """
    if session.stored is not State.BUSY:
        return session
    await moving.dispossess(connection, session.id, reason)
    return await moves.move(connection, session, Move(State.READY))


async def complete(connection: Connection, session: Session) -> Session:
    """End the turn of a session by hand.

    Raises:
        BadRequest: the session is not BUSY.
    """
    if session.state is not State.BUSY:
        raise BadRequest(rules.refusal(session.state, State.READY))
    return await moves.move_by_hand(connection, session, Move(State.READY))


def shown(session: Session, state: State | None = None) -> str:
    """Give the word for a session's state, or for another one, in its dialect (section 4.5)."""
    return rules.shown(state or session.state, is_space=session.is_space)
