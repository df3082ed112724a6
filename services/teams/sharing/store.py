"""SQL of sharing."""

from __future__ import annotations

from services.teams.sharing.models import Sharing
from shared.db import Connection


async def update(
    connection: Connection, team_id: str, wanted: Sharing, clone_token: str | None
) -> int:
    """Write how a team is shared, and give its new revision."""
    revision: int = await connection.fetchval(
        """
        UPDATE teams.team
           SET visibility = coalesce($2, visibility), hide_souls = coalesce($3, hide_souls),
               edit = coalesce($4, edit), clone_token = $5, revision = revision + 1,
               updated_at = now()
         WHERE id = $1 RETURNING revision
        """,
        team_id,
        wanted.visibility,
        wanted.hide_souls,
        wanted.edit,
        clone_token,
    )
    return revision


async def find_public(connection: Connection, clone_token: str) -> str | None:
    """Give the id of the team that is public under a token; all tenants: it alone decides."""
    team_id = await connection.fetchval(
        """
        SELECT id FROM teams.team
         WHERE clone_token = $1 AND visibility = 'public' AND deleted_at IS NULL
        """,
        clone_token,
    )
    return None if team_id is None else str(team_id)
