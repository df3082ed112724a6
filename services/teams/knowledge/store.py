"""SQL of knowledge: what a push needs of a team, and no more of it."""

from __future__ import annotations

from typing import Final

from services.teams.teams.models import Hashes, Team
from shared.db import Connection, Record

_COLUMNS: Final = """
    t.id, t.name, t.knowledge, t.hash, t.members_hash, t.skills_hash, t.knowledge_hash, t.version,
    t.revision, t.news_number
"""


def _team(row: Record) -> Team:
    # Members and skills are not read: a push changes neither, and they may be a megabyte.
    return Team(
        id=str(row["id"]),
        name=row["name"],
        knowledge=row["knowledge"],
        hashes=Hashes(row["hash"], row["members_hash"], row["skills_hash"], row["knowledge_hash"]),
        members="",
        skills="",
        platforms="",
        version=row["version"],
        revision=row["revision"],
        visibility="",
        hide_souls=False,
        edit="",
        clone_token=None,
        owner=None,
        news_number=row["news_number"],
    )


async def lock(connection: Connection, token: str, team_id: str | None) -> tuple[Team | None, int]:
    """Give the team that a machine means, without members and skills, and keep others off it.

    Beside it, how many it could mean: 0, 1, or 2 for several.
    """
    row = await connection.fetchrow(
        f"""
        WITH mine AS (
            SELECT m.team_id FROM teams.membership m JOIN teams.team t ON t.id = m.team_id
             WHERE m.token = $1 AND ($2::uuid IS NULL OR m.team_id = $2) AND t.deleted_at IS NULL
             LIMIT 2
        )
        SELECT {_COLUMNS}, (SELECT count(*) FROM mine) AS found FROM teams.team t
         WHERE t.id = (SELECT team_id FROM mine LIMIT 1) AND t.deleted_at IS NULL
           FOR UPDATE OF t
        """,  # noqa: S608 - a constant of this module
        token,
        team_id,
    )
    return (None, 0) if row is None else (_team(row), row["found"])


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
