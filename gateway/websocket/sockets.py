"""All sockets of the process: how many there may be, how long they may be silent, their end."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.websocket import files, handshake
from gateway.websocket.frames import GOING_AWAY, POLICY
from gateway.websocket.handshake import Holds, Offer
from gateway.websocket.knocking import Caller, Knock
from gateway.websocket.legs import Socket
from gateway.websocket.waiting import WaitingRoom
from shared.errors import RateLimited, Unavailable
from shared.log import get_logger

if TYPE_CHECKING:
    from gateway.upstream.upstream import Upstream

log = get_logger()

TICK: Final = 1.0
"""Seconds between two looks at the sockets."""

FULL_RETRY: Final = 60
"""Seconds after which whoever has too many sockets should try again: by then one that nobody holds
any more has fallen silent and is closed by its service."""

_STOPS: Final = "gateway stops"


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketLimits:
    """What is allowed. Times in seconds.

    Attributes:
        total: most sockets of this process, those being opened included.
        each: most sockets of one principal, or of one address where nobody is named.
        idle: without a byte from either end.
        wait: that a handshake waits for a service that is away; 0 for not at all.
        farewell: that services get to answer when they are told that the gateway stops, because
            a protocol may have a goodbye of its own to say before the Close.
        linger: that an end gets to answer a Close.
        renewal: between two questions whether the logins behind sockets still hold.
        tick: between two looks at all of these.
    """

    total: int = 20_000
    each: int = 20
    idle: float = 120.0
    wait: float = 10.0
    farewell: float = 5.0
    linger: float = 3.0
    renewal: float = 4.0
    tick: float = TICK


class Sockets:
    """Opens sockets, looks after them, closes them.

    Args:
        limits: what is allowed.

    Attributes:
        key: under which services announce their last words; no caller knows it.
    """

    def __init__(self, limits: SocketLimits | None = None) -> None:
        self.limits = limits or SocketLimits()
        self.key = secrets.token_urlsafe(16).encode()
        self.loop: asyncio.AbstractEventLoop
        self._open: set[Socket] = set()
        self._knocks: set[Knock] = set()
        self._rooms: dict[str, WaitingRoom] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._owners: Counter[str] = Counter()
        self._ticking: asyncio.TimerHandle | None = None
        self._fitting = sys.maxsize
        self._asking: asyncio.Task[None] | None = None
        self._asks_at = 0.0
        self._leaving: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._open)

    def open(self) -> None:
        """Start the clock, and see how many sockets the process has files for."""
        self.loop = asyncio.get_running_loop()
        allowed = files.allow()
        if allowed and files.room(allowed) < self.limits.total:
            self._fitting = files.room(allowed)
            log.info("few files", files=allowed, sockets=self._fitting, wanted=self.limits.total)
        self.look()

    async def close(self) -> None:
        """Stop the clock and break what is left."""
        for timer in (self._ticking, self._leaving):
            if timer is not None:
                timer.cancel()
        for knock in tuple(self._knocks):
            knock.fail(Unavailable())
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for socket in tuple(self._open):
            socket.client.abort()
            socket.service.abort()

    @property
    def held(self) -> int:
        """How many there are, those being opened included."""
        return self._owners.total()

    # Opening.

    def knock(
        self,
        upstream: Upstream,
        request: bytes,
        offer: Offer,
        caller: Caller,
        *,
        owner: str,
        tags: tuple[str, ...] = (),
        holds: Holds | None = None,
        limit: int = 0,
    ) -> Knock:
        """Ask a service for a socket; the caller hears what comes of it.

        Args:
            upstream: the service.
            request: the head of the handshake, without its last lines.
            offer: what it offers.
            caller: who asked.
            owner: whose socket it will be.
            tags: ids by which an event may revoke the login behind it.
            holds: tells whether that login still holds, where it may be revoked.
            limit: bytes of a caller's message.

        Raises:
            RateLimited: the owner has too many.
            Unavailable: the gateway has too many, or stops.
        """
        if self._leaving is not None or self.held >= min(self.limits.total, self._fitting):
            raise Unavailable
        if self._owners[owner] >= self.limits.each:
            raise RateLimited(FULL_RETRY, "Too many sockets are open")
        socket = Socket(self, owner, tags, holds)
        self._owners[owner] += 1
        room = self._rooms.get(upstream.name)
        if room is None:
            room = self._rooms[upstream.name] = WaitingRoom(self.loop)
        whole = request + handshake.request_lines(self.key)
        knock = Knock(self, upstream, room, whole, offer, caller, socket, limit)
        self._knocks.add(knock)
        knock.begin()
        return knock

    @property
    def waiting(self) -> int:
        """How many handshakes wait for a service that is away."""
        return sum(map(len, self._rooms.values()))

    def answered(self, knock: Knock, *, stands: bool) -> None:
        """Hear what came of a knock."""
        self._knocks.discard(knock)
        if stands:
            self._open.add(knock.socket)
        else:
            self._release(knock.socket)

    def forget(self, socket: Socket) -> None:
        """Hear that a socket is no more."""
        self._open.discard(socket)
        self._release(socket)

    def _release(self, socket: Socket) -> None:
        if socket.loan is not None:
            socket.loan.close()
        self._owners[socket.owner] -= 1
        if not self._owners[socket.owner]:
            del self._owners[socket.owner]

    # Ending.

    def evict(self, tag: str) -> None:
        """End the sockets of a session, account or key that is revoked.

        A machine's sockets have no tags: its service ends them, with the goodbye of its protocol.
        """
        for socket in tuple(self._open):
            if tag in socket.tags:
                socket.end(POLICY, "login revoked", may_return=False)

    def shutdown(self) -> None:
        """Open no more, have services say goodbye in their protocol's words, then end the rest.

        Clients may come back only after such a goodbye (teams contract, section 10.5), and only
        the service knows it. So the service is told first, and the caller hears what it says.
        """
        if self._leaving is not None:
            return
        self._leaving = self.loop.call_later(self.limits.farewell, self._leave)
        for knock in tuple(self._knocks):
            knock.fail(Unavailable())
        for socket in tuple(self._open):
            socket.part(GOING_AWAY, _STOPS)

    def _leave(self) -> None:
        for socket in tuple(self._open):
            socket.end(GOING_AWAY, _STOPS)

    async def _ask(self) -> None:
        """Ask whether logins still hold: an event may have been missed, and tokens run out."""
        try:
            for socket in [one for one in self._open if one.holds is not None]:
                if socket.holds is not None and not await socket.holds(time.monotonic()):
                    socket.end(POLICY, "login over", may_return=False)
        finally:
            self._asking = None

    def own(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        """Run something that ends with the gateway at the latest."""
        task = self.loop.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def deadline(self) -> float:
        """Give when an end that has been told to close must have done so."""
        return self.loop.time() + self.limits.linger

    def look(self) -> None:
        """See whose time is up, now and at every tick."""
        if self._ticking is not None:
            self._ticking.cancel()
        self._ticking = self.loop.call_later(self.limits.tick, self.look)
        now, idle = self.loop.time(), self.limits.idle
        for socket in tuple(self._open):
            socket.look(now, idle)
        if now >= self._asks_at and self._asking is None:
            self._asks_at = now + self.limits.renewal
            self._asking = self.own(self._ask(), "ask for logins")
        for knock in tuple(self._knocks):
            knock.look(now)
