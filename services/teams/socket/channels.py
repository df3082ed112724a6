"""What can be done on a topic (sections 10.2 and 10.3): join it, push to it, leave it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from uuid import UUID

from services.teams.knowledge import operations as knowledge
from services.teams.socket import frames
from services.teams.socket.frames import Message
from services.teams.socket.telling import Join
from services.teams.tasks import operations as tasks
from shared.errors import NotFound, RateLimited, ServiceError
from shared.log import get_logger

if TYPE_CHECKING:
    from services.teams.socket.session import Session

KNOWLEDGE: Final = "knowledge"
TASKS: Final = "tasks"
KNOWLEDGE_CAP: Final = 100_000
"""Bytes of the knowledge of a team, and of what may be pushed at once."""

LIMIT: Final = 12.0
"""Seconds for one message; the client waits 15 (section 10.2)."""

NOT_FOUND: Final = "not_found"
NO_TOPIC: Final = "unmatched topic"
NO_EVENT: Final = "unknown event"

log = get_logger()


async def answer(session: Session, message: Message) -> None:
    """Do what one message asks, and say what came of it; whatever happens, the socket stays."""
    try:
        if message.event == "phx_join":
            await _join(session, message)
        elif message.event == "phx_leave":
            _leave(session, message)
        else:
            await _push(session, message)
    except Exception:
        log.exception("socket message failed")
        _crash(session, message)


def _crash(session: Session, message: Message) -> None:
    join = session.joins.get(message.topic)
    if join is None:
        session.send(frames.error(message, "join crashed"))
    else:
        session.drop(join)
        session.send(frames.crashed(join.join_ref, message.topic))


async def _join(session: Session, message: Message) -> None:
    """Join a topic; an older join of the same topic ends with it, as in Phoenix."""
    if session.is_over:
        return
    older = session.joins.get(message.topic)
    if older is not None:
        session.drop(older)
    kind, _, team_id = message.topic.partition(":")
    if ":" not in message.topic or kind not in (KNOWLEDGE, TASKS):
        session.send(frames.error(message, NO_TOPIC))
    elif not team_id:
        session.send(frames.error(message, "team_id_required"))
    elif not _is_id(team_id):
        session.send(frames.error(message, NOT_FOUND))
    else:
        await _join_team(session, message, kind, team_id)
    if older is not None:
        session.send(frames.closed(older.join_ref, message.topic))


async def _join_team(session: Session, message: Message, kind: str, team_id: str) -> None:
    sockets = session.sockets
    with sockets.feeds.expected(team_id) as feed:
        doubts = feed.doubts
        try:
            async with asyncio.timeout(LIMIT), sockets.turns:
                number, response = await _state(session, kind, team_id)
        except (ServiceError, TimeoutError) as error:
            session.send(frames.error(message, _reason(error)))
            return
        if not session.is_over:
            join = Join(session, team_id, kind, message.join_ref, number)
            session.enter(join, frames.ok(message, response))
            feed.add(join)
            if feed.doubts != doubts:
                sockets.doubt(team_id)  # what was read may hold no more


async def _state(session: Session, kind: str, team_id: str) -> tuple[int, bytes]:
    """Give what a topic is now, and the number of the news that it includes."""
    database, token = session.sockets.database, session.token
    if kind == TASKS:
        there = await tasks.join(database, token, team_id)
        return there.number, b'{"tasks":%b}' % there.tasks
    known = await knowledge.join(database, token, team_id)
    response = {
        "knowledge_hash": known.knowledge_hash,
        "knowledge_size": known.knowledge_size,
        "knowledge_cap": KNOWLEDGE_CAP,
    }
    return known.number, _json(response)


def _leave(session: Session, message: Message) -> None:
    """Leave a topic. Whoever names an older join has been told of its end already."""
    join = session.joins.get(message.topic)
    session.send(frames.ok(message))
    if join is not None and message.join_ref in (None, join.join_ref):
        session.drop(join)
        session.send(frames.closed(join.join_ref, message.topic))


async def _push(session: Session, message: Message) -> None:
    join = session.joins.get(message.topic)
    if join is None:
        session.send(frames.error(message, NO_TOPIC))
    elif join.kind != KNOWLEDGE or message.event != "knowledge:push":
        session.send(frames.error(message, NO_EVENT))
    else:
        content = message.payload.get("content")
        reason = _fault(content)
        if isinstance(content, str) and not reason:
            await _store(session, message, join, content)
        else:
            session.send(frames.error(message, reason))


def _fault(content: object) -> str:
    """Say what is wrong with pushed knowledge; empty if nothing is."""
    if not isinstance(content, str):
        return "missing content"
    try:
        size = len(content.encode())
    except UnicodeEncodeError:  # half a surrogate pair
        return "invalid content"
    if size > KNOWLEDGE_CAP:
        return "content_too_large"
    return "invalid content" if "\0" in content else ""  # PostgreSQL keeps no NUL


async def _store(session: Session, message: Message, join: Join, content: str) -> None:
    sockets, team_id = session.sockets, join.team_id
    source = f"socket:{session.id}"
    try:
        async with asyncio.timeout(LIMIT), sockets.turns:
            stored = await knowledge.push(sockets.database, session.token, team_id, content, source)
    except (ServiceError, TimeoutError) as error:
        if isinstance(error, NotFound):
            sockets.doubt(team_id)
        session.send(frames.error(message, _reason(error)))
        return
    response = {
        "knowledge_hash": stored.knowledge_hash,
        "knowledge_size": stored.knowledge_size,
    }
    session.send(frames.ok(message, _json(response)))
    sockets.feeds.ring(team_id)


def _reason(error: ServiceError | TimeoutError) -> str:
    if isinstance(error, NotFound):
        return NOT_FOUND
    if isinstance(error, RateLimited):
        return "rate_limited"
    return "unavailable"


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _is_id(text: str) -> bool:
    """Tell whether it is written as ids of teams are, and as feeds are named."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
