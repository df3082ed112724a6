"""Making, changing, deleting and restoring agents."""

from __future__ import annotations

from typing import Final
from uuid import UUID, uuid4

from services.agents.access.models import Holder, Owner
from services.agents.agents import store
from services.agents.agents.models import AgentEdit, NewAgent, Stored
from services.agents.agents.operations.reading import (
    AGENTS,
    MISSING,
    NO_REFERENCE,
    check_reference,
    locate,
)
from services.agents.audit.models import Origin
from services.agents.audit.operations import record
from services.agents.namespaces.operations import claim
from shared.agents_wire import UUID_TEXT
from shared.bus import outbox
from shared.contracts.agents import AgentChanged
from shared.db import Connection, Database, UniqueViolation
from shared.errors import BadRequest, Conflict, NotFound

DELETED: Final = AgentEdit(active=False)


async def create(database: Database, holder: Holder, wanted: NewAgent, origin: Origin) -> bytes:
    """Make an agent, and give it as JSON. Says agent.changed.

    Raises:
        Forbidden: the caller may not in that namespace.
        Conflict: the name is taken there, perhaps by an agent that was deleted.
    """
    holder.require(AGENTS, "create", wanted.namespace)
    async with database.transaction() as connection:
        agent = await make(connection, uuid4(), wanted, holder.owner, origin)
        if agent is None:
            raise _taken(wanted.name, wanted.namespace)
    return agent.item.encode()


async def make(
    connection: Connection, agent_id: UUID, wanted: NewAgent, owner: Owner | None, origin: Origin
) -> Stored | None:
    """Add an agent, with its events; None, and nothing said, where its name or id is taken."""
    agent = await store.insert(connection, agent_id, wanted)
    if agent is not None:
        await claim(connection, agent.namespace)
        await _say(connection, agent, "agent.created", owner, origin)
    return agent


async def update(
    database: Database,
    holder: Holder,
    reference: str,
    namespace: str | None,
    edit: AgentEdit,
    origin: Origin,
) -> bytes:
    """Change an agent, delete it, or restore it by its id; give it as JSON. Says agent.changed.

    Raises:
        BadRequest: the reference is no id and names no agent, or nothing would change.
        NotFound: there is none, or it is in a namespace where the caller holds nothing.
        Forbidden: the caller may not, under its present name and under the one it is to have.
        Conflict: the new name is taken, or the old one means several.
    """
    check_reference(reference)
    async with database.transaction() as connection:
        agent = await _locked(connection, holder, reference, namespace, "update")
        if agent is None:
            raise _unknown(reference)
        if edit.name is not None:
            holder.require(AGENTS, "update", agent.namespace, (edit.name, str(agent.id)))
        if not agent.active and not edit.active:
            raise NotFound(MISSING)
        if not edit.changed:
            raise BadRequest("No fields to update")
        changed = await _apply(connection, agent, edit)
        action = _action(agent, changed)
        fields = ",".join(edit.changed)
        await _say(connection, changed, action, holder.owner, origin, fields=fields)
    return changed.item.encode()


async def _apply(connection: Connection, agent: Stored, edit: AgentEdit) -> Stored:
    if edit.name is not None:
        await store.lock_names(connection, agent.namespace)
    try:
        return await store.update(connection, agent.namespace, agent.id, edit)
    except UniqueViolation:
        raise _taken(edit.name or agent.name, agent.namespace) from None


def _unknown(reference: str) -> BadRequest | NotFound:
    if UUID_TEXT.fullmatch(reference):
        return NotFound(MISSING)
    return BadRequest(NO_REFERENCE)


def _action(before: Stored, after: Stored) -> str:
    if before.active == after.active:
        return "agent.updated"
    return "agent.restored" if after.active else "agent.deleted"


async def delete(
    database: Database, holder: Holder, reference: str, namespace: str | None, origin: Origin
) -> None:
    """Delete an agent; it keeps its name and may be restored by its id. Says agent.changed.

    Raises:
        BadRequest: the reference can be neither id nor name.
        NotFound: there is none, or it is in a namespace where the caller holds nothing.
        Forbidden: the caller may not.
        Conflict: the name means several.
    """
    check_reference(reference)
    async with database.transaction() as connection:
        agent = await _locked(connection, holder, reference, namespace, "delete")
        if agent is None or not agent.active:
            raise NotFound(MISSING)
        deleted = await store.update(connection, agent.namespace, agent.id, DELETED)
        await _say(connection, deleted, "agent.deleted", holder.owner, origin)


async def _locked(
    connection: Connection, holder: Holder, reference: str, namespace: str | None, verb: str
) -> Stored | None:
    """Lock the agent that is meant; None if there is none that the caller may know of."""
    agent_id = await locate(connection, holder, reference, namespace, verb)
    agent = None if agent_id is None else await store.lock(connection, agent_id)
    if agent is None or not holder.is_bound(agent.namespace):
        return None
    if not _is_id_of(agent, reference) and not (agent.active and agent.name == reference):
        return None  # renamed or deleted while we waited
    holder.require(AGENTS, verb, agent.namespace, agent.names)
    return agent


def _is_id_of(agent: Stored, reference: str) -> bool:
    return UUID_TEXT.fullmatch(reference) is not None and UUID(reference) == agent.id


def _taken(name: str, namespace: str) -> Conflict:
    return Conflict(f"Agent '{name}' already exists in workspace '{namespace}'")


async def _say(
    connection: Connection,
    agent: Stored,
    action: str,
    owner: Owner | None,
    origin: Origin,
    **detail: str,
) -> None:
    """Say what an agent has become, and write down who did it."""
    said = AgentChanged(
        agent_id=str(agent.id),
        namespace=agent.namespace,
        name=agent.name,
        active=agent.active,
        version=agent.version,
    )
    await outbox.add(connection, said)
    target, where = str(agent.id), agent.namespace
    await record(connection, action, owner, origin, target, where, name=agent.name, **detail)
