"""How runs end that cannot go on as they should."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.targets import TargetPolicy
from tests.services.runs.engine.running_support import case_of, run_suite
from tests.services.runs.engine.test_running import SHARDED, suite
from tests.support.shop import EMAIL, PASSWORD, Served, serving


@pytest.fixture(scope="module")
async def served() -> AsyncIterator[Served]:
    async with serving() as shop:
        yield shop


async def test_a_closed_address_is_said_to_be_closed(served: Served, tmp_path: Path) -> None:
    ending, _ = await run_suite(
        suite(served, SHARDED), tmp_path, targets=TargetPolicy(allow_private=False), cases=["a"]
    )
    case = case_of(ending, "a")
    assert case["verdict"] == "broken"
    assert case["reason"].startswith("url_not_allowed")
    assert "GUILDHALL_URL_ALLOW" in case["reason"]


async def test_a_run_that_has_no_time_breaks_what_it_does_not_reach(
    served: Served, tmp_path: Path
) -> None:
    ending, _ = await run_suite(suite(served, SHARDED), tmp_path, seconds=0.0)
    assert {case["reason"].split(":")[0] for case in ending.report["cases"]} >= {"timeout"}
    assert ending.status == "broken"


LOGIN = """\
  - id: mine
    title: The account is logged in before
    steps: [{do: Open /dashboard}]
    expect: [{assert: I am logged in}, {assert: 'it says "Welcome, Ada Lovelace!"'}]
"""


async def test_a_suite_with_an_account_is_logged_in_before_its_steps(
    served: Served, tmp_path: Path
) -> None:
    head = f"auth: {{username: {EMAIL}, password: {PASSWORD}, login_path: /login}}\n"
    ending, recorder = await run_suite(suite(served, LOGIN, head), tmp_path)
    assert ending.status == "passed", ending.report
    assert PASSWORD not in json.dumps([recorder.events, ending.report])


async def test_a_text_that_is_no_suite_is_broken(tmp_path: Path) -> None:
    ending, recorder = await run_suite("suite: [", tmp_path)
    assert ending.status == "broken"
    assert ending.report["cases"] == []
    assert recorder.events == []


async def test_another_browser_is_not_quietly_replaced(served: Served, tmp_path: Path) -> None:
    ending, recorder = await run_suite(suite(served, SHARDED, "browser: firefox\n"), tmp_path)
    assert ending.status == "broken"
    assert {case["reason"].split(":")[0] for case in ending.report["cases"]} == {"not_supported"}
    assert recorder.events == []


async def test_a_run_of_which_nothing_was_seen_is_no_pass(served: Served, tmp_path: Path) -> None:
    text = suite(served, "  - {id: a, title: A, skip: later, steps: [{do: Open /about}]}\n")
    ending, _ = await run_suite(text, tmp_path)
    assert case_of(ending, "a")["verdict"] == "skipped"
    assert ending.status == "broken"
