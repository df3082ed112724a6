"""Use cases of role bindings (agents contract, sections 4.3 and 7)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from uuid import UUID, uuid4

from pydantic_core import to_json

from services.auth.accounts.operations import email_key
from services.auth.audit_events.models import Origin
from services.auth.organizations.operations import lock_namespace
from services.auth.role_bindings import store
from services.auth.role_bindings.models import (
    Filters,
    NewRoleBinding,
    RoleBinding,
    RoleBindingItem,
    RoleBindingQuery,
)
from services.auth.roles import operations as roles
from services.auth.roles.operations import (
    PERSON_TYPES,
    SERVICE_ACCOUNT_TYPES,
    Access,
    Change,
    require,
    require_bound,
)
from shared.agents_wire import UUID_TEXT
from shared.bus import outbox
from shared.contracts.auth import RoleBindingChanged
from shared.db import Connection, Database, Record
from shared.errors import Conflict, Forbidden, Invalid, NotFound
from shared.grants import API, namespaces
from shared.pagination import TOTAL_CAP
from shared.principal import Principal

BINDINGS: Final = "role-bindings"
MISSING: Final = "Role binding not found"
_ACCOUNT_NAME: Final = re.compile(r"[a-zA-Z0-9_.-]{1,255}")


async def list_all(
    access: Access, principal: Principal, query: RoleBindingQuery
) -> tuple[list[RoleBindingItem], int]:
    """List the bindings of the namespaces where the caller may, newest first, and their number.

    Raises:
        Forbidden: the caller may list none, or not those of the namespace asked for.
    """
    holder = await access.holder(principal)
    if query.namespace is not None:
        require(holder, BINDINGS, "list", query.namespace)
    permitted = namespaces(holder.grants, API, BINDINGS, "list")
    if permitted is not None and not permitted:
        raise Forbidden
    filters = Filters(
        None if permitted is None else sorted(permitted),
        query.namespace,
        query.principal_name,
        query.role_name,
    )
    async with access.database.connection() as connection:
        found = await store.list_page(connection, filters, query.most, query.offset)
        total = await store.count(connection, filters, TOTAL_CAP)
    return [binding.item() for binding in found], total


async def read(access: Access, principal: Principal, reference: str) -> RoleBindingItem:
    """Give a binding by id, or the first of a role that holds everywhere by the role's name.

    Raises:
        Forbidden: the caller may not.
        NotFound: there is none, or it is in a namespace where the caller holds nothing.
    """
    holder = await access.holder(principal)
    async with access.database.connection() as connection:
        if UUID_TEXT.fullmatch(reference):
            binding = await store.find(connection, UUID(reference))
        else:
            binding = next(iter(await store.find_global(connection, reference, 1)), None)
            require(holder, BINDINGS, "get", None, _names(binding))
    if binding is None:
        raise NotFound(MISSING)
    require_bound(holder, binding.namespace, MISSING)
    require(holder, BINDINGS, "get", binding.namespace, _names(binding))
    return binding.item()


async def create(
    access: Access, principal: Principal, wanted: NewRoleBinding, origin: Origin
) -> RoleBindingItem:
    """Bind a role, all of whose rules the caller holds there. Says role_binding.changed.

    Raises:
        Invalid: no service account can be called so.
        Forbidden: the caller may not, or does not hold all of the role's rules there.
        NotFound: there is no such role.
        Conflict: the same binding exists.
    """
    named = wanted.principal_name
    if wanted.principal_type == "ServiceAccount" and not _ACCOUNT_NAME.fullmatch(named):
        message = "is no name of a service account"
        raise Invalid.field("body", "principal_name", msg=message, type="string_pattern_mismatch")
    roles.deny_keys(principal)
    require(await access.holder(principal), BINDINGS, "create", wanted.namespace)
    async with access.changing(principal, origin) as change:
        require(change.holder, BINDINGS, "create", wanted.namespace)
        role = await roles.find_by_name(change.connection, wanted.role_name)
        if role is None:
            raise NotFound("Role not found")
        if not roles.covers(change.holder.grants, role.rules, wanted.namespace):
            raise Forbidden
        binding = await _insert(change, role.id, wanted)
    return binding.item()


async def _insert(change: Change, role_id: UUID, wanted: NewRoleBinding) -> RoleBinding:
    connection, name = change.connection, wanted.principal_name
    key, principal_id = None, None
    if wanted.principal_type == "ServiceAccount":
        principal_id = await store.find_service_account(connection, name)
    elif wanted.principal_type in PERSON_TYPES and "@" in name:
        key = email_key(name)
        principal_id = await store.find_person(connection, key)
    if wanted.namespace is not None:
        await lock_namespace(connection, wanted.namespace)
    version = await change.advance()
    binding = await store.insert(connection, uuid4(), role_id, wanted, principal_id, key, version)
    if binding is None:
        raise Conflict("Role binding already exists")
    await _say(change, binding, "role_binding.created", version)
    return binding


async def delete(access: Access, principal: Principal, reference: str, origin: Origin) -> None:
    """End one binding: by id, or the only one of a role that holds everywhere by the role's name.

    Says role_binding.changed.

    Raises:
        Forbidden: the caller may not.
        NotFound: there is none, or it is in a namespace where the caller holds nothing.
        Conflict: the name means several, or nobody would be left who holds everything.
    """
    async with access.changing(principal, origin) as change:
        binding = await _meant(change, reference)
        await store.delete(change.connection, binding.id)
        version = await change.advance()
        await _say(change, binding, "role_binding.deleted", version, deleted=True)


async def _meant(change: Change, reference: str) -> RoleBinding:
    holder = change.holder
    if UUID_TEXT.fullmatch(reference):
        binding = await store.find(change.connection, UUID(reference))
        if binding is None:
            raise NotFound(MISSING)
        require_bound(holder, binding.namespace, MISSING)
        require(holder, BINDINGS, "delete", binding.namespace, _names(binding))
        return binding
    found = await store.find_global(change.connection, reference, 2)
    for one in found or (None,):
        require(holder, BINDINGS, "delete", None, _names(one))
    if not found:
        raise NotFound(MISSING)
    if len(found) > 1:
        raise Conflict("Several bindings of this role hold everywhere; name one by its id")
    return found[0]


async def bind_administrator(change: Change, account_id: UUID, name: str) -> None:
    """Bind ``admin`` everywhere to the first service account. Says role_binding.changed."""
    role = await roles.find_by_name(change.connection, "admin")
    assert role is not None  # made at the same start
    wanted = NewRoleBinding(role_name="admin", principal_name=name)
    await _insert(change, role.id, wanted)


async def resolve_name(change: Change, name: str, account_id: UUID) -> None:
    """Give bindings that waited for a service account of this name to it.

    Says role_binding.changed for each.
    """
    count = await store.count_awaiting_name(change.connection, name)
    if count:
        first = await change.advance(count)
        rows = await store.resolve_name(change.connection, name, str(account_id), first)
        await outbox.add_all(change.connection, [_moved(row) for row in rows])


async def end_all_of(change: Change, account_id: UUID) -> None:
    """End the bindings of a service account that goes. Says role_binding.changed for each."""
    rows = await store.delete_of(change.connection, str(account_id), SERVICE_ACCOUNT_TYPES)
    await _say_ended(change.connection, rows)


async def resolve_person(connection: Connection, account_id: str) -> None:
    """Give bindings that waited for a person's address to them, once the address is verified.

    Does nothing the second time. Says role_binding.changed for each.
    """
    key = await store.find_address(connection, account_id)
    if key is None:
        return
    await roles.lock(connection)
    count = await store.count_awaiting_address(connection, key)
    if count:
        first = await roles.advance(connection, count)
        rows = await store.resolve_address(connection, key, account_id, first)
        await outbox.add_all(connection, [_moved(row) for row in rows])


async def forget_person(connection: Connection, account_id: str) -> None:
    """End the bindings of a person whose account is erased.

    Does nothing the second time. Says role_binding.changed for each.
    """
    await roles.lock(connection)
    rows = await store.delete_of(connection, account_id, PERSON_TYPES)
    await _say_ended(connection, rows)


async def snapshot(database: Database) -> bytes:
    """Write all of access at one moment, as ``AccessSnapshot``."""
    standings = to_json(roles.standings()).decode()
    async with database.connection() as connection:
        return (await store.snapshot(connection, standings)).encode()


async def _say(
    change: Change, binding: RoleBinding, action: str, version: int, *, deleted: bool = False
) -> None:
    # Addresses of people who have no account are nobody's to keep.
    is_address = "@" in binding.principal_name and binding.principal_id is None
    named = "" if is_address else binding.principal_id or binding.principal_name
    event = RoleBindingChanged(
        binding_id=str(binding.id),
        role_id=str(binding.role_id),
        principal_type=binding.principal_type,
        principal_name=binding.principal_name,
        principal_id=binding.principal_id or "",
        namespace=binding.namespace,
        deleted=deleted,
        version=version,
    )
    await change.say(
        [event],
        action,
        binding.id,
        role=binding.role_name,
        principal_type=binding.principal_type,
        principal=named,
        namespace=binding.namespace or "",
    )


async def _say_ended(connection: Connection, rows: Sequence[Record]) -> None:
    if rows:
        first = await roles.advance(connection, len(rows))
        ended = [roles.binding_ended(row, first + number) for number, row in enumerate(rows)]
        await outbox.add_all(connection, ended)


def _moved(row: Record) -> RoleBindingChanged:
    return RoleBindingChanged(
        binding_id=str(row["id"]),
        role_id=str(row["role_id"]),
        principal_type=row["principal_type"],
        principal_name=row["principal_name"],
        principal_id=row["principal_id"],
        namespace=row["namespace"],
        deleted=False,
        version=row["version"],
    )


def _names(binding: RoleBinding | None) -> tuple[str, ...]:
    return () if binding is None else (str(binding.id),)
