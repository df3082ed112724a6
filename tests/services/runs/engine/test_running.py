"""Whole suites on the shop, in a real browser: what they come to, and what they leave behind."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.runs.engine.running.models import Ending
from tests.services.runs.engine.running_support import (
    Recorder,
    case_of,
    run_suite,
    verdicts,
)
from tests.support.shop import EMAIL, PASSWORD, Served, serving


@pytest.fixture(scope="module")
async def served() -> AsyncIterator[Served]:
    async with serving() as shop:
        yield shop


def suite(served: Served, cases: str, head: str = "") -> str:
    """A suite on the shop."""
    return f"suite: Shop\nid: shop\nbase_url: {served.url}\n{head}cases:\n{cases}"


CHAIN = """\
  - id: sign-up
    title: A visitor signs up
    tags: [p0]
    steps:
      - do: Open the sign-up page
      - do: Enter ${email} and ${password}
        secret: true
      - do: Click "Sign up"
    expect:
      - assert: 'The heading "Dashboard" is shown'
    capture:
      - {name: member, from: the value next to "Member number"}
  - id: log-in
    title: They log in again
    depends_on: sign-up
    steps:
      - do: Open /logout
      - do: Log in with ${email} and ${password}
        secret: true
    expect:
      - {id: there, check: {kind: url, path_is: /dashboard}}
      - assert: '"${member}" is visible'
      - assert: no error is shown
"""
FIXTURES = "fixtures:\n  email: {gen: unique_email}\n  password: {gen: password}\n"


@pytest.fixture(scope="module")
async def chain(
    served: Served, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Ending, Recorder]:
    """A chain of two cases that share an account, run once."""
    text = suite(served, CHAIN, FIXTURES)
    return await run_suite(
        text, tmp_path_factory.mktemp("chain"), git_sha="abc", ci_url="https://ci.test/1"
    )


def test_a_chain_of_cases_passes_without_a_model(chain: tuple[Ending, Recorder]) -> None:
    ending, _ = chain
    assert verdicts(ending) == {"sign-up": "passed", "log-in": "passed"}, ending.report
    assert ending.status == "passed"
    assert ending.report["summary"] == {
        "total": 2,
        "passed": 2,
        "failed": 0,
        "broken": 0,
        "skipped": 0,
        "flaky": 0,
        "healed": 0,
    }
    assert ending.report["env"]["git_sha"] == "abc"
    assert ending.report["env"]["ci_url"] == "https://ci.test/1"


def test_events_come_in_the_order_of_the_contract(chain: tuple[Ending, Recorder]) -> None:
    _, recorder = chain
    kinds = recorder.kinds()
    assert kinds[0] == "run_start"
    assert kinds.count("case_start") == kinds.count("case_end") == 2
    for case_id in ("sign-up", "log-in"):
        own = [event["kind"] for event in recorder.events if event.get("case_id") == case_id]
        assert own[0] == "case_start"
        assert own[-1] == "case_end"
        assert {"step_start", "action", "shot", "step_end", "assertion"} <= set(own)
    assert all(event["ts"].endswith("Z") for event in recorder.events)
    tools = {event["tool"] for event in recorder.of("action")}
    assert {"goto", "click_element", "set_field"} <= tools


def test_each_step_leaves_a_picture_that_the_report_names(chain: tuple[Ending, Recorder]) -> None:
    ending, recorder = chain
    shots = [shot for case in ending.report["cases"] for shot in case["shots"]]
    assert len(shots) >= 5
    for shot in shots:
        assert set(shot) >= {"label", "note", "path"}
        assert recorder.files[shot["path"]].startswith(b"\x89PNG")


def test_a_secret_is_found_nowhere(chain: tuple[Ending, Recorder], served: Served) -> None:
    ending, recorder = chain
    fields = [fields for path, fields in served.shop.received if path == "/signup"]
    password = fields[-1]["password"]
    assert len(password) == 16
    assert fields[-1]["confirm"] == password
    written = json.dumps([recorder.events, ending.report, recorder.entries, recorder.reports])
    assert password not in written
    assert "••••" in json.dumps(recorder.events, ensure_ascii=False)
    for path, content in recorder.files.items():
        assert password.encode() not in content, path


def test_a_capture_is_bound_for_later_cases(chain: tuple[Ending, Recorder]) -> None:
    ending, _ = chain
    assert case_of(ending, "sign-up")["captures"]["member"].startswith("M-")
    shown = case_of(ending, "log-in")["assertions"][1]
    assert shown["verdict"] == "passed"
    assert shown["suggested_check"]["contains"] == "${member}"


def test_partial_reports_come_while_it_runs(chain: tuple[Ending, Recorder]) -> None:
    _, recorder = chain
    assert recorder.reports
    assert recorder.reports[0]["status"] == "running"
    assert recorder.reports[0]["cases"][0]["id"] == "sign-up"


JUDGED = """\
  - id: fails
    title: What is claimed is not there
    tags: [flaky]
    retries: 0
    steps: [{do: Open /orders}]
    expect:
      - {id: a, assert: '"ORD-9999" is shown'}
      - {id: b, assert: '"ORD-1001" is shown'}
  - id: after
    title: It needs the one before
    depends_on: fails
    steps: [{do: Open /orders}]
  - id: twins
    title: Two have the same name
    timeout_ms: 1200
    steps: [{do: Open /twins}, {do: Click "Order"}]
  - id: unread-step
    title: No rule reads the step
    steps: [{do: Make the world a slightly better place}]
  - id: unread-claim
    title: No rule reads the claim
    steps: [{do: Open /about}]
    expect: [{assert: The page feels welcoming}]
  - id: unbound
    title: A name that nothing binds
    steps: [{do: 'Enter ${nobody} into "Search"'}]
  - id: skipped
    title: Nobody wants it
    skip: not today
    steps: [{do: Open /}]
  - id: before
    title: It was there from the start
    steps: [{do: Click "Browse products"}]
    expect:
      - {id: old, check: {kind: visible_text, contains: Teahouse}}
      - {id: new, check: {kind: url, path_is: /products}}
  - id: gone
    title: There is no such button
    timeout_ms: 800
    retries: 0
    steps: [{do: Click "Buy a submarine"}, {do: Open /about}]
  - id: last
    title: Later cases go on
    steps: [{do: Open /about}]
    expect: [{check: {kind: url, path_is: /about}}]
