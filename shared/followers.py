"""Answers without an end that follow something: who is let in, what wakes them, what ends them.

Each reads for itself from where it stands: so what a slow reader has not taken waits in the
database and nowhere else, and nothing is lost between replay and live. The bus only wakes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self
from weakref import WeakSet

from shared.bus import BroadcastSubscription, Event, Listener, Transport
from shared.contracts.auth import (
    AccountDeleted,
    AccountDisabled,
    ApiKeyRevoked,
    MembershipChanged,
    ServiceAccountChanged,
    SessionRevoked,
)
from shared.errors import RateLimited, Unavailable
from shared.principal import Principal
from shared.server_sent import HEARTBEAT as STILL_HERE
from shared.server_sent import RECONNECT
from shared.streams import Draining

HEARTBEAT: Final = 15.0
"""Seconds of silence after which a comment is sent, and the database asked without a wake."""

LIFE: Final = 600.0
"""Seconds after which a stream ends: its client reconnects, and is authenticated anew."""

PAUSE: Final = 0.1
"""Seconds between two looks of one stream while much is written."""

_LISTEN_LIMIT: Final = 2.0
_IDLE_CHECK: Final = 5.0


@dataclass(eq=False)
class Follower:
    """One open stream.

    Attributes:
        topic: what it follows; news name it.
        counted: as whose it counts.
        org_id: in which its caller acts; leaving that ends it.
        tags: ids whose revocation ends it.
        wake: set when there may be something new.
        is_over: whether a credential behind it was revoked.
    """

    topic: str
    counted: str
    org_id: str
    tags: frozenset[str]
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    is_over: bool = False

    @classmethod
    def of(cls, principal: Principal, topic: str, counted: str) -> Follower:
        """Make one for a caller."""
        tags = frozenset({principal.subject, principal.session, principal.account} - {""})
        return cls(topic, counted, principal.org, tags)


@dataclass(frozen=True, slots=True)
class Limits:
    """How many streams may be open in one process.

    Attributes:
        most: of all together.
        each: of those who count together.
        whose: who that is, as a refusal begins: ``An organization``.
    """

    most: int
    each: int
    whose: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look found.

    Attributes:
        text: to be sent; may be empty.
        waits: whether more follows at once.
        is_last: whether the stream ends behind it.
    """

    text: bytes
    waits: bool = False
    is_last: bool = False


