"""HTTP door of agents (agents contract, section 4.4)."""

from __future__ import annotations

from typing import Final

from pydantic import RootModel

from services.agents.access.operations import Access
from services.agents.agents import operations
from services.agents.agents.models import AgentEdit, AgentItem, AgentQuery, NamespaceQuery, NewAgent
from services.agents.audit.models import Origin
from shared.api import Call, Empty, Operation, Reply
from shared.pagination import array_headers

COLLECTION: Final = "/api/v0/agents"
ONE: Final = COLLECTION + "/{id}"
TAG: Final = "Agents"


class AgentList(RootModel[list[AgentItem]]):
    """Agents, by name."""


async def list_agents(call: Call[Empty, AgentQuery]) -> Reply:
    """``GET /api/v0/agents``."""
    holder = await call.resource(Access).holder(call.principal)
    found = await operations.list_page(call.database, holder, call.query)
    headers = array_headers(COLLECTION, call.query, found.total, found.shown)
    return Reply(found.body, headers=headers)


async def create(call: Call[NewAgent, Empty]) -> Reply:
    """``POST /api/v0/agents``."""
    holder = await call.resource(Access).holder(call.principal)
    return Reply(await operations.create(call.database, holder, call.body, Origin.of(call)))


async def read(call: Call[Empty, NamespaceQuery]) -> Reply:
    """``GET /api/v0/agents/{id}``."""
    holder = await call.resource(Access).holder(call.principal)
    return Reply(
        await operations.read(call.database, holder, call.path["id"], call.query.namespace)
    )


async def update(call: Call[AgentEdit, NamespaceQuery]) -> Reply:
    """``PUT`` and ``PATCH /api/v0/agents/{id}``."""
    holder = await call.resource(Access).holder(call.principal)
    changed = await operations.update(
        call.database, holder, call.path["id"], call.query.namespace, call.body, Origin.of(call)
    )
    return Reply(changed)


async def delete(call: Call[Empty, NamespaceQuery]) -> Reply:
    """``DELETE /api/v0/agents/{id}``."""
    holder = await call.resource(Access).holder(call.principal)
    await operations.delete(
        call.database, holder, call.path["id"], call.query.namespace, Origin.of(call)
    )
    return Reply(None)


def _update(method: str) -> Operation:
    return Operation(
        method=method,
        path=ONE,
        endpoint=update,
        summary="Change an agent, or restore a deleted one by its id",
        body=AgentEdit,
        query=NamespaceQuery,
        answer=AgentItem,
        authenticated=True,
        errors=(400, 403, 404, 409),
        tag=TAG,
    )


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        method="GET",
        path=COLLECTION,
        endpoint=list_agents,
        summary="List agents of the namespaces where the caller may, by name",
        query=AgentQuery,
        answer=AgentList,
        authenticated=True,
        errors=(403,),
        tag=TAG,
    ),
    Operation(
        method="POST",
        path=COLLECTION,
        endpoint=create,
        summary="Create an agent",
        body=NewAgent,
        answer=AgentItem,
        status=201,
        authenticated=True,
        idempotent=True,
        errors=(403, 409),
        tag=TAG,
    ),
    Operation(
        method="GET",
        path=ONE,
        endpoint=read,
        summary="Read an agent by id or name",
        query=NamespaceQuery,
        answer=AgentItem,
        authenticated=True,
        errors=(400, 403, 404, 409),
        tag=TAG,
    ),
    _update("PUT"),
    _update("PATCH"),
    Operation(
        method="DELETE",
        path=ONE,
        endpoint=delete,
        summary="Delete an agent; it keeps its name and may be restored",
        query=NamespaceQuery,
        answer=None,
        status=204,
        authenticated=True,
        errors=(400, 403, 404, 409),
        tag=TAG,
    ),
)
