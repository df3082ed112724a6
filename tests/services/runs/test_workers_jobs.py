"""What a worker's settings say of the browser stands in its command line in the end."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path
from typing import Any

import pytest

from services.runs.engine.browser.browsers import Browsers
from services.runs.engine.browser.models import BrowserGone, BrowserSettings
from services.runs.engine.host.models import Job
from services.runs.engine.host.process import assignment_of, browser_of
from services.runs.runs import operations
from services.runs.settings import RunsSettings
from services.runs.workers.operations.jobs import Jobs
from shared.vault import Vault
from tests.services.runs.conftest import SUITE, Runs, runs_settings
from tests.support.postgres import DatabaseUrls

DISPLAY = ":99"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A browser that writes down how it was started, and ends."""
    path = tmp_path / "browser program"
    log = shlex.quote(str(tmp_path / "started"))
    path.write_text(f'#!/bin/sh\necho "DISPLAY=$DISPLAY" "$@" >> {log}\nexit 1\n')
    path.chmod(0o755)
    return path


async def job_of(runs: Runs, urls: DatabaseUrls, scratch: Path, headed: bool, **more: Any) -> Job:
    """Make a run's job as a worker with these settings does, and read it as the process does."""
    await runs.add_run(runs.member().org, headed=headed)
    settings = runs_settings(urls, **more)
    assert isinstance(settings, RunsSettings)
    (order,) = await operations.claim(runs.database, "w", 1, 60)
    jobs = Jobs(runs.database, settings, Vault(settings.key_for_secrets()))
    made = await jobs.job(order, SUITE, scratch, 0.0)
    return Job.model_validate_json(made.model_dump_json())


async def started(settings: BrowserSettings) -> list[str]:
    """Start the browser, and give how often and with which words that was."""
    with pytest.raises(BrowserGone):
        async with Browsers.opened(settings):
            pass
    log = settings.scratch / "started"
    return (await asyncio.to_thread(log.read_text)).splitlines()


async def test_a_contained_browser_is_asked_for_and_never_quietly_replaced(
    runs: Runs, urls: DatabaseUrls, tmp_path: Path, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", DISPLAY)
    more = {"GUILDHALL_BROWSER_SANDBOX": "1", "GUILDHALL_RUNS_CHROMIUM": str(program)}
    job = await job_of(runs, urls, tmp_path, True, **more)
    assert (assignment_of(job).is_headed, browser_of(job).sandbox) == (True, True)
    (line,) = await started(browser_of(job))
    assert "--no-sandbox" not in line
    # Where there is a display, a run that is to be seen is seen.
    assert "--headless" not in line
    assert f"DISPLAY={DISPLAY} " in line


async def test_a_browser_is_neither_contained_nor_seen_where_that_is_said(
    runs: Runs, urls: DatabaseUrls, tmp_path: Path, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    more = {"GUILDHALL_BROWSER_SANDBOX": "0", "TRIPWIRE_HEADLESS": "0"}
    job = await job_of(runs, urls, tmp_path, False, GUILDHALL_CHROMIUM=str(program), **more)
    assert (browser_of(job).headed, browser_of(job).sandbox) == (True, False)
    (line,) = await started(browser_of(job))
    assert "--no-sandbox" in line
    assert "--headless" in line


async def test_what_settings_leave_open_the_machine_decides(
    runs: Runs, urls: DatabaseUrls, tmp_path: Path
) -> None:
    remote = "ws://chrome.test:9222/devtools/browser/1"
    job = await job_of(runs, urls, tmp_path, False, TRIPWIRE_CDP=remote)
    settings = browser_of(job)
    assert (settings.sandbox, settings.headed, settings.executable) == (None, False, None)
    assert settings.endpoint == remote
