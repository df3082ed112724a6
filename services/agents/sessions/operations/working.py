"""What other rooms do in a session that they have locked."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from services.agents.sessions.models import Session
from services.agents.sessions.store import moving, reading
from shared.db import Connection

JobKind = Literal[
    "create_session", "stop_session", "reactivate_session", "destroy_session", "run_turn"
]


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
