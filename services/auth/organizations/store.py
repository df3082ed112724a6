"""SQL of organizations and memberships."""

from __future__ import annotations

from services.auth.organizations.models import Organization, OrganizationItem
from shared.db import Connection, Record

_ITEM = """
    SELECT o.id, o.name, o.slug, o.plan, o.created_at,
           (SELECT count(*) FROM auth.membership m WHERE m.org_id = o.id) AS member_count
      FROM auth.organization o
"""

_LOCK = "pg_advisory_xact_lock(hashtextextended('auth.namespace:' || $1, 0))"

_USER = """
    SELECT a.id, a.email, a.name, a.verified_at IS NOT NULL AS verified, a.platform_admin,
           a.created_at, m.org_id, m.role
"""


async def lock_namespace(connection: Connection, namespace: str) -> None:
    """Take the name of a namespace for this transaction."""
    await connection.execute(f"SELECT {_LOCK}", namespace)


async def lock_slug(connection: Connection, slug: str) -> bool:
    """Take the name of a namespace, unless an organization has it: then False, without waiting."""
    row = await connection.fetchrow(
        f"SELECT {_LOCK} WHERE NOT EXISTS (SELECT FROM auth.organization WHERE slug = $1)",  # noqa: S608 - a constant
        slug,
    )
    return row is not None


async def insert(connection: Connection, organization: Organization) -> bool:
    """Add an organization; False when the slug is taken, or names a namespace in use."""
    inserted = await connection.fetchval(
        """
        INSERT INTO auth.organization (id, name, slug)
        SELECT $1::text, $2::text, $3::text
         WHERE NOT EXISTS (SELECT FROM auth.role_binding WHERE namespace = $3)
           AND NOT EXISTS (SELECT FROM auth.namespace
                            WHERE digest = sha256(convert_to($3, 'UTF8')))
        ON CONFLICT (slug) DO NOTHING RETURNING true
        """,
        organization.id,
        organization.name,
        organization.slug,
    )
    return bool(inserted)


async def insert_namespace(connection: Connection, namespace: str) -> None:
    """Note that a namespace is in use; nothing if that is known."""
    await connection.execute(
        """
        INSERT INTO auth.namespace (digest) VALUES (sha256(convert_to($1, 'UTF8')))
        ON CONFLICT DO NOTHING
        """,
        namespace,
    )


async def insert_membership(connection: Connection, org_id: str, account_id: str, role: str) -> int:
    """Add a member and give the membership's version."""
    version: int = await connection.fetchval(
        """
        INSERT INTO auth.membership (org_id, account_id, role) VALUES ($1, $2, $3)
        RETURNING version
        """,
        org_id,
        account_id,
        role,
    )
    return version


async def lock(connection: Connection, org_id: str) -> None:
    """Take an organization for this transaction, so that changes of its members come in a row.

    Whoever only refers to it, as a new key does, is not kept waiting.
    """
    await connection.execute(
        "SELECT FROM auth.organization WHERE id = $1 FOR NO KEY UPDATE", org_id
    )


async def update_role(
    connection: Connection, org_id: str, account_id: str, role: str
) -> int | None:
    """Give a member another role; the membership's version, or None when there is no member."""
    version: int | None = await connection.fetchval(
        """
        UPDATE auth.membership SET role = $3, version = nextval('auth.membership_version')
         WHERE org_id = $1 AND account_id = $2 RETURNING version
        """,
        org_id,
        account_id,
        role,
    )
    return version


async def delete_membership(connection: Connection, org_id: str, account_id: str) -> int | None:
    """End a membership; the version of its end, or None when there is no member."""
    version: int | None = await connection.fetchval(
        """
        DELETE FROM auth.membership WHERE org_id = $1 AND account_id = $2
        RETURNING nextval('auth.membership_version')
        """,
        org_id,
        account_id,
    )
    return version


async def lock_platform_admins(connection: Connection) -> list[str]:
    """Let one transaction after the other change who administers the installation; give who does.

    Reads all tenants: platform administrators belong to none of them.
    """
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('auth.platform_admin', 0))"
    )
    rows = await connection.fetch(
        """
        SELECT a.id FROM auth.account a
         WHERE a.platform_admin AND a.disabled_at IS NULL
           AND EXISTS (SELECT FROM auth.membership m WHERE m.account_id = a.id)
        """
    )
    return [row["id"] for row in rows]


async def exists(connection: Connection, org_id: str) -> bool:
    """Tell whether there is such an organization."""
    found = await connection.fetchval("SELECT true FROM auth.organization WHERE id = $1", org_id)
    return bool(found)


async def list_all(connection: Connection, limit: int, offset: int) -> list[OrganizationItem]:
    """Give a page of all organizations, newest first.

    Reads all tenants: only platform administrators ask, who see every organization.
    """
    rows = await connection.fetch(
        _ITEM + " ORDER BY o.created_at DESC, o.id DESC LIMIT $1 OFFSET $2", limit, offset
    )
    return [OrganizationItem(**row) for row in rows]


async def count_all(connection: Connection, cap: int) -> int:
    """Count all organizations, up to a cap."""
    total: int = await connection.fetchval(
        "SELECT count(*) FROM (SELECT FROM auth.organization LIMIT $1) AS capped", cap
    )
    return total


async def list_accounts(connection: Connection, limit: int, offset: int) -> list[Record]:
    """Give a page of all accounts with the organization that each acts in, newest first.

    Reads all tenants: only platform administrators ask, who see every account.
    """
    return await connection.fetch(
        _USER
        + """
          FROM auth.account a
          LEFT JOIN auth.membership m ON m.org_id = a.active_org_id AND m.account_id = a.id
         ORDER BY a.created_at DESC, a.id DESC LIMIT $1 OFFSET $2
        """,
        limit,
        offset,
    )


async def find_account(connection: Connection, account_id: str) -> Record | None:
    """Find an account as ``list_accounts`` gives it.

    Reads all tenants: only platform administrators ask, who see every account.
    """
    return await connection.fetchrow(
        _USER
        + """
          FROM auth.account a
          LEFT JOIN auth.membership m ON m.org_id = a.active_org_id AND m.account_id = a.id
         WHERE a.id = $1
        """,
        account_id,
    )


async def count_accounts(connection: Connection, cap: int) -> int:
    """Count all accounts, up to a cap."""
    total: int = await connection.fetchval(
        "SELECT count(*) FROM (SELECT FROM auth.account LIMIT $1) AS capped", cap
    )
    return total
