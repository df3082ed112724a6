"""SQL of an account's teams: those of its machines, and those that it owns without one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.teams.accounts.models import Overview, Place
from shared.db import Connection

_OF: Final = """
    SELECT t.id FROM teams.team t WHERE t.owner = $1
     UNION
    SELECT m.team_id FROM teams.membership m WHERE m.token = ANY($2::text[])
"""


async def list_of(
    connection: Connection, account_id: str, tokens: Sequence[str], after: str | None, most: int
) -> list[Overview]:
    """Give an account's living teams by team_id.

    Args:
        connection: to read with.
        account_id: the owner.
        tokens: of the account's machines.
        after: the id after which to begin.
        most: of them.
    """
    rows = await connection.fetch(
        f"""
        SELECT t.id, t.name, json_array_length(t.members) AS agent_count,
               json_array_length(t.skills) AS skill_count, t.platforms
          FROM ({_OF}) AS mine JOIN teams.team t ON t.id = mine.id
         WHERE t.deleted_at IS NULL AND ($3::uuid IS NULL OR t.id > $3)
         ORDER BY t.id LIMIT $4
        """,  # noqa: S608 - a constant of this module
        account_id,
        tokens,
        after,
        most,
    )
    return [Overview(**{**row, "id": str(row["id"])}) for row in rows]


async def places_in(connection: Connection, team_ids: Sequence[str]) -> list[Place]:
    """Give all memberships of some teams, by team_id, the oldest first."""
    rows = await connection.fetch(
        """
        SELECT team_id, token, scope, project_name FROM teams.membership
         WHERE team_id = ANY($1::uuid[]) ORDER BY team_id, joined_at, token
        """,
        team_ids,
    )
    return [Place(**{**row, "team_id": str(row["team_id"])}) for row in rows]


async def count_of(connection: Connection, tokens: Sequence[str]) -> int:
    """Count the living teams in which any of some machines, by token, is a member."""
    counted: int = await connection.fetchval(
        """
        SELECT count(DISTINCT m.team_id)
          FROM teams.membership m JOIN teams.team t ON t.id = m.team_id
         WHERE m.token = ANY($1::text[]) AND t.deleted_at IS NULL
        """,
        tokens,
    )
    return counted
