"""A run in the hands of a worker, from its first line to its last (contract, sections 7 and 8)."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from services.runs.artifacts.operations import Store
from tests.services.runs.conftest import Runs
from tests.services.runs.runs_support import said, until
from tests.services.runs.workers_support import Works, limits, none_left
from tests.support.postgres import DatabaseUrls


@pytest.fixture
def works(runs: Runs, tmp_path: Path) -> Works:
    return Works(runs, tmp_path, runs.member())


def kinds(run: Mapping[str, Any]) -> list[str]:
    return [event["kind"] for event in run["events"]]


def assert_whole(run: Mapping[str, Any]) -> None:
    """Numbers without gaps, and exactly one ``done``, the last."""
    assert [event["seq"] for event in run["events"]] == list(range(1, len(run["events"]) + 1))
    assert kinds(run).count("done") == 1
    assert kinds(run)[-1] == "done"
    assert run["events"][-1]["status"] == run["status"]
    assert run["events"][-1]["summary"] == run["summary"]


async def test_a_run_passes(works: Works, urls: DatabaseUrls) -> None:
    run_id = await works.queue("case a passed", "report", "event 3")
    async with works.working(urls=urls):
        run = await works.becomes(run_id, "passed")
    assert_whole(run)
    assert kinds(run) == ["run_start", "case_end", "action", "action", "action", "done"]
    assert run["report"]["status"] == "passed"
    assert run["summary"]["passed"] == 1
    assert run["started_at"] <= run["finished_at"]
    told = [kind for kind, _ in await said(works.runs, works.member.org)]
    assert [kind for kind in told if kind != "run.progressed.v1"] == [
        "run.queued.v1",
        "run.started.v1",
        "run.finished.v1",
    ]
    await none_left(works)


async def test_a_failure_is_filed_before_done(works: Works, urls: DatabaseUrls) -> None:
    run_id = await works.queue("case a failed", "end failed")
    async with works.working(urls=urls):
        run = await works.becomes(run_id, "failed")
    assert_whole(run)
    assert run["summary"]["failed"] == 1
    assert run["report"]["issues_filed"], "filed on the board"
    assert run["report"]["cases"][0]["issue"]["id"].startswith("TW-")


async def test_a_report_is_kept_as_files(works: Works, urls: DatabaseUrls) -> None:
    run_id = await works.queue("store shots/1.png one.png", "case a failed", "end failed")
    async with works.working(urls=urls):
        await works.becomes(run_id, "failed")
    store: Store = works.runs.resources[Store]
    files = {
        name: await store.get(works.member.org, run_id, name, limit=1_000_000)
        for name in ("report.json", "junit.xml", "report.html")
    }
    run = await works.read(run_id)
    assert json.loads(files["report.json"]) == run["report"], "with what was filed"
    assert b"<testsuite" in files["junit.xml"]
    assert files["report.html"].lstrip().lower().startswith(b"<!doctype html")


async def test_nothing_is_filed_where_nobody_wants_it(works: Works, urls: DatabaseUrls) -> None:
    run_id = await works.queue("case a failed", "end failed", file_issues="none")
    async with works.working(urls=urls):
        run = await works.becomes(run_id, "failed")
    assert run["report"]["issues_filed"] == []
    count = "SELECT count(*) FROM runs.issue WHERE org_id = $1"
    assert await works.runs.sql.fetchval(count, works.member.org) == 0


async def test_what_was_learned_is_kept_and_given_to_the_next(
    works: Works, urls: DatabaseUrls
) -> None:
    file = await works.suite("case a passed", "keep", "tell")
    async with works.working(urls=urls):
        for number in range(2):
            answer = await works.runs.post("runs", works.member, {"suite": file})
            run = await works.becomes(answer.json()["run_id"], "passed")
            job = json.loads(run["events"][-2]["message"])
            assert len(job["entries"]) == number
    assert run["report"]["cases"][0]["heals"]


async def test_a_run_is_told_what_it_needs(works: Works, urls: DatabaseUrls) -> None:
    run_id = await works.queue(
        "tell", env={"NAME": "val-val"}, cases=["log-in"], git_sha="abc", sharded=True, headed=True
    )
    began = time.monotonic()
    async with works.working(urls=urls):
        run = await works.becomes(run_id, "passed")
    job = json.loads(run["events"][1]["message"])
    assert job["variables"] == {"NAME": "val-val"}
    assert job["cases"] == ["sign-up", "log-in"]
    assert (job["git_sha"], job["is_sharded"], job["browser"]["headed"]) == ("abc", True, True)
    assert (job["keeps"], job["has_model"], job["attempt"]) == (True, False, 1)
    assert began < job["leash"] <= time.monotonic() + 3.0


async def test_its_process_knows_nothing_of_ours(
    works: Works, urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUILDHALL_RUNS_DATABASE_URL", "postgres://secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    run_id = await works.queue("environment")
    async with works.working(urls=urls):
        run = await works.becomes(run_id, "passed")
    environment = json.loads(run["events"][1]["message"])
    assert "secret" not in json.dumps(environment)
    assert {name for name in environment if name.startswith("GUILDHALL")} == {
        "GUILDHALL_ENGINE_RUN"
    }
    assert environment["HOME"] == environment["TMPDIR"]
    assert environment["HOME"].startswith(str(works.folder))


async def test_files_are_kept(works: Works, urls: DatabaseUrls) -> None:
    run_id = await works.queue("case a passed", "store shots/1.png pictures/one.png")
    async with works.working(urls=urls):
        await works.becomes(run_id, "passed")
        store: Store = works.runs.resources[Store]
        kept = await store.get(works.member.org, run_id, "shots/1.png", limit=100)
    assert kept == b"stored"


async def test_files_outside_of_its_folder_are_not_kept(works: Works, urls: DatabaseUrls) -> None:
    outside = works.folder / "outside.txt"
    outside.write_text("secret")
    run_id = await works.queue(
        "store a.txt ../../../outside.txt",
        f"store b.txt {outside}",
        f"link c {outside}",
        "store c.txt c",
        "store ../d.txt d",
    )
    async with works.working(urls=urls):
        run = await works.becomes(run_id, "passed")
    told = [event["message"] for event in run["events"] if event["kind"] == "log"]
    assert len(told) == 4
    assert "secret" not in json.dumps(run)


async def test_the_model_is_asked(works: Works, urls: DatabaseUrls) -> None:
    async def ask(kind: Any, question: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"passed": True, "kind": kind, **question}

    run_id = await works.queue("ask")
    async with works.working(urls=urls, ask=ask):
        run = await works.becomes(run_id, "passed")
    assert "it works" in run["events"][1]["message"]


async def test_pictures_are_compared_with_baselines(works: Works, urls: DatabaseUrls) -> None:
    def drawn(colour: str) -> str:
        picture = io.BytesIO()
        Image.new("RGB", (8, 8), colour).save(picture, "PNG")
        return base64.b64encode(picture.getvalue()).decode()

    red, blue = drawn("red"), drawn("blue")
    run_id = await works.queue(
        f"compare home {red}", f"compare home {red}", f"compare home {blue}", "compare home eA=="
    )
    async with works.working(urls=urls):
        run = await works.becomes(run_id, "passed")
    told = [event["message"] for event in run["events"] if event["kind"] == "log"]
    assert ["'passed': True" in each for each in told] == [True, True, False, False]
    assert "'passed': False" in told[2]
    assert "PNG" in told[3]


async def test_without_a_model_a_question_has_no_answer(works: Works, urls: DatabaseUrls) -> None:
    run_id = await works.queue("ask")
    async with works.working(urls=urls):
        run = await works.becomes(run_id, "passed")
    assert run["events"][1]["message"] == "There is no model."


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["crash"], "without a word"),
        (["garble"], "cannot be understood"),
        (["flood"], "cannot be understood"),
        (["silent"], "no sign of life"),
    ],
)
async def test_a_process_that_fails_interrupts_its_run(
    works: Works, urls: DatabaseUrls, words: list[str], reason: str
) -> None:
    run_id = await works.queue("case a passed", "report", "family", "event 2", *words)
    async with works.working(limits(silence_s=0.6), urls=urls):
        run = await works.becomes(run_id, "interrupted")
    assert_whole(run)
    assert reason in run["events"][-2]["message"]
    assert run["report"]["status"] == "interrupted"
    assert run["summary"]["passed"] == 1
    await none_left(works)


async def test_a_run_whose_suite_is_gone_is_broken(works: Works, urls: DatabaseUrls) -> None:
    run_id = await works.runs.add_run(works.member.org, file="gone.tripwire.yaml")
    async with works.working(urls=urls):
        run = await works.becomes(run_id, "broken")
    assert_whole(run)
    assert run["report"] is None


async def test_many_events_stay_in_order(works: Works, urls: DatabaseUrls) -> None:
    run_id = await works.queue("event 3000", "report", "event 200")
    async with works.working(urls=urls):
        run = await works.becomes(run_id, "passed")
    assert_whole(run)
    assert len(run["events"]) == 3202


async def test_a_run_is_cancelled_while_it_is_executed(works: Works, urls: DatabaseUrls) -> None:
    run_id = await works.queue("case a passed", "report", f"hold {works.gate()}")
    async with works.working(urls=urls) as worker:
        await works.says(run_id, "case_end")
        answer = await works.runs.post(f"runs/{run_id}/cancel", works.member)
        assert (answer.status_code, answer.json()["status"]) == (200, "running")
        worker.hurry(run_id)
        run = await works.becomes(run_id, "cancelled")
        again = await works.runs.post(f"runs/{run_id}/cancel", works.member)
        assert (again.status_code, again.json()["status"]) == (200, "cancelled")
    assert_whole(run)
    assert run["summary"]["passed"] == 1
    await none_left(works)


async def test_a_stubborn_run_is_cancelled_all_the_same(works: Works, urls: DatabaseUrls) -> None:
    run_id = await works.queue(
        "case a passed", "report", "family", "stubborn", f"hold {works.gate()}"
    )
    async with works.working(limits(cancel_s=0.3), urls=urls):
        await works.says(run_id, "case_end")
        await works.runs.post(f"runs/{run_id}/cancel", works.member)
        run = await works.becomes(run_id, "cancelled")
    assert_whole(run)
    assert run["report"]["status"] == "cancelled"
    await none_left(works)


async def test_a_run_that_takes_too_long_is_ended(
    works: Works, urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.runs.workers.operations.executing.LATE", 0.1)
    run_id = await works.queue("event 1", f"hold {works.gate()}")
    async with works.working(limits(run_s=0.5), urls=urls):
        run = await works.becomes(run_id, "interrupted")
    assert "longer than it may" in run["events"][-2]["message"]


async def test_a_worker_that_is_stopped_lets_short_runs_end(
    works: Works, urls: DatabaseUrls
) -> None:
    gate = works.gate()
    run_id = await works.queue(f"hold {gate}")
    async with works.working(limits(grace_s=20), urls=urls):
        await works.says(run_id, "run_start")
        gate.touch()
    assert_whole(await works.becomes(run_id, "passed"))


async def test_a_worker_that_is_stopped_interrupts_long_ones(
    works: Works, urls: DatabaseUrls
) -> None:
    run_id = await works.queue("family", "event 1", f"hold {works.gate()}")
    async with works.working(urls=urls):
        await works.says(run_id, "action")
    run = await works.read(run_id)
    assert run["status"] == "interrupted", "at once, and not when its lease ends"
    assert_whole(run)
    await none_left(works)


async def test_an_interrupted_run_is_tried_once_more(works: Works, urls: DatabaseUrls) -> None:
    run_id = await works.queue("event 1", "crash")
    async with works.working(limits(requeues=True), urls=urls):
        run = await works.becomes(run_id, "interrupted")
    assert run["attempt"] == 2
    assert_whole(run)
    assert kinds(run).count("run_start") == 2
    told = [kind for kind, _ in await said(works.runs, works.member.org)]
    assert told.count("run.queued.v1") == 2
    assert told.count("run.finished.v1") == 1


async def test_a_deleted_organization_takes_its_run_from_the_worker(
    works: Works, urls: DatabaseUrls
) -> None:
    run_id = await works.queue("family", "event 1", f"hold {works.gate()}")
    async with works.working(limits(lease_s=1.0), urls=urls):
        await works.says(run_id, "action")
        await works.runs.sql.execute("DELETE FROM runs.run WHERE id = $1", run_id)

        async def gone() -> bool:
            return not works.processes()

        await until(gone, "it still runs")
