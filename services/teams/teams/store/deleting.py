"""SQL: what is left of a team that was deleted (teams contract, section 4.3)."""

from __future__ import annotations

from typing import Final

from services.teams.teams.models import Hashes
from services.teams.teams.store.writing import Written, parts_of
from shared.db import Connection

_WRITE: Final = """
    UPDATE teams.team
       SET members = $2::json, skills = $3::json, platforms = $4::json, knowledge = $5,
           hash = $6, members_hash = $7, skills_hash = $8, knowledge_hash = $9,
           members_part = $10, skills_part = $11, knowledge_part = $12,
           visibility = 'private', clone_token = NULL, owner = NULL, org_id = NULL,
           claim_lookup = NULL, claim_hash = NULL, revision = revision + 1, updated_at = now(),
           deleted_at = now()
     WHERE id = $1
"""


async def delete(
    connection: Connection, team_id: str, written: Written, hashes: Hashes
) -> list[str]:
    """Reduce a team to what is kept of it; give the machines that were its members.

    Args:
        connection: in a transaction that holds the team's row.
        team_id: the team.
        written: its members, skills, platforms and knowledge as they are kept.
        hashes: of them.
    """
    digests, _ = parts_of(written)
    await connection.execute(
        _WRITE,
        team_id,
        written.members,
        written.skills,
        written.platforms,
        written.knowledge,
        hashes.hash,
        hashes.members_hash,
        hashes.skills_hash,
        hashes.knowledge_hash,
        *digests,
    )
    rows = await connection.fetch(
        "DELETE FROM teams.membership WHERE team_id = $1 RETURNING token", team_id
    )
    for table in ("invite", "removal", "version", "part", "news", "task"):
        await connection.execute(
            f"DELETE FROM teams.{table} WHERE team_id = $1",  # noqa: S608 - names of this module
            team_id,
        )
    return [row["token"] for row in rows]
