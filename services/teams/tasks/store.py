"""SQL of tasks."""

from __future__ import annotations

from typing import Final

from services.teams.tasks.models import Filters, LockedTeam, NewTask, Status, Step, Task
from shared.db import Connection, Record

_COLUMNS: Final = """
    k.number, k.description, k.assignee, k.status, k.created_by, k.claimed_by, k.claimed_at,
    k.completed_at, k.result, k.inserted_at, k.updated_at
"""


def _task(row: Record) -> Task:
    # Nothing to validate: it was when it was written.
    return Task.model_construct(**{name: row[name] for name in Task.model_fields})


async def lock(
    connection: Connection, token: str, team_id: str | None, member: str = ""
) -> tuple[LockedTeam | None, int]:
    """Lock the team that a machine means, and look for a member of a name in it.

    Beside it, how many teams it could mean: 0, 1, or 2 for several. The server reads the row once
    more after it has waited for it, the members in it too.
    """
    row = await connection.fetchrow(
        """
        WITH mine AS (
            SELECT m.team_id FROM teams.membership m JOIN teams.team t ON t.id = m.team_id
             WHERE m.token = $1 AND ($2::uuid IS NULL OR m.team_id = $2) AND t.deleted_at IS NULL
             LIMIT 2
        )
        SELECT t.id, t.task_number, (SELECT count(*) FROM mine) AS found,
               $3 <> '' AND EXISTS (
                   SELECT FROM json_array_elements(t.members) AS e WHERE e ->> 'name' = $3
               ) AS has_member
          FROM teams.team t
         WHERE t.id = (SELECT team_id FROM mine LIMIT 1) AND t.deleted_at IS NULL
           FOR UPDATE OF t
        """,
        token,
        team_id,
        member,
    )
    if row is None:
        return None, 0
    return LockedTeam(str(row["id"]), row["task_number"], row["has_member"]), row["found"]


async def insert(connection: Connection, team_id: str, token: str, task: NewTask) -> Task:
    """Add a task under the next number; the transaction holds the team's row."""
    row = await connection.fetchrow(
        f"""
        WITH taken AS (
            UPDATE teams.team SET task_number = task_number + 1 WHERE id = $1
            RETURNING task_number
        )
        INSERT INTO teams.task AS k (team_id, number, description, assignee, created_by,
                                     inserted_at, updated_at)
        SELECT $1, task_number, $2, $3, $4, statement_timestamp(), statement_timestamp()
          FROM taken
        RETURNING {_COLUMNS}
        """,  # noqa: S608 - a constant of this module
        team_id,
        task.description,
        task.assignee,
        token,
    )
    assert row is not None  # the team is locked, so it is there
    return _task(row)


async def step(
    connection: Connection, team_id: str, token: str, wanted: Step, befores: list[Status]
) -> Task | None:
    """Take a task to another status if it stands in one of ``befores``; None if it does not."""
    row = await connection.fetchrow(
        f"""
        UPDATE teams.task AS k
           SET status = $3, result = coalesce($4, result), updated_at = statement_timestamp(),
               claimed_by = CASE WHEN $3 = 'in_progress' THEN $5 ELSE claimed_by END,
               claimed_at = CASE WHEN $3 = 'in_progress' THEN statement_timestamp()
                                 ELSE claimed_at END,
               completed_at = CASE WHEN $3 = 'done' THEN statement_timestamp()
                                   ELSE completed_at END
         WHERE team_id = $1 AND number = $2 AND status = ANY($6::text[])
        RETURNING {_COLUMNS}
        """,  # noqa: S608 - a constant of this module
        team_id,
        wanted.number,
        wanted.status,
        wanted.result,
        token,
        befores,
    )
    return None if row is None else _task(row)


async def exists(connection: Connection, team_id: str, number: int) -> bool:
    """Tell whether a team has a task of this number."""
    found = await connection.fetchval(
        "SELECT true FROM teams.task WHERE team_id = $1 AND number = $2", team_id, number
    )
    return bool(found)


async def list_of(
    connection: Connection, team_id: str, filters: Filters, after: int, most: int | None
) -> list[Task]:
    """Give a team's tasks after a number, ascending.

    Args:
        connection: to read with.
        team_id: whose.
        filters: which of them.
        after: the number after which to begin.
        most: of them; None for all.
    """
    rows = await connection.fetch(
        f"""
        SELECT {_COLUMNS} FROM teams.task k
         WHERE k.team_id = $1 AND ($2::text IS NULL OR k.status = $2)
           AND ($3::text IS NULL OR k.assignee = $3) AND k.number > $4
         ORDER BY k.number LIMIT $5
        """,  # noqa: S608 - a constant of this module
        team_id,
        filters.status,
        filters.assignee,
        after,
        most,
    )
    return [_task(row) for row in rows]


async def joined(connection: Connection, token: str, team_id: str) -> tuple[int, list[Task]] | None:
    """Give the number of a team's newest news and all its tasks, both of one moment.

    None unless the machine is a member.
    """
    rows = await connection.fetch(
        f"""
        SELECT t.news_number, {_COLUMNS}
          FROM teams.membership m JOIN teams.team t ON t.id = m.team_id
          LEFT JOIN teams.task k ON k.team_id = t.id
         WHERE m.token = $1 AND m.team_id = $2 AND t.deleted_at IS NULL
         ORDER BY k.number
        """,  # noqa: S608 - a constant of this module
        token,
        team_id,
    )
    if not rows:
        return None
    return rows[0]["news_number"], [_task(row) for row in rows if row["number"] is not None]
