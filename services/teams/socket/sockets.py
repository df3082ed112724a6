"""All sockets of the process: how many there may be, how long they may be silent, their end."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count, islice
from typing import Any, Final

from prometheus_client import Gauge

from services.teams.machines.operations import Sightings
from services.teams.memberships import operations as memberships
from services.teams.news import operations as news
from services.teams.socket import files
from services.teams.socket.hearing import listener
from services.teams.socket.session import Line, Session
from services.teams.socket.telling import Feeds, Join
from shared.bus import Transport
from shared.db import Database
from shared.errors import RateLimited, Unavailable
from shared.log import get_logger

TURNS: Final = 4
"""Messages that work on the database at the same time; its other connections serve requests."""

ASKED: Final = 1_000
"""Memberships and teams that are asked for in one question."""

LEAVING: Final = 100
"""Goodbyes that are said in a row when the process stops."""

RETRY: Final = 60
"""Seconds after which a machine with too many sockets should try again: by then one that nobody
holds any more has been silent for too long."""

_OPEN: Final = Gauge("guildhall_teams_sockets", "Sockets that are open")

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketLimits:
    """What is allowed. Times in seconds.

    Attributes:
        total: most sockets of this process.
        each: most sockets of one machine here (section 10.1).
        idle: without a word from the client (section 10.2).
        empty: with nothing joined, after the last topic was closed here: whoever comes back by
            another socket may leave this one open for ever.
        stuck: without the client taking anything of what it is sent.
        backlog: bytes not taken with which a socket is told no more news.
        linger: that a client gets to answer a Close.
        review: between two looks whether memberships hold and whether news were missed.
        spread: over which goodbyes are spread when the process stops, so that not all clients
            come back at once.
        farewell: until all have gone then (section 10.5).
        tick: between two looks at silent and stuck sockets.
    """

    total: int = 20_000
    each: int = 20
    idle: float = 60.0
    empty: float = 20.0
    stuck: float = 30.0
    backlog: int = 16_000_000
    linger: float = 3.0
    review: float = 5.0
    spread: float = 2.0
    farewell: float = 4.5
    tick: float = 1.0


class Sockets:
    """Admits sockets, looks after them, ends them. Open it with ``opened``.

    Args:
        database: of the service.
        transport: the bus.
        key: under which the gateway vouches for callers.
        sightings: told of every machine that is heard of.
        limits: what is allowed.

    Attributes:
        feeds: who is told what.
        turns: to be taken for work on the database.
    """

    def __init__(
        self,
        database: Database,
        transport: Transport,
        key: bytes,
        sightings: Sightings,
        limits: SocketLimits,
    ) -> None:
        self.database = database
        self._transport = transport
        self.key = key
        self.sightings = sightings
        self.limits = limits
        self.feeds = Feeds(database, self.own)
        self.turns = asyncio.Semaphore(TURNS)
        self._open: set[Session] = set()
        self._owners: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._ticking: asyncio.TimerHandle | None = None
        self._process = secrets.token_hex(8)
        self._numbers = count(1)
        self._is_leaving = False
        self._all_gone = asyncio.Event()
        self._doubtful: set[str] = set()
        self._is_due = False
        self._doubts = asyncio.Event()
        self._room = limits.total

    @classmethod
    @asynccontextmanager
    async def opened(
        cls,
        database: Database,
        transport: Transport,
        *,
        key: bytes,
        sightings: Sightings,
        limits: SocketLimits | None = None,
    ) -> AsyncIterator[Sockets]:
        """Take sockets until the context is left; from the first one on, listen to the bus."""
        sockets = cls(database, transport, key, sightings, limits or SocketLimits())
        sockets._room = min(sockets.limits.total, files.room())
        try:
            yield sockets
        finally:
            await sockets._close()

    def __len__(self) -> int:
        return len(self._open)

    def now(self) -> float:
        """Give the time by the clock that goes forward only."""
        return self._loop.time()

    def own(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run something that ends with the process."""
        task = self._loop.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Beginning and end of a socket.

    def admit(self, token: str, line: Line, key: str) -> Session:
        """Take one more in.

        Args:
            token: the machine.
            line: its connection.
            key: for its last words; empty if there are to be none.

        Raises:
            Unavailable: the process stops, or has as many as it can.
            RateLimited: the machine has as many as it may.
        """
        if self._is_leaving or len(self._open) >= self._room:
            raise Unavailable
        if self._owners[token] >= self.limits.each:
            raise RateLimited(RETRY, "Too many sockets are open")
        if self._ticking is None:
            self._begin()
        number = f"{self._process}.{next(self._numbers)}"
        session = Session(self, line, number, token, sys.intern(key))
        session.quiet_since = self.now()
        self._owners[token] += 1
        self._open.add(session)
        _OPEN.inc()
        self.sightings.note(token)
        return session

    def forget(self, session: Session) -> None:
        """Hear that a socket is no more."""
        self._open.discard(session)
        _OPEN.dec()
        self._owners[session.token] -= 1
        if not self._owners[session.token]:
            del self._owners[session.token]
        if self._is_leaving and not self._open:
            self._all_gone.set()

    def revoke(self, token: str) -> None:
        """End the sockets of a machine, because it was revoked."""
        if self._owners[token]:
            for session in tuple(self._open):
                if session.token == token:
                    session.end()

    def leave(self) -> None:
        """Take no more, say goodbye to all, and break off whoever does not answer."""
        if not self._is_leaving:
            self._is_leaving = True
            self.own(self._leave(), "socket goodbye")

    async def _leave(self) -> None:
        until = self.now() + self.limits.farewell
        sessions = list(self._open)
        pause = self.limits.spread * LEAVING / max(len(sessions), 100 * LEAVING)
        for index, session in enumerate(sessions):
            session.end()
            if index % LEAVING == LEAVING - 1:
                await asyncio.sleep(pause)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                if self._open:
                    await self._all_gone.wait()
        for session in tuple(self._open):
            session.abort()

    async def _close(self) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for session in tuple(self._open):
            session.abort()

    # Looking after them.

    def _look(self) -> None:
        self._ticking = self._loop.call_later(self.limits.tick, self._look)
        now = self.now()
        for session in tuple(self._open):
            session.look(now)

    def doubt(self, team_id: str) -> None:
        """Say that somebody may be no member of a team any more, or that there is no team."""
        if self.feeds.doubt(team_id):
            self._doubtful.add(team_id)
            self._doubts.set()

    def doubt_all(self) -> None:
        """Say that bells may have been missed."""
        self._is_due = True
        self._doubts.set()

    def _begin(self) -> None:
        """Begin to look after sockets; a process that never has one does without."""
        self._look()
        self.own(self._review_always(), "socket review")
        self.own(self._listen(), "socket listener")

    async def _listen(self) -> None:
        async with listener(self._transport, self) as heard:
            await heard.listening()
            self.doubt_all()  # sockets have come before
            await asyncio.Event().wait()

    async def _review_always(self) -> None:
        due = self.now() + self.limits.review
        while True:
            try:
                async with asyncio.timeout_at(due):
                    await self._doubts.wait()
            except TimeoutError:
                self._is_due = True
            self._doubts.clear()
            teams, self._doubtful = self._doubtful, set()
            if self._is_due:
                self._is_due = False
                teams = set(self.feeds.teams())
                due = self.now() + self.limits.review
            try:
                await self._review(list(teams))
            except Unavailable:
                log.info("socket review postponed", reason="database unavailable")
            except Exception:
                log.exception("socket review failed")

    async def _review(self, teams: list[str]) -> None:
        """Close what is joined without right, and tell what was missed."""
        joins: dict[tuple[str, str], list[Join]] = {}
        for team_id in teams:
            for join in self.feeds.joins(team_id):
                joins.setdefault((join.session.token, team_id), []).append(join)
        pairs = iter(joins)
        while asked := list(islice(pairs, ASKED)):
            kept = await memberships.still(self.database, asked)
            for pair in asked:
                if pair not in kept:
                    for join in joins[pair]:
                        self.feeds.close(join)
        for start in range(0, len(teams), ASKED):
            asked_teams = teams[start : start + ASKED]
            self.feeds.catch_up(await news.positions(self.database, asked_teams))
