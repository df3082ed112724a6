"""Small things every owned task needs: to wait for a signal, and to be ended."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Self


class Owned(ABC):
    """What runs in tasks of its own between ``start`` and ``stop``, or while it is entered."""

    @abstractmethod
    async def start(self) -> None:
        """Begin, in owned tasks."""

    @abstractmethod
    async def stop(self) -> None:
        """End the tasks and wait for them."""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


async def cancel(*tasks: asyncio.Task[None]) -> None:
    """Cancel tasks and wait until they have ended; what they raised was theirs to log."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def wait(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event, but no longer than that; return whether it is set."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return event.is_set()
    return True
