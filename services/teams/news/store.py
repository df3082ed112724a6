"""SQL of news."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic_core import to_json

from services.teams.news.models import News
from shared.db import Connection, Record


async def after(connection: Connection, team_id: str, number: int, most: int) -> list[News]:
    """Give a team's news after a number, the oldest first.

    One whose knowledge is kept no longer is left out: there are a hundred newer ones.
    """
    rows = await connection.fetch(
        """
        SELECT n.number, n.topic, n.event, n.payload, n.source, n.part IS NOT NULL AS is_part,
               p.body
          FROM teams.news n LEFT JOIN teams.part p ON p.team_id = n.team_id AND p.digest = n.part
         WHERE n.team_id = $1 AND n.number > $2 ORDER BY n.number LIMIT $3
        """,
        team_id,
        number,
        most,
    )
    return [
        News(team_id, row["number"], row["topic"], row["event"], _payload(row), row["source"])
        for row in rows
        if not row["is_part"] or row["body"] is not None
    ]


def _payload(row: Record) -> bytes:
    payload: bytes = row["payload"].encode()
    if not row["is_part"]:
        return payload
    return b'{"content":%b,%b' % (to_json(row["body"]), payload[1:])


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
