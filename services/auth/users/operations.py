"""Use cases of an organization's people: made, listed, changed, removed; and signing in as one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from services.auth.accounts.operations import (
    disable,
    email_key,
    enable,
    keep_an_administrator,
    lock,
    read_user,
)
from services.auth.audit_events.models import AuditEvent, Origin
from services.auth.audit_events.operations import record
from services.auth.live_sessions.operations import require_live
from services.auth.organizations import operations as organizations
from services.auth.organizations.models import UserItem
from services.auth.passwords.operations import Passwords, check_new_on_runs
from services.auth.sessions import operations as sessions
from services.auth.sessions.models import Opened, PasswordCredential
from services.auth.sessions.operations import DAY, Desk
from services.auth.throttles.models import Counted, Limit
from services.auth.throttles.operations import fail
from services.auth.users import rules, store
from services.auth.users.models import (
    Claim,
    Intent,
    Member,
    NewAccount,
    NewUser,
    SignedIn,
    Signup,
    Standing,
    StandingChange,
    UserChange,
)
from services.auth.users.rules import name_in as name_in
from shared.bus import outbox
from shared.contracts.auth import (
    AccountRegistered,
    AccountVerified,
    ApiKeyRevoked,
)
from shared.db import Connection, Database, Record
from shared.errors import Conflict, Forbidden, NotFound
from shared.ids import new_id
from shared.pagination import OffsetQuery
from shared.principal import Kind, Principal, Role

SIGNUP_BY_ADDRESS: Final = Limit("signup.client", 10, timedelta(hours=1), is_network=True)
"""Sign-ups from a network address, whatever comes of them (runs contract, section 3.2)."""

TAKEN: Final = "This address has an account already"


async def sign_in(desk: Desk, credential: PasswordCredential, origin: Origin) -> SignedIn:
    """Open a session of 24 hours; for what is raised see ``sessions.operations.prove``."""
    return await signed_in(desk, await sessions.sign_in(desk, credential, origin, DAY))


async def signed_in(desk: Desk, opened: Opened) -> SignedIn:
    """Give the answer of a login on the runs surface for a session that was just opened."""
    person = Principal(Kind.USER, opened.account_id, opened.org_id, account=opened.account_id)
    return SignedIn(token=opened.access_token, user=await read_user(desk.database, person))


async def hash_new(passwords: Passwords, password: str, email: str) -> str:
    """Hash a new password of the runs surface.

    Raises:
        BadRequest: it will not do.
    """
    check_new_on_runs(password, field="password", email=email)
    return await passwords.hash(password)


async def sign_up(desk: Desk, signup: Signup, *, is_cloud: bool, origin: Origin) -> SignedIn:
    """Make an account and an organization of its own, and sign the person in at once.

    An address that is somebody's is told by 409, because nobody can be signed in for it; how many
    may be tried is limited instead.

    Raises:
        Forbidden: the installation is not open to everybody.
        BadRequest: the password will not do.
        RateLimited: too many sign-ups came from this network address.
        Conflict: the address has an account.
    """
    if not is_cloud:
        raise Forbidden("Sign-up is closed on this installation; ask for an invitation")
    await fail(desk.database, Counted(SIGNUP_BY_ADDRESS, origin.client))
    password_hash = await hash_new(desk.passwords, signup.password, signup.email)
    new = NewAccount(signup.email, name_in(signup.email), password_hash)
    async with desk.database.transaction() as connection:
        account_id, _ = await found(connection, new, signup.org_name, origin)
        opened = await sessions.open_session(connection, desk, account_id, origin, DAY)
    return await signed_in(desk, opened)


async def find_claim(connection: Connection, email: str) -> Claim:
    """Tell whether an address is somebody's, who must then prove it, or free to be taken."""
    return await store.find_claim(connection, email_key(email))


async def make_account(connection: Connection, new: NewAccount) -> str:
    """Make a verified account, in the caller's transaction, or take over one that is nobody's.

    Says account.registered where it is new, and account.verified.

    Raises:
        Conflict: the address is somebody's.
    """
    fresh = new_id("usr_")
    account_id = await store.upsert_verified(connection, fresh, email_key(new.email), new)
    if account_id is None:
        raise Conflict(TAKEN)
    if account_id == fresh:
        await outbox.add(connection, AccountRegistered(account_id=fresh))
    await outbox.add(connection, AccountVerified(account_id=account_id))
    return account_id


