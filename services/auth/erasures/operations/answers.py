"""Who has forgotten, and who has not yet."""

from __future__ import annotations

from services.auth.audit_events.models import AuditEvent, Origin
from services.auth.audit_events.operations import record
from services.auth.erasures import store
from services.auth.erasures.models import ANSWERING, ErasureItem
from services.auth.organizations.operations import require_platform_admin
from shared.db import Connection, Database
from shared.pagination import TOTAL_CAP, Page, PageQuery, page_of
from shared.principal import Kind, Principal


async def note_answer(connection: Connection, account_id: str, service: str) -> None:
    """Note that a service has forgotten an account, and close the erasure after the last one.

    Runs in the transaction of the inbox. What comes twice, late, or of an account that was never
    erased changes nothing.
    """
    if service not in ANSWERING or not await store.lock_open(connection, account_id):
        return
    await store.insert_answer(connection, account_id, service)
    if await store.close(connection, account_id, ANSWERING):
        auth = Principal(Kind.SERVICE, "auth")
        await record(connection, AuditEvent("erasure.closed", Origin(), auth, target=account_id))


async def list_erasures(
    database: Database, principal: Principal, query: PageQuery
) -> Page[ErasureItem]:
    """List who asked to be forgotten, and which services have.

    Raises:
        Forbidden: the caller is no platform administrator.
    """
    require_platform_admin(principal)
    async with database.connection() as connection:
        items = await store.list_all(connection, query.page_size, query.offset)
        total = await store.count_all(connection, TOTAL_CAP)
    return page_of(items, total, query)
