"""SQL of news."""

from __future__ import annotations

from collections.abc import Sequence

from services.teams.news.models import News
from shared.db import Connection


async def after(connection: Connection, team_id: str, number: int, most: int) -> list[News]:
    """Give a team's news after a number, the oldest first."""
    rows = await connection.fetch(
        """
        SELECT number, topic, event, payload, source FROM teams.news
         WHERE team_id = $1 AND number > $2 ORDER BY number LIMIT $3
        """,
        team_id,
        number,
        most,
    )
    return [
        News(
            team_id,
            row["number"],
            row["topic"],
            row["event"],
            row["payload"].encode(),
            row["source"],
        )
        for row in rows
    ]


async def positions(connection: Connection, team_ids: Sequence[str]) -> dict[str, int]:
    """Give the number of the newest news of each team that lives."""
    rows = await connection.fetch(
        """
        SELECT id AS team_id, news_number FROM teams.team
         WHERE id = ANY($1::uuid[]) AND deleted_at IS NULL
        """,
        team_ids,
    )
    return {str(row["team_id"]): row["news_number"] for row in rows}


async def insert(
    connection: Connection, team_id: str, topic: str, event: str, payload: str, source: str
) -> int:
    """Add to a team's news and give the number; the team's row is locked by it."""
    number: int = await connection.fetchval(
        """
        WITH taken AS (
            UPDATE teams.team SET news_number = news_number + 1 WHERE id = $1
            RETURNING news_number
        )
        INSERT INTO teams.news (team_id, number, topic, event, payload, source)
        SELECT $1, news_number, $2, $3, $4, $5 FROM taken RETURNING number
        """,
        team_id,
        topic,
        event,
        payload,
        source,
    )
    return number


async def delete_old(connection: Connection, hours: int, most: int) -> int:
    """Drop news older than some hours, so many at a time; all tenants: age is what counts."""
    dropped = await connection.execute(
        """
        DELETE FROM teams.news WHERE ctid IN (
            SELECT ctid FROM teams.news
             WHERE created_at < now() - make_interval(hours => $1) LIMIT $2)
        """,
        hours,
        most,
    )
    return int(dropped.split()[-1])
