"""SQL of role bindings. They belong to no tenant: a binding names a namespace, or none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from services.auth.role_bindings.models import Filters, NewRoleBinding, RoleBinding
from shared.db import Connection, Record

_COLUMNS = """b.id, b.role_id, r.name AS role_name, b.principal_type, b.principal_name,
              b.principal_id, b.namespace, b.created_at"""
_BINDING = f"SELECT {_COLUMNS} FROM auth.role_binding b JOIN auth.role r ON r.id = b.role_id"  # noqa: S608 - constants
_ENDED = "id, role_id, principal_type, principal_name, principal_id, namespace"


async def insert(
    connection: Connection,
    binding_id: UUID,
    role_id: UUID,
    wanted: NewRoleBinding,
    principal_id: str | None,
    email_key: str | None,
    version: int,
) -> RoleBinding | None:
    """Add a binding; None when there is the same already."""
    row = await connection.fetchrow(
        f"""
        WITH b AS (
            INSERT INTO auth.role_binding (id, role_id, principal_type, principal_name,
                                           principal_id, namespace, email_key, version)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING *)
        SELECT {_COLUMNS} FROM b JOIN auth.role r ON r.id = b.role_id
        """,  # noqa: S608 - a constant
        binding_id,
        role_id,
        wanted.principal_type,
        wanted.principal_name,
        principal_id,
        wanted.namespace,
        email_key,
        version,
    )
    return _binding(row)


async def find(connection: Connection, binding_id: UUID) -> RoleBinding | None:
    """Find a binding by its id."""
    return _binding(await connection.fetchrow(_BINDING + " WHERE b.id = $1", binding_id))


async def find_global(connection: Connection, role_name: str, limit: int) -> list[RoleBinding]:
    """Find bindings of a role that hold everywhere, the oldest first."""
    rows = await connection.fetch(
        _BINDING
        + """
         WHERE r.name = $1 AND b.namespace IS NULL
         ORDER BY b.created_at, b.id LIMIT $2
        """,
        role_name,
        limit,
    )
    return _bindings(rows)


async def list_page(
    connection: Connection, filters: Filters, limit: int, offset: int
) -> list[RoleBinding]:
    """Give a page of bindings, newest first."""
    where, values = _where(filters)
    count = len(values)
    rows = await connection.fetch(
        f"""
        {_BINDING} {where}
         ORDER BY b.created_at DESC, b.id DESC LIMIT ${count + 1} OFFSET ${count + 2}
        """,
        *values,
        limit,
        offset,
    )
    return _bindings(rows)


async def count(connection: Connection, filters: Filters, cap: int) -> int:
    """Count the bindings that a list shows over all its pages, up to a cap."""
    where, values = _where(filters)
    total: int = await connection.fetchval(
        f"""
        SELECT count(*) FROM (
            SELECT FROM auth.role_binding b {where} LIMIT ${len(values) + 1}) AS capped
        """,  # noqa: S608 - constants
        *values,
        cap,
    )
    return total


def _where(filters: Filters) -> tuple[str, list[Any]]:
    """Write only the conditions that are asked for, so that each finds its index."""
    given = {
        "b.namespace = ANY({}::text[])": filters.namespaces,
        "b.namespace = {}": filters.namespace,
        "b.principal_name = {}": filters.principal_name,
        "b.role_id = (SELECT id FROM auth.role WHERE name = {})": filters.role_name,
    }
    used = {text: value for text, value in given.items() if value is not None}
    conditions = [text.format(f"${number}") for number, text in enumerate(used, 1)]
    return "WHERE " + " AND ".join(conditions) if used else "", list(used.values())


async def delete(connection: Connection, binding_id: UUID) -> None:
    """End one binding."""
    await connection.execute("DELETE FROM auth.role_binding WHERE id = $1", binding_id)


async def delete_of(
    connection: Connection, principal_id: str, types: Sequence[str]
) -> list[Record]:
    """End all bindings of an account, and give them as they were."""
    return await connection.fetch(
        f"""
        DELETE FROM auth.role_binding WHERE principal_id = $1 AND principal_type = ANY($2::text[])
        RETURNING {_ENDED}
        """,  # noqa: S608 - a constant
        principal_id,
        types,
    )


async def resolve_name(
    connection: Connection, name: str, principal_id: str, first: int
) -> list[Record]:
    """Give bindings that wait for a service account of this name to it, numbered from ``first``."""
    return await connection.fetch(
        f"""
        WITH awaited AS (
            SELECT id AS awaited_id, row_number() OVER (ORDER BY created_at, id) AS number
              FROM auth.role_binding
             WHERE principal_name = $1 AND principal_type = 'ServiceAccount'
               AND principal_id IS NULL)
        UPDATE auth.role_binding SET principal_id = $2, version = $3 + number - 1
          FROM awaited WHERE id = awaited_id
        RETURNING {_ENDED}, version
        """,  # noqa: S608 - a constant
        name,
        principal_id,
        first,
    )


async def count_awaiting_name(connection: Connection, name: str) -> int:
    """Count bindings that wait for a service account of this name."""
    total: int = await connection.fetchval(
        """
        SELECT count(*) FROM auth.role_binding
         WHERE principal_name = $1 AND principal_type = 'ServiceAccount' AND principal_id IS NULL
        """,
        name,
    )
    return total


async def resolve_address(
    connection: Connection, email_key: str, principal_id: str, first: int
) -> list[Record]:
    """Give bindings that wait for a person of this address to them, numbered from ``first``."""
    return await connection.fetch(
        f"""
        WITH awaited AS (
            SELECT id AS awaited_id, row_number() OVER (ORDER BY created_at, id) AS number
              FROM auth.role_binding WHERE email_key = $1 AND principal_id IS NULL)
        UPDATE auth.role_binding SET principal_id = $2, version = $3 + number - 1
          FROM awaited WHERE id = awaited_id
        RETURNING {_ENDED}, version
        """,  # noqa: S608 - a constant
        email_key,
        principal_id,
        first,
    )


async def count_awaiting_address(connection: Connection, email_key: str) -> int:
    """Count bindings that wait for a person of this address."""
    total: int = await connection.fetchval(
        "SELECT count(*) FROM auth.role_binding WHERE email_key = $1 AND principal_id IS NULL",
        email_key,
    )
    return total


async def find_service_account(connection: Connection, name: str) -> str | None:
    """Find the id of a service account by its name."""
    found: str | None = await connection.fetchval(
        "SELECT id::text FROM auth.service_account WHERE name = $1", name
    )
    return found


async def find_person(connection: Connection, email_key: str) -> str | None:
    """Find the account of a person who proved an address; an admin's word for them proves none."""
    found: str | None = await connection.fetchval(
        """
        SELECT id FROM auth.account
         WHERE email_key = $1 AND verified_at IS NOT NULL AND vouched_by IS NULL
        """,
        email_key,
    )
    return found


