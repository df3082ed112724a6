"""Causes on their way from a run's end into its report, its files, its issues and events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from services.runs.artifacts.operations import Store
from services.runs.engine.evidence.tracing import trace_id_of
from tests.services.runs.conftest import Runs
from tests.services.runs.runs_support import said
from tests.services.runs.test_causes_rules import PYTHON
from tests.services.runs.test_workers_executing import assert_whole, kinds
from tests.services.runs.workers_support import Works, limits, none_left
from tests.support.postgres import DatabaseUrls

SECRET = "correct-horse-battery"
BACKEND_ERROR = "KeyError: 'vat' at price (/srv/shop/orders/pricing.py:88)"


@pytest.fixture
def works(runs: Runs, tmp_path: Path) -> Works:
    return Works(runs, tmp_path, runs.member())


def logged(path: Path, run_id: str) -> dict[str, Any]:
    """Let the tested application have logged a failure; give the settings that find it."""
    trace = trace_id_of(run_id, 1, "pay", 1)
    path.write_text(f"2026-03-02T10:00:00Z ERROR order of {SECRET} failed {trace}\n{PYTHON}\n")
    return {"log_backend": "file", "log_file": str(path)}


async def test_a_cause_is_in_report_files_issue_and_event(works: Works, urls: DatabaseUrls) -> None:
    run_id = await works.queue(f"secrets {SECRET}", "request 500", "case pay failed", "end failed")
    settings = await asyncio.to_thread(logged, works.folder / "shop.log", run_id)
    async with works.working(urls=urls, **settings):
        run = await works.becomes(run_id, "failed")
    assert_whole(run)
    cause = run["report"]["cases"][0]["root_cause"]
    assert sorted(cause) == [
        "category",
        "confidence",
        "evidence",
        "server_error",
        "suggested_fix",
        "suspected_cause",
    ]
    assert (cause["category"], cause["server_error"]) == ("backend_error", BACKEND_ERROR)
    store: Store = works.runs.resources[Store]
    org = works.member.org
    for name in ("report.json", "report.html", "junit.xml"):
        kept = (await store.get(org, run_id, name, limit=1_000_000)).decode()
        assert "pricing.py:88" in kept
        assert SECRET not in kept
    written = await store.get(org, run_id, "report.json", limit=1_000_000)
    assert json.loads(written) == run["report"]
    issue_id = run["report"]["cases"][0]["issue"]["id"]
    issue = (await works.runs.get(f"issues/{issue_id}", works.member)).json()
    assert "**Backend error**" in issue["body_md"]
    assert BACKEND_ERROR in issue["body_md"]
    await works.runs.patch(f"issues/{issue_id}", works.member, {"status": "closed"})
    told = {kind: event for kind, event in await said(works.runs, org)}
    closed = told["issue.closed.v1"]
    assert closed["root_cause"] == cause["suspected_cause"]
    assert closed["evidence"][: len(cause["evidence"])] == cause["evidence"]
    assert SECRET not in json.dumps([run, issue, told])


async def test_why_logs_were_not_read_is_an_event(works: Works, urls: DatabaseUrls) -> None:
    run_id = await works.queue("secrets", "request 503", "case pay failed", "end failed")
    settings: dict[str, Any] = {
        "log_backend": "file",
        "log_file": str(works.folder / "none.log"),
    }
    async with works.working(urls=urls, **settings):
        run = await works.becomes(run_id, "failed")
    assert_whole(run)
    assert kinds(run).count("log") == 1
    (event,) = [event for event in run["events"] if event["kind"] == "log"]
    assert event["message"].startswith("LOG_FILE cannot be read: ")
    assert run["report"]["cases"][0]["root_cause"]["category"] == "backend_error"


@asynccontextmanager
async def mute() -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A log service that takes whoever comes, and never says a word."""
    came = asyncio.Event()
    leave = asyncio.Event()

    async def on_connection(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.set()
        await leave.wait()
        writer.close()

    server = await asyncio.start_server(on_connection, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", came
    finally:
        leave.set()
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize("how", ["stopped", "cancelled"])
async def test_whoever_ends_a_run_does_not_wait_for_logs(
    works: Works, urls: DatabaseUrls, how: str
) -> None:
    run_id = await works.queue("secrets", "request 500", "case pay failed", "end failed")
    async with mute() as (url, came):
        settings: dict[str, Any] = {"log_backend": "http", "log_http_url": url}
        async with works.working(limits(grace_s=0.1, cancel_s=0.1), urls=urls, **settings):
            await came.wait()
            assert (await works.read(run_id))["status"] == "running"
            if how == "cancelled":
                await works.runs.post(f"runs/{run_id}/cancel", works.member)
                await works.becomes(run_id, "failed", "cancelled")
        run = await works.read(run_id)
    assert run["status"] == "failed"
    assert_whole(run)
    await none_left(works)
