"""Lists of sessions: one's own, and those of others where that is allowed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from pydantic_core import to_json

from services.agents.access.models import Holder
from services.agents.sessions import rules
from services.agents.sessions.models import (
    ANYBODY,
    Filters,
    Listed,
    Row,
    SessionQuery,
    Shown,
    State,
)
from services.agents.sessions.operations.permitting import SESSIONS
from services.agents.sessions.operations.showing import item_of
from services.agents.sessions.operations.totals import Totals
from services.agents.sessions.store import listing as store
from shared.db import Database
from shared.errors import BadRequest, Forbidden

AT_ONCE: Final = 4_000_000
"""Bytes of sessions that are read at once: a list may show 1,000 of some 130,000 each."""


def written(shown: Shown) -> str:
    """Give a session as JSON, as its own routes show it."""
    return to_json(item_of(shown)).decode()


async def list_page(
    database: Database,
    totals: Totals,
    holder: Holder,
    query: SessionQuery,
    write: Callable[[Shown], str] = written,
) -> Listed:
    """List sessions, newest first: the caller's own, unless others are asked for.

    Args:
        database: the service's.
        totals: of lists.
        holder: who asks.
        query: which sessions.
        write: gives one as JSON.

    Raises:
        BadRequest: there is no such state.
        Forbidden: others' sessions are asked for, and the caller may list them nowhere, or not in
            the namespace asked for.
    """
    filters = filters_of(holder, query)
    async with database.connection() as connection:
        rows = await store.list_page(connection, filters, query.most, query.offset, AT_ONCE)
        total = await totals.count(connection, filters)
    read = [row.shown for row in rows if row.shown is not None]
    first = "[" + ",".join(write(shown) for shown in read)
    later = rows[len(read) :]
    body = _pieces(database, first, later, write) if later else f"{first}]".encode()
    return Listed(body, len(rows), total)


def filters_of(holder: Holder, query: SessionQuery) -> Filters:
    """Decide which sessions a query may show; errors are those of ``list_page``."""
    state = _state(query)
    asked = None if query.named is None else [query.named]
    owner = holder.owner
    if query.created_by in (None, owner.name, owner.id):
        return Filters((owner.type, owner.id), None, asked, state)
    if query.named is not None:
        holder.require(SESSIONS, "list-all", query.named)
    else:
        permitted = holder.namespaces(SESSIONS, "list-all")
        if permitted is not None and not permitted:
            raise Forbidden
        asked = None if permitted is None else sorted(permitted)
    created_by = None if query.created_by == ANYBODY else query.created_by
    return Filters(None, created_by, asked, state)


def _state(query: SessionQuery) -> State | None:
    if query.state is None:
        return None
    state = rules.meant(query.state, is_space=query.is_space)
    if state is None:
        raise BadRequest(f"Invalid state '{query.state}': one of {', '.join(State)}")
    return state


async def _pieces(
    database: Database, first: str, later: Sequence[Row], write: Callable[[Shown], str]
) -> AsyncIterator[bytes]:
    """Give a long list as it is read, so that few sessions are in memory at a time."""
    yield first.encode()
    while later:
        size, count = later[0].size, 1
        while count < len(later) and size + later[count].size <= AT_ONCE:
            size, count = size + later[count].size, count + 1
        ids = [row.id for row in later[:count]]
        async with database.connection() as connection:
            found = await store.find_shown(connection, ids)
        yield "".join("," + write(found[one]) for one in ids if one in found).encode()
        later = later[count:]
    yield b"]"
