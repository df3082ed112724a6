"""Workers and runs that are killed, put to sleep or told to stop (sections 7.1 and 19)."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import uuid4

import pytest

from services.runs.workers import rules
from services.runs.workers.operations import processes
from shared.secret import encode_base64url
from tests.services.runs.conftest import Runs
from tests.services.runs.runs_support import PATIENCE, until
from tests.services.runs.test_workers_executing import assert_whole, kinds
from tests.services.runs.workers_support import ROOT, Works, limits, none_left
from tests.support.postgres import DatabaseUrls

pytestmark = pytest.mark.slow

LEASE = "1.5"


@pytest.fixture
async def works(runs: Runs, tmp_path: Path) -> Works:
    await runs.sql.execute("DELETE FROM runs.run")  # what earlier tests have left
    return Works(runs, tmp_path, runs.member())


@asynccontextmanager
async def worker(
    works: Works, urls: DatabaseUrls, **more: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a worker in a process of its own, until the context is left."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.services.runs.worker_process", str(works.folder)),
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "GUILDHALL_PROFILE": "development",
            "GUILDHALL_DATABASE_URL": urls.url("runs"),
            "GUILDHALL_BROKER_URL": urls.url("bus"),
            "GUILDHALL_ROOT_SECRET": encode_base64url(bytes(range(32))),
            "GUILDHALL_RUNS_ENCRYPTION_KEY": encode_base64url(bytes(range(32))),
            "GUILDHALL_RUNS_LEASE_SECONDS": LEASE,
            "GUILDHALL_RUNS_STOP_SECONDS": "0.3",
            "GUILDHALL_DATA_DIR": str(works.folder),
            "GUILDHALL_LOG_LEVEL": "error",
            **more,
        },
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                process.kill()
            await process.wait()


async def gone(pid: int) -> None:
    """Wait until a process is dead."""

    async def dead() -> bool:
        process = processes._read(pid)
        return process is None or process.is_dead

    await until(dead, "still alive")


async def child_of(works: Works) -> int:
    """Give the process of the only run."""

    async def one() -> int | None:
        found = [pid for pid in works.processes() if os.getsid(pid) == pid]
        return min(found) if found else None

    pid: int = await until(one, "no process")
    return pid


async def begin(works: Works, *words: str) -> str:
    run_id = await works.queue("case a passed", "report", "family", *words, f"hold {works.gate()}")
    return run_id


async def test_a_worker_killed_leaves_its_run_to_others(works: Works, urls: DatabaseUrls) -> None:
    run_id = await begin(works)
    waiting = await works.queue("event 1")
    async with worker(works, urls, GUILDHALL_MAX_CONCURRENT_RUNS="1") as first:
        await works.says(run_id, "case_end")
        child = await child_of(works)
        first.kill()
        await first.wait()
        await gone(child)
    assert (await works.read(waiting))["status"] == "queued"
    async with worker(works, urls):
        run = await works.becomes(run_id, "interrupted")
        await works.becomes(waiting, "passed")
        assert_whole(run)
        assert run["summary"]["passed"] == 1
        await none_left_of_the_dead(works)


async def none_left_of_the_dead(works: Works) -> None:
    async def clean() -> bool:
        return not works.processes()

    await until(clean, "something is left")


async def test_an_orphan_is_ended_by_who_comes_next(works: Works, urls: DatabaseUrls) -> None:
    run_id = await begin(works)
    async with worker(works, urls, GUILDHALL_RUNS_LEASE_SECONDS="60") as first:
        await works.says(run_id, "case_end")
        first.kill()
        await first.wait()
    assert works.processes(), "its family has a session of its own"
    async with works.working(limits(lease_s=60), urls=urls):
        run = await works.becomes(run_id, "interrupted")
        assert_whole(run)
        await none_left_of_the_dead(works)

        async def swept() -> bool:
            return len(list(works.folder.glob("runs/*"))) == 1

        await until(swept, "its folder is left")


async def test_a_strangers_process_of_the_same_number_is_left_alone(works: Works) -> None:
    stranger = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "import time; time.sleep(60)", start_new_session=True
    )
    try:
        started = processes.started_at(stranger.pid)
        assert await processes.end_all("nobody's", stranger.pid, started + 1) == 0
        assert stranger.returncode is None
        os.kill(stranger.pid, 0)
        assert await processes.end_all("nobody's", stranger.pid, started) == 0
        assert await asyncio.wait_for(stranger.wait(), PATIENCE) == -signal.SIGKILL
    finally:
        if stranger.returncode is None:
            stranger.kill()
            await stranger.wait()


async def test_a_child_killed_interrupts_its_run(works: Works, urls: DatabaseUrls) -> None:
    run_id = await begin(works)
    async with works.working(urls=urls):
        await works.says(run_id, "case_end")
        os.kill(await child_of(works), signal.SIGKILL)
        run = await works.becomes(run_id, "interrupted")
    assert_whole(run)
    await none_left(works)


async def test_a_child_put_to_sleep_is_killed(works: Works, urls: DatabaseUrls) -> None:
    run_id = await begin(works)
    async with works.working(limits(silence_s=0.8), urls=urls):
        await works.says(run_id, "case_end")
        os.kill(await child_of(works), signal.SIGSTOP)
        run = await works.becomes(run_id, "interrupted")
    assert "no sign of life" in run["events"][-2]["message"]
    await none_left(works)


async def test_a_sleeping_worker_loses_its_run_and_its_child(
    works: Works, urls: DatabaseUrls
) -> None:
    run_id = await begin(works, "event 1")
    async with worker(works, urls) as sleeper:
        await works.says(run_id, "action")
        child = await child_of(works)
        sleeper.send_signal(signal.SIGSTOP)
        async with works.working(urls=urls):
            run = await works.becomes(run_id, "interrupted")
            assert_whole(run)
            await gone(child)  # its leash was over
            sleeper.send_signal(signal.SIGCONT)
            await none_left_of_the_dead(works)
        assert await works.read(run_id) == run, "the sleeper has written nothing"
        assert sleeper.returncode is None


async def test_a_worker_told_to_stop_ends_its_runs_at_once(
    works: Works, urls: DatabaseUrls
) -> None:
    run_id = await begin(works)
    async with worker(works, urls, GUILDHALL_REQUEUE_INTERRUPTED="1") as first:
        await works.says(run_id, "case_end")
        first.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(first.wait(), 20) == 0
    run = await works.read(run_id)
    assert (run["status"], run["attempt"]) == ("queued", 2), "before its lease has ended"
    await none_left(works)


async def test_a_database_that_is_away_for_a_moment_loses_nothing(
    works: Works, urls: DatabaseUrls
) -> None:
    gate = works.gate()
    run_id = await works.queue("event 5", f"hold {gate}", "event 50", "report", "event 5")
    async with works.working(limits(lease_s=20), urls=urls):
        await works.says(run_id, "action")
        cut = """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE usename = current_user AND datname = current_database()
               AND pid <> pg_backend_pid()
        """
        gate.touch()
        for _ in range(20):
            await works.runs.sql.execute(cut)
            await asyncio.sleep(0.02)
        run = await works.becomes(run_id, "passed")
    assert_whole(run)
    assert kinds(run).count("action") == 60


async def test_two_workers_end_a_lost_run_once(works: Works, urls: DatabaseUrls) -> None:
    lost = await works.runs.add_run(works.member.org)
    await works.runs.sql.execute(
        "UPDATE runs.run SET status = 'running', worker = 'dead', fence = 7, "
        "lease_until = clock_timestamp() - interval '1 s' WHERE id = $1",
        lost,
    )
    async with works.working(urls=urls), works.working(urls=urls):
        assert_whole(await works.becomes(lost, "interrupted"))


def test_words_typed_are_no_part_of_a_complaint() -> None:
    text = """Traceback (most recent call last):
  File "/app/x.py", line 7, in fill
    await page.fill("s3cret")
playwright.TimeoutError: waiting for s3cret
s3cret
"""
    told = rules.harmless(text)
    assert told == 'File "/app/x.py", line 7, in fill < playwright.TimeoutError'


async def test_what_a_browsers_short_path_led_through_goes_with_the_run(tmp_path: Path) -> None:
    token = uuid4().hex
    left = Path(tempfile.mkdtemp(prefix=f"guildhall-{token[:8]}-"))
    (left / "b").symlink_to(tmp_path, target_is_directory=True)
    kept = tmp_path / "kept"
    kept.touch()
    await processes.end_all(token, 2**22, 0)
    assert not left.exists()
    assert kept.exists()
