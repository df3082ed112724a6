"""What the worker needs of messages: a turn's beginning and its one reply (section 6).

All run in the worker's transactions; it holds the session's row when it writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from services.agents.messages import rules
from services.agents.messages.models import ReplyRole, TurnInput, TurnMessage
from services.agents.messages.store import turning as store
from services.agents.sessions.models import HOLD_S, Session
from services.agents.sessions.operations import hearing, working
from shared.contracts.agents import MessagePosted
from shared.db import Connection

HISTORY: Final = 10
"""Messages before a turn that its provider is told of."""


async def turn_input(
    connection: Connection, session_id: UUID, number: int, most: int = HISTORY
) -> TurnInput | None:
    """Give a USER message with what was said before it, in one query.

    Args:
        connection: to read with.
        session_id: whose.
        number: the message's.
        most: messages before it.

    Returns:
        None if the message was cleared away.
    """
    return await store.turn_input(connection, session_id, number, most)


async def is_answered(connection: Connection, session_id: UUID, number: int) -> bool:
    """Tell whether a USER message has its reply, whether or not that is shown already."""
    return await store.is_answered(connection, session_id, number)


async def add_reply(
    connection: Connection,
    session: Session,
    to: TurnMessage,
    role: ReplyRole,
    content: str,
    *,
    agent_id: UUID | None,
    agent_name: str | None,
    metadata: Mapping[str, Any],
) -> datetime | None:
    """Add the one reply to a USER message. Says message.posted.

    Args:
        connection: in the transaction.
        session: locked by the caller.
        to: the USER message.
        role: SYSTEM says why there is no answer.
        content: what PostgreSQL cannot hold in it is replaced.
        agent_id: who answers, None for the built-in assistant and for SYSTEM.
        agent_name: what they are called.
        metadata: of the reply.

    Returns:
        Its time, which may be up to ``HOLD_S`` ahead; None, and nothing is added, if the message
        has a reply or was cleared away.
    """
    session = await working.take_number(connection, session)
    hearing.note(session.id)
    event = MessagePosted(
        session_id=str(session.id),
        namespace=session.namespace,
        message_id=str(uuid4()),
        role=role,
        number=session.number,
    )
    return await store.insert_reply(
        connection,
        session.id,
        session.number,
        to.number,
        rules.storable(content),
        (role, agent_id, agent_name),
        metadata,
        HOLD_S,
        event,
    )
