"""Use cases of the waitlist: joining it, and being let in from it."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from services.auth.accounts.operations import email_key
from services.auth.api_keys.operations import create_key
from services.auth.audit_events.models import AuditEvent, Origin
from services.auth.audit_events.operations import record
from services.auth.mail.operations import MailSender, write
from services.auth.organizations.operations import require_platform_admin
from services.auth.password_resets.operations import issue, link
from services.auth.users import operations as users
from services.auth.users.models import NewAccount
from services.auth.waitlist import store
from services.auth.waitlist.models import Converted, WaitingPerson
from shared.db import Database
from shared.errors import Conflict, NotFound
from shared.ids import new_id
from shared.pagination import TOTAL_CAP, Page, PageQuery, page_of
from shared.principal import Principal

WELCOME_LIFE: Final = timedelta(days=7)
FIRST_KEY: Final = "First key"


async def join(database: Database, email: str) -> None:
    """Let an address wait; the same work for one that waits already."""
    async with database.statement() as connection:
        await store.insert(connection, new_id("wait_"), email, email_key(email))


async def list_waiting(
    database: Database, principal: Principal, query: PageQuery
) -> Page[WaitingPerson]:
    """List who waits or waited, newest first.

    Raises:
        Forbidden: the caller is no platform administrator.
    """
    require_platform_admin(principal)
    async with database.connection() as connection:
        items = await store.list_all(connection, query.page_size, query.offset)
        total = await store.count_all(connection, TOTAL_CAP)
    return page_of(items, total, query)


async def convert(
    database: Database,
    mail: MailSender,
    public_url: str,
    principal: Principal,
    person_id: str,
    origin: Origin,
) -> Converted:
    """Let somebody in: an account without a password, an organization of its own, a first key.

    The letter that tells them lets them choose a password. Says account.registered,
    account.verified, organization.created, membership.changed and api_key.created.

    Raises:
        Forbidden: the caller is no platform administrator.
        NotFound: nobody waits or waited by this id.
        Conflict: they were let in before, or the address has an account.
    """
    require_platform_admin(principal)
    async with database.transaction() as connection:
        email = await store.convert(connection, person_id)
        if email is None:
            if await store.exists(connection, person_id):
                raise Conflict("This person was let in before")
            raise NotFound
        name = users.name_in(email)
        new = NewAccount(email, name, None)
        account_id, org_id = await users.found(connection, new, name, origin)
        key, _ = await create_key(
            connection,
            account_id=account_id,
            org_id=org_id,
            name=FIRST_KEY,
            scopes=["*"],
            origin=origin,
            actor=principal,
        )
        token = await issue(connection, account_id, WELCOME_LIFE)
        values = {"link": link(public_url, token), "public_url": public_url}
        await write(connection, "welcome", email, **values)
        event = AuditEvent(
            "waiting_person.converted", origin, principal, org_id=org_id, target=account_id
        )
        await record(connection, event)
    mail.ring()
    return Converted(user_id=account_id, org_id=org_id, key=key)
