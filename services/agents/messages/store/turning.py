"""SQL of turns: what is to be answered, and the one reply to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic_core import from_json, to_json

from services.agents.messages.models import TurnInput, TurnMessage
from services.agents.providers.models import Line
from shared.bus import outbox
from shared.contracts.agents import MessagePosted
from shared.db import Connection, Record

_FIRST_FREE: Final = 11
"""Number of the first parameter after those of ``insert_reply``."""


async def insert_reply(
    connection: Connection,
    session_id: UUID,
    number: int,
    to: int,
    content: str,
    spoken_by: tuple[str, UUID | None, str | None],
    metadata: Mapping[str, Any],
    hold_s: float,
    event: MessagePosted,
) -> datetime | None:
    """Add the reply to a USER message and say it; give its time.

    Args:
        connection: in a transaction that holds the session's row.
        session_id: whose.
        number: the reply's number in the session.
        to: the USER message's number.
        content: the text.
        spoken_by: role, agent's id and agent's name.
        metadata: of the reply.
        hold_s: seconds after the USER message before which the reply is not there.
        event: said with it.

    Returns:
        None, and nothing is added, if there is a reply already or the message is gone.
    """
    says, said = outbox.part(event, _FIRST_FREE, "m")
    at: datetime | None = await connection.fetchval(
        f"""
        WITH m AS (
            INSERT INTO agents.message (session_id, number, id, role, content, agent_id, agent_name,
                                        metadata, reply_to, created_at)
            SELECT u.session_id, $2, $3, $5::text, $6::text, $7::uuid, $8::text, $9::text::json,
                   u.number, greatest(clock_timestamp(), u.created_at + make_interval(secs => $10))
              FROM agents.message u
             WHERE u.session_id = $1 AND u.number = $4 AND u.role = 'USER'
            ON CONFLICT (session_id, reply_to) WHERE reply_to IS NOT NULL DO NOTHING
            RETURNING *
        ), said AS ({says})
        SELECT created_at FROM m
        """,  # noqa: S608 - constants
        session_id,
        number,
        UUID(event.message_id),
        to,
        spoken_by[0],
        content,
        spoken_by[1],
        spoken_by[2],
        to_json(metadata).decode(),
        hold_s,
        *said,
    )
    return at


async def is_answered(connection: Connection, session_id: UUID, number: int) -> bool:
    """Tell whether there is a reply to a USER message, held back or not."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM agents.message WHERE session_id = $1 AND reply_to = $2)",
        session_id,
        number,
    )
    return found


async def turn_input(
    connection: Connection, session_id: UUID, number: int, most: int
) -> TurnInput | None:
    """Give a USER message and at most so many messages before it; None if it is gone.

    Before it is what was said before, and the replies to that, which may have come later. Each part
    is read from its index's end, so a long session costs what a short one does.
    """
    rows = await connection.fetch(
        """
        (SELECT number, id, role, agent_name, content, created_at, caller, number AS place
           FROM agents.message WHERE session_id = $1 AND number = $2 AND role = 'USER')
        UNION ALL
        (SELECT number, id, role, agent_name, content, created_at, NULL, place FROM (
            (SELECT *, number AS place FROM agents.message
              WHERE session_id = $1 AND number < $2 AND reply_to IS NULL
              ORDER BY number DESC LIMIT $3)
            UNION ALL
            (SELECT *, reply_to AS place FROM agents.message
              WHERE session_id = $1 AND reply_to < $2 ORDER BY reply_to DESC LIMIT $3)) AS before
          ORDER BY place DESC, number DESC LIMIT $3)
        """,
        session_id,
        number,
        most,
    )
    message = next((row for row in rows if row["number"] == number), None)
    if message is None:
        return None
    before = sorted(
        (row for row in rows if row is not message), key=lambda row: (row["place"], row["number"])
    )
    return TurnInput(_message_of(message), [_line_of(row) for row in before])


def _message_of(row: Record) -> TurnMessage:
    caller = None if row["caller"] is None else from_json(row["caller"])
    return TurnMessage(row["number"], row["id"], row["content"], row["created_at"], caller)


def _line_of(row: Record) -> Line:
    return Line(row["role"], row["agent_name"] or "", row["content"])
