"""Places that namespaces share: what hangs in one must not take them from the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

EACH: Final = 10
"""Calls of tools that one namespace has under way in a process; more wait for these."""


class Shares:
    """A bound for each namespace, kept while it has anything under way.

    Args:
        each: places of one.
    """

    def __init__(self, each: int = EACH) -> None:
        self._each = each
        self._places: dict[str, asyncio.Semaphore] = {}
        self._users: dict[str, int] = {}

    @asynccontextmanager
    async def place(self, namespace: str, seconds: float) -> AsyncIterator[None]:
        """Hold a place of a namespace.

        Args:
            namespace: whose.
            seconds: that may be waited for it.

        Raises:
            TimeoutError: none was free in that time.
        """
        places = self._places.setdefault(namespace, asyncio.Semaphore(self._each))
        self._users[namespace] = self._users.get(namespace, 0) + 1
        try:
            async with asyncio.timeout(seconds):
                await places.acquire()
            try:
                yield
            finally:
                places.release()
        finally:
            self._users[namespace] -= 1
            if not self._users[namespace]:
                del self._users[namespace], self._places[namespace]

    def __len__(self) -> int:
        return len(self._places)
