"""The public keys of access tokens: fetched at start and every ten seconds, never for a token.

A token with an unknown key is refused without a question, or anybody could make the gateway ask.
Auth lets a new key rest for 30 seconds before it signs, so every gateway knows it by then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final

from shared.errors import Unavailable
from shared.log import get_logger
from shared.tokens import VerifyKey

INTERVAL: Final = 10.0
"""Seconds between two fetches."""

FIRST_INTERVAL: Final = 0.2
"""Seconds between two tries while there are no keys at all."""

log = get_logger()


class SigningKeys:
    """The newest key set, kept while auth is away.

    Args:
        fetch: gets the set.
        on_change: called when a key that was there is gone, so that what it signed is forgotten.
    """

    def __init__(
        self, fetch: Callable[[], Awaitable[dict[str, VerifyKey]]], on_change: Callable[[], None]
    ) -> None:
        self._fetch = fetch
        self._on_change = on_change
        self._task: asyncio.Task[None] | None = None
        self._has_complained = False
        self._loaded = asyncio.Event()
        self.current: Mapping[str, VerifyKey] = {}

    @property
    def is_loaded(self) -> bool:
        """Whether there has been a set yet."""
        return bool(self.current)

    async def start(self) -> None:
        """Begin to fetch, in an owned task; returns at once."""
        self._task = asyncio.create_task(self._run(), name="signing keys")

    async def settle(self, patience: float) -> None:
        """Wait for the first set, but no more than so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._loaded.wait()

    async def stop(self) -> None:
        """End the task."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def refresh(self) -> None:
        """Fetch the set now; on failure the last one stays."""
        try:
            keys = await self._fetch()
        except Unavailable:
            if not self.is_loaded and not self._has_complained:
                self._has_complained = True
                log.info("no signing keys yet", effect="tokens get 503 until auth answers")
            return
        if not keys:
            log.error("auth publishes no signing key")
            return
        gone = self.current.keys() - keys.keys()
        self.current = keys
        self._loaded.set()
        if gone:
            self._on_change()

    async def _run(self) -> None:
        while True:
            try:
                await self.refresh()
            except Exception:
                log.exception("signing keys not fetched")
            await asyncio.sleep(INTERVAL if self.is_loaded else FIRST_INTERVAL)
