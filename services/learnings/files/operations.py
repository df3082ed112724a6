"""Large files in an object store, streamed both ways."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class FileStore:
    """Files by key. Open it with ``opened``."""

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str) -> AsyncIterator[FileStore]:
        """Open the store.

        Args:
            url: ``file:///path`` or ``s3://bucket/prefix``.
        """
        yield cls()
