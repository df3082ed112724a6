"""Telling the sockets of a team its news (section 10.4): each once, in order, whoever wrote them.

Bells only say that there may be something. Each join remembers the number that it has seen, so it
does not matter how often they ring, nor in which process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from services.teams.news import operations as news
from services.teams.news.models import News
from services.teams.socket.frames import Push, closed
from shared.db import Database
from shared.errors import Unavailable
from shared.log import get_logger

if TYPE_CHECKING:
    from services.teams.socket.session import Session

TURN: Final = 100
"""Sockets that are told in a row before others have their turn."""

READERS: Final = 2
"""Feeds that read the database at the same time."""

log = get_logger()


class Join:
    """A topic that a socket has joined.

    Args:
        session: the socket.
        team_id: whose topic.
        kind: ``knowledge`` or ``tasks``.
        join_ref: of the client; what it is told carries it.
        seen: number of the newest news that it knows.
    """

    __slots__ = ("join_ref", "kind", "seen", "session", "team_id")

    def __init__(
        self, session: Session, team_id: str, kind: str, join_ref: str | None, seen: int
    ) -> None:
        self.session = session
        self.team_id = team_id
        self.kind = kind
        self.join_ref = join_ref
        self.seen = seen

    @property
    def topic(self) -> str:
        """Its name on the socket."""
        return f"{self.kind}:{self.team_id}"


class Feed:
    """The joins of one team in this process.

    Attributes:
        team_id: whose.
        joins: in the order in which they came.
        expected: joins on their way, whose state is being read.
        bells: how often it was rung for.
        doubts: how often memberships of it may have ended.
        read_until: what ``bells`` was when there was nothing more to read.
        is_read: whether its news are being read.
    """

    __slots__ = ("bells", "doubts", "expected", "is_read", "joins", "read_until", "team_id")

    def __init__(self, team_id: str) -> None:
        self.team_id = team_id
        self.joins: dict[Join, None] = {}
        self.expected = 0
        self.bells = 0
        self.doubts = 0
        self.read_until = 0
        self.is_read = False

    def add(self, join: Join) -> None:
        """Take a join that has been answered."""
        self.joins[join] = None

    @property
    def seen(self) -> int:
        """The newest number that all of its joins know."""
        return min(join.seen for join in self.joins)


class Feeds:
    """All feeds of the process.

    Args:
        database: where news are.
        own: runs work that ends with the process.
    """

    def __init__(
        self, database: Database, own: Callable[[Coroutine[Any, Any, None], str], None]
    ) -> None:
        self._database = database
        self._own = own
        self._feeds: dict[str, Feed] = {}
        self._turns = asyncio.Semaphore(READERS)

    @contextmanager
    def expected(self, team_id: str) -> Iterator[Feed]:
        """Give the feed of a team to which a join may come: while its state is read, bells count.

        Without that, news would be missed that came after the state, and before the join.
        """
        feed = self._feeds.get(team_id)
        if feed is None:
            feed = self._feeds[team_id] = Feed(team_id)
        feed.expected += 1
        bells = feed.bells
        try:
            yield feed
        finally:
            feed.expected -= 1
            if feed.bells != bells:
                self.ring(team_id)
            self._drop_unused(feed)

    def remove(self, join: Join) -> None:
        """Take out a join that has ended."""
        feed = self._feeds.get(join.team_id)
        if feed is not None:
            feed.joins.pop(join, None)
            self._drop_unused(feed)

    def close(self, join: Join) -> None:
        """End a join and tell its socket so (section 10.4, last point)."""
        if join.session.joins.get(join.topic) is join:
            join.session.drop(join)
            join.session.send(closed(join.join_ref, join.topic))
            join.session.emptied()

    def ring(self, team_id: str, number: int | None = None) -> None:
        """Say that a team may have news, up to a number if that is known."""
        feed = self._feeds.get(team_id)
        if feed is None:
            return
        if number is not None and feed.joins and not feed.expected and number <= feed.seen:
            return
        feed.bells += 1
        if feed.joins and not feed.is_read:
            feed.is_read = True
            self._own(self._read(feed), "socket news")

    def teams(self) -> list[str]:
        """Name the teams that sockets have joined."""
        return list(self._feeds)

    def doubt(self, team_id: str) -> bool:
        """Note that memberships of a team may have ended; tell whether anybody here joined it."""
        feed = self._feeds.get(team_id)
        if feed is None:
            return False
        feed.doubts += 1
        return True

    def joins(self, team_id: str) -> list[Join]:
        """Give the joins of a team."""
        feed = self._feeds.get(team_id)
        return [] if feed is None else list(feed.joins)

    def catch_up(self, positions: dict[str, int]) -> None:
        """Read the news of teams that have some which somebody does not know."""
        for team_id, number in positions.items():
            feed = self._feeds.get(team_id)
            if feed is not None and feed.joins and feed.seen < number:
                self.ring(team_id, number)

    def _drop_unused(self, feed: Feed) -> None:
        if not (feed.joins or feed.expected):
            self._feeds.pop(feed.team_id, None)

    async def _read(self, feed: Feed) -> None:
        try:
            while feed.joins and feed.bells != feed.read_until:
                bells = feed.bells
                async with self._turns:
                    if not feed.joins:
                        return
                    page = await news.since(self._database, feed.team_id, feed.seen)
                for item in page:
                    await _tell(feed, item)
                if len(page) < news.PAGE:
                    feed.read_until = bells
        except Unavailable:
            log.info("socket news postponed", reason="database unavailable")
        except Exception:
            log.exception("socket news failed")
        finally:
            feed.is_read = False


async def _tell(feed: Feed, item: News) -> None:
    """Tell one item to everybody who has not seen it, but not to its source."""
    push = Push(f"{item.topic}:{item.team_id}", item.event, item.payload)
    for count, join in enumerate(tuple(feed.joins), 1):
        if join.seen < item.number:
            join.seen = item.number
            session = join.session
            if join.kind == item.topic and join in feed.joins and not _is_source(item, session):
                session.tell(push, join)
        if count % TURN == 0:
            await asyncio.sleep(0)


def _is_source(item: News, session: Session) -> bool:
    kind, _, name = item.source.partition(":")
    return name == (session.id if kind == "socket" else session.token)
