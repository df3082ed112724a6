"""SQL of invitations."""

from __future__ import annotations

from datetime import timedelta

from services.auth.invitations.models import Invitation, Names, NewInvitation, Offer
from shared.db import Connection

_ITEM = """
    SELECT id, email, role, expires_at, created_at FROM auth.invitation
     WHERE org_id = $1 AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > now()
"""


async def revoke_of_address(connection: Connection, org_id: str, email_key: str) -> None:
    """Revoke what an address was sent by an organization before."""
    await connection.execute(
        """
        UPDATE auth.invitation SET revoked_at = now()
         WHERE org_id = $1 AND email_key = $2 AND accepted_at IS NULL AND revoked_at IS NULL
        """,
        org_id,
        email_key,
    )


async def insert(
    connection: Connection,
    org_id: str,
    invitation_id: str,
    new: NewInvitation,
    email_key: str,
    digest: bytes,
    invited_by: str,
    life: timedelta,
) -> Invitation:
    """Add an invitation."""
    row = await connection.fetchrow(
        """
        INSERT INTO auth.invitation
               (org_id, id, email, email_key, role, digest, invited_by, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, now() + $8)
        RETURNING id, email, role, expires_at, created_at
        """,
        org_id,
        invitation_id,
        new.email,
        email_key,
        new.role,
        digest,
        invited_by,
        life,
    )
    assert row is not None  # RETURNING of an INSERT that succeeded
    return Invitation(**row)


async def find_names(connection: Connection, org_id: str, account_id: str) -> Names:
    """Find what the organization and the inviter are called."""
    row = await connection.fetchrow(
        """
        SELECT (SELECT name FROM auth.organization WHERE id = $1) AS organization,
               (SELECT name FROM auth.account WHERE id = $2) AS inviter
        """,
        org_id,
        account_id,
    )
    return Names(**row) if row is not None else Names("", "")


async def list_open(
    connection: Connection, org_id: str, limit: int, offset: int
) -> list[Invitation]:
    """Give a page of an organization's invitations that wait, newest first."""
    rows = await connection.fetch(
        _ITEM + " ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3", org_id, limit, offset
    )
    return [Invitation(**row) for row in rows]


async def find_open(connection: Connection, org_id: str, invitation_id: str) -> Invitation | None:
    """Find an invitation that waits."""
    row = await connection.fetchrow(_ITEM + " AND id = $2", org_id, invitation_id)
    return None if row is None else Invitation(**row)


async def revoke(connection: Connection, org_id: str, invitation_id: str) -> bool:
    """Revoke an invitation; False when none waits by that id."""
    revoked = await connection.fetchval(
        """
        UPDATE auth.invitation SET revoked_at = now()
         WHERE org_id = $1 AND id = $2
           AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > now()
        RETURNING true
        """,
        org_id,
        invitation_id,
    )
    return bool(revoked)


async def find_offer(connection: Connection, digest: bytes) -> Offer | None:
    """Find what a token opens; its org_id comes out and not in, because the token is what tells."""
    row = await connection.fetchrow(
        """
        SELECT org_id, id, email, role FROM auth.invitation
         WHERE digest = $1
           AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > now()
        """,
        digest,
    )
    return None if row is None else Offer(**row)


async def use_up(connection: Connection, org_id: str, digest: bytes) -> bool:
    """Accept an invitation; False when somebody else did, or it holds no longer."""
    used = await connection.fetchval(
        """
        UPDATE auth.invitation SET accepted_at = now()
         WHERE org_id = $1 AND digest = $2
           AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > now()
        RETURNING true
        """,
        org_id,
        digest,
    )
    return bool(used)


async def delete_over(connection: Connection, limit: int) -> int:
    """Drop invitations that ended a month ago or longer, and tell how many.

    Reads all tenants: an address is kept no longer than it is needed, whoever invited it.
    """
    rows = await connection.fetch(
        """
        DELETE FROM auth.invitation WHERE ctid IN (
            SELECT ctid FROM auth.invitation
             WHERE expires_at < now() - interval '30 days' LIMIT $1)
        RETURNING id
        """,
        limit,
    )
    return len(rows)