async def found(
    connection: Connection, new: NewAccount, org_name: str, origin: Origin
) -> tuple[str, str]:
    """Make a verified account with an organization of its own; give the ids of both.

    Nobody has proved the address yet, so the account's own organization stands as its voucher.

    Raises:
        Conflict: the address is somebody's.
    """
    account_id = await make_account(connection, new)
    organization = await organizations.create_for(connection, account_id, org_name)
    await store.set_home(connection, account_id, organization.id, organization.id)
    actor = Principal(Kind.USER, account_id, organization.id, Role.OWNER, account=account_id)
    event = AuditEvent("organization.founded", origin, actor, target=organization.id)
    await record(connection, event)
    return account_id, organization.id


async def enter(connection: Connection, account_id: str, org_id: str, role: str) -> None:
    """Make somebody a member of an organization and let them act there.

    Raises:
        Conflict: they are a member already.
    """
    await organizations.join(connection, org_id, account_id, role)
    await store.set_home(connection, account_id, org_id)


async def forget_voucher(connection: Connection, account_id: str) -> None:
    """Let the organization that vouched for an account bring it back no longer.

    The address stays unproved: whoever vouched may know the password.
    """
    await store.forget_voucher(connection, account_id)


async def require_admin(connection: Connection, principal: Principal) -> None:
    """Check that the caller is an administrator still, and that nothing changes that meanwhile.

    Locks the active organization for this transaction.

    Raises:
        Unauthenticated: the caller's session was ended.
        Forbidden: they are not.
    """
    await require_live(connection, principal)
    await organizations.lock(connection, principal.org)
    caller = await store.find_standing(connection, principal.org, principal.account)
    rules.check_caller(caller)


async def is_member(connection: Connection, org_id: str, email: str) -> bool:
    """Tell whether an address is a member's."""
    return await store.is_member(connection, org_id, email_key(email))


async def list_members(
    database: Database, principal: Principal, query: OffsetQuery
) -> list[Member]:
    """List the people of the active organization, who joined last first."""
    async with database.connection() as connection:
        rows = await store.list_members(connection, principal.org, query.limit, query.offset)
    return [_member(row) for row in rows]


async def add_user(desk: Desk, principal: Principal, new: NewUser, origin: Origin) -> Member:
    """Make a verified account that belongs to the active organization alone.

    Raises:
        BadRequest: the password will not do.
        Conflict: the address is somebody's, who can only be invited.
    """
    org_id = principal.org
    password_hash = await hash_new(desk.passwords, new.password, new.email)
    name = new.name or name_in(new.email)
    account = NewAccount(new.email, name, password_hash, vouched_by=org_id)
    async with desk.database.transaction() as connection:
        await require_admin(connection, principal)
        if await store.is_member(connection, org_id, email_key(new.email)):
            raise Conflict("This person is a member already")
        try:
            account_id = await make_account(connection, account)
        except Conflict:
            raise Conflict(f"{TAKEN}; invite it instead") from None
        await enter(connection, account_id, org_id, new.role)
        detail = {"role": new.role}
        event = AuditEvent("user.added", origin, principal, target=account_id, detail=detail)
        await record(connection, event)
        return await _read(connection, org_id, account_id)


async def change_user(
    database: Database, principal: Principal, account_id: str, change: UserChange, origin: Origin
) -> Member:
    """Give a member another role or name, or let them act no longer, or again.

    For platform administrators the role ``member`` ends that too. Says membership.changed,
    account.disabled and session.revoked as it applies.

    Raises:
        NotFound: there is no such member of the active organization.
        Forbidden: the caller's rights do not reach that far.
        Conflict: see ``rules.check``.
    """
    org_id = principal.org
    async with database.transaction() as connection:
        target = await _locked(connection, principal, account_id)
        intent = rules.intent_of(target, change)
        await _check(connection, principal, target, intent)
        if intent.role is not None:
            await organizations.change_role(connection, org_id, account_id, intent.role)
        if rules.ends_platform_role(target, intent) and intent.role is not None:
            await store.set_platform_role(connection, account_id, held=False)
        if intent.disabled is not None:
            await _set_disabled(connection, principal, account_id, intent.disabled, origin)
        if change.name is not None:
            await store.rename(connection, account_id, change.name)
        detail = change.model_dump(exclude_none=True, exclude={"name"})
        event = AuditEvent("user.changed", origin, principal, target=account_id, detail=detail)
        await record(connection, event)
        return await _read(connection, org_id, account_id)


