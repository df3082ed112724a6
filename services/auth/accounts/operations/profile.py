"""Who am I, and where I act."""

from __future__ import annotations

from services.auth.accounts import rules, store
from services.auth.accounts.models import MembershipItem, ProfileChange, User
from services.auth.audit_events.models import AuditEvent, Origin
from services.auth.audit_events.operations import record
from shared.db import Database
from shared.errors import Forbidden, NotFound, Unauthenticated
from shared.pagination import TOTAL_CAP, Page, PageQuery, page_of
from shared.principal import Principal


async def read_user(database: Database, principal: Principal) -> User:
    """Give the person behind the caller, as they act in the active organization.

    Raises:
        Forbidden: no person stands behind the credential.
        Unauthenticated: the account is gone or disabled.
    """
    if not principal.account:
        raise Forbidden("This credential belongs to no account")
    return await _user(database, principal.account, principal.org)


async def update_user(
    database: Database, principal: Principal, change: ProfileChange, origin: Origin
) -> User:
    """Change one's name, or the organization that new sessions act in.

    Sessions that are open go on acting where they do.

    Raises:
        Forbidden: the caller is no person who is signed in.
        NotFound: the organization is none of theirs.
        Unauthenticated: the account is gone or disabled.
    """
    principal.require_person()
    changed = change.model_dump(exclude_none=True)
    if not changed:
        return await read_user(database, principal)
    async with database.transaction() as connection:
        if change.active_org_id is not None and not await store.set_active_organization(
            connection, principal.account, change.active_org_id
        ):
            raise NotFound
        if change.name is not None:
            await store.set_name(connection, principal.account, change.name)
        detail = {"fields": sorted(changed)}
        event = AuditEvent(
            "account.changed", origin, principal, target=principal.account, detail=detail
        )
        await record(connection, event)
    return await _user(database, principal.account, change.active_org_id or principal.org)


async def list_memberships(
    database: Database, principal: Principal, query: PageQuery
) -> Page[MembershipItem]:
    """List the organizations that a person belongs to, newest first.

    Raises:
        Forbidden: the caller is no person who is signed in.
    """
    principal.require_person()
    async with database.connection() as connection:
        items = await store.list_memberships(
            connection, principal.account, query.page_size, query.offset
        )
        total = await store.count_memberships(connection, principal.account, TOTAL_CAP)
    return page_of(items, total, query)


async def _user(database: Database, account_id: str, org_id: str) -> User:
    async with database.connection() as connection:
        row = await store.find_user(connection, account_id, org_id)
    if row is None:
        raise Unauthenticated
    return User(**{**row, "role": rules.shown_role(row["role"], row["platform_admin"])})
