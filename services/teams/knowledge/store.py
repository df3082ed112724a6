"""SQL of knowledge: what a socket that joins is told."""

from __future__ import annotations

from shared.db import Connection, Record


async def find(connection: Connection, token: str, team_id: str) -> Record | None:
    """Give what a socket that joins is told; None unless the machine is a member."""
    return await connection.fetchrow(
        """
        SELECT t.news_number, t.knowledge_hash, octet_length(t.knowledge) AS size
          FROM teams.membership m JOIN teams.team t ON t.id = m.team_id
         WHERE m.token = $1 AND m.team_id = $2 AND t.deleted_at IS NULL
        """,
        token,
        team_id,
    )
