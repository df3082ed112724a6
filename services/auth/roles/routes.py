"""HTTP door of roles (agents contract, section 4.2)."""

from __future__ import annotations

from typing import Final

from pydantic import RootModel

from services.auth.audit_events.models import Origin
from services.auth.roles import operations
from services.auth.roles.models import NewRole, RoleItem, RoleQuery
from services.auth.roles.operations import Access
from shared.api import Call, Empty, Operation, Reply
from shared.pagination import array_headers

COLLECTION: Final = "/api/v0/roles"
TAG: Final = "Roles"


class RoleList(RootModel[list[RoleItem]]):
    """Roles, newest first."""


async def list_roles(call: Call[Empty, RoleQuery]) -> Reply:
    """``GET /api/v0/roles``."""
    items, total = await operations.list_all(call.resource(Access), call.principal, call.query)
    return Reply(items, headers=array_headers(COLLECTION, call.query, total, len(items)))


async def create(call: Call[NewRole, Empty]) -> RoleItem:
    """``POST /api/v0/roles``."""
    return await operations.create(
        call.resource(Access), call.principal, call.body, Origin.of(call)
    )


async def read(call: Call[Empty, Empty]) -> RoleItem:
    """``GET /api/v0/roles/{id}``."""
    return await operations.read(call.resource(Access), call.principal, call.path["id"])


async def delete(call: Call[Empty, Empty]) -> Reply:
    """``DELETE /api/v0/roles/{id}``."""
    await operations.delete(call.resource(Access), call.principal, call.path["id"], Origin.of(call))
    return Reply(None)


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        method="GET",
        path=COLLECTION,
        endpoint=list_roles,
        summary="List roles",
        query=RoleQuery,
        answer=RoleList,
        authenticated=True,
        errors=(403,),
        tag=TAG,
    ),
    Operation(
        method="POST",
        path=COLLECTION,
        endpoint=create,
        summary="Create a role of rules that the caller holds",
        body=NewRole,
        answer=RoleItem,
        status=201,
        authenticated=True,
        idempotent=True,
        errors=(403, 409),
        tag=TAG,
    ),
    Operation(
        method="GET",
        path=COLLECTION + "/{id}",
        endpoint=read,
        summary="Read a role by id or name",
        answer=RoleItem,
        authenticated=True,
        errors=(403, 404),
        tag=TAG,
    ),
    Operation(
        method="DELETE",
        path=COLLECTION + "/{id}",
        endpoint=delete,
        summary="Delete a role and its bindings",
        answer=None,
        status=204,
        authenticated=True,
        errors=(403, 404, 409),
        tag=TAG,
    ),
)
