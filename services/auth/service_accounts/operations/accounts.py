"""Use cases of service accounts (agents contract, section 4.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID, uuid4

from services.auth.audit_events.models import AuditEvent, Origin
from services.auth.audit_events.operations import record_alone
from services.auth.passwords.operations import Passwords
from services.auth.role_bindings import operations as role_bindings
from services.auth.roles import operations as roles
from services.auth.roles.operations import Access, Change, require
from services.auth.service_accounts import rules, store
from services.auth.service_accounts.models import (
    CURRENT,
    NewServiceAccount,
    PasswordEdit,
    Proof,
    ServiceAccount,
    ServiceAccountEdit,
    ServiceAccountItem,
    ServiceAccountQuery,
)
from services.auth.throttles.models import Counted
from services.auth.throttles.operations import (
    SERVICE_LOGIN_BY_ACCOUNT,
    SERVICE_LOGIN_BY_ADDRESS,
    fail,
    forgive,
)
from services.auth.throttles.operations import require as require_few
from shared.agents_wire import UUID_TEXT
from shared.contracts.auth import ServiceAccountChanged
from shared.db import Connection, Database
from shared.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from shared.pagination import TOTAL_CAP
from shared.principal import Kind, Principal

ACCOUNTS: Final = "service-accounts"
MISSING: Final = "Service account not found"


async def list_all(
    access: Access, principal: Principal, query: ServiceAccountQuery
) -> tuple[list[ServiceAccountItem], int]:
    """List service accounts, newest first, with how many there are.

    Raises:
        Forbidden: the caller may not.
    """
    require(await access.holder(principal), ACCOUNTS, "list", None)
    async with access.database.connection() as connection:
        found = await store.list_all(connection, query.most, query.offset)
        total = await store.count_all(connection, TOTAL_CAP)
    return [account.item() for account in found], total


async def read(access: Access, principal: Principal, reference: str) -> ServiceAccountItem:
    """Give a service account by id, name or as the caller; the caller always sees themselves.

    Raises:
        Forbidden: the caller may not, whether or not there is one.
        NotFound: there is none.
    """
    holder = await access.holder(principal)
    async with access.database.connection() as connection:
        account = await _find(connection, reference, principal)
    if reference != CURRENT and not _is_self(account, principal):
        require(holder, ACCOUNTS, "get", None, _names(account, reference))
    if account is None:
        raise NotFound(MISSING)
    return account.item()


async def create(
    access: Access,
    passwords: Passwords,
    principal: Principal,
    wanted: NewServiceAccount,
    origin: Origin,
    *,
    is_development: bool,
) -> ServiceAccountItem:
    """Make a service account; bindings that wait for its name become its own.

    Says service_account.changed, and role_binding.changed for each of those.

    Raises:
        Invalid: the password is too weak, or the name stands for the caller.
        Forbidden: the caller may not, or would give it more than they hold.
        Conflict: the name is taken.
    """
    roles.deny_keys(principal)
    require(await access.holder(principal), ACCOUNTS, "create", None)
    rules.check_name(wanted.user)
    rules.check_password(wanted.user, wanted.password, "pass", is_development=is_development)
    password_hash = await passwords.hash(wanted.password)
    is_known = rules.is_known(wanted.user, wanted.password)
    async with access.changing(principal, origin) as change:
        require(change.holder, ACCOUNTS, "create", None)
        version = await change.advance()
        account = await store.insert(
            change.connection,
            uuid4(),
            wanted.user,
            password_hash,
            wanted.description,
            is_known,
            version,
        )
        if account is None:
            raise Conflict("Service account already exists")
        await role_bindings.resolve_name(change, account.name, account.id)
        await _require_no_gain(change, account.id)
        await say(change, account, "service_account.created", version)
    return account.item()


async def update(
    access: Access, principal: Principal, reference: str, edit: ServiceAccountEdit, origin: Origin
) -> ServiceAccountItem:
    """Change a service account's description, or whether it may act.

    Says service_account.changed if the latter; its tokens die when it may no more.

    Raises:
        Forbidden: the caller may not.
        NotFound: there is none.
        BadRequest: nothing would change.
        Conflict: nobody would be left who holds everything.
    """
    async with access.changing(principal, origin) as change:
        account = await _find_for(change, reference, principal, "update")
        fields = rules.changed_fields(edit)
        active = account.active if edit.active is None else edit.active
        turns = active != account.active
        version = await change.advance() if turns else None
        changed = await store.update(
            change.connection,
            account.id,
            edit.description if "description" in fields else account.description,
            active,
            account.token_version + (turns and not active),
            version,
        )
        await say(change, changed, "service_account.updated", version)
    return changed.item()


async def change_password(
    access: Access,
    passwords: Passwords,
    principal: Principal,
    reference: str,
    edit: PasswordEdit,
    origin: Origin,
    *,
    is_development: bool,
) -> None:
    """Set a password: one's own with the present one, another's as somebody who may update it.

    A present password that is sent is checked, whoever sends it. All older tokens die. Says
    service_account.changed.

    Raises:
        Forbidden: the caller may not, or would gain what they do not hold by signing in as it.
        NotFound: there is none.
        Invalid: the password is too weak, or one's present one is absent.
        Unauthenticated: the present password is another.
        RateLimited: too many tries failed.
    """
    roles.deny_keys(principal)
    holder = await access.holder(principal)
    async with access.database.connection() as connection:
        account = await _find(connection, reference, principal)
    is_self = _is_self(account, principal)
    if not is_self:
        require(holder, ACCOUNTS, "update", None, _names(account, reference))
    if account is None:
        raise NotFound(MISSING)
    rules.check_password(
        account.name, edit.new_password, "new_password", is_development=is_development
    )
    proof = None
    if is_self or edit.current_password is not None:
        proof = await _prove(access.database, passwords, account, principal, edit, origin)
    password_hash = await passwords.hash(edit.new_password)
    is_known = rules.is_known(account.name, edit.new_password)
    async with access.changing(principal, origin) as change:
        current = await store.find_by_id(change.connection, account.id)
        if current is None:
            raise NotFound(MISSING)
        if not is_self:
            require(change.holder, ACCOUNTS, "update", None, _names(current, reference))
            await _require_no_gain(change, current.id)
        if proof is not None and current.token_version != proof.token_version:
            raise Unauthenticated
        version = await change.advance()
        await store.set_password(change.connection, current.id, password_hash, is_known, version)
        await say(change, current, "service_account.password_changed", version)


async def _prove(
    database: Database,
    passwords: Passwords,
    account: ServiceAccount,
    principal: Principal,
    edit: PasswordEdit,
    origin: Origin,
) -> Proof:
    """Check the present password, counted as a login would be."""
    if edit.current_password is None:
        raise Invalid.field("body", "current_password", msg="Field required", type="missing")
    counters = (
        Counted(SERVICE_LOGIN_BY_ACCOUNT, account.name),
        Counted(SERVICE_LOGIN_BY_ADDRESS, origin.client),
    )
    async with database.connection() as connection:
        await require_few(connection, *counters)
        proof = await store.find_proof(connection, account.name)
    stored = None if proof is None else proof.password_hash
    right = await passwords.matches(stored, edit.current_password)
    if proof is None or not right:
        action, target = "service_account.password_changed", str(account.id)
        await record_alone(
            database, AuditEvent(action, origin, principal, target=target, refused=True)
        )
        await fail(database, *counters)
        raise Unauthenticated
    async with database.connection() as connection:
        await require_few(connection, *counters)
        await forgive(connection, counters[0])
    return proof


async def delete(access: Access, principal: Principal, reference: str, origin: Origin) -> None:
    """Delete a service account with its bindings and tokens.

    Says service_account.changed, and role_binding.changed for each binding.

    Raises:
        Forbidden: the caller may not.
        NotFound: there is none.
        Conflict: nobody would be left who holds everything.
    """
    async with access.changing(principal, origin) as change:
        account = await _find_for(change, reference, principal, "delete")
        await role_bindings.end_all_of(change, account.id)
        await store.delete(change.connection, account.id)
        version = await change.advance()
        await say(change, account, "service_account.deleted", version, deleted=True)


async def say(
    change: Change,
    account: ServiceAccount,
    action: str,
    version: int | None,
    *,
    deleted: bool = False,
) -> None:
    """Write down what was done to a service account, and say so if it has a number."""
    events = []
    if version is not None:
        changed = ServiceAccountChanged(
            service_account_id=str(account.id),
            name=account.name,
            active=account.active,
            deleted=deleted,
            version=version,
        )
        events.append(changed)
    await change.say(events, action, account.id, name=account.name)


async def _require_no_gain(change: Change, account_id: UUID) -> None:
    """Check that whoever knows the account's password holds nothing that the caller does not.

    Raises:
        Forbidden: they would.
    """
    held = await roles.held_by_account(change.connection, account_id)
    if not roles.is_takeover_safe(change.holder.grants, held):
        raise Forbidden


async def _find_for(
    change: Change, reference: str, principal: Principal, verb: str
) -> ServiceAccount:
    account = await _find(change.connection, reference, principal)
    require(change.holder, ACCOUNTS, verb, None, _names(account, reference))
    if account is None:
        raise NotFound(MISSING)
    return account


async def _find(
    connection: Connection, reference: str, principal: Principal
) -> ServiceAccount | None:
    """Find a service account: the caller, else by id, else by name, which may look like an id."""
    if reference == CURRENT:
        if principal.kind is not Kind.SERVICE_ACCOUNT:
            return None
        reference = principal.subject
    if UUID_TEXT.fullmatch(reference):
        account = await store.find_by_id(connection, UUID(reference))
        if account is not None:
            return account
    return await store.find_by_name(connection, reference)


def _is_self(account: ServiceAccount | None, principal: Principal) -> bool:
    is_account = principal.kind is Kind.SERVICE_ACCOUNT
    return account is not None and is_account and principal.subject == str(account.id)


def _names(account: ServiceAccount | None, reference: str) -> Sequence[str]:
    return (reference,) if account is None else (account.name, str(account.id))
