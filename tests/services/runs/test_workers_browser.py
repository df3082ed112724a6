"""The real engine under a worker: a browser is left behind by nobody (sections 7.1 and 18.8)."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from services.runs.workers.operations import PROGRAM
from tests.services.runs import workers_support
from tests.services.runs.conftest import Runs
from tests.services.runs.runs_support import queue
from tests.services.runs.test_workers_executing import assert_whole, kinds
from tests.services.runs.workers_support import Works, limits, none_left
from tests.support.postgres import DatabaseUrls
from tests.support.shop import Shop, serving

pytestmark = pytest.mark.slow

SUITE = """\
suite: Shop
id: shop
base_url: {url}
cases:
  - id: about
    title: The shop says who it is
    steps:
      - do: Open /about
    expect:
      - check: {{kind: url, path_is: /about}}
  - id: patience
    title: Somebody waits
    tags: [slow]
    steps:
      - do: Open /products
      - do: Wait 9 seconds
      - do: Wait 9 seconds
      - do: Wait 9 seconds
      - do: Wait 9 seconds
"""


@pytest.fixture
async def shop() -> AsyncIterator[Any]:
    async with serving() as served:
        yield served


@pytest.fixture
async def works(runs: Runs, tmp_path: Path, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Works:
    monkeypatch.setattr(workers_support, "STAND_IN", PROGRAM)
    member = runs.member()
    text = SUITE.format(url=shop.url)  # type: ignore[attr-defined]
    await runs.add_suite(member.org, "shop.tripwire.yaml", text, suite_id="shop")
    return Works(runs, tmp_path, member)


@asynccontextmanager
async def waiting(works: Works, urls: DatabaseUrls) -> AsyncIterator[str]:
    """Execute a run up to where it waits, its browser open."""
    run_id = await queue(works.runs, works.member, suite="shop")
    async with works.working(limits(lease_s=15, silence_s=10, cancel_s=7), urls=urls):
        await works.says(run_id, "case_end")
        names = [Path("/proc", str(pid), "cmdline").read_text() for pid in works.processes()]
        assert any("--type=renderer" in name for name in names), "no browser"
        yield run_id


async def test_a_case_that_holds_passes_in_a_real_browser(works: Works, urls: DatabaseUrls) -> None:
    run_id = await queue(works.runs, works.member, suite="shop", cases=["about"])
    async with works.working(limits(lease_s=15, silence_s=10), urls=urls):
        run = await works.becomes(run_id, "passed", "failed", "broken", "interrupted")
    assert run["status"] == "passed", run["report"]
    assert_whole(run)
    shots = run["report"]["cases"][0]["shots"]
    path = f"artifacts/{run_id}/{shots[0]['path']}"
    picture = await works.runs.get(path, works.member)
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/png")
    await none_left(works)


async def test_a_run_is_cancelled_within_ten_seconds(works: Works, urls: DatabaseUrls) -> None:
    async with waiting(works, urls) as run_id:
        began = time.monotonic()
        await works.runs.post(f"runs/{run_id}/cancel", works.member)
        run = await works.becomes(run_id, "cancelled")
        # A renewal comes within five seconds; what is told over the bus comes at once.
        assert time.monotonic() - began < 20
    assert_whole(run)
    assert kinds(run).count("case_end") >= 1
    assert run["report"]["status"] == "cancelled"
    await none_left(works)


async def test_a_killed_run_leaves_no_browser(works: Works, urls: DatabaseUrls) -> None:
    async with waiting(works, urls) as run_id:
        engines = [pid for pid in works.processes() if "services.runs.engine" in command(pid)]
        assert engines
        for pid in engines:
            os.kill(pid, signal.SIGKILL)
        run = await works.becomes(run_id, "interrupted")
        assert_whole(run)
        await none_left(works)


def command(pid: int) -> str:
    return Path("/proc", str(pid), "cmdline").read_text().replace("\0", " ")
