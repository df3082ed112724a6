"""One socket of a machine: what it says is done in order, and it is told what it has joined."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from services.teams.socket import channels, frames
from services.teams.socket.frames import BadFrame, Message, Push
from services.teams.socket.telling import Join
from shared import last_words

if TYPE_CHECKING:
    from services.teams.socket.sockets import Sockets

MOST_WAITING: Final = 32
"""Messages of one socket that wait their turn; then it is read no further until they are done."""

LONGEST_WAITING: Final = 512_000
"""Characters of all of those."""

MOST_BAD: Final = 10
"""Bad frames before a socket is closed (section 10.2)."""

GOING_AWAY: Final = 1001
UNSUPPORTED: Final = 1003


class Line(Protocol):
    """The connection of a socket."""

    def write(self, *pieces: bytes) -> None:
        """Write complete frames."""

    def backlog(self) -> int:
        """Give how many bytes the client has not taken."""

    def read_on(self) -> None:
        """Read what had to wait."""

    def end(self, code: int) -> None:
        """Say goodbye and close."""

    def abort(self) -> None:
        """Break the connection."""


class Session:
    """One socket.

    Args:
        sockets: all of them.
        line: its connection.
        id: its own over all processes.
        token: the machine.
        key: under which the gateway is told what to say if the process dies.

    Attributes:
        is_quiet: the client has said nothing since the last look.
        joins: the topics it has joined, by topic.
    """

    __slots__ = (
        "_bad",
        "_deadline",
        "_emptied_at",
        "_least",
        "_line",
        "_stuck_since",
        "_waiting",
        "_weight",
        "_writable",
        "id",
        "is_over",
        "is_quiet",
        "joins",
        "key",
        "quiet_since",
        "sockets",
        "token",
    )

    def __init__(self, sockets: Sockets, line: Line, id: str, token: str, key: str) -> None:
        self.sockets = sockets
        self.id = id
        self.token = token
        self.key = key
        self.is_quiet = False
        self.is_over = False
        self.joins: dict[str, Join] = {}
        self.quiet_since = 0.0
        self._line = line
        self._bad = 0
        self._deadline = 0.0
        self._emptied_at = 0.0
        self._stuck_since = 0.0
        self._least = 0
        self._waiting: deque[Message] | None = None
        self._weight = 0
        self._writable: asyncio.Future[None] | None = None

    # What the connection reports.

    def received(self, text: str) -> None:
        """Take a message; a heartbeat is answered at once, everything else in its turn."""
        self.sockets.sightings.note(self.token)
        try:
            message = frames.read(text)
        except BadFrame:
            self._bad += 1
            if self._bad >= MOST_BAD:
                self._line.end(UNSUPPORTED)
            return
        if message.topic == "phoenix" and message.event == "heartbeat":
            self.send(frames.ok(message))
            return
        self._weight += message.size
        if self._waiting is not None:
            self._waiting.append(message)
        else:
            self._waiting = deque((message,))
            self.sockets.own(self._work(self._waiting), "socket messages")

    @property
    def is_full(self) -> bool:
        """Whether it can take no more messages for now."""
        if self.is_over:
            return False
        if self._waiting is not None and len(self._waiting) >= MOST_WAITING:
            return True
        return self._writable is not None or self._weight >= LONGEST_WAITING

    def stuck(self, *, is_stuck: bool) -> None:
        """Hear whether the client takes what it is sent."""
        if is_stuck and self._writable is None:
            self._writable = asyncio.get_running_loop().create_future()
            self._stuck_since, self._least = self.sockets.now(), self._line.backlog()
        elif not is_stuck and self._writable is not None:
            self._writable.set_result(None)
            self._writable = None

    def lost(self) -> None:
        """The connection is gone. What came before is still done: nobody may be there to ask."""
        self._leave()
        self.stuck(is_stuck=False)
        self.sockets.forget(self)

    def say_goodbye(self) -> None:
        """Tell the client to come back, on every topic (section 10.5); then there is a Close."""
        if not self.is_over:
            for topic, join in self.joins.items():
                self._line.write(frames.closed(join.join_ref, topic))
            self._leave()

    # Its topics.

    def enter(self, join: Join, reply: bytes) -> None:
        """Take a topic in, and answer. The gateway hears first what to say if we die."""
        self.joins[join.topic] = join
        word = frames.last_word(join.join_ref, join.topic)
        self.send(last_words.remember(self.key, word) + reply)

    def drop(self, join: Join) -> None:
        """Take a topic out; whoever asks for that tells the client."""
        del self.joins[join.topic]
        self.sockets.feeds.remove(join)
        forget = last_words.forget(self.key, frames.last_word(join.join_ref, join.topic))
        if forget:
            self.send(forget)

    # What others ask for.

    def send(self, *pieces: bytes) -> None:
        """Write complete frames, while it lasts."""
        if not self.is_over:
            self._line.write(*pieces)

    def tell(self, push: Push, join: Join) -> None:
        """Tell it some news; one that has not taken a great deal of older news is given up."""
        if self._writable is not None and self._line.backlog() > self.sockets.limits.backlog:
            self.end()
        else:
            self.send(*push.pieces(join.join_ref))

    def emptied(self) -> None:
        """Hear that a topic was closed here: clients then come back by a socket of their own."""
        self._emptied_at = 0.0 if self.joins else self.sockets.now()

    def end(self) -> None:
        """Say goodbye and close: the client may come back at once, here or elsewhere."""
        self._line.end(GOING_AWAY)

    def abort(self) -> None:
        """Break the connection."""
        self._line.abort()

    def look(self, now: float) -> None:
        """See whether its time is up."""
        limits = self.sockets.limits
        if self.is_over:
            if now >= self._deadline:
                self._line.abort()
        elif self._writable is not None:
            backlog = self._line.backlog()
            if backlog < self._least:
                self._least, self._stuck_since = backlog, now
            elif now - self._stuck_since >= limits.stuck:
                self.end()
        elif self._emptied_at and not self.joins and now - self._emptied_at >= limits.empty:
            self.end()
        elif not self.is_quiet or self._waiting is not None:
            self.is_quiet, self.quiet_since = True, now
        elif now - self.quiet_since >= limits.idle:
            self.end()

    # Its work.

    async def _work(self, waiting: deque[Message]) -> None:
        while waiting:
            message = waiting.popleft()
            if self._writable is not None:
                await asyncio.shield(self._writable)
            await channels.answer(self, message)
            self._weight -= message.size
            self._line.read_on()
        self._waiting = None

    def _leave(self) -> None:
        if not self.is_over:
            self.is_over = True
            self._deadline = self.sockets.now() + self.sockets.limits.linger
            for join in self.joins.values():
                self.sockets.feeds.remove(join)
