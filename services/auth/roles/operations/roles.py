"""Use cases of roles (agents contract, section 4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID, uuid4

from services.auth.audit_events.models import Origin
from services.auth.roles import rules, store
from services.auth.roles.models import NewRole, Role, RoleItem, RoleQuery
from services.auth.roles.operations.access import Access, deny_keys, require
from shared.agents_wire import UUID_TEXT
from shared.bus import outbox
from shared.contracts.auth import AuthEvent, RoleBindingChanged, RoleChanged, RoleRule
from shared.db import Connection, Record
from shared.errors import Conflict, Forbidden, NotFound
from shared.grants import Rule
from shared.pagination import TOTAL_CAP
from shared.principal import Principal

ROLES: Final = "roles"
MISSING: Final = "Role not found"


async def list_all(
    access: Access, principal: Principal, query: RoleQuery
) -> tuple[list[RoleItem], int]:
    """List roles, newest first, with how many there are.

    Raises:
        Forbidden: the caller may not.
    """
    require(await access.holder(principal), ROLES, "list", None)
    async with access.database.connection() as connection:
        found = await store.list_all(connection, query.most, query.offset)
        total = await store.count_all(connection, TOTAL_CAP)
    return [role.item() for role in found], total


async def read(access: Access, principal: Principal, reference: str) -> RoleItem:
    """Give a role by id or name.

    Raises:
        Forbidden: the caller may not, whether or not there is one.
        NotFound: there is none.
    """
    holder = await access.holder(principal)
    async with access.database.connection() as connection:
        role = await _find(connection, reference)
    require(holder, ROLES, "get", None, _names(role, reference))
    if role is None:
        raise NotFound(MISSING)
    return role.item()


async def create(access: Access, principal: Principal, wanted: NewRole, origin: Origin) -> RoleItem:
    """Make a role of rules that the caller holds. Says role.changed.

    Raises:
        Forbidden: the caller may not, or does not hold all of the rules everywhere.
        Conflict: the name is taken.
    """
    deny_keys(principal)
    require(await access.holder(principal), ROLES, "create", None)
    async with access.changing(principal, origin) as change:
        require(change.holder, ROLES, "create", None)
        if not rules.covers(change.holder.grants, wanted.rules, None):
            raise Forbidden
        version = await change.advance()
        role = await store.insert(
            change.connection, uuid4(), wanted.name, wanted.rules, wanted.description, version
        )
        if role is None:
            raise Conflict("Role already exists")
        await change.say([_changed(role, version)], "role.created", role.id, name=role.name)
    return role.item()


async def delete(access: Access, principal: Principal, reference: str, origin: Origin) -> None:
    """Drop a role and its bindings. Says role.changed, and role_binding.changed for each.

    Raises:
        Forbidden: the caller may not.
        NotFound: there is none.
        Conflict: nobody would be left who holds everything.
    """
    async with access.changing(principal, origin) as change:
        role = await _find(change.connection, reference)
        require(change.holder, ROLES, "delete", None, _names(role, reference))
        if role is None:
            raise NotFound(MISSING)
        ended = await store.delete_bindings(change.connection, role.id)
        await store.delete(change.connection, role.id)
        first = await change.advance(len(ended) + 1)
        events: list[AuthEvent] = [
            binding_ended(row, first + number) for number, row in enumerate(ended)
        ]
        events.append(_changed(role, first + len(ended), deleted=True))
        await change.say(events, "role.deleted", role.id, name=role.name)


async def find_by_name(connection: Connection, name: str) -> Role | None:
    """Find a role by its name."""
    return await store.find_by_name(connection, name)


async def ensure_seeds(connection: Connection) -> None:
    """Make those of the first roles that are missing; the caller's transaction holds the lock."""
    missing = rules.SEEDS.keys() - await store.names_among(connection, list(rules.SEEDS))
    for name in rules.SEEDS:
        if name not in missing:
            continue
        version = await store.advance(connection, 1)
        content, description = rules.SEEDS[name]
        role = await store.insert(connection, uuid4(), name, content, description, version)
        assert role is not None  # nobody else adds roles meanwhile
        await outbox.add(connection, _changed(role, version))


def standings() -> dict[str, tuple[Rule, ...]]:
    """Give what people hold in their organization's namespace, by their role there."""
    return {standing: content for standing, (_, content) in rules.BY_STANDING.items()}


async def _find(connection: Connection, reference: str) -> Role | None:
    """Find a role by id, else by name; a name may look like an id."""
    if UUID_TEXT.fullmatch(reference):
        role = await store.find_by_id(connection, UUID(reference))
        if role is not None:
            return role
    return await store.find_by_name(connection, reference)


def _names(role: Role | None, reference: str) -> Sequence[str]:
    return (reference,) if role is None else (role.name, str(role.id))


def _changed(role: Role, version: int, *, deleted: bool = False) -> RoleChanged:
    return RoleChanged(
        role_id=str(role.id),
        name=role.name,
        rules=tuple(_said(rule) for rule in role.rules),
        deleted=deleted,
        version=version,
    )


def _said(rule: Rule) -> RoleRule:
    return RoleRule(
        api_groups=rule.api_groups,
        resources=rule.resources,
        verbs=rule.verbs,
        resource_names=rule.resource_names,
    )


def binding_ended(row: Record, version: int) -> RoleBindingChanged:
    """Say that a binding ended, as it was."""
    return RoleBindingChanged(
        binding_id=str(row["id"]),
        role_id=str(row["role_id"]),
        principal_type=row["principal_type"],
        principal_name=row["principal_name"],
        principal_id=row["principal_id"] or "",
        namespace=row["namespace"],
        deleted=True,
        version=version,
    )
