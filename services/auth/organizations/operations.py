"""Use cases of organizations: making one for a person, and the admin lists."""

from __future__ import annotations

from services.auth.organizations import rules, store
from services.auth.organizations.models import Organization, OrganizationItem, UserItem
from shared.bus import outbox
from shared.contracts.auth import MembershipChanged, OrganizationCreated
from shared.db import Connection, Database, Record
from shared.errors import NotFound
from shared.ids import new_id
from shared.pagination import TOTAL_CAP, Page, PageQuery, page_of
from shared.principal import Principal, Role


async def create_for(connection: Connection, account_id: str, name: str) -> Organization:
    """Make a person's own organization, in the caller's transaction.

    Says organization.created and membership.changed.
    """
    base = rules.slug_of(name)
    organization = Organization(new_id("org_"), name, base)
    while not await store.insert(connection, organization):
        organization = Organization(organization.id, name, f"{base}-{new_id('', 6).lower()}")
    version = await store.insert_membership(connection, organization.id, account_id, Role.OWNER)
    created = OrganizationCreated(
        org_id=organization.id, name=organization.name, slug=organization.slug
    )
    joined = MembershipChanged(
        org_id=organization.id, account_id=account_id, role=Role.OWNER, version=version
    )
    await outbox.add_all(connection, [created, joined])
    return organization


async def require_visible(connection: Connection, principal: Principal, org_id: str) -> None:
    """Check that an admin may work on an organization.

    Raises:
        NotFound: there is none, or it is another tenant's; the two answer alike.
    """
    if principal.is_platform_admin:
        if await store.exists(connection, org_id):
            return
    elif org_id == principal.org:
        return
    raise NotFound


async def list_organizations(
    database: Database, principal: Principal, query: PageQuery
) -> Page[OrganizationItem]:
    """List the organizations that an admin sees: their own, or all for a platform admin."""
    async with database.connection() as connection:
        if principal.is_platform_admin:
            items = await store.list_all(connection, query.page_size, query.offset)
            total = await store.count_all(connection, TOTAL_CAP)
        else:
            items = await store.list_one(connection, principal.org)
            total = len(items)
            items = items if query.page == 1 else []
    return page_of(items, total, query)


async def list_users(database: Database, principal: Principal, query: PageQuery) -> Page[UserItem]:
    """List the people that an admin sees: their organization's, or all for a platform admin."""
    async with database.connection() as connection:
        if principal.is_platform_admin:
            rows = await store.list_accounts(connection, query.page_size, query.offset)
            total = await store.count_accounts(connection, TOTAL_CAP)
        else:
            rows = await store.list_members(
                connection, principal.org, query.page_size, query.offset
            )
            total = await store.count_members(connection, principal.org, TOTAL_CAP)
    return page_of([_item(row) for row in rows], total, query)


def _item(row: Record) -> UserItem:
    role = rules.listed_role(row["role"], row["platform_admin"])
    return UserItem(**{**row, "role": role})
