"""Which browser is taken, and what is said where there is none."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from services.runs.engine.browser import programs
from services.runs.engine.browser.models import BrowserSettings
from services.runs.engine.running.execution import execute
from services.runs.engine.running.models import Assignment
from tests.services.runs.engine.running_support import LOCAL, Recorder
from tests.services.runs.suite_texts import SUITE


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine on which no package has put a browser; its home."""
    monkeypatch.setattr(programs, "DEBIAN", tmp_path / "usr/bin/chromium")
    for name in (programs.FOLDER, "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    return tmp_path


def executable(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(0o755)
    return path


def revision() -> str:
    """Of the Chromium that this Playwright starts."""
    package = find_spec("playwright")
    assert package is not None
    assert package.origin is not None
    listed = Path(package.origin).parent / "driver" / "package" / "browsers.json"
    found: list[dict[str, Any]] = json.loads(listed.read_bytes())["browsers"]
    return next(str(each["revision"]) for each in found if each["name"] == "chromium")


def test_a_machine_without_a_browser_is_told_how_to_get_one(bare: Path) -> None:
    assert programs.missing(None, {"HOME": str(bare)}) == "There is no browser on this machine."
    assert programs.missing("", {}) == "There is no browser on this machine."
    assert "apt install chromium" in programs.ADVICE
    assert "GUILDHALL_RUNS_CHROMIUM" in programs.ADVICE


def test_the_packages_browser_is_taken_where_none_is_named(bare: Path) -> None:
    own = executable(programs.DEBIAN)
    assert programs.chosen(None) == str(own)
    assert programs.missing(None, {}) is None


def test_a_named_program_is_taken_by_its_path_or_from_the_search_path(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executable(programs.DEBIAN)
    named = executable(bare / "opt/browser")
    monkeypatch.setenv("PATH", str(named.parent))
    assert programs.chosen(str(named)) == programs.chosen("browser") == str(named)
    assert programs.missing("browser", {}) is None


@pytest.mark.parametrize("what", ["nothing", "a folder", "a text"])
def test_what_cannot_be_started_is_named(bare: Path, what: str) -> None:
    executable(programs.DEBIAN)  # who names a program means that one
    path = bare / "browser"
    if what == "a folder":
        path.mkdir()
    if what == "a text":
        path.touch(0o644)
    assert programs.missing(str(path), {}) == f"{path} is no program that can be started."


@pytest.mark.parametrize("name", ["chromium", "chromium_headless_shell"])
def test_playwrights_own_browser_counts_if_it_is_of_its_release(bare: Path, name: str) -> None:
    assert programs.chosen(None) is None
    environment = {programs.FOLDER: str(bare / "browsers"), "HOME": "/nowhere"}
    (bare / "browsers" / f"{name}-1").mkdir(parents=True)
    assert programs.missing(None, environment) is not None
    (bare / "browsers" / f"{name}-{revision()}").mkdir()
    assert programs.missing(None, environment) is None


def test_playwrights_folder_is_in_the_home_unless_told_otherwise() -> None:
    assert programs.folder_of({}) is None
    assert programs.folder_of({programs.FOLDER: "/b", "HOME": "/h"}) == "/b"
    usual = programs.folder_of({"HOME": "/h"})
    assert usual in ("/h/.cache/ms-playwright", "/h/Library/Caches/ms-playwright")


@pytest.mark.parametrize("named", [None, "/nowhere/chromium"])
async def test_a_run_without_a_browser_is_broken_and_says_how_to_get_one(
    bare: Path, named: str | None
) -> None:
    assignment = Assignment(
        run_id="run_test", attempt=1, file="t.tripwire.yaml", text=SUITE, cases=None, scratch=bare
    )
    recorder = Recorder()
    settings = BrowserSettings(targets=LOCAL, scratch=bare, executable=named)
    ending = await execute(assignment, settings, recorder, None)
    assert ending.status == ending.report["status"] == "broken"
    assert ending.report["summary"] == {
        **dict.fromkeys(("passed", "failed", "skipped", "flaky", "healed"), 0),
        **dict.fromkeys(("total", "broken"), 2),
    }
    for case in ending.report["cases"]:
        reason, _, message = case["reason"].partition(": ")
        assert (case["verdict"], reason) == ("broken", "browser_missing")
        assert message.endswith(programs.ADVICE)
    assert str(ending.reason).endswith(programs.ADVICE)
