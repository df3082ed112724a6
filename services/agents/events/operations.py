"""Following a session (agents contract, section 4.6)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from services.agents.access.models import Holder
from services.agents.access.operations import Access
from services.agents.events import rules, store
from services.agents.events.models import DELETED, Step
from services.agents.messages import operations as messages
from services.agents.sessions.models import Session, State
from services.agents.sessions.operations import hearing, permitting, working
from shared.bus import Event, Transport
from shared.contracts.agents import MessagePosted, SessionChanged
from shared.db import Database
from shared.errors import Forbidden, NotFound, Unauthenticated
from shared.followers import Follower, Followers, Limits, Seen, following
from shared.principal import Principal
from shared.streams import Draining

GET: Final = "get-all"
PAGE: Final = 100
PAGE_BYTES: Final = 1_000_000

PAUSE: Final = 0.01
"""Seconds between two looks of one stream; a reply follows its message within a few of these."""

RECHECK: Final = 3.0
"""Seconds after which a stream that is silent asks again whether its caller may follow."""


def _session(event: MessagePosted | SessionChanged) -> str:
    return event.session_id


class Streams(Followers):
    """The open streams of this process. Use as a context manager.

    What this process commits wakes at once, what others do as soon as the bus tells.
    """

    def __init__(
        self, database: Database, transport: Transport, *, most: int, per_caller: int
    ) -> None:
        news: dict[type[Event], Callable[[Any], str]] = {
            MessagePosted: _session,
            SessionChanged: _session,
        }
        super().__init__(transport, "agents.events", news, Limits(most, per_caller, "A caller"))
        database.on_commit(partial(hearing.tell, self.wake))


@dataclass(frozen=True, slots=True)
class Start:
    """Where a stream begins.

    Attributes:
        session: that it follows.
        cursor: the number after which it goes on.
        first: what it says before that.
    """

    session: Session
    cursor: int
    first: bytes


async def find(database: Database, holder: Holder, reference: str) -> Session:
    """Find the session that a caller wants to follow.

    Raises:
        BadRequest: the id is none.
        NotFound: there is no such session, or it is where the caller holds nothing.
        Forbidden: it is somebody else's.
    """
    async with database.connection() as connection:
        return await permitting.find(connection, holder, reference, GET)


async def admit(streams: Streams, holder: Holder, session: Session) -> Follower:
    """Take in one more stream.

    Raises:
        RateLimited: the caller has enough streams here.
        Unavailable: the process has.
    """
    counted = f"{holder.owner.type}:{holder.owner.id}"
    follower = Follower.of(holder.principal, str(session.id), counted)
    await streams.admit(follower)
    return follower


async def begin(database: Database, session: Session, cursor: int | None) -> Start:
    """Say where a stream starts: after a number that was given, else now, with the state of now.

    A number that the session has not reached is taken as if there were none.

    Raises:
        NotFound: the session is gone.
    """
    async with database.connection() as connection:
        now = await store.present(connection, session.id)
    if now is None:
        raise NotFound(permitting.MISSING)
    if cursor is not None and cursor <= now.number:
        return Start(session, cursor, b"")
    return Start(session, now.number, _told(session, now, {}))


def follow(
    database: Database,
    streams: Streams,
    draining: Draining,
    access: Access,
    follower: Follower,
    principal: Principal,
    start: Start,
) -> AsyncIterator[bytes]:
    """Give what happens in a session, until it is deleted, or told or time to stop.

    With each look the caller's rights are judged anew.
    """
    session, at, first = start.session, start.cursor, start.first

    async def look() -> Seen:
        nonlocal at, first
        if first:
            told, first = first, b""
            return Seen(told, waits=True)
        items: dict[int, str] = {}
        async with database.connection() as connection:
            page = await store.after(connection, session.id, at, PAGE, PAGE_BYTES)
            numbers = [] if page is None else [one.number for one in page.steps if not one.state]
            if numbers:
                items = await messages.write_items(connection, session, numbers)
        if page is None or not await _may(access, principal, session, page.session_name):
            return Seen(b"", is_last=True)
        if not page.steps:
            return Seen(b"")
        at = page.steps[-1].number
        text = b"".join(_told(session, step, items) for step in page.steps)
        return Seen(text, page.waits, is_last=page.steps[-1].state == DELETED)

    return following(streams, draining, follower, look, every=RECHECK, pause=PAUSE)


async def _may(access: Access, principal: Principal, session: Session, name: str) -> bool:
    """Tell whether a caller may still follow a session, which may have another name now."""
    try:
        holder = await access.holder(principal)
        permitting.judge(holder, replace(session, name=name), GET)
    except (Unauthenticated, Forbidden, NotFound):
        return False
    return True


def _told(session: Session, step: Step, items: Mapping[int, str]) -> bytes:
    """Write one step; nothing of a message that was cleared away meanwhile."""
    if step.state is None:
        item = items.get(step.number)
        return b"" if item is None else rules.message(step.number, item)
    if step.state == DELETED:
        return rules.deletion(step, session.id)
    return rules.change(step, session.id, working.shown(session, State(step.state)))
