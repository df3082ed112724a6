"""A connection that is kept: opened, watched, and opened again whenever it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

from shared.bus.tasks import wait
from shared.bus.transport import BusUnavailable, backoff
from shared.log import get_logger

T = TypeVar("T")

log = get_logger()


class Link(Generic[T]):
    """Keeps one session with a server, one after the other, while ``run`` runs.

    Args:
        name: for the log.
        open_session: opens a session, closes it on leaving, and sets the event given to it when
            the session is lost.
        watch: called every ``interval`` seconds; raises ``BusUnavailable`` if the session is dead,
            though nobody said so.
        interval: seconds between two looks.
    """

    def __init__(
        self,
        name: str,
        open_session: Callable[[asyncio.Event], AbstractAsyncContextManager[T]],
        watch: Callable[[T], Awaitable[None]],
        interval: float,
    ) -> None:
        self._name = name
        self._open_session = open_session
        self._watch = watch
        self._interval = interval
        self._up = asyncio.Event()
        self._lost = asyncio.Event()
        self._session: T | None = None
        self.epoch = 0
        """How many sessions there have been: what was told to one, the next may not know."""

    async def session(self) -> T:
        """Give the session, waiting for one for ever; bound it by a timeout."""
        while self._session is None:
            await self._up.wait()
        return self._session

    def rebuild(self) -> None:
        """Give the session up: it does not answer, though it is open."""
        self._up.clear()
        self._session = None
        self._lost.set()

    async def run(self) -> None:
        """Keep a session until cancelled."""
        failures = 0
        while True:
            try:
                await self._keep_one()
                failures = 0
            except BusUnavailable as error:
                failures += 1
                # Only the type: a library's text may carry the URL with its password.
                cause = type(error.__cause__).__name__
                log.warning("broker away", link=self._name, cause=cause)
            await asyncio.sleep(backoff(failures))

    async def _keep_one(self) -> None:
        self._lost.clear()
        async with self._open_session(self._lost) as session:
            self._session = session
            self.epoch += 1
            self._up.set()
            log.info("broker connected", link=self._name)
            try:
                while not await wait(self._lost, self._interval):
                    await self._watch(session)
            finally:
                self._up.clear()
                self._session = None
        log.warning("broker connection lost", link=self._name)
