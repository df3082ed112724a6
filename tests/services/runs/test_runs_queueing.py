"""Asking for runs (runs contract, sections 3.4 and 19)."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest

from services.runs.settings import RunsSettings
from shared.vault import Vault
from tests.services.runs.conftest import Runs, suite_text
from tests.services.runs.runs_support import ROW, queue, read, said, someone

FILE = "sign-up.tripwire.yaml"


def said_wrong(answer: httpx.Response, status: int, word: str) -> str:
    """See that both styles of an error say the same, and give the sentence."""
    body = answer.json()
    assert (answer.status_code, body["type"]) == (status, word), answer.text
    assert isinstance(body["detail"], str)
    assert body["error"]["type"] == word
    assert body["error"]["message"] == body["detail"]
    return str(body["detail"])


async def test_one_suite_is_queued_and_answered_at_once(runs: Runs) -> None:
    member = await someone(runs)
    answer = await runs.post("runs", member, {"suite": FILE})
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"run_id", "run_ids", "queued"}
    assert body["run_ids"] == [body["run_id"]]
    assert body["queued"] == 1
    run = await read(runs, member, body["run_id"])
    assert set(run) == ROW | {"events", "report"}
    assert (run["id"], run["run_id"]) == (body["run_id"], body["run_id"])
    assert (run["status"], run["suite"], run["suite_id"]) == ("queued", FILE, "sign-up")
    assert (run["events"], run["report"], run["summary"]) == ([], None, None)
    assert (run["trigger"], run["attempt"], run["plan_id"]) == ("api", 1, None)
    assert (run["cases"], run["started_at"], run["finished_at"]) == (None, None, None)
    assert run["queued_at"].endswith("Z")
    [(kind, event)] = await said(runs, member.org)
    assert kind == "run.queued.v1"
    assert (event["run_id"], event["suite"], event["attempt"]) == (run["id"], FILE, 1)


async def test_jobs_are_queued_in_their_order(runs: Runs) -> None:
    member = await someone(runs)
    await runs.add_suite(member.org, "b.tripwire.yaml", suite_text("b"), suite_id="b")
    jobs = [{"suite": FILE}, {"suite": "b.tripwire.yaml", "cases": ["sign-up"]}, {"suite": FILE}]
    body = (await runs.post("runs", member, {"jobs": jobs})).json()
    assert body["queued"] == 3
    assert body["run_id"] == body["run_ids"][0]
    shown = (await runs.get("runs/queue", member)).json()
    assert [run["id"] for run in shown["pending"]] == body["run_ids"]
    assert shown["pending"][1]["cases"] == ["sign-up"]


async def test_a_bad_job_queues_nothing(runs: Runs) -> None:
    member = await someone(runs)
    for bad, status in (({"suite": "none.yaml"}, 404), ({"suite": FILE, "cases": ["x"]}, 400)):
        answer = await runs.post("runs", member, {"jobs": [{"suite": FILE}, bad]})
        assert answer.status_code == status
    assert (await runs.get("runs", member)).json()["total"] == 0


async def test_a_suite_is_found_without_its_extension(runs: Runs) -> None:
    member = await someone(runs)
    run = await read(runs, member, await queue(runs, member, suite="sign-up"))
    assert run["suite"] == FILE


async def test_a_chosen_case_brings_along_what_it_depends_on(runs: Runs) -> None:
    member = await someone(runs)
    run = await read(runs, member, await queue(runs, member, cases=["log-in"]))
    assert run["cases"] == ["sign-up", "log-in"]


async def test_tags_choose_cases_that_have_any_of_them(runs: Runs) -> None:
    member = await someone(runs)
    run = await read(runs, member, await queue(runs, member, tags=["p0", "other"]))
    assert run["cases"] == ["sign-up"]
    answer = await runs.post("runs", member, {"suite": FILE, "tags": ["other"]})
    assert "other" in said_wrong(answer, 400, "bad_request")


async def test_what_does_not_exist_is_named(runs: Runs) -> None:
    member = await someone(runs)
    answer = await runs.post("runs", member, {"suite": FILE, "cases": ["sign-up", "nope"]})
    assert "nope" in said_wrong(answer, 400, "bad_request")
    answer = await runs.post("runs", member, {"suite": "nope"})
    assert "nope" in said_wrong(answer, 404, "not_found")


async def test_another_organization_has_no_such_suite(runs: Runs) -> None:
    await someone(runs)
    answer = await runs.post("runs", runs.member(), {"suite": FILE})
    said_wrong(answer, 404, "not_found")


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("tripwire,github", "tripwire,github"),
        (" GitHub , jira,github ", "github,jira"),
        ("none", "none"),
        ("", None),
        (None, None),
    ],
)
async def test_places_for_failures_are_kept(runs: Runs, words: str | None, kept: Any) -> None:
    member = await someone(runs)
    run_id = await queue(runs, member, file_issues=words)
    row = await runs.sql.fetchval("SELECT file_issues FROM runs.run WHERE id = $1", run_id)
    assert row == kept


@pytest.mark.parametrize("words", ["mail", "none,github", "github;jira"])
async def test_unknown_places_are_refused(runs: Runs, words: str) -> None:
    member = await someone(runs)
    answer = await runs.post("runs", member, {"suite": FILE, "file_issues": words})
    said_wrong(answer, 400, "bad_request")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "body"),
        ({"suite": FILE, "jobs": [{"suite": FILE}]}, "body"),
        ({"suite": ""}, "body.suite"),
        ({"suite": 5}, "body.suite"),
        ({"suite": FILE, "cases": "sign-up"}, "body.cases"),
        ({"suite": FILE, "cases": [1]}, "body.cases.0"),
        ({"suite": FILE, "file_issues": ["github"]}, "body.file_issues"),
        ({"suite": FILE, "file_issues": True}, "body.file_issues"),
        ({"suite": FILE, "headed": "yes"}, "body.headed"),
        ({"suite": FILE, "sharded": 1}, "body.sharded"),
        ({"suite": FILE, "trigger": "rerun"}, "body.trigger"),
        ({"suite": FILE, "env": {"A": 1}}, "body.env.A"),
        ({"suite": FILE, "env": {"a b": "1"}}, "body.env.a b.[key]"),
        ({"jobs": []}, "body.jobs"),
        ({"jobs": [{"suite": FILE}] * 201}, "body.jobs"),
        ({"jobs": [{"cases": []}]}, "body.jobs.0.suite"),
        ({"jobs": {"suite": FILE}}, "body.jobs"),
    ],
)
async def test_wrong_bodies_name_the_field(runs: Runs, body: Any, path: str) -> None:
    member = await someone(runs)
    answer = await runs.post("runs", member, body)
    said_wrong(answer, 422, "validation_error")
    assert path in [fault["path"] for fault in answer.json()["error"]["details"]]


@pytest.mark.parametrize(
    "raw",
    [
        b'{"suite": "\\u0000"}',
        b'{"suite": "\\ud800"}',
        b'{"suite": "x", "cases": [NaN]}',
        b'{"suite": 1e400}',
        b"[" * 5000,
        b'{"suite"',
        b'"text"',
        b"[]",
        b"null",
    ],
)
async def test_nonsense_is_no_fault_of_ours(runs: Runs, raw: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = await runs.send("POST", "runs", runs.member(), content=raw, headers=headers)
    assert answer.status_code in (400, 422), answer.text
    assert isinstance(answer.json()["detail"], str)


async def test_no_cases_is_not_all_cases(runs: Runs) -> None:
    member = await someone(runs)
    answer = await runs.post("runs", member, {"suite": FILE, "cases": []})
    said_wrong(answer, 400, "bad_request")


async def test_variables_are_sealed(runs: Runs) -> None:
    member = await someone(runs)
    run_id = await queue(runs, member, env={"API_TOKEN": "s3cret-s3cret"}, trigger="ci")
    sealed = await runs.sql.fetchval("SELECT variables FROM runs.run WHERE id = $1", run_id)
    assert b"s3cret" not in sealed
    settings: RunsSettings = runs.resources[RunsSettings]
    assert Vault(settings.key_for_secrets()).open(sealed) == b'{"API_TOKEN":"s3cret-s3cret"}'
    assert "s3cret" not in (await runs.get(f"runs/{run_id}", member)).text


async def test_the_same_key_and_body_queue_once(runs: Runs) -> None:
    member = await someone(runs)
    headers = {"idempotency-key": "k1"}
    answers = await asyncio.gather(
        *(runs.post("runs", member, {"suite": FILE}, headers=headers) for _ in range(8))
    )
    assert Counter(answer.status_code for answer in answers) == {200: 8}
    assert len({answer.json()["run_id"] for answer in answers}) == 1
    assert (await runs.get("runs", member)).json()["total"] == 1
    other = await runs.post("runs", member, {"suite": FILE, "tags": ["p0"]}, headers=headers)
    said_wrong(other, 422, "idempotency_conflict")


async def test_a_key_needs_the_right_scope(runs: Runs) -> None:
    member = await someone(runs)
    reader = runs.key_of(member, "runs:read")
    said_wrong(await runs.post("runs", reader, {"suite": FILE}), 403, "forbidden")
    assert (await runs.get("runs", reader)).status_code == 200
    writer = runs.key_of(member, "runs:write")
    assert (await runs.post("runs", writer, {"suite": FILE})).status_code == 200
    said_wrong(await runs.get("runs", writer), 403, "forbidden")
