"""Use cases of organizations: making one, who belongs to it, and the admin lists."""

from __future__ import annotations

from services.auth.organizations import rules, store
from services.auth.organizations.models import Organization, OrganizationItem, UserItem
from shared.bus import outbox
from shared.contracts.auth import MembershipChanged, OrganizationCreated
from shared.db import Connection, Database, Record, UniqueViolation
from shared.errors import Conflict, Forbidden, NotFound
from shared.ids import new_id
from shared.pagination import TOTAL_CAP, Page, PageQuery, page_of
from shared.principal import Principal, Role


async def create_for(connection: Connection, account_id: str, name: str) -> Organization:
    """Make a person's own organization, in the caller's transaction.

    Its slug is the namespace that its people administer, and that is erased with it. So it is none
    that is reserved, that a role binding names at this moment, or in which the agents service ever
    had something, be it of an organization that has gone. A binding that is made at the same moment
    comes before, and counts, or after. Two things remain. What is put into a namespace that no
    binding names, as only a global administrator can, counts once its event is heard: an
    organization made within that moment may get the name, and what is there with it. And
    whoever puts something into an organization's namespace afterwards, or binds there, leaves it
    to that organization.

    Says organization.created and membership.changed.
    """
    base = rules.slug_of(name)
    organization = Organization(new_id("org_"), name, base)
    while not await _insert(connection, organization):
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


async def _insert(connection: Connection, organization: Organization) -> bool:
    slug = organization.slug
    if slug in rules.RESERVED or not await store.lock_slug(connection, slug):
        return False
    # A statement of its own, which sees what was committed before the name was ours.
    return await store.insert(connection, organization)


async def lock_namespace(connection: Connection, namespace: str) -> None:
    """Keep organizations from getting a name while the caller's transaction brings it into use."""
    await store.lock_namespace(connection, namespace)


async def note_namespace(connection: Connection, namespace: str) -> None:
    """Note that there is something in a namespace: no new organization gets its name.

    The first time counts. Its own people may have put it there, or the organization may have gone:
    the name is not given again.
    """
    await store.insert_namespace(connection, namespace)


async def lock(connection: Connection, org_id: str) -> None:
    """Take an organization for this transaction, so that changes of its members come in a row."""
    await store.lock(connection, org_id)


async def join(connection: Connection, org_id: str, account_id: str, role: str) -> None:
    """Make somebody a member, in the caller's transaction. Says membership.changed.

    Raises:
        Conflict: they are one already.
    """
    try:
        version = await store.insert_membership(connection, org_id, account_id, role)
    except UniqueViolation:
        raise Conflict("This person is a member already") from None
    await _say(connection, org_id, account_id, role, version)


async def change_role(connection: Connection, org_id: str, account_id: str, role: str) -> None:
    """Give a member another role, in the caller's transaction. Says membership.changed.

    Raises:
        NotFound: there is no such member.
    """
    version = await store.update_role(connection, org_id, account_id, role)
    if version is None:
        raise NotFound
    await _say(connection, org_id, account_id, role, version)


async def leave(connection: Connection, org_id: str, account_id: str) -> None:
    """End a membership, in the caller's transaction. Says membership.changed without a role.

    Raises:
        NotFound: there is no such member.
    """
    version = await store.delete_membership(connection, org_id, account_id)
    if version is None:
        raise NotFound
    await _say(connection, org_id, account_id, "", version)


async def _say(
    connection: Connection, org_id: str, account_id: str, role: str, version: int
) -> None:
    changed = MembershipChanged(org_id=org_id, account_id=account_id, role=role, version=version)
    await outbox.add(connection, changed)


async def lock_platform_admins(connection: Connection) -> list[str]:
    """Give the ids of the platform administrators who can act, and keep them so meanwhile.

    Whoever is about to remove, disable or demote one asks here first, in the transaction that does
    it: of two at once the second sees what the first has done.
    """
    return await store.lock_platform_admins(connection)


def require_platform_admin(principal: Principal) -> None:
    """Check that the caller acts for the whole installation.

    Raises:
        Forbidden: they do not, though they may be an organization's own admin.
    """
    if not principal.is_platform_admin:
        raise Forbidden("Platform administrator required")


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
    """List all organizations, newest first.

    Raises:
        Forbidden: the caller is no platform administrator.
    """
    require_platform_admin(principal)
    async with database.connection() as connection:
        items = await store.list_all(connection, query.page_size, query.offset)
        total = await store.count_all(connection, TOTAL_CAP)
    return page_of(items, total, query)


async def list_users(database: Database, principal: Principal, query: PageQuery) -> Page[UserItem]:
    """List all people, newest first, each with the organization acted in.

    Raises:
        Forbidden: the caller is no platform administrator.
    """
    require_platform_admin(principal)
    async with database.connection() as connection:
        rows = await store.list_accounts(connection, query.page_size, query.offset)
        total = await store.count_accounts(connection, TOTAL_CAP)
    return page_of([_item(row) for row in rows], total, query)


async def read_user(connection: Connection, account_id: str) -> UserItem:
    """Give a person as ``list_users`` shows them, to whoever may see all.

    Raises:
        NotFound: there is none.
    """
    row = await store.find_account(connection, account_id)
    if row is None:
        raise NotFound
    return _item(row)


def _item(row: Record) -> UserItem:
    role = rules.listed_role(row["role"], row["platform_admin"])
    return UserItem(**{**row, "role": role})