class Followers:
    """The open streams of this process. Use as a context manager.

    The bus is listened to only while there is a stream: hearing everybody's events would cost each
    write something in every process.

    Args:
        transport: the bus.
        name: of the listener.
        news: the events that wake, and how each names the topic.
        limits: how many there may be.
    """

    def __init__(
        self,
        transport: Transport,
        name: str,
        news: Mapping[type[Event], Callable[[Any], str]],
        limits: Limits,
    ) -> None:
        self._transport = transport
        self._name = name
        self._news = dict(news)
        self._limits = limits
        # Weak, because an answer whose client left before it began is dropped without a word.
        self._open: WeakSet[Follower] = WeakSet()
        self._wanted = asyncio.Event()
        self._listening = asyncio.Event()
        self._all_left = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._keeper = asyncio.create_task(self._keep_listening(), name=self._name)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._keeper is not None
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)

    @property
    def count(self) -> int:
        """How many are open."""
        return len(self._open)

    async def admit(self, follower: Follower) -> None:
        """Take one more stream in, and wait until it hears the bus, but not long.

        Raises:
            RateLimited: those whom it counts with have enough streams here.
            Unavailable: the process has.
        """
        limits = self._limits
        if sum(one.counted == follower.counted for one in self._open) >= limits.each:
            sentence = f"{limits.whose} may have {limits.each} streams. Close one first."
            raise RateLimited(30, sentence)
        if len(self._open) >= limits.most:
            raise Unavailable("Too many streams are open here. Try again.", retry_after=30)
        self._open.add(follower)
        self._wanted.set()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LISTEN_LIMIT):
                    await self._listening.wait()
        except BaseException:
            self.leave(follower)
            raise

    def leave(self, follower: Follower) -> None:
        """Take a stream out again."""
        self._open.discard(follower)
        if not self._open:
            self._all_left.set()

    def wake(self, topic: str) -> None:
        """Let those who follow a topic look."""
        for follower in tuple(self._open):
            if follower.topic == topic:
                follower.wake.set()

    async def _keep_listening(self) -> None:
        while True:
            await self._wanted.wait()
            listener = Listener(
                self._transport, self._name, self._subscriptions(), on_gap=self._wake_all
            )
            async with listener:
                announce = asyncio.create_task(self._announce(listener))
                try:
                    await self._until_unused()
                finally:
                    self._listening.clear()
                    announce.cancel()
                    await asyncio.gather(announce, return_exceptions=True)
            if not self._open:
                self._wanted.clear()

    async def _until_unused(self) -> None:
        while self._open:
            # Those that were dropped without a word say nothing when they leave.
            self._all_left.clear()
            await _wait_for(self._all_left, _IDLE_CHECK)

    async def _announce(self, listener: Listener) -> None:
        await listener.listening()
        self._listening.set()

    def _subscriptions(self) -> list[BroadcastSubscription[Any]]:
        ends: tuple[tuple[type[Event], str], ...] = (
            (SessionRevoked, "session_id"),
            (ApiKeyRevoked, "key_id"),
            (AccountDisabled, "account_id"),
            (AccountDeleted, "account_id"),
            (ServiceAccountChanged, "service_account_id"),
        )
        return [
            *(BroadcastSubscription(kind, self._wakes(name)) for kind, name in self._news.items()),
            *(BroadcastSubscription(kind, self._ends(name)) for kind, name in ends),
            BroadcastSubscription(MembershipChanged, self._end_membership),
        ]

    def _wakes(self, topic_of: Callable[[Any], str]) -> Callable[[Any], Awaitable[None]]:
        async def hear(event: Event) -> None:
            self.wake(topic_of(event))

        return hear

    def _ends(self, name: str) -> Callable[[Any], Awaitable[None]]:
        async def hear(event: Event) -> None:
            for follower in tuple(self._open):
                if getattr(event, name) in follower.tags:
                    follower.is_over = True
                    follower.wake.set()

        return hear

    async def _end_membership(self, event: MembershipChanged) -> None:
        for follower in tuple(self._open):
            is_theirs = follower.org_id == event.org_id and event.account_id in follower.tags
            if is_theirs and not event.role:
                follower.is_over = True
                follower.wake.set()

    def _wake_all(self) -> None:
        for follower in tuple(self._open):
            follower.wake.set()


async def following(
    followers: Followers,
    draining: Draining,
    follower: Follower,
    look: Callable[[], Awaitable[Seen]],
    every: float = LIFE,
    pause: float = PAUSE,
) -> AsyncIterator[bytes]:
    """Give what one look after the other finds, until told or time to stop.

    Without a database it ends, and the client comes back with its last id.

    Args:
        followers: where the follower was admitted; it leaves at the end.
        draining: tells that the process is to stop.
        follower: whose stream it is.
        look: finds what is new.
        every: seconds after which to look without a wake, at most ``HEARTBEAT``.
        pause: seconds between a look that found something and the next.
    """
    loop = asyncio.get_running_loop()
    ending = asyncio.create_task(draining.wait(LIFE), name="stream end")
    ending.add_done_callback(lambda _: follower.wake.set())
    try:
        yield RECONNECT
        spoke = loop.time()
        while not (ending.done() or follower.is_over):
            follower.wake.clear()
            seen = await look()
            if seen.text:
                yield seen.text
                spoke = loop.time()
            if seen.is_last:
                return
            if seen.waits:
                continue
            if seen.text:
                await asyncio.sleep(pause)
            quiet = spoke + HEARTBEAT - loop.time()
            await _wait_for(follower.wake, max(0.0, min(every, quiet)))
            if loop.time() - spoke >= HEARTBEAT:
                yield STILL_HERE
                spoke = loop.time()
    except Unavailable:
        return
    finally:
        followers.leave(follower)
        ending.cancel()
        await asyncio.gather(ending, return_exceptions=True)


async def _wait_for(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
