"""Posting a message, and what a session does then (agents contract, section 4.6)."""

from __future__ import annotations

from typing import Final
from uuid import UUID, uuid4

from services.agents.access.models import Holder
from services.agents.messages import rules
from services.agents.messages.models import Draft, NewMessage
from services.agents.messages.store import writing as store
from services.agents.sessions.models import Session
from services.agents.sessions.operations import Bell, hearing, permitting, working
from shared.contracts.agents import MessagePosted
from shared.db import Connection, Database
from shared.errors import BadRequest, Invalid

UPDATE: Final = "update"


async def post(
    database: Database, bell: Bell, holder: Holder, reference: str, wanted: NewMessage
) -> bytes:
    """Add a message to a session; one of a USER is to be answered. Gives it as the wire shows it.

    Args:
        database: the service's.
        bell: rung when somebody is to answer.
        holder: who posts.
        reference: the session's id as written in the path.
        wanted: the message.

    Raises:
        BadRequest: the id is none, or an agent's message without an agent.
        NotFound: there is no such session, or it is where the caller holds nothing.
        Forbidden: it is somebody else's, or only who may update it may speak so.
        Invalid: the session does not have the agent.
    """
    if wanted.role == "AGENT" and wanted.agent_id is None:
        raise BadRequest("agent_id is required when role is AGENT")
    async with bell.ringing(database) as connection:
        session = await permitting.lock(connection, holder, reference, UPDATE)
        if wanted.role != "USER":
            names = (session.name, str(session.id))
            holder.require(permitting.SESSIONS, UPDATE, session.namespace, names)
        agent_name = await _name_of(connection, session, wanted.agent_id)
        draft = Draft(
            id=uuid4(),
            role=wanted.role,
            content=wanted.content,
            agent_id=wanted.agent_id,
            agent_name=agent_name,
            metadata=wanted.metadata,
            author_type=holder.owner.type,
            author_id=holder.owner.id,
            caller=rules.caller_of(holder.principal) if wanted.role == "USER" else None,
        )
        item = await _add(connection, session, draft)
    return item.encode()


async def _name_of(connection: Connection, session: Session, agent_id: UUID | None) -> str | None:
    if agent_id is None:
        return None
    name = await store.name_of_agent(connection, session.id, agent_id)
    if name is None:
        raise Invalid.field("body", "agent_id", msg="is no agent of this session")
    return name


async def _add(connection: Connection, session: Session, draft: Draft) -> str:
    session = await working.take_number(connection, session)
    event = MessagePosted(
        session_id=str(session.id),
        namespace=session.namespace,
        message_id=str(draft.id),
        role=draft.role,
        number=session.number,
    )
    hearing.note(session.id)
    item = await store.insert(
        connection, session.id, session.number, draft, event, session.is_space
    )
    if draft.role == "USER":
        await working.take_up(connection, session, session.number)
    return item
