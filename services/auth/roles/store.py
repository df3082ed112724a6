"""SQL of roles, of what callers hold, and of the order in which access changes.

Roles, bindings and service accounts belong to no tenant: a binding names a namespace.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from pydantic import TypeAdapter
from pydantic_core import to_json

from services.auth.roles.models import Holdings, Role
from shared.db import Connection, Record
from shared.grants import Grant, Rule

_RULES: Final = TypeAdapter(tuple[Rule, ...])
_GRANTS: Final = TypeAdapter(tuple[Grant, ...])

_ROLE = "SELECT id, name, rules, description, created_at FROM auth.role"


async def lock(connection: Connection) -> None:
    """Wait for one's turn to change access; it lasts until the transaction ends."""
    await connection.execute("SELECT FROM auth.access_clock FOR UPDATE")


async def advance(connection: Connection, count: int) -> int:
    """Take the numbers of so many changes, and give the first."""
    last: int = await connection.fetchval(
        "UPDATE auth.access_clock SET version = version + $1 RETURNING version", count
    )
    return last - count + 1


async def find_holdings(
    connection: Connection,
    principal_id: str | None,
    types: Sequence[str],
    subject: str | None,
    groups: Sequence[str],
    org_id: str,
    service_account_id: UUID | None,
) -> Holdings:
    """Find what a caller holds, in one statement.

    Args:
        connection: to the database.
        principal_id: the account that bindings are resolved to, or None.
        types: of the bindings that may be resolved to it.
        subject: the name of an external subject, or None.
        groups: of an external subject.
        org_id: whose slug is the namespace of a person's standing, or empty.
        service_account_id: that must exist and be active, or None.
    """
    row = await connection.fetchrow(
        """
        WITH bound AS (
            SELECT role_id, namespace FROM auth.role_binding
             WHERE principal_id = $1 AND principal_type = ANY($2::text[])
            UNION ALL
            SELECT role_id, namespace FROM auth.role_binding
             WHERE principal_name = $3 AND principal_type IN ('User', 'Subject')
               AND principal_id IS NULL
            UNION ALL
            SELECT role_id, namespace FROM auth.role_binding
             WHERE principal_name = ANY($4::text[]) AND principal_type = 'Group'
        )
        SELECT (SELECT slug FROM auth.organization WHERE id = $5) AS namespace,
               $6::uuid IS NULL OR EXISTS (
                   SELECT FROM auth.service_account WHERE id = $6 AND active) AS is_there,
               coalesce((
                   SELECT json_agg(json_build_object(
                              'role', r.name, 'namespace', b.namespace, 'rules', r.rules))
                     FROM bound b JOIN auth.role r ON r.id = b.role_id), '[]')::text AS grants
        """,
        principal_id,
        types,
        subject,
        groups,
        org_id,
        service_account_id,
    )
    assert row is not None  # the statement has no FROM
    return Holdings(_GRANTS.validate_json(row["grants"]), row["namespace"], row["is_there"])


async def has_administrator(connection: Connection) -> bool:
    """Tell whether an active service account holds everything everywhere."""
    found = await connection.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM auth.role r
              JOIN auth.role_binding b ON b.role_id = r.id
              JOIN auth.service_account a
                ON a.id = CASE b.principal_type
                               WHEN 'ServiceAccount' THEN b.principal_id::uuid END
             WHERE r.rules @? '$[*] ? (@.api_groups[*] == "*" && @.resources[*] == "*"
                                       && @.verbs[*] == "*" && !exists(@.resource_names))'
               AND b.namespace IS NULL AND a.active)
        """
    )
    return bool(found)


async def insert(
    connection: Connection,
    role_id: UUID,
    name: str,
    rules: Sequence[Rule],
    description: str | None,
    version: int,
) -> Role | None:
    """Add a role; None when the name is taken."""
    row = await connection.fetchrow(
        """
        INSERT INTO auth.role (id, name, rules, description, version)
        VALUES ($1, $2, $3::text::jsonb, $4, $5) ON CONFLICT (name) DO NOTHING
        RETURNING id, name, rules, description, created_at
        """,
        role_id,
        name,
        to_json(list(rules)).decode(),
        description,
        version,
    )
    return _role(row)


async def find_by_id(connection: Connection, role_id: UUID) -> Role | None:
    """Find a role by its id."""
    return _role(await connection.fetchrow(_ROLE + " WHERE id = $1", role_id))


async def find_by_name(connection: Connection, name: str) -> Role | None:
    """Find a role by its name."""
    return _role(await connection.fetchrow(_ROLE + " WHERE name = $1", name))


async def names_among(connection: Connection, names: Sequence[str]) -> set[str]:
    """Give those of some names that are taken."""
    rows = await connection.fetch("SELECT name FROM auth.role WHERE name = ANY($1::text[])", names)
    return {row["name"] for row in rows}


async def list_all(connection: Connection, limit: int, offset: int) -> list[Role]:
    """Give a page of the roles, newest first."""
    rows = await connection.fetch(
        _ROLE + " ORDER BY created_at DESC, id DESC LIMIT $1 OFFSET $2", limit, offset
    )
    return [role for row in rows if (role := _role(row)) is not None]


async def count_all(connection: Connection, cap: int) -> int:
    """Count the roles, up to a cap."""
    total: int = await connection.fetchval(
        "SELECT count(*) FROM (SELECT FROM auth.role LIMIT $1) AS capped", cap
    )
    return total


async def delete_bindings(connection: Connection, role_id: UUID) -> list[Record]:
    """End all bindings of a role, and give them as they were."""
    return await connection.fetch(
        """
        DELETE FROM auth.role_binding WHERE role_id = $1
        RETURNING id, role_id, principal_type, principal_name, principal_id, namespace
        """,
        role_id,
    )


async def delete(connection: Connection, role_id: UUID) -> None:
    """Drop a role."""
    await connection.execute("DELETE FROM auth.role WHERE id = $1", role_id)


def _role(row: Record | None) -> Role | None:
    return None if row is None else Role(**{**row, "rules": _RULES.validate_json(row["rules"])})
