"""SQL of memberships."""

from __future__ import annotations

from collections.abc import Sequence

from shared.db import Connection


async def holding(
    connection: Connection, tokens: Sequence[str], team_ids: Sequence[str]
) -> set[tuple[str, str]]:
    """Give those pairs of a token and a team that are memberships of a team that lives."""
    rows = await connection.fetch(
        """
        SELECT m.token, m.team_id
          FROM unnest($1::text[], $2::uuid[]) AS asked (token, team_id)
          JOIN teams.membership m ON m.token = asked.token AND m.team_id = asked.team_id
          JOIN teams.team t ON t.id = m.team_id
         WHERE t.deleted_at IS NULL
        """,
        tokens,
        team_ids,
    )
    return {(row["token"], str(row["team_id"])) for row in rows}


async def delete(connection: Connection, token: str, team_id: str | None) -> list[str]:
    """End a machine's membership of one team, or of all; give the teams it left."""
    rows = await connection.fetch(
        """
        DELETE FROM teams.membership
         WHERE token = $1 AND ($2::uuid IS NULL OR team_id = $2) RETURNING team_id
        """,
        token,
        team_id,
    )
    return [str(row["team_id"]) for row in rows]


async def count(connection: Connection, token: str) -> int:
    """Count the teams of a machine."""
    counted: int = await connection.fetchval(
        "SELECT count(*) FROM teams.membership WHERE token = $1", token
    )
    return counted
