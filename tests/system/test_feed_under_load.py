"""The feed's promises with several processes, under load and after a kill (sections 8.5, 8.6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from tests.services.learnings.conftest import Tenant
from tests.services.learnings.sync_support import Puller, entry, push
from tests.support import feed_load
from tests.support.postgres import DatabaseUrls
from tests.support.service_process import running_service

pytestmark = pytest.mark.slow

SECONDS = 8.0
LIMIT = 30.0


async def test_no_poller_misses_a_row_or_sees_numbers_fall(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    async with (
        running_service("learnings", database_urls, tmp_path) as one,
        running_service("learnings", database_urls, tmp_path) as two,
    ):
        tenant, report = await feed_load.run([one.url, two.url], SECONDS, seed=20_261_122)
    connection = await asyncpg.connect(database_urls.url("learnings"), timeout=10)
    try:
        rows = await connection.fetch(
            "SELECT id, feed_id, sync_seq FROM learnings.learning WHERE org_id = $1 AND served",
            tenant.org,
        )
    finally:
        await connection.close(timeout=5)
    assert {row["id"] for row in rows} == report.acknowledged
    committed = {row["feed_id"]: row["sync_seq"] for row in rows}
    assert len(committed) == len(rows) > 50
    assert report.done["change"] > 10
    for poller in report.pollers:
        held = {name: row["sync_seq"] for name, row in poller.rows.items()}
        assert held == committed
        assert poller.seen == sorted(set(poller.seen))


class Muffler:
    """Stands before a database. Once armed, it lets each commit through but no word of it back."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.armed = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._enter, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            back, there = await asyncio.open_connection(*self._target)
            muted = asyncio.Event()
            with suppress(OSError, asyncio.CancelledError):
                await asyncio.gather(
                    self._ask(reader, there, muted), self._answer(back, writer, muted)
                )
            there.close()
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _ask(
        self, reader: asyncio.StreamReader, there: asyncio.StreamWriter, muted: asyncio.Event
    ) -> None:
        while data := await reader.read(65_536):
            if self.armed and b"COMMIT" in data:
                muted.set()
            there.write(data)
            await there.drain()
        there.close()

    async def _answer(
        self, back: asyncio.StreamReader, writer: asyncio.StreamWriter, muted: asyncio.Event
    ) -> None:
        while data := await back.read(65_536):
            if not muted.is_set():
                writer.write(data)
                await writer.drain()
        writer.close()


async def test_resend_after_a_kill_between_write_and_answer_is_skipped(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    parts = urlsplit(database_urls.admin)
    muffler = Muffler(parts.hostname or "", parts.port or 5432)
    batch = [entry(f"L-{number}") for number in range(20)]
    connection = await asyncpg.connect(database_urls.url("learnings"), timeout=10)
    count = "SELECT count(*) FROM learnings.learning"
    background = {"GUILDHALL_SERVE_BACKGROUND": "0"}
    async with muffler.open():
        login = parts.netloc.rpartition("@")[0]
        muffled = parts._replace(netloc=f"{login}@127.0.0.1:{muffler.port}").geturl()
        through = replace(database_urls, admin=muffled)
        async with (
            running_service("learnings", through, tmp_path, **background) as process,
            httpx.AsyncClient(base_url=process.url, timeout=LIMIT) as client,
        ):
            tenant = Tenant(client)
            muffler.armed = True
            pushing = asyncio.create_task(push(tenant, *batch))
            async with asyncio.timeout(LIMIT):
                while await connection.fetchval(count) == 0:
                    await asyncio.sleep(0.01)
            assert not pushing.done()
            await process.kill()
            with pytest.raises(httpx.TransportError):
                await pushing
    async with (
        running_service("learnings", database_urls, tmp_path, **background) as process,
        httpx.AsyncClient(base_url=process.url, timeout=LIMIT) as client,
    ):
        tenant.client = client
        answer = await push(tenant, *batch)
        assert (answer["inserted"], answer["updated"], answer["skipped"]) == (0, 0, 20)
        puller = Puller(tenant)
        await puller.pull_all()
        assert len(puller.rows) == 20
    assert await connection.fetchval(count) == 20
    await connection.close(timeout=5)
