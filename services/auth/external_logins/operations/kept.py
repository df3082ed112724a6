"""Documents of issuers, kept for a while, and longer while the issuer is away.

Fetches are bounded in number: whoever sends us tokens cannot make us fetch more often than every
half minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from shared.errors import Unavailable
from shared.fetch import FetchFailed
from shared.log import get_logger

STALE_LIFE: Final = 86_400.0
"""Seconds for which what was fetched is used while the issuer is away."""

PAUSE: Final = 30.0
"""Seconds between two tries at one document, when it is missing, stale or lacks a key."""

T = TypeVar("T")
Clock = Callable[[], float]

log = get_logger()


class Kept(Generic[T]):
    """One document: fetched when it is first asked for, and again when it is old.

    Args:
        name: of the issuer, for the log.
        fetch: gets it anew; raises ``FetchFailed``.
        life: seconds for which it is fresh.
        clock: monotonic seconds.
    """

    def __init__(
        self, name: str, fetch: Callable[[], Awaitable[T]], life: float, clock: Clock
    ) -> None:
        self._name = name
        self._fetch = fetch
        self._life = life
        self._clock = clock
        self._value: T | None = None
        self._fetched_at = 0.0
        self._tried_at: float | None = None
        self._failed = False
        self._turn = asyncio.Lock()

    async def get(self) -> T:
        """Give the document, fresh if that is possible.

        Raises:
            Unavailable: it cannot be had, nor was it within the last day.
        """
        if self._value is None or self._age() >= self._life:
            async with self._turn:
                if self._value is None or self._age() >= self._life:
                    await self._try()
        return self._held()

    async def renew(self, had: T) -> T:
        """Give a newer document than one that lacked something, if one may be fetched now.

        Raises:
            Unavailable: the last try failed, so what was lacking may well exist.
        """
        async with self._turn:
            if self._value is had:
                await self._try()
        if self._failed:
            raise self._away()
        return self._held()

    async def _try(self) -> None:
        now, before = self._clock(), self._tried_at
        if before is not None and now - before < PAUSE:
            return
        self._tried_at = now
        try:
            self._value = await self._fetch()
        except FetchFailed as error:
            self._failed = True
            log.warning("issuer gives no answer", issuer=self._name, reason=error.reason)
        except BaseException:
            # Whoever asked went away; that says nothing of the issuer, and others wait.
            self._tried_at = before
            raise
        else:
            self._failed = False
            self._fetched_at = self._clock()

    def _held(self) -> T:
        if self._value is None or self._age() >= self._life + STALE_LIFE:
            raise self._away()
        return self._value

    def _age(self) -> float:
        return self._clock() - self._fetched_at

    def _away(self) -> Unavailable:
        waited = self._clock() - (self._tried_at or 0.0)
        seconds = max(1, int(PAUSE - waited) + 1)
        return Unavailable("The issuer cannot be reached; try again", retry_after=seconds)
