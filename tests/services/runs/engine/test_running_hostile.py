"""Pages that crash, close, wander and lie: they cost their own case its verdict, and no other."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Error

from services.runs.engine.browser.browsers import Browsers
from services.runs.engine.browser.models import BrowserSettings, Gone
from services.runs.engine.browser.stage import Stage
from services.runs.engine.running.execution import execute
from services.runs.engine.running.models import Assignment
from services.runs.workers.operations import processes
from tests.services.runs.engine.browser_support import (
    Pages,
    browsers_for,
    pages_served,
    staged,
    until,
)
from tests.services.runs.engine.running_support import LOCAL, Recorder, case_of, run_suite, verdicts

START = """<title>Start</title><h1>Start</h1>
<p id=k></p><p id=w></p>
<button onclick="this.textContent='Crashing'">Crash</button>
<button onclick="open('/', '', 'noopener')">Another</button>
<button onclick="window.close()">Vanish</button>
<script>
localStorage.kept ||= 'kept-' + Date.now();
k.textContent = document.cookie + ' ' + localStorage.kept;
w.textContent = innerWidth + ' wide';
document.cookie = 'seen=before';
</script>"""

CASES = """
- {id: crash, title: t, steps: [{do: Click "Crash"}, {do: Click "Start", id: doomed}]}
- id: crashed
  title: t
  viewport: {width: 900, height: 600}
  steps: [{do: Hover over "Crash"}]
  expect: [{check: {kind: visible_text, contains: seen=before}},
           {check: {kind: visible_text, contains: 900 wide}}]
- id: vanish
  title: t
  steps: [{do: Click "Another"}, {do: Switch to tab 1}, {do: Close the tab}, {do: Click "Vanish"}]
- id: vanished
  title: t
  steps: [{do: Hover over "Crash"}]
  expect: [{check: {kind: visible_text, contains: seen=before}}]
- {id: reload, title: t, steps: [{do: Open /reload}]}
- {id: restless, title: t, steps: [{do: Open /restless}]}
- {id: hides, title: t, steps: [{do: Open /hides}, {do: 'Enter "x" into "Field"'}]}
- {id: left, title: t, steps: [{do: Hover over "Crash"}]}
"""

HIDES = "<form><input aria-label=Field name=getAttribute></form>"
RESTLESS = "<h1>R</h1><script>setInterval(() => { location.href = '/restless?' + Date.now(); }, 10)"
RELOADING = "<h1>R</h1><script>setInterval(() => location.reload(), 100)"


def end_renderers() -> None:
    """Kill the processes of all pages that this process has open."""
    mine = {os.getpid()}
    living = processes.living()
    while more := {one.pid for one in living if one.parent in mine} - mine:
        mine |= more
    for pid in mine:
        if b"--type=renderer" in command(pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@dataclass
class Killer(Recorder):
    """Kills the page when the case ``crash`` begins its second step."""

    async def say(self, event: Mapping[str, Any]) -> None:
        await super().say(event)
        if (event["kind"], event.get("step_id")) == ("step_start", "doomed"):
            end_renderers()


def command(pid: int) -> bytes:
    """The command line of a process, empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def suite(pages: Pages, cases: str) -> str:
    return f"suite: S\nid: s\nbase_url: {pages.url}/\nretries: 0\ncases:{cases}"


async def test_a_tab_that_is_lost_costs_its_own_case_alone(tmp_path: Path) -> None:
    async with pages_served() as pages:
        pages.content |= {"/": START, "/hides": HIDES, "/restless": RESTLESS, "/reload": RELOADING}
        ending, _ = await run_suite(suite(pages, CASES), tmp_path, Killer())
    reports = {case["id"]: case for case in ending.report["cases"]}
    for broken, reason in (("crash", "page_stuck: The page crashed."), ("vanish", "page_stuck: ")):
        assert reports[broken]["verdict"] == "broken"
        assert reports[broken]["reason"].startswith(reason)
        done = [step for step in reports[broken]["steps"] if step["status"] != "skipped"]
        assert [step["status"] for step in done] == ["passed"] * (len(done) - 1) + ["broken"]
        assert done[-1]["error"]
    for whole in ("crashed", "vanished", "reload", "restless", "left"):
        assert reports[whole]["verdict"] == "passed", reports[whole]
    assert "hides “getAttribute”" in reports["hides"]["reason"]
    assert ending.status == "broken"


