"""Which agent answers, and what is moot (agents contract, section 6, routing and jobs)."""

from __future__ import annotations

import time
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.agents.sessions.models import JobKind, State
from services.agents.turns import rules
from tests.services.agents.turns_support import plain_agent


def chosen(message: str, routes: Any = ()) -> tuple[str, str]:
    agents = [
        plain_agent("lead", routes=list(routes) if isinstance(routes, tuple) else routes),
        plain_agent("coder.v2"),
        plain_agent("Tester"),
    ]
    agent, told = rules.choose(agents, message)
    assert agent is not None
    return agent.name, told


@pytest.mark.parametrize(
    ("message", "name", "told"),
    [
        ("@coder.v2 do it", "coder.v2", "do it"),
        ("  @coder.v2: do it", "coder.v2", "do it"),
        ("@coder.v2. do it", "coder.v2", "do it"),
        ("@tester, run", "Tester", "run"),
        ("@Tester", "Tester", "@Tester"),
        ("@coder do it", "lead", "@coder do it"),
        ("@nobody do it", "lead", "@nobody do it"),
        ("ask @Tester", "lead", "ask @Tester"),
        ("@ Tester", "lead", "@ Tester"),
        ("", "lead", ""),
    ],
)
def test_a_name_at_the_beginning_says_who_answers(message: str, name: str, told: str) -> None:
    assert chosen(message) == (name, told)


@pytest.mark.parametrize(
    ("route", "message", "name"),
    [
        ({"to": "Tester", "when": "run tests"}, "please RUN\n tests!", "Tester"),
        ({"agent": "Tester", "when": ["no", "tests"]}, "tests", "Tester"),
        ({"to": "Tester", "when": "test"}, "attest testing", "lead"),
        ({"to": "Tester", "when": "test"}, "attest the test", "Tester"),
        ({"to": "Tester", "when": "検査"}, "検査 して", "Tester"),
        ({"to": "stranger", "when": "tests"}, "tests", "lead"),
        ({"to": "Tester", "when": ""}, "tests", "lead"),
        ({"to": "Tester", "when": " "}, "tests", "lead"),
        ({"to": "Tester"}, "tests", "lead"),
        ({"to": 7, "when": "tests"}, "tests", "lead"),
        ({"to": "Tester", "when": {"tests": 1}}, "tests", "lead"),
        ({"to": "Tester", "when": [1, None, ["tests"]]}, "tests", "lead"),
    ],
)
def test_routes_of_the_first_agent_say_who_answers(route: Any, message: str, name: str) -> None:
    assert chosen(message, [route])[0] == name


def test_the_first_route_that_fits_counts_and_a_name_goes_before_it() -> None:
    routes = [{"to": "Tester", "when": "x"}, {"to": "coder.v2", "when": "x"}]
    assert chosen("x", routes)[0] == "Tester"
    assert chosen("@coder.v2 x", routes)[0] == "coder.v2"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(max_examples=50)
@given(JSON, st.text())
def test_any_json_may_stand_for_routes(routes: Any, message: str) -> None:
    chosen(message, routes)


def test_hostile_routes_hold_up_nobody() -> None:
    routes = [{"to": "Tester", "when": ["a" * 199 + "b", "a"] * 10_000}] * 1_000
    started = time.process_time()
    assert chosen("a" * 100_000, routes)[0] == "lead"
    assert time.process_time() - started < 5


def test_without_agents_the_assistant_answers_all_of_it() -> None:
    assert rules.choose([], "@lead hello") == (None, "@lead hello")


def test_every_job_is_judged_in_every_state() -> None:
    needed = {
        (kind, state)
        for kind in get_args(JobKind)
        for state in (*State, None)
        if kind != "run_turn" and not rules.is_moot(kind, state)
    }
    assert needed == {
        ("create_session", State.INIT),
        ("reactivate_session", State.READY),
        ("reactivate_session", State.BUSY),
        ("stop_session", State.IDLE),
        ("stop_session", State.ERROR),
        ("destroy_session", None),
    }
