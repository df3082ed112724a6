"""SQL of invitations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.teams.invites.models import Door, Invite, Terms
from shared.db import Connection


async def insert(
    connection: Connection,
    invite_id: str,
    team_id: str,
    digest: bytes,
    hint: str,
    made_by: str,
    terms: Terms,
) -> datetime:
    """Add an invitation and give until when it holds, in whole seconds."""
    expires_at: datetime = await connection.fetchval(
        """
        INSERT INTO teams.invite (id, team_id, digest, hint, made_by, max_uses, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6,
                date_trunc('second', clock_timestamp()) + make_interval(hours => $7))
        RETURNING expires_at
        """,
        invite_id,
        team_id,
        digest,
        hint,
        made_by,
        terms.max_uses,
        terms.hours,
    )
    return expires_at


async def find(connection: Connection, digest: bytes, token: str) -> Door | None:
    """Give what a code opens for a machine now.

    One that is used up still does for a machine that came by it, or is a member anyway. It is
    asked over all tenants: the code alone decides whose it is.
    """
    row = await connection.fetchrow(
        """
        SELECT i.id, i.team_id, i.made_by, i.expires_at
          FROM teams.invite i JOIN teams.team t ON t.id = i.team_id
         WHERE i.digest = $1 AND i.revoked_at IS NULL AND i.expires_at > clock_timestamp()
           AND t.deleted_at IS NULL
           AND (i.max_uses IS NULL
                OR i.max_uses > (
                    SELECT count(*) FROM (
                        SELECT FROM teams.invite_use u
                         WHERE u.invite_id = i.id LIMIT i.max_uses) AS used)
                OR EXISTS (SELECT FROM teams.invite_use u
                            WHERE u.invite_id = i.id AND u.token = $2)
                OR EXISTS (SELECT FROM teams.membership m
                            WHERE m.team_id = i.team_id AND m.token = $2))
        """,
        digest,
        token,
    )
    if row is None:
        return None
    return Door(str(row["id"]), str(row["team_id"]), row["made_by"], row["expires_at"])


async def note_use(connection: Connection, invite_id: str, token: str) -> None:
    """Count a machine that came by an invitation, once."""
    await connection.execute(
        """
        INSERT INTO teams.invite_use (invite_id, token) VALUES ($1, $2) ON CONFLICT DO NOTHING
        """,
        invite_id,
        token,
    )


async def list_of(connection: Connection, team_id: str, most: int) -> Sequence[Invite]:
    """Give a team's invitations that hold, the newest first."""
    rows = await connection.fetch(
        """
        SELECT i.id, i.hint, i.made_by, i.max_uses, i.created_at, i.expires_at,
               (SELECT count(*) FROM teams.invite_use u WHERE u.invite_id = i.id) AS uses
          FROM teams.invite i
         WHERE i.team_id = $1 AND i.revoked_at IS NULL AND i.expires_at > clock_timestamp()
         ORDER BY i.created_at DESC LIMIT $2
        """,
        team_id,
        most,
    )
    return [Invite(**{**row, "id": str(row["id"])}) for row in rows]


async def revoke(connection: Connection, team_id: str, invite_id: str) -> bool:
    """End an invitation of a team; False if it has no such one that holds."""
    revoked = await connection.fetchval(
        """
        UPDATE teams.invite SET revoked_at = now()
         WHERE team_id = $1 AND id = $2 AND revoked_at IS NULL RETURNING true
        """,
        team_id,
        invite_id,
    )
    return bool(revoked)


async def delete_old(connection: Connection, days: int, most: int) -> int:
    """Drop invitations that ended so long ago, so many at a time; all tenants: age counts."""
    dropped = await connection.execute(
        """
        DELETE FROM teams.invite WHERE id IN (
            SELECT id FROM teams.invite
             WHERE expires_at < now() - make_interval(days => $1) LIMIT $2)
        """,
        days,
        most,
    )
    return int(dropped.split()[-1])
