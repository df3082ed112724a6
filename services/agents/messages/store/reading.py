"""SQL: messages as the wire shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from services.agents.messages.models import MessageQuery, Row
from shared.db import Connection

ITEM: Final = """
    (SELECT row_to_json(item)::text FROM (
        SELECT m.id, m.session_id,
               CASE WHEN {is_space} THEN lower(m.role) ELSE m.role END AS role, m.content,
               m.agent_id, m.agent_name, m.metadata,
               to_char(m.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
               AS created_at) AS item)"""
"""A message as the wire shows it (``MessageItem``), to be filled in with whether its session speaks
the ``space`` dialect. The database writes it: metadata stays as it was sent, and nothing large is
read and written once more on the way. Without blanks, because clients' tests cut it with grep.
"""


def _shown(query: MessageQuery | None) -> tuple[str, list[Any]]:
    """Give the condition of what a query shows, and its values; ``$1`` is the session.

    Filters that are not asked for stay out of the statement, so that each has its index. A reply
    has its time up to a second ahead, and until then it is not there.
    """
    text, values = "m.session_id = $1 AND m.created_at <= statement_timestamp()", list[Any]()
    if query is not None and query.role is not None:
        values.append(query.role)
        text += " AND m.role = $2"
    if query is not None and query.since is not None:
        values.append(query.since)
        text += f" AND m.created_at > ${len(values) + 1}"
    return text, values


async def list_page(
    connection: Connection,
    session_id: UUID,
    query: MessageQuery,
    limit: int,
    is_space: bool,
    budget: int,
) -> list[Row]:
    """Give a page, oldest first, with as many messages as fit into a number of bytes."""
    shown, values = _shown(query)
    at = len(values) + 2
    rows = await connection.fetch(
        f"""
        SELECT m.number, m.size,
               CASE WHEN m.upto <= ${at + 3} THEN {ITEM.format(is_space=f"${at + 2}")} END AS item
          FROM (SELECT p.*, sum(p.size) OVER (ORDER BY p.created_at, p.number) AS upto
                  FROM (SELECT m.*, octet_length(m.content) + octet_length(m.metadata::text) AS size
                          FROM agents.message m WHERE {shown}
                         ORDER BY m.created_at, m.number LIMIT ${at} OFFSET ${at + 1}) AS p) AS m
         ORDER BY m.created_at, m.number
        """,  # noqa: S608 - constants
        session_id,
        *values,
        limit,
        query.offset,
        is_space,
        budget,
    )
    return [Row(**row) for row in rows]


async def find_items(
    connection: Connection, session_id: UUID, numbers: Sequence[int], is_space: bool
) -> dict[int, str]:
    """Give some messages by number."""
    rows = await connection.fetch(
        f"""
        SELECT m.number, {ITEM.format(is_space="$3")} AS item FROM agents.message m
         WHERE m.session_id = $1 AND m.number = ANY($2::bigint[])
        """,  # noqa: S608 - constants
        session_id,
        numbers,
        is_space,
    )
    return {row["number"]: row["item"] for row in rows}


async def count(
    connection: Connection, session_id: UUID, query: MessageQuery | None, cap: int | None
) -> int:
    """Count messages, those of a query or all of the session's, up to a cap if there is one."""
    shown, values = _shown(query)
    found: int = await connection.fetchval(
        f"""
        SELECT count(*)
          FROM (SELECT FROM agents.message m WHERE {shown} LIMIT ${len(values) + 2}) AS found
        """,  # noqa: S608 - constants
        session_id,
        *values,
        cap,
    )
    return found
