"""Deleting an account: here at once, and everywhere else by the event that tells of it.

What hangs on an account goes with it by foreign keys; what others must hear of is said first. The
row in ``auth.erasure`` outlives the account, as the proof that every service has forgotten.
"""

from __future__ import annotations

from services.auth.accounts import operations as accounts
from services.auth.accounts.models import Account
from services.auth.audit_events.models import AuditEvent, Origin
from services.auth.audit_events.operations import record
from services.auth.erasures import store
from services.auth.erasures.models import Goodbye, Share
from services.auth.live_sessions.operations import require_live
from services.auth.machines import operations as machines
from services.auth.mail.operations import MailSender, write
from services.auth.organizations import operations as organizations
from services.auth.role_bindings import operations as role_bindings
from services.auth.sessions.operations import Desk, end_all
from services.auth.two_factor.operations import require_code
from shared.bus import outbox
from shared.contracts.auth import ApiKeyRevoked, OrganizationDeleted
from shared.db import Connection, Database
from shared.errors import NotFound, Unauthenticated, Unavailable
from shared.log import get_logger
from shared.principal import Principal, Role
from shared.siblings import Siblings

log = get_logger()


async def prove(desk: Desk, principal: Principal, goodbye: Goodbye, origin: Origin) -> None:
    """Have a person show password and second factor before their account goes.

    An account that has no password is proved by its session and second factor alone.

    Raises:
        RateLimited: too many tries failed.
        Unauthenticated: the password or the code is wrong, or a code is needed.
        Forbidden: the caller is no person who is signed in.
    """
    principal.require_person()
    async with desk.database.connection() as connection:
        account = await accounts.find(connection, principal.account)
    if account is None:
        raise Unauthenticated
    if account.password_hash.text is not None:
        await accounts.prove_password(
            desk.database, desk.passwords, principal, goodbye.password, origin
        )
    await require_code(desk.database, desk.vault, account.id, goodbye.code, origin)


async def erase(
    database: Database,
    mail: MailSender,
    siblings: Siblings,
    principal: Principal,
    origin: Origin,
    *,
    only_with_teams: bool = False,
) -> None:
    """Delete the caller's account, and with it the organizations that nobody else belongs to.

    Organizations with others go on; one that would have no owner passes to its oldest admin, else
    to its oldest member. Teams ends the memberships of the account's machines and its ownership
    before this is committed; where it is away, events tell it later, unless ``only_with_teams``.
    Says account.deleted, organization.deleted, membership.changed,
    session.revoked, api_key.revoked, machine.revoked and role_binding.changed.

    Raises:
        Unauthenticated: the caller's session was ended, though the gateway may not know it yet.
        NotFound: the account has gone already.
        Conflict: nobody would administer the installation any more.
        Unavailable: teams did not answer and was needed; nothing has changed.
    """
    async with database.transaction() as connection:
        account, estate = await _lock(connection, principal.account)
        await require_live(connection, principal)
        doomed = [share.org_id for share in estate if share.heir is None]
        tokens = await _end_credentials(connection, account.id, doomed, principal, origin)
        for share in estate:
            await _part(connection, share, account.id, principal, origin)
        await accounts.delete(connection, account.id, doomed)
        await store.delete_traces(connection, accounts.email_key(account.email))
        await store.insert(connection, account.id)
        detail = {"organizations_deleted": doomed}
        event = AuditEvent("account.deleted", origin, principal, target=account.id, detail=detail)
        await record(connection, event)
        await write(connection, "account_deleted", account.email, name=account.name)
        try:
            await machines.end_memberships(siblings, tokens, account.id)
        except Unavailable:
            if only_with_teams:
                raise
            log.info("teams will hear of a deletion later", account_id=account.id)
    mail.ring()


async def _lock(connection: Connection, account_id: str) -> tuple[Account, list[Share]]:
    """Take all that changes, in the order in which everybody takes it."""
    for share in await store.find_estate(connection, account_id):
        await organizations.lock(connection, share.org_id)
    await accounts.keep_an_administrator(connection, account_id, "deleted")
    account = await accounts.lock(connection, account_id)
    if account is None:
        raise NotFound(code="account_not_found")
    return account, await store.find_estate(connection, account_id)


async def _end_credentials(
    connection: Connection, account_id: str, doomed: list[str], actor: Principal, origin: Origin
) -> list[str]:
    """End what an account acts by; give the tokens of its machines."""
    await end_all(connection, account_id, origin=origin, actor=actor, reason="account_deleted")
    keys = await store.find_live_keys(connection, account_id, doomed)
    revoked = [ApiKeyRevoked(key_id=key.id, org_id=key.org_id) for key in keys]
    await outbox.add_all(connection, revoked)
    tokens = await machines.revoke_all(connection, account_id, actor, origin)
    await role_bindings.forget_person(connection, account_id)
    return tokens


async def _part(
    connection: Connection, share: Share, account_id: str, actor: Principal, origin: Origin
) -> None:
    """Take a person out of an organization: it passes on, or goes."""
    org_id = share.org_id
    await organizations.leave(connection, org_id, account_id)
    if share.heir is None:
        await store.delete_organization(connection, org_id)
        await outbox.add(connection, OrganizationDeleted(org_id=org_id))
        event = AuditEvent("organization.deleted", origin, actor, org_id, target=org_id)
        await record(connection, event)
    elif share.role == Role.OWNER and not share.has_other_owner:
        await organizations.change_role(connection, org_id, share.heir, Role.OWNER)
        detail = {"role": Role.OWNER, "reason": "owner_deleted"}
        event = AuditEvent(
            "membership.changed", origin, actor, org_id, target=share.heir, detail=detail
        )
        await record(connection, event)
