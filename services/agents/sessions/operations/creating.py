"""Making sessions, from nothing and from another one (agents contract, sections 4.5 and 5)."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from pydantic_core import to_json

from services.agents.access.models import Holder
from services.agents.agents import operations as agents
from services.agents.audit.models import Origin
from services.agents.audit.operations import record
from services.agents.sessions import rules
from services.agents.sessions.models import (
    DEFAULT_NAMESPACE,
    Chosen,
    Move,
    NewSession,
    RemixRequest,
    Session,
    SessionAgent,
    SessionItem,
    SessionRequest,
    Shown,
    State,
)
from services.agents.sessions.operations import hearing, moving, permitting
from services.agents.sessions.operations.bell import Bell
from services.agents.sessions.operations.permitting import SESSIONS
from services.agents.sessions.operations.showing import item_of
from services.agents.sessions.operations.working import add_job
from services.agents.sessions.store import changing as store
from services.agents.sessions.store import listing, reading
from shared.bus import outbox
from shared.contracts.agents import SessionCreated
from shared.db import Connection, Database
from shared.errors import BadRequest, Forbidden

NO_PARENT = "Parent session not found"
AGENTS = "agents"


async def create(
    database: Database,
    bell: Bell,
    holder: Holder,
    wanted: SessionRequest,
    origin: Origin,
    *,
    is_stopped: bool = False,
) -> SessionItem:
    """Make a session, in INIT, and have it started. Says session.created.

    Args:
        database: the service's.
        bell: wakes the worker.
        holder: who makes it.
        wanted: the session.
        origin: where the request came from.
        is_stopped: close it at once instead, until somebody restores it.

    Raises:
        Forbidden: the caller may not create sessions there, or not use one of the agents.
        BadRequest: an agent is not there, was deleted, or is of another namespace.
    """
    namespace = wanted.named or DEFAULT_NAMESPACE
    holder.require(SESSIONS, "create", namespace)
    session_id = uuid4()
    new = NewSession(
        id=session_id,
        namespace=namespace,
        name=wanted.name or rules.default_name(session_id),
        starting_prompt=wanted.starting_prompt,
        waiting_timeout_seconds=wanted.waiting_timeout_seconds,
        owner_type=holder.owner.type,
        owner_id=holder.owner.id,
        created_by=holder.owner.name,
        parent_session_id=None,
        is_space=wanted.is_space,
        metadata=wanted.metadata,
    )
    async with bell.ringing(database) as connection:
        chosen = await _choose(connection, holder, namespace, wanted.agent_ids)
        made = await _make(connection, holder, new, chosen, origin, is_stopped=is_stopped)
    return made


async def remix(
    database: Database,
    bell: Bell,
    holder: Holder,
    reference: str,
    wanted: RemixRequest,
    origin: Origin,
) -> SessionItem:
    """Make a session from another one, without its messages. Says session.created.

    The parent's agents come along without being asked for; those deleted meanwhile stay behind,
    which the metadata say.

    Raises:
        BadRequest: the id is none, another namespace is asked for, or an agent that is named is
            not there, was deleted, or is of another namespace.
        NotFound: there is no such parent, or it is where the caller holds nothing.
        Forbidden: the parent is somebody else's, or the caller may not create sessions there, or
            not use one of the agents named.
    """
    async with bell.ringing(database) as connection:
        found = await reading.find(connection, permitting.read_id(reference))
        parent = permitting.judge(holder, found, "remix-all", "remix", NO_PARENT)
        if wanted.named not in (None, parent.namespace):
            raise BadRequest("A remix stays in the namespace of its parent")
        holder.require(SESSIONS, "create", parent.namespace)
        dropped: Sequence[Chosen] = ()
        if wanted.agent_ids is None:
            inherited = await listing.find_chosen(connection, parent.id)
            chosen = [agent for agent in inherited if agent.active]
            dropped = [agent for agent in inherited if not agent.active]
        else:
            chosen = await _choose(connection, holder, parent.namespace, wanted.agent_ids)
        new = _remixed(holder, parent, wanted, dropped)
        made = await _make(connection, holder, new, chosen, origin)
    return made


def _remixed(
    holder: Holder, parent: Session, wanted: RemixRequest, dropped: Sequence[Chosen]
) -> NewSession:
    prompt, timeout = wanted.starting_prompt, wanted.waiting_timeout_seconds
    if "waiting_timeout_seconds" not in wanted.model_fields_set:
        timeout = parent.waiting_timeout_seconds
    metadata = wanted.metadata or wanted.new_session_metadata or parent.metadata
    return NewSession(
        id=uuid4(),
        namespace=parent.namespace,
        name=wanted.name or rules.remix_name(parent.name),
        starting_prompt=parent.starting_prompt if prompt is None else prompt,
        waiting_timeout_seconds=timeout,
        owner_type=holder.owner.type,
        owner_id=holder.owner.id,
        created_by=holder.owner.name,
        parent_session_id=parent.id,
        is_space=parent.is_space if wanted.named is None else wanted.is_space,
        metadata=rules.with_dropped(metadata, dropped),
    )


async def _choose(
    connection: Connection, holder: Holder, namespace: str, references: Sequence[str]
) -> list[Chosen]:
    """Find the agents that are asked for, each once, if the caller may use all of them."""
    found = await agents.find_active(connection, namespace, references)
    for agent in found:
        if not holder.may(AGENTS, "get", namespace, (agent.name, str(agent.id))):
            raise Forbidden
    return [Chosen(agent.id, agent.name, agent.model, agent.active) for agent in found]


async def _make(
    connection: Connection,
    holder: Holder,
    new: NewSession,
    chosen: Sequence[Chosen],
    origin: Origin,
    *,
    is_stopped: bool = False,
) -> SessionItem:
    session = await store.insert(connection, new, [agent.id for agent in chosen])
    if not is_stopped:
        await add_job(connection, session, "create_session")
    hearing.note(session.id)
    owner, parent = holder.owner, new.parent_session_id
    event = SessionCreated(
        session_id=str(session.id),
        namespace=session.namespace,
        state=session.stored,
        parent_session_id=None if parent is None else str(parent),
        account_id=owner.id if owner.type == "User" else "",
        number=session.number,
    )
    await outbox.add(connection, event)
    detail = {} if parent is None else {"parent": str(parent)}
    action = "session.created" if parent is None else "session.remixed"
    await record(connection, action, owner, origin, str(session.id), session.namespace, **detail)
    if is_stopped:
        for state in (State.READY, State.IDLE):
            session = await moving.move(connection, session, Move(state))
    shown = [SessionAgent(id=agent.id, name=agent.name, model=agent.model) for agent in chosen]
    return item_of(Shown(session, to_json(shown).decode()))
