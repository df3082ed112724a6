"""Bodies whose size and digest are checked while they pass."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from typing import Final

from shared.errors import BadRequest, ServiceError, TooLarge

PATIENCE: Final = 120.0
"""Seconds between two pieces of a body."""


class Checked:
    """A body on its way; ``size`` and ``sha256`` are right once it has ended.

    Args:
        pieces: the body.
        limit: bytes that it may have.
        size: bytes that it must have, if that is known.
        sha256: what it must hash to in hexadecimal, if that is known.
        refusal: makes the error for a body that is not as announced.
    """

    def __init__(
        self,
        pieces: AsyncIterator[bytes],
        *,
        limit: int,
        size: int | None = None,
        sha256: str | None = None,
        refusal: Callable[[str], ServiceError] = BadRequest,
    ) -> None:
        self._pieces = pieces
        self._limit = limit
        self._wanted = (size, sha256)
        self._refusal = refusal
        self._hash = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        """Of what has passed, in hexadecimal."""
        return self._hash.hexdigest()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the pieces.

        Raises:
            TooLarge: there are more bytes than allowed.
            ServiceError: the refusal, or that the caller went quiet.
        """
        size, sha256 = self._wanted
        while (piece := await self._next()) is not None:
            self.size += len(piece)
            if size is not None and self.size > size:
                raise self._refusal(f"The body has more than the {size} bytes announced")
            if self.size > self._limit:
                raise TooLarge(f"The body may have at most {self._limit} bytes")
            self._hash.update(piece)
            yield piece
        if size is not None and self.size != size:
            raise self._refusal(f"The body has {self.size} bytes, announced were {size}")
        if sha256 is not None and self.sha256 != sha256:
            raise self._refusal("The body's SHA-256 is not the one announced")

    async def read(self) -> None:
        """Check the body without keeping it."""
        async for _ in self:
            continue

    async def _next(self) -> bytes | None:
        try:
            async with asyncio.timeout(PATIENCE):
                return await anext(self._pieces, None)
        except TimeoutError:
            raise BadRequest("The body did not arrive in time") from None
