"""What one key may pull and record.

The feed and the stream apply the filters, and the recorder the quota, each in its own statement.
"""

from __future__ import annotations

from services.learnings.key_policies import store
from services.learnings.key_policies.models import MOST_POLICIES, NewPolicy, Policy
from shared.db import Database
from shared.errors import Conflict, Forbidden, NotFound
from shared.pagination import Page, PageQuery, page_of
from shared.principal import Principal


async def list_policies(database: Database, principal: Principal, query: PageQuery) -> Page[Policy]:
    """List the policies of the organization's keys."""
    org_id = _org_of(principal)
    async with database.connection() as connection:
        items = await store.list_policies(connection, org_id, query.page_size, query.offset)
        total = await store.count(connection, org_id)
    return page_of(items, total, query)


async def show(database: Database, principal: Principal, key_id: str) -> Policy:
    """Give the policy of a key.

    Raises:
        NotFound: it has none, or the key is another organization's.
    """
    async with database.connection() as connection:
        found = await store.find(connection, _org_of(principal), key_id)
    if found is None:
        raise NotFound
    return found


async def put(database: Database, principal: Principal, key_id: str, policy: NewPolicy) -> Policy:
    """Replace the policy of a key; one of another organization would have no effect.

    Raises:
        Conflict: the organization has too many.
    """
    org_id = _org_of(principal)
    async with database.transaction() as connection:
        if not await store.put(connection, org_id, key_id, policy, MOST_POLICIES):
            raise Conflict(f"An organization may have at most {MOST_POLICIES} policies")
        written = await store.find(connection, org_id, key_id)
    assert written is not None  # this transaction wrote it
    return written


async def delete(database: Database, principal: Principal, key_id: str) -> None:
    """Lift the limits of a key; what it recorded stays counted.

    Raises:
        NotFound: it has none.
    """
    async with database.transaction() as connection:
        if not await store.delete(connection, _org_of(principal), key_id):
            raise NotFound


def _org_of(principal: Principal) -> str:
    if not principal.org:
        raise Forbidden("An organization is needed")
    return principal.org