"""


@pytest.fixture(scope="module")
async def judged(
    served: Served, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Ending, Recorder]:
    """Cases of every verdict, run once."""
    return await run_suite(suite(served, JUDGED), tmp_path_factory.mktemp("judged"))


@pytest.mark.parametrize(
    ("case_id", "verdict", "reason"),
    [
        ("fails", "failed", "assertion"),
        ("after", "skipped", "depends_on"),
        ("twins", "broken", "ambiguous"),
        ("unread-step", "broken", "needs_model"),
        ("unread-claim", "broken", "needs_model"),
        ("unbound", "broken", "unknown_name"),
        ("skipped", "skipped", "skip: not today"),
        ("before", "passed", None),
        ("gone", "broken", "not_found"),
        ("last", "passed", None),
    ],
)
def test_a_case_comes_to_its_verdict(
    judged: tuple[Ending, Recorder], case_id: str, verdict: str, reason: str | None
) -> None:
    case = case_of(judged[0], case_id)
    assert case["verdict"] == verdict, case
    if reason is None:
        assert case["reason"] is None
    else:
        assert case["reason"].startswith(reason)


def test_broken_outranks_failed_in_the_run(judged: tuple[Ending, Recorder]) -> None:
    assert judged[0].status == "broken"


def test_all_expectations_are_judged_though_one_fails(judged: tuple[Ending, Recorder]) -> None:
    found = {one["id"]: one["verdict"] for one in case_of(judged[0], "fails")["assertions"]}
    assert found == {"a": "failed", "b": "passed"}


def test_what_is_ambiguous_names_its_candidates_and_clicks_nothing(
    judged: tuple[Ending, Recorder], served: Served
) -> None:
    step = case_of(judged[0], "twins")["steps"][1]
    assert [one["name"] for one in step["candidates"]][:2] == ["Order", "Order"]
    assert not [path for path, _ in served.shop.received if path == "/twins"]


def test_what_held_before_the_first_step_is_said(judged: tuple[Ending, Recorder]) -> None:
    found = {one["id"]: one.get("warnings") for one in case_of(judged[0], "before")["assertions"]}
    assert found == {"old": ["already_true"], "new": None}


def test_a_step_that_was_not_reached_is_no_pass(judged: tuple[Ending, Recorder]) -> None:
    steps = case_of(judged[0], "gone")["steps"]
    assert [step["status"] for step in steps] == ["broken", "skipped"]


def test_an_unbound_name_is_never_typed(judged: tuple[Ending, Recorder], served: Served) -> None:
    assert "${nobody}" not in json.dumps(served.shop.received)


async def test_the_same_suite_twice_does_the_same(
    served: Served, judged: tuple[Ending, Recorder], tmp_path: Path
) -> None:
    _, again = await run_suite(suite(served, JUDGED), tmp_path)

    def actions(recorder: Recorder) -> list[Any]:
        told = recorder.of("action")
        return [
            (one["case_id"], one["tool"], one["target"] and one["target"]["name"]) for one in told
        ]

    assert actions(again) == actions(judged[1])
    assert [one["verdict"] for one in again.of("case_end")] == [
        one["verdict"] for one in judged[1].of("case_end")
    ]


FLAKY = """\
  - id: first
    title: Somebody logs in
    steps: [{do: Open /login}, {do: "Log in with ${email} and ${password}"}]
  - id: inside
    title: Fails behind a login
    depends_on: first
    steps: [{do: Open /dashboard}]
    expect: [{assert: 'it says "Welcome, Ada"'}, {check: {kind: visible_text, contains: no words}}]
  - id: flaky
    title: Passes when tried again
    steps: [{do: Open /login}]
    expect: [{check: {kind: element_visible, selector_hint: heading "Sign in"}}]
  - id: red
    title: Stays red
    steps: [{do: Open /about}]
    expect: [{check: {kind: visible_text, contains: no such words}}]
