"""The object store, on a folder and on an S3 of our own."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from shared.errors import BadRequest, NotFound, Unavailable
from shared.object_store import FileStore
from tests.services.learnings.files_support import environment, files_below, pieces_of, s3

LARGE = os.urandom(12_000_000)


@pytest.fixture(scope="module", params=["file", "s3"])
async def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[FileStore]:
    if request.param == "file":
        async with FileStore.opened((tmp_path_factory.mktemp("s") / "a b").as_uri()) as opened:
            yield opened
        return
    with s3() as server, environment(server.variables):
        async with FileStore.opened(server.url) as opened:
            yield opened


async def read(store: FileStore, key: str, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([piece async for piece in await store.get(key, start, end)])


@pytest.mark.parametrize("size", [0, 1, 65_536, 5 * 1_048_576, len(LARGE)])
async def test_what_is_put_comes_back(store: FileStore, size: int) -> None:
    await store.put("sizes/one", pieces_of(LARGE[:size]))
    assert await store.size("sizes/one") == size
    assert await read(store, "sizes/one") == LARGE[:size]


async def test_parts_are_read_alone(store: FileStore) -> None:
    await store.put("parts/one", pieces_of(LARGE))
    assert await read(store, "parts/one", 10, 20) == LARGE[10:20]
    assert await read(store, "parts/one", len(LARGE) - 3) == LARGE[-3:]
    assert await read(store, "parts/one", 6_000_000, 11_000_000) == LARGE[6_000_000:11_000_000]
    assert await read(store, "parts/one", 7, 7) == b""


async def test_what_is_deleted_is_gone_and_may_be_deleted_again(store: FileStore) -> None:
    await store.put("gone/one", pieces_of(b"x"))
    await store.delete("gone/one")
    await store.delete("gone/one")
    with pytest.raises(NotFound):
        await store.get("gone/one")
    with pytest.raises(NotFound):
        await store.size("gone/one")


async def test_keys_are_listed_by_prefix(store: FileStore) -> None:
    for name in ("b", "a"):
        await store.put(f"listed/{name}", pieces_of(b"x"))
    await store.put("listed-not/c", pieces_of(b"x"))
    assert await store.keys("listed") == ["listed/a", "listed/b"]
    assert await store.keys("nothing") == []


@pytest.mark.parametrize("size", [10, 11_000_000])
async def test_an_upload_whose_source_fails_leaves_nothing(store: FileStore, size: int) -> None:
    async def failing() -> AsyncIterator[bytes]:
        async for piece in pieces_of(LARGE[:size]):
            yield piece
        raise BadRequest("no more")

    with pytest.raises(BadRequest, match="no more"):
        await store.put("failed/one", failing())
    assert await store.keys("failed") == []


async def test_an_upload_that_is_given_up_leaves_nothing(store: FileStore) -> None:
    reached, never = asyncio.Event(), asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        async for piece in pieces_of(LARGE):
            yield piece
        reached.set()
        await never.wait()

    task = asyncio.create_task(store.put("given-up/one", endless()))
    async with asyncio.timeout(30):
        await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await store.keys("given-up") == []


async def test_s3_keeps_no_parts_of_what_failed_or_was_given_up() -> None:
    reached, never = asyncio.Event(), asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        async for piece in pieces_of(LARGE):
            yield piece
        reached.set()
        await never.wait()

    async def failing() -> AsyncIterator[bytes]:
        async for piece in pieces_of(LARGE):
            yield piece
        raise BadRequest

    with s3() as server, environment(server.variables):
        async with FileStore.opened(f"s3://{server.bucket}") as store:
            with pytest.raises(BadRequest):
                await store.put("one", failing())
            task = asyncio.create_task(store.put("two", stuck()))
            async with asyncio.timeout(30):
                await reached.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        async with httpx.AsyncClient() as client:
            endpoint = server.variables["AWS_ENDPOINT_URL"]
            answer = await client.get(f"{endpoint}/{server.bucket}?uploads")
    assert answer.status_code == 200
    assert "<Upload>" not in answer.text


async def test_two_uploads_of_a_key_at_once_leave_one_of_them_whole(store: FileStore) -> None:
    first, second = LARGE[:6_000_000], LARGE[6_000_000:]
    await asyncio.gather(
        store.put("twice/one", pieces_of(first)), store.put("twice/one", pieces_of(second))
    )
    assert await read(store, "twice/one") in (first, second)


@pytest.mark.parametrize(
    "key",
    ["", "/", "/a", "a/", "../a", "a/../b", "a/..", ".", ".a", "a//b", "a\\b", "a b", "a\x00b",
     "ä", "a/./b", "a..b", "a" * 600, "a\n"],
)  # fmt: skip
async def test_keys_lead_nowhere_else(store: FileStore, key: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        await store.put(key, pieces_of(b"x"))
    for call in (store.get, store.delete, store.size, store.keys):
        with pytest.raises(ValueError, match="not a key"):
            await call(key)


async def test_a_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "er"
    async with FileStore.opened(folder.as_uri()) as store:
        await store.put("one", pieces_of(b"x"))
    assert folder.stat().st_mode & 0o777 == 0o700
    assert files_below(folder) == [folder / "one"]


async def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    async with FileStore.opened((tmp_path / "s").as_uri()) as store:
        (tmp_path / "s" / "taken").write_bytes(b"a file where a folder is needed")
        with pytest.raises(Unavailable):
            await store.put("taken/one", pieces_of(b"x"))


async def test_a_store_that_does_not_answer_is_unavailable(unused_port: int) -> None:
    variables = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{unused_port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_SESSION_TOKEN": "",
    }
    with environment(variables):
        async with FileStore.opened("s3://bucket") as store:
            with pytest.raises(Unavailable):
                await store.get("one")
            with pytest.raises(Unavailable):
                await store.put("one", pieces_of(b"x"))


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
