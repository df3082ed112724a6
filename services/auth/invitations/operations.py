"""Use cases of invitations: sent, listed, revoked, accepted."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Final

from services.auth.accounts.operations import email_key
from services.auth.audit_events.models import AuditEvent, Origin
from services.auth.audit_events.operations import record
from services.auth.invitations import rules, store
from services.auth.invitations.models import (
    Acceptance,
    Addresses,
    Invitation,
    NewInvitation,
    Offer,
)
from services.auth.mail.operations import MailSender, write
from services.auth.sessions import operations as sessions
from services.auth.sessions.models import Opened, PasswordCredential
from services.auth.sessions.operations import DAY, Desk
from services.auth.throttles.models import Counted, Limit
from services.auth.throttles.operations import fail
from services.auth.two_factor.operations import require_code
from services.auth.users import operations as users
from services.auth.users.models import NewAccount, SignedIn
from shared.db import Connection, Database
from shared.errors import BadRequest, Conflict, NotFound
from shared.ids import new_id
from shared.pagination import OffsetQuery
from shared.principal import Kind, Principal

LIFE: Final = timedelta(days=7)
INVITATIONS_BY_ORGANIZATION: Final = Limit("invitation.org", 100, timedelta(hours=1))
INVITATIONS_TO_ADDRESS: Final = Limit("invitation.email", 10, timedelta(hours=1))
"""Whoever registers may invite, so our mail must not become a way to pester strangers."""

REFUSED: Final = "Invalid or expired invitation"
SWEEP_BATCH: Final = 10_000


async def invite(
    database: Database,
    mail: MailSender,
    addresses: Addresses,
    principal: Principal,
    new: NewInvitation,
    origin: Origin,
) -> Invitation:
    """Write to an address that it may join the active organization; an older letter's link dies.

    Args:
        database: the service's.
        mail: sends the letter.
        addresses: that the letter names.
        principal: who invites.
        new: whom, as what.
        origin: where the request came from.

    Raises:
        Conflict: the address is a member's.
        RateLimited: too many letters went out.
    """
    org_id, key = principal.org, email_key(new.email)
    await fail(
        database,
        Counted(INVITATIONS_BY_ORGANIZATION, org_id),
        Counted(INVITATIONS_TO_ADDRESS, key),
    )
    token, invitation_id = rules.token_of(secrets.token_bytes(32)), new_id("inv_")
    async with database.transaction() as connection:
        await users.require_admin(connection, principal)
        if await users.is_member(connection, org_id, new.email):
            raise Conflict("This person is a member already")
        await store.revoke_of_address(connection, org_id, key)
        digest, inviter = rules.digest(token), principal.account
        made = await store.insert(
            connection, org_id, invitation_id, new, key, digest, inviter, LIFE
        )
        names = await store.find_names(connection, org_id, principal.account)
        await write(
            connection,
            "invitation",
            new.email,
            organization=names.organization,
            inviter=names.inviter,
            link=rules.link(addresses.pages, token),
            token=token,
            public_url=addresses.public_url,
        )
        detail = {"role": new.role}
        event = AuditEvent(
            "invitation.sent", origin, principal, target=invitation_id, detail=detail
        )
        await record(connection, event)
    mail.ring()
    return made


async def list_open(
    database: Database, principal: Principal, query: OffsetQuery
) -> list[Invitation]:
    """List the active organization's invitations that wait, newest first."""
    async with database.connection() as connection:
        return await store.list_open(connection, principal.org, query.limit, query.offset)


async def read(database: Database, principal: Principal, invitation_id: str) -> Invitation:
    """Give one of the active organization's invitations that wait.

    Raises:
        NotFound: there is no such.
    """
    async with database.connection() as connection:
        found = await store.find_open(connection, principal.org, invitation_id)
    if found is None:
        raise NotFound
    return found


async def revoke(
    database: Database, principal: Principal, invitation_id: str, origin: Origin
) -> None:
    """Take back an invitation that waits.

    Raises:
        NotFound: there is no such in the active organization.
    """
    async with database.transaction() as connection:
        if not await store.revoke(connection, principal.org, invitation_id):
            raise NotFound
        event = AuditEvent("invitation.revoked", origin, principal, target=invitation_id)
        await record(connection, event)


async def accept(desk: Desk, acceptance: Acceptance, origin: Origin) -> SignedIn:
    """Join an organization by the token of a letter, and sign in there for 24 hours.

    The letter proves the address and nothing more: an account that has it must show its own
    password too. One that is new, or was never verified, gets the password that came along.

    Raises:
        BadRequest: the token is unknown, used, revoked or expired; or the new password will not do.
        Unauthenticated: the address has an account, and this is not its password or code.
        Conflict: the person has become a member meanwhile.
    """
    digest = rules.digest(acceptance.token)
    async with desk.database.connection() as connection:
        offer = await store.find_offer(connection, digest)
        if offer is None:
            raise BadRequest(REFUSED)
        claim = await users.find_claim(connection, offer.email)
    new = None
    if claim.is_somebodys:
        credential = PasswordCredential(offer.email, acceptance.password, acceptance.code)
        await sessions.prove(desk, credential, origin)
    else:
        password_hash = await users.hash_new(desk.passwords, acceptance.password, offer.email)
        if claim.account_id:
            await require_code(desk.database, desk.vault, claim.account_id, acceptance.code, origin)
        name = acceptance.name or users.name_in(offer.email)
        new = NewAccount(offer.email, name, password_hash, is_proved=True)
    async with desk.database.transaction() as connection:
        if not await store.use_up(connection, offer.org_id, digest):
            raise BadRequest(REFUSED)
        if new is None:
            account_id = claim.account_id
            await users.forget_voucher(connection, account_id)
        else:
            account_id = await users.make_account(connection, new)
        opened = await _join(connection, desk, offer, account_id, origin)
    return await users.signed_in(desk, opened)


async def _join(
    connection: Connection, desk: Desk, offer: Offer, account_id: str, origin: Origin
) -> Opened:
    await users.enter(connection, account_id, offer.org_id, offer.role)
    actor = Principal(Kind.USER, account_id, offer.org_id, offer.role, account=account_id)
    event = AuditEvent("invitation.accepted", origin, actor, target=offer.id)
    await record(connection, event)
    return await sessions.open_session(connection, desk, account_id, origin, DAY)


async def sweep(database: Database) -> None:
    """Drop invitations that ended a month ago or longer."""
    async with database.connection() as connection:
        while await store.delete_over(connection, SWEEP_BATCH) == SWEEP_BATCH:
            pass
