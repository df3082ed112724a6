"""Jobs of a browser that are no runs, with real processes of a program that stands in for it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from services.runs.errands import operations as errands
from services.runs.errands.models import ErrandFailed, Heard
from services.runs.settings import RunsSettings
from services.runs.workers.models import Place
from services.runs.workers.operations import processes
from services.runs.workers.operations.errands import ErrandWorker
from shared.bus import Transport
from shared.errors import LimitExceeded, NotFound
from shared.secret import encode_base64url
from shared.vault import Vault
from tests.services.runs.conftest import Runs, new_org
from tests.services.runs.errand_worker import PROGRAM
from tests.services.runs.runs_support import until
from tests.services.runs.workers_support import ROOT, limits
from tests.support.postgres import DatabaseUrls

SECRET = f"pw-{uuid4().hex}"


class Errands:
    """The operations as a test calls them, for one organization."""

    def __init__(self, runs: Runs, folder: Path) -> None:
        self.runs = runs
        self.folder = folder
        self.org = new_org()
        self.database = runs.database
        self.vault: Vault = runs.resources[Vault]
        self.settings: RunsSettings = runs.resources[RunsSettings]

    async def perform(self, word: str, seconds: float = 20.0, org: str = "") -> Any:
        transport: Transport = self.runs.resources[Transport]
        return await errands.perform(
            self.database,
            transport,
            self.vault,
            org or self.org,
            kind="crawl",
            order={"do": word, "password": SECRET},
            seconds=seconds,
        )

    async def begin(self, word: str, org: str = "", patience_s: float = 60.0) -> str:
        return await errands.begin(
            self.database,
            self.vault,
            org or self.org,
            kind="record",
            order={"do": word, "password": SECRET},
            seconds=60,
            patience_s=patience_s,
        )

    async def status(self, errand_id: str, org: str = "") -> str:
        found = await errands.state(self.database, self.vault, org or self.org, errand_id)
        return found.status

    async def becomes(self, errand_id: str, status: str, org: str = "") -> None:
        async def there() -> bool:
            return await self.status(errand_id, org) == status

        await until(there, f"never {status}")

    def families(self) -> list[int]:
        """Give the living processes of errands."""
        mark = f"{self.folder}/errands".encode()
        found = []
        for each in processes.living():
            try:
                environment = Path("/proc", str(each.pid), "environ").read_bytes()
            except OSError:
                continue
            if mark in environment and each.pid != os.getpid():
                found.append(each.pid)
        return found

    async def none_left(self) -> None:
        async def clean() -> bool:
            return not self.families() and not list(self.folder.glob("errands/*/1"))

        await until(clean, "something is left")

    @asynccontextmanager
    async def working(self, lease_s: float = 3.0, **more: Any) -> AsyncIterator[ErrandWorker]:
        settings = self.settings.model_copy(update=more)
        place = Place(PROGRAM, self.folder / "errands", ROOT)
        quick = limits(lease_s=lease_s, cancel_s=1.0)
        async with ErrandWorker(self.database, self.vault, settings, place, quick) as worker:
            yield worker

    async def rows(self) -> list[Any]:
        return await self.runs.sql.fetch("SELECT * FROM runs.errand WHERE org_id = $1", self.org)


@pytest.fixture
async def there(runs: Runs, tmp_path: Path) -> Errands:
    await runs.sql.execute("DELETE FROM runs.errand")  # what earlier tests have left
    return Errands(runs, tmp_path)


async def test_an_errand_gives_its_result_or_says_why_not(
    there: Errands, capsys: pytest.CaptureFixture[str]
) -> None:
    async with there.working():
        assert await there.perform("done") == {"did": "done", "length": len(SECRET)}
        with pytest.raises(ErrandFailed) as refused:
            await there.perform("fail")
        assert (refused.value.reason, refused.value.code) == (
            "It may not be reached.",
            "url_not_allowed",
        )
        with pytest.raises(ErrandFailed, match="ended without a word"):
            await there.perform("crash")
        with pytest.raises(ErrandFailed, match="not done in time") as late:
            await there.perform("hold", seconds=1.5)
        assert late.value.code == "timeout"
        await there.none_left()
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err


async def test_whoever_leaves_takes_his_errand_along(there: Errands) -> None:
    async with there.working() as worker:
        waiting = asyncio.create_task(there.perform("hold"))

        async def two_live() -> bool:
            return len(there.families()) >= 2

        await until(two_live, "never began")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        worker.hurried.set()
        await there.none_left()
        # One whose caller died without a word ends when nobody has asked for it.
        left = await there.begin("hold", patience_s=3)
        await until(two_live, "never began")
        await there.none_left()
        await there.becomes(left, "cancelled")


async def test_words_cross_both_ways_in_order_and_stay_with_nobody(there: Errands) -> None:
    async with there.working():
        errand_id = await there.begin("echo")
        heard = partial(errands.heard, there.database, there.vault, there.org, errand_id)
        tell = partial(errands.tell, there.database, there.vault, there.org, errand_id)
        await first_picture(heard)
        for number in range(20):
            await tell({"text": f"{SECRET}-{number}"})
        words: list[Heard] = []
        after = 0
        began = time.monotonic()
        while sum(not word.slot for word in words) < 20:
            assert time.monotonic() - began < 15
            found = await heard(after)
            after = max([after, *(word.n for word in found)])
            words += found
            await asyncio.sleep(0.02)
        said = [word.content["text"] for word in words if not word.slot]
        assert said == [f"{SECRET}-{number}" for number in range(20)]
        pictures = [word.content["n"] for word in words if word.slot]
        assert pictures == sorted(set(pictures))
        kept = await there.runs.sql.fetch("SELECT * FROM runs.errand_told")
        assert sum(row["slot"] == "picture" for row in kept) == 1
        assert SECRET.encode() not in repr([dict(row) for row in kept]).encode()
        await tell({"text": "stop"})
        await there.becomes(errand_id, "done")
        (row,) = await there.rows()
        assert row["order"] is None
        with pytest.raises(LimitExceeded):
            await tell({"text": "too late"})
        await errands.forget(there.database, there.org, errand_id)
        with pytest.raises(NotFound):
            await there.status(errand_id)
        assert not await there.runs.sql.fetch("SELECT 1 FROM runs.errand_told")


async def first_picture(heard: Callable[[], Awaitable[list[Heard]]]) -> None:
    async def shown() -> bool:
        return bool(await heard())

    await until(shown, "nothing was told")


async def test_a_killed_worker_or_process_fails_the_errand_and_leaves_nothing(
    there: Errands,
) -> None:
    async with there.working():
        errand_id = await there.begin("hold")

        async def two_live() -> bool:
            return len(there.families()) >= 2

        await until(two_live, "never began")
        os.kill(min(there.families()), signal.SIGKILL)
        await there.becomes(errand_id, "failed")
        await there.none_left()
    # A worker that died: its lease is over, another one ends what it had.
    lost = await there.begin("hold")
    await there.runs.sql.execute(
        "UPDATE runs.errand SET status = 'running', worker = 'dead', fence = 4, "
        "lease_until = clock_timestamp() - interval '1 s' WHERE id = $1",
        lost,
    )
    async with there.working(), there.working():
        await there.becomes(lost, "failed")
    found = await errands.state(there.database, there.vault, there.org, lost)
    assert "worker" in found.reason
    assert {row["order"] for row in await there.rows()} == {None}


async def test_what_a_killed_worker_had_is_ended_by_another(
    there: Errands, urls: DatabaseUrls
) -> None:
    key = encode_base64url(bytes(range(32)))
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.services.runs.errand_worker", str(there.folder)),
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "GUILDHALL_PROFILE": "development",
            "GUILDHALL_DATABASE_URL": urls.url("runs"),
            "GUILDHALL_BROKER_URL": urls.url("bus"),
            "GUILDHALL_ROOT_SECRET": key,
            "GUILDHALL_RUNS_ENCRYPTION_KEY": key,
            "GUILDHALL_DATA_DIR": str(there.folder),
            "GUILDHALL_LOG_LEVEL": "error",
        },
    )
    try:
        errand_id = await there.begin("hold")

        async def two_live() -> bool:
            return len(there.families()) >= 2

        await until(two_live, "never began")
    finally:
        worker.kill()
        await worker.wait()
    async with there.working():
        await there.becomes(errand_id, "failed")
        await there.none_left()
    assert {row["order"] for row in await there.rows()} == {None}


async def test_workers_share_what_waits_and_no_organization_takes_all(there: Errands) -> None:
    crowd = [await there.begin("hold") for _ in range(4)]
    other = new_org()
    late = await there.begin("hold", other)
    bounds = {"max_errands": 2, "max_errands_per_organization": 2}
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(there.working(**bounds))
        await there.becomes(late, "running", other)
        assert [await there.status(each) for each in crowd] == ["running"] * 2 + ["queued"] * 2
        await errands.end(there.database, there.org, crowd[3])
        assert await there.status(crowd[3]) == "cancelled"
        await errands.end(there.database, there.org, crowd[0])
        await there.becomes(crowd[0], "cancelled")
        await there.becomes(crowd[2], "running")
        await there.runs.sql.execute("DELETE FROM runs.errand WHERE org_id = $1", there.org)
    for _ in range(20):
        await there.begin("hold")
    with pytest.raises(LimitExceeded, match="20 browsers"):
        await there.begin("hold")
