"""Bodies that pass piece by piece, and how long-lived answers learn that the process is to stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from starlette.requests import ClientDisconnect, Request

from shared.errors import BadRequest, TooLarge


async def pieces_of(request: Request, limit: int) -> AsyncIterator[bytes]:
    """Give a request body as it comes.

    Args:
        request: whose body nobody has read yet.
        limit: bytes.

    Raises:
        TooLarge: it has more, or says so beforehand.
        BadRequest: the caller hung up in the middle.
    """
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > limit:
        raise TooLarge(f"The body may have at most {limit} bytes")
    size = 0
    try:
        async for piece in request.stream():
            size += len(piece)
            if size > limit:
                raise TooLarge(f"The body may have at most {limit} bytes")
            if piece:
                yield piece
    except ClientDisconnect:
        raise BadRequest("The body ended too early") from None


class Draining:
    """Tells answers without an end that they must end now, because the process is to stop."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    @property
    def is_set(self) -> bool:
        """Whether the process is to stop."""
        return self._event.is_set()

    def begin(self) -> None:
        """Tell everybody who waits."""
        self._event.set()

    async def wait(self, seconds: float) -> bool:
        """Wait that long, or until the process is to stop; tell whether it is."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()
        return self._event.is_set()
