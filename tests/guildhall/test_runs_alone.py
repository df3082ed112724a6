"""A run's process without a server: told, heard, answered, and ended whatever it does."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from guildhall.failures import Failure
from guildhall.runs import alone as subject
from guildhall.runs.alone import Alone
from guildhall.runs.exits import Exit
from guildhall.runs.models import Halt, Wishes
from guildhall.runs.settings import AloneSettings, read_settings
from guildhall.runs.totals import exit_of, totals_of
from services.runs.engine import evidence
from services.runs.workers.operations import processes
from tests.guildhall.runs_support import Here
from tests.services.runs.engine.pictures_support import dotted, png
from tests.services.runs.engine.test_evidence_junit import parsed
from tests.services.runs.workers_support import processes_of


def b64(picture: bytes) -> str:
    return base64.b64encode(picture).decode()


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path)


async def test_a_run_is_told_its_job_and_heard(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret-secret")
    ended = await here.run("tell", "environment", "store shots/a.png a.png", "case first passed")
    assert ended.status == "passed"
    assert exit_of(totals_of(ended)) == Exit.PASSED
    job, environment = map(json.loads, here.said())
    assert (job["git_sha"], job["keeps"], job["has_model"]) == ("abc123", False, False)
    assert job["targets"] == {"allow_private": True, "allow": "", "deny": ""}
    assert "sk-secret-secret" not in json.dumps([job, environment])
    assert environment["HOME"] == job["scratch"]
    assert here.kept.files == {"shots/a.png": b"stored"}
    assert not Path(job["scratch"]).exists()


@pytest.mark.parametrize(
    ("word", "reason"),
    [("crash", subject.CRASHED), ("garble", subject.GARBLED), ("flood", subject.GARBLED)],
)
async def test_a_run_that_dies_is_reported_as_far_as_it_came(
    here: Here, word: str, reason: str
) -> None:
    ended = await here.run("case first passed", "report", word)
    assert (ended.status, ended.reason) == ("interrupted", reason)
    assert exit_of(totals_of(ended)) == Exit.BROKEN
    report = evidence.read(ended.report)
    assert ([case.id for case in report.cases], report.status) == (["first"], "interrupted")
    assert report.finished_at
    parsed(ended.report)


async def test_a_run_that_dies_without_a_word_counts_all_its_cases(here: Here) -> None:
    ended = await here.run("crash")
    assert totals_of(ended).broken == 2
    parsed(ended.report)


async def test_a_silent_run_is_ended_with_all_that_it_started(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "SILENCE", 0.5)
    # Where its scratch folder is says whose a process is: others run families, too.
    monkeypatch.setattr(tempfile, "tempdir", str(here.folder))
    ended = await here.run("family", "silent")
    assert (ended.status, ended.reason) == ("interrupted", subject.HUNG)
    assert not processes_of(str(here.folder))


@pytest.mark.parametrize("words", [[], ["stubborn"]])
async def test_what_somebody_ends_is_cancelled_and_reported(
    here: Here, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setattr(subject, "CANCELLING", 0.5 if words else 30.0)
    begun = asyncio.Event()
    here.told = Bell(begun)
    running = asyncio.create_task(
        here.run(*words, "case first passed", "report", f"hold {here.folder / 'never'}")
    )
    await begun.wait()
    here.halt.asked.set()
    ended = await running
    assert ended.status == "cancelled"
    assert [case.id for case in evidence.read(ended.report).cases] == ["first"]
    assert exit_of(totals_of(ended)) == Exit.BROKEN


async def test_a_second_ctrl_c_leaves_nothing(here: Here) -> None:
    begun = asyncio.Event()
    here.told = Bell(begun)
    running = asyncio.create_task(here.run("case first passed", "stubborn", "family", "silent"))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not [
        one
        for one in processes.living()
        if one.parent == os.getpid()
        and "child_stand_in" in Path("/proc", str(one.pid), "cmdline").read_text()
    ]


class Bell(list[Mapping[str, Any]]):
    """Events, of which the end of a case rings."""

    def __init__(self, bell: asyncio.Event) -> None:
        super().__init__()
        self._bell = bell

    def append(self, event: Mapping[str, Any]) -> None:
        super().append(event)
        if event["kind"] == "case_end":
            self._bell.set()


async def test_baselines_stand_in_a_folder(here: Here) -> None:
    same, other = b64(png()), b64(dotted(90))
    await here.run(f"compare home {same}")
    await here.run(f"compare home {same}")
    await here.run(f"compare home {other}")
    here.replaces = True
    await here.run(f"compare home {other}")
    here.replaces = False
    await here.run(f"compare home {other}", f"compare ../../home {same}")
    assert ["'passed': True" in said for said in here.said()] == [
        True,
        True,
        False,
        True,
        True,
        True,
    ]
    files = sorted(path.name for path in (here.folder / "baselines").iterdir())
    assert len(files) == 2
    assert any(name.startswith("home-") for name in files)
    names = sorted(here.kept.files)
    assert [name.partition("-")[0] for name in names] == ["compared/home", "compared/home"]
    assert here.kept.files[names[1]] == dotted(90)
    await here.run(f"compare bad {b64(b'no picture')}")
    assert here.said()[-1] == "The picture is no PNG."


async def test_the_model_is_asked_where_there_is_one(here: Here) -> None:
    await here.run("ask")
    assert here.said() == ["There is no model."]

    async def ask(kind: str, question: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"heard": question["claim"]}

    await Here(here.folder, ask=ask, told=here.told).run("ask")
    assert here.said()[-1] == "{'heard': 'it works'}"


def test_what_only_a_server_needs_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings().targets().allow_private
    assert read_settings().model_service() is None
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-1")
    assert read_settings().model_service() is not None
    monkeypatch.setenv("TRIPWIRE_HEADLESS", "0")
    monkeypatch.setenv("TRIPWIRE_CDP", "ws://127.0.0.1:9222/devtools/browser/x")
    monkeypatch.setenv("GUILDHALL_PROFILE", "production")
    settings = read_settings()
    assert not settings.targets().allow_private
    assert (settings.headless, settings.browser_endpoint[:5]) == (False, "ws://")
    monkeypatch.setenv("TRIPWIRE_DRIVER", "desktop")
    monkeypatch.setenv("GUILDHALL_URL_ALLOW", "not a host!")
    with pytest.raises(Failure) as told:
        read_settings()
    assert "desktop is not supported" in str(told.value)
    assert "GUILDHALL_RUNS_URL_ALLOW" in str(told.value)


def test_a_machine_without_a_browser_is_told_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GUILDHALL_RUNS_CHROMIUM", "/nowhere/chromium")

    def nothing(_: object) -> Any:
        raise AssertionError

    with pytest.raises(Failure, match=r"no program.*GUILDHALL_RUNS_CHROMIUM"):
        Alone(read_settings(), Wishes(), nothing, Halt()).check()
    Alone(
        AloneSettings().model_copy(update={"browser_endpoint": "ws://x/y"}),
        Wishes(),
        nothing,
        Halt(),
    ).check()