async def find_address(connection: Connection, account_id: str) -> str | None:
    """Find the normal form of the address that a person proved; an admin's word proves none."""
    found: str | None = await connection.fetchval(
        """
        SELECT email_key FROM auth.account
         WHERE id = $1 AND verified_at IS NOT NULL AND vouched_by IS NULL
        """,
        account_id,
    )
    return found


async def snapshot(connection: Connection, standings: str) -> str:
    """Write all of access at one moment as JSON; one statement sees one state.

    Args:
        connection: to the database.
        standings: JSON that is put in as it is.
    """
    written: str = await connection.fetchval(
        """
        SELECT json_build_object(
            'version', (SELECT version FROM auth.access_clock),
            'roles', (SELECT coalesce(json_agg(json_build_object(
                'id', id, 'name', name, 'rules', rules, 'version', version)), '[]')
                FROM auth.role),
            'bindings', (SELECT coalesce(json_agg(json_build_object(
                'id', id, 'role_id', role_id, 'principal_type', principal_type,
                'principal_name', principal_name, 'principal_id', coalesce(principal_id, ''),
                'namespace', namespace, 'version', version)), '[]')
                FROM auth.role_binding),
            'service_accounts', (SELECT coalesce(json_agg(json_build_object(
                'id', id, 'name', name, 'active', active, 'version', version)), '[]')
                FROM auth.service_account),
            'organizations', (SELECT coalesce(json_agg(json_build_object(
                'org_id', id, 'slug', slug)), '[]')
                FROM auth.organization),
            'standings', $1::text::json)::text
        """,
        standings,
    )
    return written


def _binding(row: Record | None) -> RoleBinding | None:
    return None if row is None else RoleBinding(**row)


def _bindings(rows: Sequence[Record]) -> list[RoleBinding]:
    return [RoleBinding(**row) for row in rows]
