"""Whose session it is, and who else may use it (agents contract, sections 4.5 and 7)."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from services.agents.access.models import Holder
from services.agents.sessions.models import Session
from services.agents.sessions.store import reading
from shared.agents_wire import UUID_TEXT
from shared.db import Connection
from shared.errors import BadRequest, Forbidden, NotFound

SESSIONS: Final = "sessions"
MISSING: Final = "Session not found"


def read_id(reference: str) -> UUID:
    """Read a session's id.

    Raises:
        BadRequest: it is none.
    """
    if not UUID_TEXT.fullmatch(reference):
        raise BadRequest("Invalid session ID format")
    return UUID(reference)


async def find(
    connection: Connection, holder: Holder, reference: str, verb: str, doing: str = "access"
) -> Session:
    """Find a session that the caller owns, or may use as they want to.

    Args:
        connection: to read with.
        holder: who is calling, with what they hold.
        reference: the session's id as written in the path.
        verb: that others than the owner must hold on sessions.
        doing: the word for it in the refusal.

    Raises:
        BadRequest: the id is none.
        NotFound: there is no such session, or it is where the caller holds nothing.
        Forbidden: it is somebody else's.
    """
    found = await reading.find(connection, read_id(reference))
    return judge(holder, found, verb, doing)


async def lock(
    connection: Connection, holder: Holder, reference: str, verb: str, doing: str = "access"
) -> Session:
    """Find a session likewise, and keep it from everybody else until commit."""
    found = await reading.lock(connection, read_id(reference))
    return judge(holder, found, verb, doing)


def judge(
    holder: Holder,
    session: Session | None,
    verb: str,
    doing: str = "access",
    missing: str = MISSING,
) -> Session:
    """Give the session if the caller may use it as they want to; errors are those of ``find``."""
    if session is None:
        raise NotFound(missing)
    if holder.owns(session.owner_type, session.owner_id):
        return session
    holder.require_seen(session.namespace, missing)
    names = (session.name, str(session.id))
    if not holder.may(SESSIONS, verb, session.namespace, names):
        raise Forbidden(f"Cannot {doing} other users' sessions")
    return session