def children() -> set[int]:
    """Give our children, of which other tests may have some for longer."""
    return {one.pid for one in processes.living() if one.parent == os.getpid()}


def descendants() -> set[int]:
    """Give our children, theirs, and so on: on this machine others have browsers, too."""
    living, found = processes.living(), {os.getpid()}
    while more := {one.pid for one in living if one.parent in found} - found:
        found |= more
    return found - {os.getpid()}


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("kill -9 $$", "interrupted"),
        ("kill -9 $PPID", "interrupted"),
        ("exec sleep 60", "browser_missing"),
        ("exit 1", "browser_missing"),
    ],
    ids=["killed", "without its driver", "silent", "broken"],
)
async def test_a_browser_that_is_killed_while_it_starts_is_not_missing(
    script: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.runs.engine.browser.browsers._START", 1.5)
    program = tmp_path / "chromium"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    text = suite(Pages(80), "\n- {id: a, title: t, steps: [{do: Open /}]}")
    run = Assignment("r", 1, "f", text, None, tmp_path)
    settings = BrowserSettings(LOCAL, tmp_path, executable=str(program))
    before = children()
    async with asyncio.timeout(30):
        ending = await execute(run, settings, Recorder(), None)
    assert ending.status == ("interrupted" if reason == "interrupted" else "broken")
    assert ending.report["cases"][0]["reason"].split(":")[0] == reason
    assert children() <= before


async def test_a_frozen_browser_is_ended_soon(tmp_path: Path) -> None:
    before = descendants()
    async with asyncio.timeout(20):
        async with browsers_for(LOCAL, tmp_path):
            frozen = [pid for pid in descendants() - before if b"--headless" in command(pid)]
            assert frozen
            for pid in frozen:
                os.kill(pid, signal.SIGSTOP)
        await until(lambda: not [one for one in processes.living() if one.pid in frozen])


HANGING = """<script>setTimeout(() => {
  const request = new XMLHttpRequest();
  request.open('GET', '/hang', false);
  request.send();
}, 300)</script>"""


async def test_a_tab_that_does_nothing_any_more_is_left(tmp_path: Path) -> None:
    async with pages_served() as pages, browsers_for(LOCAL, tmp_path) as browsers:
        pages.content |= {"/": START, "/stuck": HANGING}
        async with staged(browsers, pages.url) as stage:
            await stage.goto(pages.url)
            assert not await stage.renew()
            await stage.goto(f"{pages.url}/stuck")
            await until(lambda: bool(pages.saw("/hang")))
            assert await stage.renew()
            await stage.goto(pages.url)
            assert "seen=before kept-" in await stage.visible_text("#k")


async def test_a_case_without_a_page_costs_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opens, failures = Browsers.stage, [Gone("closed"), Error("Protocol error")]

    async def stage(browsers: Browsers, **options: Any) -> Stage:
        if failures:
            raise failures.pop()
        return await opens(browsers, **options)

    monkeypatch.setattr(Browsers, "stage", stage)
    async with pages_served() as pages:
        pages.content["/"] = START
        steps = 'title: t, steps: [{do: Hover over "Crash"}]'
        cases = "".join(f"- {{id: {name}, {steps}}}\n" for name in ("first", "second", "third"))
        text = f"suite: S\nid: s\nbase_url: {pages.url}\nretries: 0\ncases:\n{cases}"
        ending, _ = await run_suite(text, tmp_path)
    assert verdicts(ending) == {"first": "broken", "second": "broken", "third": "passed"}
    assert case_of(ending, "first")["reason"].startswith("page_stuck")
