"""SQL of signatures in use."""

from __future__ import annotations

from services.teams.replays.models import Signed, Use
from shared.db import Connection


async def claim(connection: Connection, signed: Signed, mark: bytes) -> Use:
    """Take a signature for a request; give what it was used for, this request if it is new.

    Waits for whoever holds it, in any process: theirs is one transaction with their change.
    """
    row = await connection.fetchrow(
        """
        INSERT INTO teams.replay AS r (token, signature, request) VALUES ($1, $2, $3)
        ON CONFLICT (token, signature) DO UPDATE SET used_at = r.used_at
        RETURNING request, status, body, team_id
        """,
        signed.token,
        mark,
        signed.request,
    )
    assert row is not None  # either way there is a row
    team_id = row["team_id"]
    return Use(row["request"], row["status"], row["body"] or b"", team_id and str(team_id))


async def keep(
    connection: Connection,
    signed: Signed,
    mark: bytes,
    status: int,
    sealed: bytes,
    team_id: str | None,
) -> None:
    """Keep the answer of a request with its signature."""
    await connection.execute(
        """
        UPDATE teams.replay SET status = $3, body = $4, team_id = $5
         WHERE token = $1 AND signature = $2
        """,
        signed.token,
        mark,
        status,
        sealed,
        team_id,
    )


async def note(connection: Connection, signed: Signed, mark: bytes) -> bytes:
    """Keep what a signature was used for, although the request was refused; give what it was."""
    used: bytes = await connection.fetchval(
        """
        INSERT INTO teams.replay AS r (token, signature, request) VALUES ($1, $2, $3)
        ON CONFLICT (token, signature) DO UPDATE SET used_at = r.used_at RETURNING request
        """,
        signed.token,
        mark,
        signed.request,
    )
    return used


async def drop_of_team(connection: Connection, team_id: str) -> None:
    """Repeat no answer any more that told of a team as it was."""
    await connection.execute(
        """
        UPDATE teams.replay SET status = NULL, body = NULL
         WHERE team_id = $1 AND status IS NOT NULL
        """,
        team_id,
    )


async def drop_of_token(connection: Connection, token: str) -> None:
    """Repeat no answer to a machine any more."""
    await connection.execute(
        """
        UPDATE teams.replay SET status = NULL, body = NULL
         WHERE token = $1 AND status IS NOT NULL
        """,
        token,
    )


async def delete_old(connection: Connection, seconds: int, most: int) -> int:
    """Drop signatures used so long ago, so many at a time; all tenants: age is what counts."""
    dropped = await connection.execute(
        """
        DELETE FROM teams.replay WHERE ctid IN (
            SELECT ctid FROM teams.replay
             WHERE used_at < now() - make_interval(secs => $1) LIMIT $2)
        """,
        seconds,
        most,
    )
    return int(dropped.split()[-1])
