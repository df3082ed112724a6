"""Following an organization's learnings (learnings contract, section 6.5).

Each stream reads for itself from where it stands: so what a slow reader has not taken waits in the
database and nowhere else, and nothing is lost between replay and live. The bus only wakes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from weakref import WeakSet

from services.learnings.stream import rules, store
from shared.bus import BroadcastSubscription, Event, Listener, Transport
from shared.contracts.auth import (
    AccountDeleted,
    AccountDisabled,
    ApiKeyRevoked,
    MembershipChanged,
    SessionRevoked,
)
from shared.contracts.learnings import LearningChanged, LearningRecorded, LearningRetired
from shared.db import Database
from shared.errors import Forbidden, RateLimited, Unavailable
from shared.principal import Kind, Principal
from shared.streams import Draining

HEARTBEAT: Final = 15.0
"""Seconds of silence after which a comment is sent, and the database asked without a wake."""

LIFE: Final = 600.0
"""Seconds after which a stream ends: its client reconnects, and is authenticated anew."""

PAUSE: Final = 0.1
"""Seconds between two looks of one stream while much is written."""

PAGE: Final = 100
PAGE_BYTES: Final = 1_000_000
_LISTEN_LIMIT: Final = 2.0
_IDLE_CHECK: Final = 5.0

_News: TypeAlias = LearningRecorded | LearningChanged | LearningRetired


@dataclass(eq=False)
class Follower:
    """One open stream.

    Attributes:
        org_id: what it follows.
        key_id: whose policy filters; empty for people.
        tags: ids whose revocation ends it.
        wake: set when there may be something new.
        is_over: whether a credential behind it was revoked.
    """

    org_id: str
    key_id: str
    tags: frozenset[str]
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    is_over: bool = False


class Streams:
    """The open streams of this process. Open it with ``opened``.

    The bus is listened to only while there is a stream: hearing every organization's events would
    cost each write something in every process.
    """

    def __init__(self, transport: Transport, *, most: int, per_organization: int) -> None:
        self._transport = transport
        self._most = most
        self._per_organization = per_organization
        # Weak, because an answer whose client left before it began is dropped without a word.
        self._open: WeakSet[Follower] = WeakSet()
        self._wanted = asyncio.Event()
        self._listening = asyncio.Event()
        self._all_left = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, transport: Transport, *, most: int, per_organization: int
    ) -> AsyncIterator[Streams]:
        """Listen when there is need, until the context is left."""
        streams = cls(transport, most=most, per_organization=per_organization)
        keeper = asyncio.create_task(streams._keep_listening(), name="stream listener")
        try:
            yield streams
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)

    @property
    def count(self) -> int:
        """How many are open."""
        return len(self._open)

    async def admit(self, principal: Principal) -> Follower:
        """Take one more stream in, and wait until it hears the bus, but not long.

        Raises:
            Forbidden: the caller acts in no organization.
            RateLimited: the organization has enough streams here.
            Unavailable: the process has.
        """
        if not principal.org:
            raise Forbidden("An organization is needed")
        if sum(one.org_id == principal.org for one in self._open) >= self._per_organization:
            most = self._per_organization
            raise RateLimited(30, f"An organization may have {most} streams. Close one first.")
        if len(self._open) >= self._most:
            raise Unavailable("Too many streams are open here. Try again.", retry_after=30)
        key_id = principal.subject if principal.kind is Kind.API_KEY else ""
        tags = frozenset({principal.subject, principal.session, principal.account} - {""})
        follower = Follower(principal.org, key_id, tags)
        self._open.add(follower)
        self._wanted.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LISTEN_LIMIT):
                await self._listening.wait()
        return follower

    def leave(self, follower: Follower) -> None:
        """Take a stream out again."""
        self._open.discard(follower)
        if not self._open:
            self._all_left.set()

    async def _keep_listening(self) -> None:
        while True:
            await self._wanted.wait()
            listener = Listener(
                self._transport, "learnings.stream", self._subscriptions(), on_gap=self._wake_all
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
            await _is_set(self._all_left, _IDLE_CHECK)

    async def _announce(self, listener: Listener) -> None:
        await listener.listening()
        self._listening.set()

    def _subscriptions(self) -> list[BroadcastSubscription[Any]]:
        news: tuple[type[_News], ...] = (LearningRecorded, LearningChanged, LearningRetired)
        ends: tuple[tuple[type[Event], str], ...] = (
            (SessionRevoked, "session_id"),
            (ApiKeyRevoked, "key_id"),
            (AccountDisabled, "account_id"),
            (AccountDeleted, "account_id"),
        )
        return [
            *(BroadcastSubscription(event, self._wake) for event in news),
            *(BroadcastSubscription(event, self._end(name)) for event, name in ends),
            BroadcastSubscription(MembershipChanged, self._end_membership),
        ]

    async def _wake(self, event: _News) -> None:
        for follower in tuple(self._open):
            if follower.org_id == event.org_id:
                follower.wake.set()

    def _end(self, name: str) -> Callable[[Any], Awaitable[None]]:
        async def end(event: Event) -> None:
            for follower in tuple(self._open):
                if getattr(event, name) in follower.tags:
                    follower.is_over = True
                    follower.wake.set()

        return end

    async def _end_membership(self, event: MembershipChanged) -> None:
        for follower in tuple(self._open):
            is_theirs = follower.org_id == event.org_id and event.account_id in follower.tags
            if is_theirs and not event.role:
                follower.is_over = True
                follower.wake.set()

    def _wake_all(self) -> None:
        for follower in tuple(self._open):
            follower.wake.set()


async def begin(database: Database, follower: Follower, last_event_id: str) -> int:
    """Say after which number a stream starts: the one given, else the newest.

    A number that was never given is taken for the newest.

    Raises:
        Invalid: it is no number.
    """
    cursor = rules.cursor_of(last_event_id)
    async with database.connection() as connection:
        newest = await store.newest(connection, follower.org_id)
    return newest if cursor is None else min(cursor, newest)


async def follow(
    database: Database, streams: Streams, draining: Draining, follower: Follower, cursor: int
) -> AsyncIterator[bytes]:
    """Give everything after a number and then what comes, until told or time to stop.

    Without a database it ends, and the client comes back with its last id.
    """
    ending = asyncio.create_task(draining.wait(LIFE), name="stream end")
    ending.add_done_callback(lambda _: follower.wake.set())
    try:
        yield rules.RECONNECT
        while not (ending.done() or follower.is_over):
            follower.wake.clear()
            async with database.connection() as connection:
                page = await store.after(
                    connection, follower.org_id, follower.key_id, cursor, PAGE, PAGE_BYTES
                )
            cursor = page.to
            if page.events:
                yield b"".join(rules.written(event) for event in page.events)
                if not page.waits:
                    await asyncio.sleep(PAUSE)
            if not page.waits and not await _is_set(follower.wake, HEARTBEAT):
                yield rules.HEARTBEAT
    except Unavailable:
        return
    finally:
        streams.leave(follower)
        ending.cancel()
        await asyncio.gather(ending, return_exceptions=True)


async def _is_set(event: asyncio.Event, seconds: float) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
