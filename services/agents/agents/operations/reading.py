"""Reading agents, and finding the one that an id or a name means."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final
from uuid import UUID

from services.agents.access.models import Holder
from services.agents.agents import store
from services.agents.agents.models import (
    DEFAULT_NAMESPACE,
    NAME_TEXT,
    Agent,
    AgentQuery,
    Filters,
    Listed,
    Named,
    Row,
)
from shared.agents_wire import UUID_TEXT
from shared.db import Connection, Database
from shared.errors import BadRequest, Conflict, Forbidden, NotFound
from shared.pagination import TOTAL_CAP

AGENTS: Final = "agents"
MISSING: Final = "Agent not found"
NO_REFERENCE: Final = "Invalid agent ID format"

AT_ONCE: Final = 4_000_000
"""Bytes of agents that are read at once: a list may show 1,000 of a megabyte each."""

MOST_NAMESAKES: Final = 1000


async def list_page(database: Database, holder: Holder, query: AgentQuery) -> Listed:
    """List the agents of one namespace, or of all where the caller may, by name.

    Raises:
        Forbidden: the caller may list none, or not those of the namespace asked for.
    """
    filters = _filters(holder, query)
    async with database.connection() as connection:
        total = await store.count(connection, filters, TOTAL_CAP)
        rows = await store.list_page(connection, filters, query.most, query.offset, AT_ONCE)
    items = [row.item for row in rows if row.item is not None]
    first = "[" + ",".join(items)
    later = rows[len(items) :]
    body = _pieces(database, first, later) if later else f"{first}]".encode()
    return Listed(body, len(rows), total)


def _filters(holder: Holder, query: AgentQuery) -> Filters:
    permitted = holder.namespaces(AGENTS, "list")
    if query.namespace is not None:
        holder.require(AGENTS, "list", query.namespace)
        permitted = frozenset({query.namespace})
    if permitted is not None and not permitted:
        raise Forbidden
    namespaces = None if permitted is None else sorted(permitted)
    return Filters(namespaces, query.active is not False, query.model)


async def _pieces(database: Database, first: str, later: Sequence[Row]) -> AsyncIterator[bytes]:
    """Give a long list as it is read, so that few agents are in memory at a time."""
    yield first.encode()
    while later:
        size, count = later[0].size, 1
        while count < len(later) and size + later[count].size <= AT_ONCE:
            size, count = size + later[count].size, count + 1
        ids = [row.id for row in later[:count]]
        async with database.connection() as connection:
            found = await store.find_items(connection, ids)
        yield "".join(f",{found[one]}" for one in ids if one in found).encode()
        later = later[count:]
    yield b"]"


async def read(database: Database, holder: Holder, reference: str, namespace: str | None) -> bytes:
    """Give an agent by id or name, as JSON.

    Args:
        database: the service's.
        holder: who asks.
        reference: id or name.
        namespace: in which a name is meant, if it was said.

    Raises:
        BadRequest: it can be neither.
        NotFound: there is none, or it is in a namespace where the caller holds nothing.
        Forbidden: the caller may not.
        Conflict: the name means several.
    """
    check_reference(reference)
    async with database.connection() as connection:
        agent_id = await locate(connection, holder, reference, namespace, "get")
        agent = None if agent_id is None else await store.find(connection, agent_id)
    if agent is None:
        raise NotFound(MISSING)
    holder.require_seen(agent.namespace, MISSING)
    holder.require(AGENTS, "get", agent.namespace, agent.names)
    if not agent.active:
        raise NotFound(MISSING)
    return agent.item.encode()


def check_reference(reference: str) -> None:
    """Check that something may be an id or a name; every id may.

    Raises:
        BadRequest: it is neither.
    """
    if not NAME_TEXT.fullmatch(reference):
        raise BadRequest(NO_REFERENCE)


async def locate(
    connection: Connection, holder: Holder, reference: str, namespace: str | None, verb: str
) -> UUID | None:
    """Find which agent is meant: by id whatever its state, else the active one of a name.

    A name is looked for in the namespace that was said, else in ``default``, else wherever the
    caller may read it. What is in namespaces where the caller holds nothing is not there.

    Raises:
        Conflict: the name means several.
    """
    if UUID_TEXT.fullmatch(reference):
        agent = await store.find(connection, UUID(reference))
        if agent is not None:
            return agent.id
    named = await store.find_named(connection, reference, _reach(holder, namespace), MOST_NAMESAKES)
    seen = [one for one in named if holder.is_bound(one.namespace)]
    if namespace is None:
        seen = _meant(holder, seen, verb)
    if len(seen) > 1:
        raise Conflict("Several agents have this name; say its namespace, or its id")
    return seen[0].id if seen else None


def _reach(holder: Holder, namespace: str | None) -> list[str] | None:
    """Give the namespaces where the caller holds anything at all, None for all."""
    if namespace is not None:
        return [namespace]
    bound = {grant.namespace for grant in holder.grants}
    return None if None in bound else sorted(one for one in bound if one is not None)


def _meant(holder: Holder, named: Sequence[Named], verb: str) -> list[Named]:
    default = [one for one in named if one.namespace == DEFAULT_NAMESPACE]
    verbs = {"get", verb}
    return default or [
        one
        for one in named
        if any(holder.may(AGENTS, one_of, one.namespace, one.names) for one_of in verbs)
    ]


async def find_active(
    connection: Connection, namespace: str, references: Sequence[str]
) -> list[Agent]:
    """Find the agents of a namespace that ids or names mean, each once, in the order asked.

    Raises:
        BadRequest: there is none for one of them, or not in this namespace, or it is deleted.
    """
    if not references:
        return []
    ids = [UUID(one) for one in references if UUID_TEXT.fullmatch(one)]
    found = await store.find_referred(connection, namespace, ids, references)
    by_id = {agent.id: agent for agent in found}
    by_name = {agent.name: agent for agent in found}
    chosen: dict[UUID, Agent] = {}
    for one in references:
        agent = by_id.get(UUID(one)) if UUID_TEXT.fullmatch(one) else None
        agent = agent or by_name.get(one)
        if agent is None:
            raise BadRequest(f"Agent {one} not found or inactive")
        chosen[agent.id] = agent
    return list(chosen.values())


async def find_by_ids(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Agent]:
    """Find agents by id, whatever their state."""
    return {agent.id: agent for agent in await store.find_by_ids(connection, ids)}
