"""SQL of versions and of the parts that they consist of."""

from __future__ import annotations

from typing import Final

from services.teams.versions.models import Keeping, Kept, Version
from shared.db import Connection

DUE: Final = """
    WITH many AS (
        SELECT DISTINCT team_id FROM teams.version
         WHERE number % 100 = 0 AND team_id > $1 ORDER BY team_id
    )
    SELECT t.id
      FROM many JOIN teams.team t ON t.id = many.team_id
     CROSS JOIN LATERAL (
           SELECT v.number, v.created_at FROM teams.version v
            WHERE v.team_id = many.team_id ORDER BY v.number LIMIT 1
           ) AS oldest
     WHERE oldest.number <= t.version - $2
       AND (oldest.number <= t.version - $3
            OR oldest.created_at < now() - make_interval(days => $4))
     ORDER BY many.team_id LIMIT $5
"""


async def list_of(connection: Connection, team_id: str, before: int, most: int) -> list[Version]:
    """Give a team's versions before a number, the newest first."""
    rows = await connection.fetch(
        """
        SELECT number AS version, hash, actor, summary, created_at FROM teams.version
         WHERE team_id = $1 AND number < $2 ORDER BY number DESC LIMIT $3
        """,
        team_id,
        before,
        most,
    )
    return [Version.model_construct(**row) for row in rows]


async def find(connection: Connection, team_id: str, number: int) -> Kept | None:
    """Give what a team was in a version."""
    row = await connection.fetchrow(
        """
        SELECT v.name, m.body AS members, s.body AS skills, v.platforms, k.body AS knowledge
          FROM teams.version v
          JOIN teams.part m ON m.team_id = v.team_id AND m.digest = v.members_part
          JOIN teams.part s ON s.team_id = v.team_id AND s.digest = v.skills_part
          JOIN teams.part k ON k.team_id = v.team_id AND k.digest = v.knowledge_part
         WHERE v.team_id = $1 AND v.number = $2
        """,
        team_id,
        number,
    )
    return None if row is None else Kept(**row)


async def due(connection: Connection, keeping: Keeping, after: str, most: int) -> list[str]:
    """Give teams that keep more versions than they are to, ascending by id.

    All tenants: a clean-up of everybody. Numbers have no gap and the oldest go first, so that a
    team's oldest version tells whether there is anything to do.

    Args:
        connection: to read with.
        keeping: what is to be kept.
        after: the id after which to begin.
        most: of them.
    """
    rows = await connection.fetch(DUE, after, keeping.newest, keeping.most, keeping.days, most)
    return [str(row["id"]) for row in rows]


async def lock(connection: Connection, team_id: str) -> None:
    """Keep everybody from changing a team, so that none names a part that is about to go."""
    await connection.execute("SELECT FROM teams.team WHERE id = $1 FOR UPDATE", team_id)


async def trim(connection: Connection, team_id: str, keeping: Keeping) -> None:
    """Drop the versions of a team that are not to be kept."""
    await connection.execute(
        """
        DELETE FROM teams.version v USING teams.team t
         WHERE t.id = $1 AND v.team_id = $1 AND v.number <= t.version - $2
           AND (v.number <= t.version - $3 OR v.created_at < now() - make_interval(days => $4))
        """,
        team_id,
        keeping.newest,
        keeping.most,
        keeping.days,
    )


async def drop_parts(connection: Connection, team_id: str) -> None:
    """Drop the parts of a team that neither a version nor the team itself names any more."""
    await connection.execute(
        """
        DELETE FROM teams.part WHERE team_id = $1 AND digest NOT IN (
            SELECT unnest(ARRAY[v.members_part, v.skills_part, v.knowledge_part])
              FROM teams.version v WHERE v.team_id = $1
             UNION ALL
            SELECT unnest(ARRAY[t.members_part, t.skills_part, t.knowledge_part])
              FROM teams.team t WHERE t.id = $1)
        """,
        team_id,
    )
