"""Showing an organization's clients, and naming their projects."""

from __future__ import annotations

from services.learnings.installations import store
from services.learnings.installations.models import (
    AdminInstallation,
    Installation,
    InstallationQuery,
)
from shared.db import Database
from shared.errors import Forbidden, NotFound
from shared.pagination import TOTAL_CAP, Page, page_of
from shared.principal import Principal


async def page(database: Database, org_id: str, query: InstallationQuery) -> Page[Installation]:
    """Give a page of an organization's installations, last seen first."""
    since = query.active_since
    async with database.connection() as connection:
        items = await store.list_own(connection, org_id, since, query.page_size, query.offset)
        total = await store.count_own(connection, org_id, since, TOTAL_CAP)
    return page_of(items, total, query)


async def show(database: Database, org_id: str, installation: str) -> Installation:
    """Show an installation.

    Raises:
        NotFound: no such one in this organization.
    """
    async with database.connection() as connection:
        found = await store.find(connection, org_id, installation)
    if found is None:
        raise NotFound
    return found


async def relabel(database: Database, org_id: str, installation: str, project: str) -> Installation:
    """Name an installation's project; what the client says of it counts no more.

    Raises:
        NotFound: no such one in this organization.
    """
    async with database.transaction() as connection:
        if not await store.label(connection, org_id, installation, project):
            raise NotFound
        found = await store.find(connection, org_id, installation)
    assert found is not None  # the update locked it
    return found


async def page_of_all(
    database: Database, principal: Principal, query: InstallationQuery
) -> Page[AdminInstallation]:
    """Give a page of all organizations' installations, last seen first.

    Raises:
        Forbidden: the caller is no platform administrator.
    """
    if not principal.is_platform_admin:
        raise Forbidden("Admin role required")
    since = query.active_since
    async with database.connection() as connection:
        items = await store.list_all(connection, since, query.page_size, query.offset)
        total = await store.count_all(connection, since, TOTAL_CAP)
    return page_of(items, total, query)
