"""What people and CI systems see of runs, whatever a tested page has written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from guildhall.runs.ci import job_of
from guildhall.runs.screen import Screen
from guildhall.runs.totals import Totals
from guildhall.runs.words import plain, seconds
from services.runs.engine.evidence import Masker
from tests.guildhall.runs_support import outcome, suite_file, terminal

SECRET = "hunter2-hunter2"
EVENTS: list[dict[str, Any]] = [
    {"kind": "run_start", "cases": ["first", "second"]},
    {"kind": "case_start", "case_id": "first", "title": "The first"},
    {"kind": "step_start", "case_id": "first", "step_id": "s1", "do": f"Enter {SECRET}"},
    {"kind": "step_end", "case_id": "first", "step_id": "s1", "status": "passed"},
    {"kind": "healed", "before": {"name": "Save"}, "after": {"name": "Store"}},
    {
        "kind": "case_end",
        "case_id": "first",
        "verdict": "passed",
        "duration_ms": 1234,
        "flaky": True,
    },
    {"kind": "case_start", "case_id": "second", "title": "\x1b[31mRed\n::error::x ##[error]y"},
    {"kind": "step_start", "case_id": "second", "step_id": "s1", "do": "Click"},
    {"kind": "step_end", "case_id": "second", "step_id": "s1", "status": "broken", "error": "gone"},
    {"kind": "case_end", "case_id": "second", "verdict": "broken", "duration_ms": 100},
    {"kind": "log", "message": "::tripwire-output:: passed=9 failed=0 broken=0 skipped=0"},
    {"kind": "of-later-days"},
    {"kind": "action"},
]


def shown(*, has_steps: bool = False, is_terminal: bool = False) -> str:
    console, paper = terminal(is_terminal=is_terminal)
    screen = Screen(console, Masker([SECRET]), has_steps=has_steps)
    with screen.working():
        for event in EVENTS:
            screen.event(suite_file(), event)
    ended = outcome("broken", {"passed": 1, "broken": 1})
    case = {"id": "second", "title": "B", "verdict": "broken", "reason": f"saw {SECRET}"}
    report = {**ended.report, "cases": [case | {"issue": {"id": "TW-1", "fingerprint": "f"}}]}
    screen.summary(type(ended)(ended.suite, "broken", report, "why"))
    screen.end(Totals(1, 0, 1, 0), Path("artifacts/report.html"))
    return paper.getvalue()


def test_plain_lines_for_ci() -> None:
    text = shown()
    lines = text.splitlines()
    assert lines[:3] == [
        "Two (two.tripwire.yaml): 2 cases",
        "  healed: Save is now Store",
        "  passed   The first (1.2 s) flaky",
    ]
    assert lines[-6:] == [
        "BROKEN Two (two.tripwire.yaml): 1 passed, 0 failed, 1 broken, 0 skipped in 0.0 s",
        "  why",
        "  broken   second - B: saw •••• [TW-1]",
        "TOTAL 1 passed, 0 failed, 1 broken, 0 skipped",
        "Reports: artifacts/report.html",
        "::tripwire-output:: passed=1 failed=0 broken=1 skipped=0",
    ]
    # A page speaks to no CI system: one line begins with colons, and that is ours.
    assert [line for line in lines if line.lstrip().startswith("::")] == lines[-1:]
    assert "##[" not in text
    assert "\x1b" not in text
    assert SECRET not in text


def test_a_line_for_each_step_where_somebody_wants_it() -> None:
    text = shown(has_steps=True)
    assert "    ok  Enter ••••\n" in text
    assert "    broken  Click - gone\n" in text


def test_lines_say_whose_they_are_where_several_suites_run_at_once() -> None:
    console, paper = terminal()
    screen = Screen(console, Masker(), has_names=True)
    for event in EVENTS:
        screen.event(suite_file(), event)
    assert "  passed   Two: The first (1.2 s) flaky\n" in paper.getvalue()


def test_a_terminal_shows_what_goes_on() -> None:
    text = shown(is_terminal=True)
    assert "\x1b[" in text
    assert SECRET not in text


@given(st.text())
def test_texts_stay_on_their_line(text: str) -> None:
    said = plain(text)
    assert said.isprintable() or not any(ord(letter) < 32 for letter in said)
    assert len(said) <= 400
    assert "##[" not in said
    assert not said.startswith("::")
    assert len(said.splitlines()) <= 1


def test_durations() -> None:
    assert [seconds(one) for one in (0, 1250, 59_940, 61_000)] == [
        "0.0 s",
        "1.2 s",
        "59.9 s",
        "1 min 1 s",
    ]


def test_the_job_is_read_from_what_ci_systems_set() -> None:
    github = {
        "CI": "true",
        "GITHUB_REPOSITORY": "ada/shop",
        "GITHUB_SHA": "abc",
        "GITHUB_RUN_ID": "7",
        "GITHUB_SERVER_URL": "https://github.example",
    }
    job = job_of(github)
    assert (job.is_ci, job.repo, job.git_sha) == (True, "ada/shop", "abc")
    assert job.url == "https://github.example/ada/shop/actions/runs/7"
    given_here = {"GITHUB_REPO": "ada/other", "GIT_SHA": "def", "CI_RUN_URL": "https://ci/1"}
    job = job_of(github | given_here)
    assert (job.repo, job.git_sha, job.url) == ("ada/other", "def", "https://ci/1")
    gitlab = {"CI": "1", "CI_COMMIT_SHA": "fed", "CI_JOB_URL": "https://gitlab/j/1"}
    assert (job_of(gitlab).git_sha, job_of(gitlab).url) == ("fed", "https://gitlab/j/1")
    assert job_of({}) == type(job)()
