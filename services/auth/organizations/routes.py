"""HTTP door of organizations: the admin lists (learnings contract, section 3.2)."""

from __future__ import annotations

from typing import Final

from services.auth.organizations import operations
from services.auth.organizations.models import OrganizationItem, UserItem
from shared.api import Call, Empty, Operation
from shared.pagination import Page, PageQuery


async def list_users(call: Call[Empty, PageQuery]) -> Page[UserItem]:
    """``GET /v1/admin/users``."""
    return await operations.list_users(call.database, call.principal, call.query)


async def list_organizations(call: Call[Empty, PageQuery]) -> Page[OrganizationItem]:
    """``GET /v1/admin/organizations``."""
    return await operations.list_organizations(call.database, call.principal, call.query)


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/v1/admin/users",
        endpoint=list_users,
        summary="List all people (platform administrators)",
        query=PageQuery,
        answer=Page[UserItem],
        admin=True,
        tag="Admin",
    ),
    Operation(
        method="GET",
        path="/v1/admin/organizations",
        endpoint=list_organizations,
        summary="List all organizations (platform administrators)",
        query=PageQuery,
        answer=Page[OrganizationItem],
        admin=True,
        tag="Admin",
    ),
)
