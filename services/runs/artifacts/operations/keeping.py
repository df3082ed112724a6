"""The object store of runs: one folder for each run, and objects of no run below ``checks``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from services.runs.artifacts import rules, store
from shared.db import Database
from shared.errors import NotFound, TooLarge
from shared.object_store import FileStore

LARGEST: Final = 256 * 1_048_576
"""Bytes of one artifact."""

OF_NO_RUN: Final = "checks"
"""The first segment of keys that belong to no run; never sent as they are."""

LARGEST_OF_NO_RUN: Final = 32 * 1_048_576


class Store:
    """Keeps artifacts. Open it with ``opened``.

    Every method raises ``Unavailable`` when the object store or the database is away, and
    ``ValueError`` for a path that could lead elsewhere.

    Attributes:
        files: the object store itself.
    """

    def __init__(self, database: Database, files: FileStore, run_limit: int) -> None:
        self._database = database
        self._run_limit = run_limit
        self.files = files

    @classmethod
    @asynccontextmanager
    async def opened(cls, database: Database, url: str, run_limit: int) -> AsyncIterator[Store]:
        """Open the store.

        Args:
            database: the service's.
            url: of the object store, ``file:///path`` or ``s3://bucket/prefix``.
            run_limit: bytes that the artifacts of one run may have together.
        """
        async with FileStore.opened(url) as files:
            yield cls(database, files, run_limit)

    async def put(
        self, org_id: str, run_id: str, path: str, source: bytes | AsyncIterator[bytes]
    ) -> int:
        """Keep an artifact of a run; one of the same path is replaced.

        Args:
            org_id: whose run it is.
            run_id: of the run.
            path: within the run's folder.
            source: the bytes, at once or as they come.

        Returns:
            How many bytes that were.

        Raises:
            NotFound: there is no such run, or it was deleted.
            TooLarge: it, or the run's artifacts together, would be too large.
        """
        key = f"{run_id}/{path}"
        if rules.split(key) != (run_id, path):
            raise ValueError("not a path of an artifact")
        async with self._database.statement() as connection:
            kept = await store.note(connection, org_id, run_id)
        if kept is None:
            raise NotFound
        counted = _Counted(source, min(LARGEST, self._run_limit - kept))
        await self.files.put(key, counted.pieces())
        async with self._database.statement() as connection:
            await store.grow(connection, org_id, run_id, counted.size)
        return counted.size

    async def get(self, org_id: str, run_id: str, path: str, limit: int = LARGEST) -> bytes:
        """Give an artifact of a run.

        Raises:
            NotFound: there is none.
            TooLarge: it has more bytes than ``limit``.
        """
        async with self._database.connection() as connection:
            if not await store.has_run(connection, org_id, run_id):
                raise NotFound
        rules.split(f"{run_id}/{path}")
        return await self._read(f"{run_id}/{path}", limit)

    async def delete_run(self, org_id: str, run_id: str) -> None:
        """Delete what a run left, at once; ``drop`` it in the transaction that deletes the run."""
        async with self._database.connection() as connection:
            if await store.has_run(connection, org_id, run_id):
                raise ValueError("the run is still there")
        await self.files.delete_folder(run_id)

    async def put_object(self, key: str, content: bytes) -> None:
        """Keep an object of no run; who keeps it deletes it."""
        await self.files.put(_of_no_run(key), _Counted(content, LARGEST_OF_NO_RUN).pieces())

    async def get_object(self, key: str) -> bytes:
        """Give an object of no run.

        Raises:
            NotFound: there is none.
        """
        return await self._read(_of_no_run(key), LARGEST_OF_NO_RUN)

    async def delete_object(self, key: str) -> None:
        """Delete an object of no run; one that is not there is no trouble."""
        await self.files.delete(_of_no_run(key))

    async def ping(self) -> None:
        """Try whether artifacts can be kept."""
        await self.files.ping()

    async def _read(self, key: str, limit: int) -> bytes:
        if await self.files.size(key) > limit:
            raise TooLarge(f"The artifact has more than {limit} bytes")
        return b"".join([piece async for piece in await self.files.get(key)])


def _of_no_run(key: str) -> str:
    if not key.startswith(f"{OF_NO_RUN}/"):
        raise ValueError(f"keys of no run begin with {OF_NO_RUN}")
    return key


class _Counted:
    """A source on its way; ``size`` is right once it has ended."""

    def __init__(self, source: bytes | AsyncIterator[bytes], limit: int) -> None:
        self._source = source
        self._limit = limit
        self.size = 0

    async def pieces(self) -> AsyncIterator[bytes]:
        if isinstance(self._source, bytes):
            self._count(self._source)
            yield self._source
            return
        async for piece in self._source:
            self._count(piece)
            yield piece

    def _count(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size > self._limit:
            raise TooLarge("The run's artifacts may not have as many bytes")
