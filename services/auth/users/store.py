"""SQL of the people of an organization, and of accounts that others make for them."""

from __future__ import annotations

from services.auth.users.models import Claim, NewAccount, Standing
from shared.db import Connection, Record

_MEMBER = """
    SELECT a.id, a.email, a.name, a.created_at, a.verified_at IS NOT NULL AS verified,
           a.disabled_at IS NOT NULL AS disabled, a.platform_admin, m.role,
           o.id AS org_id, o.name AS org_name
      FROM auth.membership m
      JOIN auth.account a ON a.id = m.account_id
      JOIN auth.organization o ON o.id = m.org_id
     WHERE m.org_id = $1
"""


async def list_members(
    connection: Connection, org_id: str, limit: int, offset: int
) -> list[Record]:
    """Give a page of an organization's members, who joined last first."""
    return await connection.fetch(
        _MEMBER + " ORDER BY m.created_at DESC, m.account_id DESC LIMIT $2 OFFSET $3",
        org_id,
        limit,
        offset,
    )


async def find_member(connection: Connection, org_id: str, account_id: str) -> Record | None:
    """Find a member as lists show them."""
    return await connection.fetchrow(_MEMBER + " AND m.account_id = $2", org_id, account_id)


async def is_member(connection: Connection, org_id: str, email_key: str) -> bool:
    """Tell whether an address is a member's, by its normal form."""
    found = await connection.fetchval(
        """
        SELECT true FROM auth.account a
          JOIN auth.membership m ON m.account_id = a.id AND m.org_id = $1
         WHERE a.email_key = $2
        """,
        org_id,
        email_key,
    )
    return bool(found)


async def find_standing(connection: Connection, org_id: str, account_id: str) -> Standing | None:
    """Find how somebody stands in an organization; ask only while it is locked.

    A platform administrator who is no member stands there with an empty role.
    """
    row = await connection.fetchrow(
        """
        SELECT a.id AS account_id, coalesce(m.role, '') AS role, a.platform_admin,
               a.disabled_at IS NOT NULL AS disabled,
               EXISTS (SELECT FROM auth.membership o JOIN auth.account b ON b.id = o.account_id
                        WHERE o.org_id = $1 AND o.account_id <> a.id AND o.role <> 'member'
                          AND b.disabled_at IS NULL AND b.verified_at IS NOT NULL) AS other_admins,
               EXISTS (SELECT FROM auth.membership o
                        WHERE o.account_id = a.id AND o.org_id <> $1) AS elsewhere
          FROM auth.account a
          LEFT JOIN auth.membership m ON m.org_id = $1 AND m.account_id = a.id
         WHERE a.id = $2 AND (m.role IS NOT NULL OR a.platform_admin)
        """,
        org_id,
        account_id,
    )
    return None if row is None else Standing(**row)


async def find_claim(connection: Connection, email_key: str) -> Claim:
    """Find whose an address is.

    In use is one that was verified, unless its account is disabled and belongs to no organization.
    Reads all tenants: whoever belongs to any is somebody.
    """
    row = await connection.fetchrow(
        """
        SELECT a.id AS account_id,
               CASE WHEN a.disabled_at IS NULL THEN a.verified_at IS NOT NULL
                    ELSE EXISTS (SELECT FROM auth.membership m WHERE m.account_id = a.id)
               END AS is_somebodys
          FROM auth.account a WHERE a.email_key = $1
        """,
        email_key,
    )
    return Claim("", False) if row is None else Claim(**row)


async def upsert_verified(
    connection: Connection, account_id: str, email_key: str, new: NewAccount
) -> str | None:
    """Add a verified account, or take one over that is nobody's; None when it is somebody's.

    Nobody's is one whose address was never verified; and a disabled one that belongs to no
    organization, if a letter proved the address or the same organization vouched for it before.
    Reads all tenants: whoever belongs to any is somebody.
    """
    found: str | None = await connection.fetchval(
        """
        INSERT INTO auth.account AS a
               (id, email, email_key, name, password_hash, vouched_by, verified_at)
        VALUES ($1, $2, $3, $4, $5, $6, now())
        ON CONFLICT (email_key) DO UPDATE
           SET email = excluded.email, name = excluded.name,
               password_hash = excluded.password_hash, password_set_at = now(),
               vouched_by = excluded.vouched_by,
               verified_at = now(), disabled_at = NULL, updated_at = now()
         WHERE CASE
               WHEN a.disabled_at IS NULL THEN a.verified_at IS NULL
               ELSE ($7 OR a.vouched_by = $6) AND NOT EXISTS (
                   SELECT FROM auth.membership m WHERE m.account_id = a.id) END
        RETURNING id
        """,
        account_id,
        new.email,
        email_key,
        new.name,
        new.password_hash,
        new.vouched_by,
        new.is_proved,
    )
    if found is not None:
        await connection.execute("DELETE FROM auth.email_verification WHERE account_id = $1", found)
    return found


async def set_home(
    connection: Connection, account_id: str, org_id: str, vouched_by: str | None = None
) -> None:
    """Note where a person acts from now on, and who vouches for their address, if that is new."""
    await connection.execute(
        """
        UPDATE auth.account
           SET active_org_id = $2, vouched_by = coalesce($3, vouched_by), updated_at = now()
         WHERE id = $1
        """,
        account_id,
        org_id,
        vouched_by,
    )


async def forget_voucher(connection: Connection, account_id: str) -> None:
    """Let no organization bring an account back that another one vouched for.

    Its address stays unproved: whoever vouched may know the password.
    """
    await connection.execute(
        "UPDATE auth.account SET vouched_by = '' WHERE id = $1 AND vouched_by IS NOT NULL",
        account_id,
    )


async def leave_home(connection: Connection, account_id: str, org_id: str) -> None:
    """Let a person who acted in an organization act in the first other that they joined."""
    await connection.execute(
        """
        UPDATE auth.account SET updated_at = now(), active_org_id = (
                   SELECT m.org_id FROM auth.membership m WHERE m.account_id = $1
                    ORDER BY m.created_at, m.org_id LIMIT 1)
         WHERE id = $1 AND active_org_id = $2
        """,
        account_id,
        org_id,
    )


async def rename(connection: Connection, account_id: str, name: str) -> None:
    """Give a person another name."""
    await connection.execute(
        "UPDATE auth.account SET name = $2, updated_at = now() WHERE id = $1", account_id, name
    )


async def set_platform_role(connection: Connection, account_id: str, *, held: bool) -> bool:
    """Let a person administer the installation, or no longer; False where it was so already."""
    changed = await connection.fetchval(
        """
        UPDATE auth.account SET platform_admin = $2, updated_at = now()
         WHERE id = $1 AND platform_admin <> $2 RETURNING true
        """,
        account_id,
        held,
    )
    return bool(changed)


async def list_sessions(connection: Connection, org_id: str, account_id: str) -> list[str]:
    """Give the ids of a person's sessions in an organization that still hold."""
    rows = await connection.fetch(
        """
        SELECT id FROM auth.session
         WHERE org_id = $1 AND account_id = $2 AND ended_at IS NULL AND expires_at > now()
        """,
        org_id,
        account_id,
    )
    return [row["id"] for row in rows]


async def revoke_keys(connection: Connection, org_id: str, account_id: str) -> list[str]:
    """Revoke a person's keys of an organization, and give their ids."""
    rows = await connection.fetch(
        """
        UPDATE auth.api_key SET revoked_at = now()
         WHERE org_id = $1 AND account_id = $2 AND revoked_at IS NULL RETURNING id
        """,
        org_id,
        account_id,
    )
    return [row["id"] for row in rows]
