"""SQL of memberships."""

from __future__ import annotations

from collections.abc import Sequence

from services.teams.memberships.models import MemberMachine
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


async def delete_all(connection: Connection, tokens: Sequence[str]) -> list[tuple[str, str]]:
    """End all memberships of some machines; give them as pairs of a token and a team."""
    rows = await connection.fetch(
        """
        DELETE FROM teams.membership WHERE token = ANY($1::text[]) RETURNING token, team_id
        """,
        tokens,
    )
    return [(row["token"], str(row["team_id"])) for row in rows]


async def copy(connection: Connection, tokens: Sequence[str], to: str) -> list[str]:
    """Make a machine, a token, a member of all living teams of others; give those it has joined."""
    rows = await connection.fetch(
        """
        INSERT INTO teams.membership (token, team_id, scope, project_name)
        SELECT DISTINCT ON (m.team_id) $2, m.team_id, m.scope, m.project_name
          FROM teams.membership m JOIN teams.team t ON t.id = m.team_id
         WHERE m.token = ANY($1::text[]) AND t.deleted_at IS NULL
           AND NOT EXISTS (SELECT FROM teams.removal r
                            WHERE r.team_id = m.team_id AND r.token = $2)
         ORDER BY m.team_id, m.joined_at
        ON CONFLICT DO NOTHING RETURNING team_id
        """,
        tokens,
        to,
    )
    return [str(row["team_id"]) for row in rows]


async def machines_of(connection: Connection, team_id: str, most: int) -> list[MemberMachine]:
    """Give a team's machines, the oldest first, then those that its owner has removed."""
    rows = await connection.fetch(
        """
        SELECT token, joined_at AS since, false AS is_removed FROM teams.membership
         WHERE team_id = $1
         UNION ALL
        SELECT token, removed_at, true FROM teams.removal WHERE team_id = $1
         ORDER BY is_removed, since, token LIMIT $2
        """,
        team_id,
        most,
    )
    return [MemberMachine(**row) for row in rows]


async def bar(connection: Connection, team_id: str, token: str) -> None:
    """Note that a team's owner has removed a machine."""
    await connection.execute(
        """
        INSERT INTO teams.removal (team_id, token) VALUES ($1, $2) ON CONFLICT DO NOTHING
        """,
        team_id,
        token,
    )


async def unbar(connection: Connection, team_id: str, token: str) -> bool:
    """Let a machine come back; False if it may already."""
    done = await connection.fetchval(
        "DELETE FROM teams.removal WHERE team_id = $1 AND token = $2 RETURNING true",
        team_id,
        token,
    )
    return bool(done)


async def is_barred(connection: Connection, team_id: str, token: str) -> bool:
    """Tell whether a team's owner has removed a machine."""
    found = await connection.fetchval(
        "SELECT true FROM teams.removal WHERE team_id = $1 AND token = $2", team_id, token
    )
    return bool(found)
