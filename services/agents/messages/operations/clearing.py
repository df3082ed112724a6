"""Deleting a session's messages, and ending a turn by hand (agents contract, section 4.6)."""

from __future__ import annotations

from typing import Final

from services.agents.access.models import Holder
from services.agents.audit.models import Origin
from services.agents.audit.operations import record
from services.agents.messages.models import Cleared, Completed
from services.agents.messages.store import writing as store
from services.agents.sessions.operations import Bell, permitting, working
from shared.db import Database

CLEARED: Final = "cleared"
DELETE: Final = "delete"
UPDATE: Final = "update"


async def clear(
    database: Database, bell: Bell, holder: Holder, reference: str, origin: Origin
) -> Cleared:
    """Delete all messages of a session, and with them what waits to be answered.

    A turn under way ends without a reply. Raises as ``list_page`` does.
    """
    async with bell.ringing(database) as connection:
        session = await permitting.lock(connection, holder, reference, DELETE, DELETE)
        session = await working.end_turn(connection, session, CLEARED)
        deleted = await store.clear(connection, session.id, CLEARED)
        await record(
            connection,
            "session.cleared",
            holder.owner,
            origin,
            str(session.id),
            session.namespace,
            messages=str(deleted),
        )
    return Cleared(deleted=deleted, session_id=session.id)


async def complete(
    database: Database, bell: Bell, holder: Holder, reference: str, origin: Origin
) -> Completed:
    """End the turn of a session by hand; what waits behind it is taken up then.

    Raises:
        BadRequest: the session is not BUSY, or the id is none.
        NotFound: there is no such session, or it is where the caller holds nothing.
        Forbidden: it is somebody else's.
    """
    async with bell.ringing(database) as connection:
        session = await permitting.lock(connection, holder, reference, UPDATE, UPDATE)
        session = await working.complete(connection, session)
        await record(
            connection,
            "session.completed",
            holder.owner,
            origin,
            str(session.id),
            session.namespace,
        )
    state = working.shown(session)
    return Completed(session_id=session.id, state=state, message="The session is ready")
