"""SQL: which team a machine means, and what it consists of."""

from __future__ import annotations

from typing import Final

from services.teams.teams.models import Hashes, Head, Team
from shared.db import Connection, Record

COLUMNS: Final = """
    t.id, t.name, t.members, t.skills, t.platforms, t.knowledge, t.hash, t.members_hash,
    t.skills_hash, t.knowledge_hash, t.version, t.revision, t.visibility, t.hide_souls, t.edit,
    t.clone_token, t.owner, t.news_number
"""

WITHOUT_CONTENT: Final = """
    t.id, t.name, '' AS members, '' AS skills, '' AS platforms, t.knowledge, t.hash,
    t.members_hash, t.skills_hash, t.knowledge_hash, t.version, t.revision, t.visibility,
    t.hide_souls, t.edit, t.clone_token, t.owner, t.news_number
"""
"""Members and skills may be a megabyte, and who adds knowledge needs neither."""

MINE: Final = """
    SELECT m.team_id FROM teams.membership m JOIN teams.team t ON t.id = m.team_id
     WHERE m.token = $1 AND ($2::uuid IS NULL OR m.team_id = $2) AND t.deleted_at IS NULL
     LIMIT 2
"""
"""Two are enough to know that there are several."""


def team_of(row: Record) -> Team:
    """Read a row of ``COLUMNS``."""
    return Team(
        id=str(row["id"]),
        name=row["name"],
        members=row["members"],
        skills=row["skills"],
        platforms=row["platforms"],
        knowledge=row["knowledge"],
        hashes=Hashes(row["hash"], row["members_hash"], row["skills_hash"], row["knowledge_hash"]),
        version=row["version"],
        revision=row["revision"],
        visibility=row["visibility"],
        hide_souls=row["hide_souls"],
        edit=row["edit"],
        clone_token=row["clone_token"],
        owner=row["owner"],
        news_number=row["news_number"],
    )


async def find(connection: Connection, token: str, team_id: str | None) -> tuple[Team | None, int]:
    """Find the team that a machine means, and how many it could mean: 0, 1, or 2 for several.

    Args:
        connection: to read with.
        token: the machine's.
        team_id: the one it named, if it named one.
    """
    return await _found(connection, token, team_id, "")


async def lock(connection: Connection, token: str, team_id: str | None) -> tuple[Team | None, int]:
    """Do the same, and keep everybody else from changing it until the transaction ends."""
    return await _found(connection, token, team_id, "FOR UPDATE OF t")


async def lock_knowledge(
    connection: Connection, token: str, team_id: str | None
) -> tuple[Team | None, int]:
    """Do the same without reading members, skills and platforms: they are empty in the answer."""
    return await _found(connection, token, team_id, "FOR UPDATE OF t", WITHOUT_CONTENT)


async def _found(
    connection: Connection,
    token: str,
    team_id: str | None,
    locking: str,
    columns: str = COLUMNS,
) -> tuple[Team | None, int]:
    row = await connection.fetchrow(
        f"""
        WITH mine AS ({MINE})
        SELECT {columns}, (SELECT count(*) FROM mine) AS found FROM teams.team t
         WHERE t.id = (SELECT team_id FROM mine LIMIT 1) AND t.deleted_at IS NULL
        {locking}
        """,  # noqa: S608 - constants of this module
        token,
        team_id,
    )
    return (None, 0) if row is None else (team_of(row), row["found"])


async def find_head(
    connection: Connection, token: str, team_id: str | None
) -> tuple[Head | None, int]:
    """Find only the hashes of the team that a machine means, and how many it could mean."""
    row = await connection.fetchrow(
        f"""
        WITH mine AS ({MINE})
        SELECT t.id, t.revision, t.hash, t.members_hash, t.skills_hash, t.knowledge_hash,
               (SELECT count(*) FROM mine) AS found
          FROM teams.team t
         WHERE t.id = (SELECT team_id FROM mine LIMIT 1) AND t.deleted_at IS NULL
        """,  # noqa: S608 - a constant of this module
        token,
        team_id,
    )
    if row is None:
        return None, 0
    hashes = Hashes(row["hash"], row["members_hash"], row["skills_hash"], row["knowledge_hash"])
    return Head(str(row["id"]), row["revision"], hashes), row["found"]


async def find_by_id(connection: Connection, team_id: str) -> Team | None:
    """Give a team that lives."""
    row = await connection.fetchrow(
        f"SELECT {COLUMNS} FROM teams.team t WHERE t.id = $1 AND t.deleted_at IS NULL",  # noqa: S608
        team_id,
    )
    return None if row is None else team_of(row)


async def lock_by_id(connection: Connection, team_id: str) -> Team | None:
    """Give a team that lives, and keep everybody else from changing it."""
    row = await connection.fetchrow(
        f"""
        SELECT {COLUMNS} FROM teams.team t WHERE t.id = $1 AND t.deleted_at IS NULL FOR UPDATE
        """,  # noqa: S608 - a constant of this module
        team_id,
    )
    return None if row is None else team_of(row)


async def list_of(connection: Connection, token: str, after: str | None, most: int) -> list[Team]:
    """Give a machine's teams in the order of their ids.

    Args:
        connection: to read with.
        token: the machine's.
        after: the id after which to begin.
        most: of them.
    """
    rows = await connection.fetch(
        f"""
        SELECT {COLUMNS} FROM teams.membership m JOIN teams.team t ON t.id = m.team_id
         WHERE m.token = $1 AND t.deleted_at IS NULL AND ($2::uuid IS NULL OR m.team_id > $2)
         ORDER BY m.team_id LIMIT $3
        """,  # noqa: S608 - a constant of this module
        token,
        after,
        most,
    )
    return [team_of(row) for row in rows]
