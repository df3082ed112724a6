"""The object store: a folder, or S3 and what speaks like it, through one library."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import stat
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from shared.errors import NotFound, Unavailable
from shared.log import get_logger

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import ClientConfig, RetryConfig

PART: Final = 5 * 1_048_576
"""Bytes of a part: the least that S3 takes."""

PARTS: Final = 2
"""Parts of one upload that are under way at once; with ``UPLOADS`` they bound the memory."""

UPLOADS: Final = 6
"""Uploads at once in this process; further ones wait."""

QUEUE_PATIENCE: Final = 20.0
"""Seconds that an upload waits for its turn."""

FOLDER_PATIENCE: Final = 120.0
"""Seconds that the deletion of a folder may take."""

UPLOAD_PATIENCE: Final = 3600.0
"""Seconds that one upload may take in all."""

PATIENCE: Final = 30.0
"""Seconds for the store to answer, and for each piece of a file."""

PIECE: Final = 524_288
"""Bytes of a file that are sent at once, or little more."""

LONGEST_KEY: Final = 512
"""Characters."""

_KEY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*")

_CLIENT: Final[ClientConfig] = {
    "connect_timeout": timedelta(seconds=5),
    "read_timeout": timedelta(seconds=PATIENCE),
    "timeout": timedelta(seconds=600),
}
_RETRY: Final[RetryConfig] = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}

log = get_logger()


def check_key(key: str) -> str:
    """Give the key back if it may name an object.

    Raises:
        ValueError: it could lead elsewhere than into the store.
    """
    if len(key) > LONGEST_KEY or not _KEY.fullmatch(key) or ".." in key:
        raise ValueError("not a key of an object")
    return key


@dataclass(frozen=True, slots=True)
class Found:
    """An object: its bytes, and an entity tag that is another one when it was written anew."""

    size: int
    etag: str


class FileStore:
    """Files by key. Open it with ``opened``. Keys that could lead elsewhere are a ``ValueError``.

    Every method raises ``Unavailable`` when the store cannot be reached or does not answer in time.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._turns = asyncio.Semaphore(UPLOADS)

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str) -> AsyncIterator[FileStore]:
        """Open the store.

        Args:
            url: ``file:///path``, a folder that is made for this user alone, or
                ``s3://bucket/prefix`` with the AWS_* variables of the environment.
        """
        yield cls(await asyncio.to_thread(_store_at, url))

    async def put(self, key: str, pieces: AsyncIterator[bytes]) -> None:
        """Write a file as its pieces come; it is there when all of it is, or not at all.

        Raises:
            Exception: what the pieces raise; nothing is then stored.
        """
        check_key(key)
        try:
            async with asyncio.timeout(QUEUE_PATIENCE):
                await self._turns.acquire()
        except TimeoutError:
            raise Unavailable("Too many uploads at once") from None
        try:
            async with _reaching("put"), asyncio.timeout(UPLOAD_PATIENCE):
                await _Write(self._store, key, pieces).run()
        finally:
            self._turns.release()

    async def get(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Open a file, and give its bytes from ``start`` up to ``end`` as they come.

        Raises:
            NotFound: there is none.
        """
        check_key(key)
        if end is not None and end <= start:
            return _nothing()
        if isinstance(self._store, LocalStore):
            return self._ranges(key, start, min(await self.size(key), end or 2**63))
        wanted: GetOptions = {}
        if start or end is not None:
            wanted["range"] = {"offset": start} if end is None else (start, end)
        async with _reaching("get"), asyncio.timeout(PATIENCE):
            found = await obstore.get_async(self._store, key, options=wanted)
        return _pieces(aiter(found.stream(min_chunk_size=PIECE)))

    async def _ranges(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Read a file of a folder: the library streams one in 8 KiB, at ten times the cost."""
        for at in range(start, end, PIECE):
            async with _reaching("read"), asyncio.timeout(PATIENCE):
                piece = await obstore.get_range_async(
                    self._store, key, start=at, end=min(at + PIECE, end)
                )
            yield bytes(piece)

    async def delete(self, key: str) -> None:
        """Delete a file; one that is not there is no trouble."""
        check_key(key)
        try:
            async with _reaching("delete"), asyncio.timeout(PATIENCE):
                if isinstance(self._store, LocalStore):
                    await asyncio.to_thread(_delete_begun, self._store, key)
                await obstore.delete_async(self._store, key)
        except NotFound:
            return

    async def size(self, key: str) -> int:
        """Give a file's bytes.

        Raises:
            NotFound: there is none.
        """
        return (await self.find(key)).size

    async def find(self, key: str) -> Found:
        """Say what is known of a file.

        Raises:
            NotFound: there is none; a link is none.
        """
        check_key(key)
        async with _reaching("head"), asyncio.timeout(PATIENCE):
            if isinstance(self._store, LocalStore) and not await asyncio.to_thread(
                _is_file, self._store, key
            ):
                raise NotFound
            found = await obstore.head_async(self._store, key)
        tag = found["e_tag"] or f"{found['last_modified'].timestamp()}-{found['size']}"
        return Found(found["size"], '"' + tag.strip('"') + '"')

    async def keys(self, prefix: str, limit: int = 1000) -> list[str]:
        """List keys below a prefix, in order, at most so many."""
        check_key(prefix)
        async with _reaching("list"), asyncio.timeout(PATIENCE):
            pages = obstore.list(self._store, prefix, chunk_size=limit)
            async for page in pages:
                return sorted(found["path"] for found in page)
        return []

    async def delete_folder(self, prefix: str, keep: Collection[str] = ()) -> None:
        """Delete everything below a prefix, but for the names in ``keep`` directly below it."""
        check_key(prefix)
        kept = {f"{prefix}/{name}" for name in keep}
        if isinstance(self._store, LocalStore):
            async with _reaching("delete"), asyncio.timeout(FOLDER_PATIENCE):
                await asyncio.to_thread(_delete_folder, self._store, prefix, kept)
            return
        async with _reaching("delete"), asyncio.timeout(FOLDER_PATIENCE):
            async for page in obstore.list(self._store, prefix):
                keys = [found["path"] for found in page if found["path"] not in kept]
                if keys:
                    await obstore.delete_async(self._store, keys)

    async def ping(self) -> None:
        """Try whether the store is there and, where it is a folder, can be written."""
        async with _reaching("ping"), asyncio.timeout(PATIENCE):
            if isinstance(self._store, LocalStore):
                if not await asyncio.to_thread(os.access, str(self._store.prefix), os.W_OK):
                    raise PermissionError("the folder cannot be written")
                return
            async for _ in obstore.list(self._store, "ping", chunk_size=1):
                return


class _Write:
    """One upload, which ends its parts in the store however it ends itself."""

    def __init__(self, store: ObjectStore, key: str, pieces: AsyncIterator[bytes]) -> None:
        self._store, self._key, self._pieces = store, key, pieces
        self._stopped = asyncio.Event()
        self._error: BaseException | None = None

    async def run(self) -> None:
        put = obstore.put_async(
            self._store, self._key, self._watched(), chunk_size=PART, max_concurrency=PARTS
        )
        task = asyncio.ensure_future(put)
        try:
            await asyncio.shield(task)
        except BaseException:
            if not task.done():
                # Only an error in its source makes the library give its parts back.
                self._stopped.set()
                await asyncio.wait([task], timeout=PATIENCE)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            if self._error is not None and not isinstance(self._error, _Stopped):
                raise self._error from None
            raise

    async def _watched(self) -> AsyncIterator[bytes]:
        try:
            while True:
                piece = await self._next()
                if piece is None:
                    return
                yield piece
        except BaseException as error:
            self._error = error
            raise

    async def _next(self) -> bytes | None:
        """Give the next piece, or stop when the upload is given up."""
        reading = asyncio.ensure_future(anext(self._pieces, None))
        stopped = asyncio.ensure_future(self._stopped.wait())
        try:
            await asyncio.wait([reading, stopped], return_when=asyncio.FIRST_COMPLETED)
            if self._stopped.is_set():
                raise _Stopped
            return reading.result()
        finally:
            for task in (reading, stopped):
                task.cancel()
            await asyncio.gather(reading, stopped, return_exceptions=True)


class _Stopped(Exception):
    """The upload was given up; its caller knows why."""


@asynccontextmanager
async def _reaching(what: str) -> AsyncIterator[None]:
    try:
        yield
    except (BaseError, OSError, TimeoutError) as error:
        if isinstance(error, FileNotFoundError) and what != "put":
            raise NotFound from None
        log.error("file store unavailable", call=what, error=str(error)[:500])
        raise Unavailable("The file store cannot be reached") from error


async def _pieces(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    while True:
        async with _reaching("read"), asyncio.timeout(PATIENCE):
            piece = await anext(stream, None)
        if piece is None:
            return
        yield bytes(piece)


async def _nothing() -> AsyncIterator[bytes]:
    yield b""


def _delete_begun(store: LocalStore, key: str) -> None:
    """Delete what a killed process has begun; the library writes beside, as ``<key>#<number>``."""
    assert store.prefix is not None  # _store_at gives one
    path = Path(store.prefix, key)
    for begun in path.parent.glob(f"{path.name}#*"):
        begun.unlink(missing_ok=True)


def _is_file(store: LocalStore, key: str) -> bool:
    """Tell whether a plain file is there, without a link on the way: nobody of us makes one."""
    assert store.prefix is not None  # _store_at gives one
    root = os.path.realpath(store.prefix)
    path = os.path.join(root, key)
    try:
        return stat.S_ISREG(os.lstat(path).st_mode) and os.path.realpath(path) == path
    except (FileNotFoundError, NotADirectoryError):
        return False


def _delete_folder(store: LocalStore, prefix: str, kept: Collection[str]) -> None:
    assert store.prefix is not None  # _store_at gives one
    root = Path(store.prefix, prefix)
    if not kept:
        shutil.rmtree(root, onerror=_unless_gone)
        return
    for path in root.iterdir() if root.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, onerror=_unless_gone)
        elif f"{prefix}/{path.name}" not in kept:
            path.unlink(missing_ok=True)


def _unless_gone(function: object, path: str, error: Any) -> None:
    if not isinstance(error[1], FileNotFoundError):
        raise error[1]


def _store_at(url: str) -> ObjectStore:
    parts = urlsplit(url)
    if parts.scheme == "file":
        folder = Path(url2pathname(parts.path))
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return LocalStore(folder)
    # An empty variable counts as absent, here as everywhere; the library would take it for a key.
    for name in [name for name in os.environ if name.startswith("AWS_") and not os.environ[name]]:
        del os.environ[name]
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    client: ClientConfig = {**_CLIENT, "allow_http": endpoint.startswith("http://")}
    return from_url(url, client_options=client, retry_config=_RETRY)
