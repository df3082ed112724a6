"""HTTP door of role bindings (agents contract, section 4.3), and the copy of access for others."""

from __future__ import annotations

from typing import Final

from pydantic import RootModel

from services.auth.audit_events.models import Origin
from services.auth.role_bindings import operations
from services.auth.role_bindings.models import (
    AccessSnapshot,
    NewRoleBinding,
    RoleBindingItem,
    RoleBindingQuery,
)
from services.auth.roles.operations import Access
from shared.api import Call, Empty, Operation, Reply
from shared.pagination import array_headers

COLLECTION: Final = "/api/v0/role-bindings"
TAG: Final = "Role Bindings"


class RoleBindingList(RootModel[list[RoleBindingItem]]):
    """Role bindings, newest first."""


async def list_bindings(call: Call[Empty, RoleBindingQuery]) -> Reply:
    """``GET /api/v0/role-bindings``."""
    items, total = await operations.list_all(call.resource(Access), call.principal, call.query)
    return Reply(items, headers=array_headers(COLLECTION, call.query, total, len(items)))


async def create(call: Call[NewRoleBinding, Empty]) -> RoleBindingItem:
    """``POST /api/v0/role-bindings``."""
    return await operations.create(
        call.resource(Access), call.principal, call.body, Origin.of(call)
    )


async def read(call: Call[Empty, Empty]) -> RoleBindingItem:
    """``GET /api/v0/role-bindings/{id}``."""
    return await operations.read(call.resource(Access), call.principal, call.path["id"])


async def delete(call: Call[Empty, Empty]) -> Reply:
    """``DELETE /api/v0/role-bindings/{id}``."""
    await operations.delete(call.resource(Access), call.principal, call.path["id"], Origin.of(call))
    return Reply(None)


async def snapshot(call: Call[Empty, Empty]) -> Reply:
    """``POST /internal/access/snapshot``."""
    return Reply(await operations.snapshot(call.database))


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        method="GET",
        path=COLLECTION,
        endpoint=list_bindings,
        summary="List role bindings of the namespaces where the caller may",
        query=RoleBindingQuery,
        answer=RoleBindingList,
        authenticated=True,
        errors=(403,),
        tag=TAG,
    ),
    Operation(
        method="POST",
        path=COLLECTION,
        endpoint=create,
        summary="Bind a role, all of whose rules the caller holds there",
        body=NewRoleBinding,
        answer=RoleBindingItem,
        status=201,
        authenticated=True,
        idempotent=True,
        errors=(403, 404, 409),
        tag=TAG,
    ),
    Operation(
        method="GET",
        path=COLLECTION + "/{id}",
        endpoint=read,
        summary="Read a role binding",
        answer=RoleBindingItem,
        authenticated=True,
        errors=(403, 404),
        tag=TAG,
    ),
    Operation(
        method="DELETE",
        path=COLLECTION + "/{id}",
        endpoint=delete,
        summary="End one role binding",
        answer=None,
        status=204,
        authenticated=True,
        errors=(403, 404, 409),
        tag=TAG,
    ),
    Operation(
        method="POST",
        path="/internal/access/snapshot",
        endpoint=snapshot,
        summary="All roles, bindings and service accounts at one moment",
        answer=AccessSnapshot,
        internal=True,
    ),
)