"""


async def test_a_failure_is_confirmed_in_a_fresh_context(served: Served, tmp_path: Path) -> None:
    class Turning(Recorder):
        async def say(self, event: Any) -> None:
            await super().say(event)
            if event["kind"] == "assertion" and event["case_id"] == "flaky":
                served.shop.generation = 2

    try:
        env = f"env: {{email: {EMAIL}, password: '{PASSWORD}'}}\n"
        ending, recorder = await run_suite(suite(served, FLAKY, env), tmp_path, Turning())
    finally:
        served.shop.generation = 1
    flaky, red = case_of(ending, "flaky"), case_of(ending, "red")
    assert (flaky["verdict"], flaky["flaky"], flaky["attempt"]) == ("passed", True, 2)
    assert flaky["attempts"][0]["verdict"] == "failed"
    assert (red["verdict"], red["flaky"], red["attempt"]) == ("failed", False, 2)
    assert ending.report["summary"]["flaky"] == 1
    # The second attempt stands where the first one stood: behind the login of another case.
    inside = case_of(ending, "inside")
    assert inside["attempt"] == 2
    assert [one["verdict"] for one in inside["assertions"]] == ["passed", "failed"]
    assert recorder.files[red["trace"]].startswith(b"PK")
    assert "trace" not in flaky


SHARDED = """\
  - {id: a, title: A, steps: [{do: Open /about}], expect: [{assert: url is /about}]}
  - id: b
    title: B
    depends_on: a
    steps: [{do: Open /login}]
    expect: [{assert: url is /login}]
  - {id: c, title: C, steps: [{do: Open /products}], expect: [{assert: url is /products}]}
"""


async def test_a_sharded_run_keeps_together_what_belongs_together(
    served: Served, tmp_path: Path
) -> None:
    ending, recorder = await run_suite(suite(served, SHARDED), tmp_path, is_sharded=True)
    assert ending.status == "passed"
    assert [case["id"] for case in ending.report["cases"]] == ["a", "b", "c"]
    shards = {event["case_id"]: event["shard"] for event in recorder.of("case_start")}
    assert shards["a"] == shards["b"] != shards["c"]


async def test_a_cancelled_run_stops_and_keeps_what_it_has(served: Served, tmp_path: Path) -> None:
    text = suite(served, SHARDED)
    ending, recorder = await run_suite(text, tmp_path, Recorder(stop_at="case_end"))
    assert ending.status == "cancelled"
    assert verdicts(ending) == {"a": "passed", "b": "skipped", "c": "skipped"}
    assert recorder.kinds()[-1] in ("case_end", "case_start")


async def test_a_visible_browser_without_a_display_works_unseen_and_says_so(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    text = suite(served, SHARDED)
    ending, recorder = await run_suite(text, tmp_path, cases=["a"], is_headed=True)
    assert verdicts(ending) == {"a": "passed"}
    assert [event["message"] for event in recorder.of("log")] == [
        "There is no display here, so the browser works unseen."
    ]
    assert ending.report["env"]["headed"] is False
