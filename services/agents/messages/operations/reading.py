"""Listing and counting messages (agents contract, section 4.6)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final

from services.agents.access.models import Holder
from services.agents.messages import rules
from services.agents.messages.models import ROLES, Listed, MessageCount, MessageQuery, Row
from services.agents.messages.store import reading as store
from services.agents.sessions.models import Session
from services.agents.sessions.operations import permitting
from shared.db import Connection, Database
from shared.errors import BadRequest
from shared.pagination import TOTAL_CAP

GET: Final = "get-all"

AT_ONCE: Final = 1_000_000
"""Bytes of messages that are read at once: a list may show 1,000 of 400 KB each."""


async def list_page(
    database: Database, holder: Holder, reference: str, query: MessageQuery
) -> tuple[Listed, dict[str, str]]:
    """List a session's messages, oldest first; give them with the headers of the list.

    Raises:
        BadRequest: the id is none, or there is no such role.
        NotFound: there is no such session, or it is where the caller holds nothing.
        Forbidden: it is somebody else's.
    """
    if query.role not in (None, *ROLES):
        raise BadRequest(f"Invalid role '{query.role}': one of {', '.join(ROLES)}")
    async with database.connection() as connection:
        session = await permitting.find(connection, holder, reference, GET)
        limit = rules.limit_of(query, session.is_space)
        rows = await store.list_page(
            connection, session.id, query, limit, session.is_space, AT_ONCE
        )
        total = query.offset + len(rows)
        # A page that is not full is the last, and tells by itself.
        if len(rows) == limit or (query.offset and not rows):
            total = await store.count(connection, session.id, query, TOTAL_CAP)
    items = [row.item for row in rows if row.item is not None]
    first = "[" + ",".join(items)
    later = rows[len(items) :]
    body = _pieces(database, session, first, later) if later else f"{first}]".encode()
    total = min(total, TOTAL_CAP)
    headers = rules.list_headers(session.id, query, limit, total, len(rows))
    return Listed(body, len(rows), total), headers


async def _pieces(
    database: Database, session: Session, first: str, later: Sequence[Row]
) -> AsyncIterator[bytes]:
    """Give a long list as it is read, so that few messages are in memory at a time."""
    yield first.encode()
    comma = "," if len(first) > 1 else ""
    while later:
        size, many = later[0].size, 1
        while many < len(later) and size + later[many].size <= AT_ONCE:
            size, many = size + later[many].size, many + 1
        numbers = [row.number for row in later[:many]]
        async with database.connection() as connection:
            found = await store.find_items(connection, session.id, numbers, session.is_space)
        items = [found[number] for number in numbers if number in found]
        if items:
            yield (comma + ",".join(items)).encode()
            comma = ","
        later = later[many:]
    yield b"]"


async def count(database: Database, holder: Holder, reference: str) -> MessageCount:
    """Count a session's messages. Raises as ``list_page`` does."""
    async with database.connection() as connection:
        session = await permitting.find(connection, holder, reference, GET)
        found = await store.count(connection, session.id, None, None)
    return MessageCount(count=found, session_id=session.id)


async def write_items(
    connection: Connection, session: Session, numbers: Sequence[int]
) -> dict[int, str]:
    """Give some messages by number as the wire shows them, also those that are held back."""
    return await store.find_items(connection, session.id, numbers, session.is_space)