async def remove_user(
    database: Database, principal: Principal, account_id: str, origin: Origin
) -> None:
    """End a membership of the active organization, with its sessions and keys.

    Whoever belongs nowhere else cannot act any more: the account is disabled and stays, until an
    invitation or the same organization brings it back. Says membership.changed, session.revoked,
    api_key.revoked and account.disabled.

    Raises:
        NotFound: there is no such member of the active organization.
        Forbidden: the caller's rights do not reach that far.
        Conflict: see ``rules.check``.
    """
    org_id = principal.org
    async with database.transaction() as connection:
        target = await _locked(connection, principal, account_id)
        await _check(connection, principal, target, Intent(removed=True))
        await organizations.leave(connection, org_id, account_id)
        for session_id in await store.list_sessions(connection, org_id, account_id):
            await sessions.end_one(
                connection,
                account_id,
                session_id,
                origin=origin,
                actor=principal,
                reason="user_removed",
            )
        keys = await store.revoke_keys(connection, org_id, account_id)
        await outbox.add_all(connection, [ApiKeyRevoked(key_id=key, org_id=org_id) for key in keys])
        if target.elsewhere:
            await store.leave_home(connection, account_id, org_id)
        elif not target.disabled:
            await _set_disabled(connection, principal, account_id, True, origin)
        event = AuditEvent("user.removed", origin, principal, target=account_id)
        await record(connection, event)


async def change_standing(
    database: Database,
    principal: Principal,
    account_id: str,
    change: StandingChange,
    origin: Origin,
) -> UserItem:
    """Bar anybody from acting, or let them again; make them a platform administrator, or no longer.

    Sessions end with a loss of either. Says account.disabled and session.revoked as it applies.

    Raises:
        Forbidden: the caller is no platform administrator, or none any more.
        NotFound: there is no such account.
        Conflict: nobody would administer the installation any more; or the address of who is to
            administer it is not verified.
    """
    organizations.require_platform_admin(principal)
    async with database.transaction() as connection:
        if principal.account not in await organizations.lock_platform_admins(connection):
            raise Forbidden("Platform administrator required")
        target = await lock(connection, account_id)
        if target is None:
            raise NotFound
        if change.platform_admin and not target.verified:
            raise Conflict("The address of this account is not verified")
        if change.platform_admin is False:
            await keep_an_administrator(connection, account_id, "demoted")
        if change.disabled is not None:
            await _set_disabled(connection, principal, account_id, change.disabled, origin)
        if change.platform_admin is not None:
            await _set_platform_role(
                connection, principal, account_id, change.platform_admin, origin
            )
        detail = change.model_dump(exclude_none=True)
        event = AuditEvent("user.changed", origin, principal, target=account_id, detail=detail)
        await record(connection, event)
        return await organizations.read_user(connection, account_id)


async def _set_platform_role(
    connection: Connection, principal: Principal, account_id: str, held: bool, origin: Origin
) -> None:
    changed = await store.set_platform_role(connection, account_id, held=held)
    if changed and not held:
        await sessions.end_all(
            connection, account_id, origin=origin, actor=principal, reason="demoted"
        )


async def _locked(connection: Connection, principal: Principal, account_id: str) -> Standing:
    await organizations.lock(connection, principal.org)
    target = await store.find_standing(connection, principal.org, account_id)
    if target is None or not target.role:
        raise NotFound
    return target


async def _check(
    connection: Connection, principal: Principal, target: Standing, intent: Intent
) -> None:
    caller = await store.find_standing(connection, principal.org, principal.account)
    administrators = []
    if rules.ends_platform_role(target, intent):
        administrators = await organizations.lock_platform_admins(connection)
    rules.check(rules.check_caller(caller), target, intent, administrators)


async def _set_disabled(
    connection: Connection, principal: Principal, account_id: str, disabled: bool, origin: Origin
) -> None:
    if not disabled:
        await enable(connection, account_id)
    elif await disable(connection, account_id):
        await sessions.end_all(
            connection, account_id, origin=origin, actor=principal, reason="account_disabled"
        )


async def _read(connection: Connection, org_id: str, account_id: str) -> Member:
    row = await store.find_member(connection, org_id, account_id)
    if row is None:
        raise NotFound
    return _member(row)


def _member(row: Record) -> Member:
    values: dict[str, Any] = dict(row)
    values["role"] = rules.shown_role(row["role"], row["platform_admin"])
    return Member(**values)
