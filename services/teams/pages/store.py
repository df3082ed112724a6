"""SQL of pages: a person's teams, which they own or have a machine in."""

from __future__ import annotations

from collections.abc import Sequence

from services.teams.pages.models import Mine
from shared.db import Connection


async def mine(
    connection: Connection, account_id: str, tokens: Sequence[str], most: int
) -> list[Mine]:
    """Give a person's teams by name.

    Args:
        connection: to read with.
        account_id: the person.
        tokens: of their machines.
        most: of the teams.
    """
    rows = await connection.fetch(
        """
        WITH mine AS (
            SELECT id AS team_id FROM teams.team WHERE owner = $1
            UNION SELECT team_id FROM teams.membership WHERE token = ANY($2::text[])
        )
        SELECT t.id, t.name, t.owner IS NOT DISTINCT FROM $1 AS is_owned,
               json_array_length(t.members) AS members, json_array_length(t.skills) AS skills,
               t.visibility, t.updated_at
          FROM mine JOIN teams.team t ON t.id = mine.team_id
         WHERE t.deleted_at IS NULL
         ORDER BY lower(t.name), t.id LIMIT $3
        """,
        account_id,
        tokens,
        most,
    )
    return [Mine(**{**row, "id": str(row["id"])}) for row in rows]


async def has_machine(connection: Connection, team_id: str, tokens: Sequence[str]) -> bool:
    """Tell whether one of some machines is a member of a team."""
    found: bool = await connection.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM teams.membership WHERE team_id = $1 AND token = ANY($2::text[]))
        """,
        team_id,
        tokens,
    )
    return found


async def count_machines(connection: Connection, team_id: str) -> int:
    """Count the machines of a team."""
    counted: int = await connection.fetchval(
        "SELECT count(*) FROM teams.membership WHERE team_id = $1", team_id
    )
    return counted
