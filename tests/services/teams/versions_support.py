"""Versions of teams, as they are asked for."""

from __future__ import annotations

from typing import Any

import httpx

from tests.services.teams.conftest import Machine
from tests.services.teams.tasks_support import Sql

HASHES = ("hash", "members_hash", "skills_hash", "knowledge_hash")

FULL: dict[str, Any] = {
    "members": [
        {
            "name": "Zoë",
            "role": "dev",
            "description": "When in doubt",
            "soul": "Be \u2028 kind.\t\x07",
            "skills": ["lint"],
        },
        {"name": "adam", "role": "qa"},
    ],
    "skills": [
        {
            "id": "lint",
            "title": "Lint",
            "body": "Run it.",
            "alwaysApply": False,
            "globs": ["*.py"],
            "disableModelInvocation": True,
            "argumentHint": "<path>",
        }
    ],
    "knowledge": "one\n\n## Section\ntwo   ",
    "platforms": ["cursor", "claude-code"],
}


async def update(machine: Machine, team_id: str | None = None, **team: Any) -> dict[str, Any]:
    """Change the machine's team and give it."""
    wanted = {"members": FULL["members"], **team}
    body = {"token": machine.token, "team": wanted, "team_id": team_id}
    answer = await machine.post("/api/teams", body)
    assert answer.status_code == 201, answer.text
    changed: dict[str, Any] = answer.json()["team"]
    return changed


async def roll_back(machine: Machine, version: Any, **fields: Any) -> httpx.Response:
    """Ask for a version to be brought back."""
    body = {"token": machine.token, "version": version, **fields}
    return await machine.post("/api/teams/rollback", body)


async def versions(machine: Machine, **query: Any) -> list[dict[str, Any]]:
    """Give the versions of the machine's team."""
    answer = await machine.send("GET", f"/api/teams/{machine.token}/versions", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["versions"]
    return found


async def version(machine: Machine, number: int | str, **query: Any) -> httpx.Response:
    """Ask for what the team was."""
    return await machine.send("GET", f"/api/teams/{machine.token}/versions/{number}", params=query)


async def age(sql: Sql, team_id: str, days: int, most: int = 2**31 - 1) -> None:
    """Make versions of a team, up to a number, as old as that."""
    await sql.execute(
        "UPDATE teams.version SET created_at = now() - make_interval(days => $2)"
        " WHERE team_id = $1 AND number <= $3",
        team_id,
        days,
        most,
    )


async def grow(sql: Sql, team_id: str, versions: int) -> None:
    """Give a team so many versions, each with knowledge of its own."""
    await sql.execute(
        """
        WITH wanted AS (
            SELECT t.*, n, sha256(convert_to('knowledge ' || n, 'UTF8')) AS part
              FROM teams.team t, generate_series(t.version + 1, $2) AS n WHERE t.id = $1
        ), parts AS (
            INSERT INTO teams.part (team_id, digest, body)
            SELECT id, part, 'knowledge ' || n FROM wanted
        ), numbered AS (
            INSERT INTO teams.version (team_id, number, name, platforms, members_part, skills_part,
                                       knowledge_part, hash, actor, summary)
            SELECT id, n, name, platforms, members_part, skills_part, part, hash, 'test', ''
              FROM wanted
        )
        UPDATE teams.team AS t
           SET version = $2, knowledge = 'knowledge ' || $2::text,
               knowledge_part = sha256(convert_to('knowledge ' || $2::text, 'UTF8'))
         WHERE id = $1
        """,
        team_id,
        versions,
    )
