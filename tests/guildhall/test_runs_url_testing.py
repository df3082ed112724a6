"""Instructions without a suite: how they are cut, and what becomes of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guildhall.failures import Failure
from guildhall.runs.url_testing import LOOK, Look, last_url, split, suite_of
from services.runs.engine.language import parse_claim
from services.runs.engine.model import ModelFailed


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ('Open /login then click "Log in"', ["Open /login", 'click "Log in"']),
        ("Open /a; open /b ;open /c", ["Open /a", "open /b", "open /c"]),
        ("Open /a\nOpen /b\r\n\n  Open /c  ", ["Open /a", "Open /b", "Open /c"]),
        ("Open /a, and then open /b, then, open /c", ["Open /a", "open /b", "open /c"]),
        ("First open /a. THEN open /b", ["First open /a.", "open /b"]),
        ('Click "now; then never" then wait', ['Click "now; then never"', "wait"]),
        ("Enter 'a;b' into 'Then what' ; save", ["Enter 'a;b' into 'Then what'", "save"]),
        ("Don't click; it's fine", ["Don't click", "it's fine"]),
        ("Click “If; then” then go", ["Click “If; then”", "go"]),
        ("Click `a;b`;go", ["Click `a;b`", "go"]),
        ("Click the authentication link", ["Click the authentication link"]),
        ("Open /then-what then go back", ["Open /then-what", "go back"]),
        ('Click "unclosed; then go', ['Click "unclosed', "go"]),
        (
            "1. Open /a\n2) Click Save\n- Go back\n* Wait",
            ["Open /a", "Click Save", "Go back", "Wait"],
        ),
        ("  ; then \n and then ;", []),
        ("", []),
    ],
)
def test_instructions_are_cut_into_steps(text: str, steps: list[str]) -> None:
    assert split(text) == steps


@given(st.text(alphabet="then ;\n\"'`“”andx.,", max_size=60))
def test_cutting_leaves_nothing_empty_and_no_line_end(text: str) -> None:
    steps = split(text)
    assert all(step == step.strip() and step and "\n" not in step for step in steps)


@given(
    st.lists(st.text(min_size=1, max_size=30).map(str.strip).filter(bool), min_size=1, max_size=4)
)
def test_whatever_a_step_holds_it_comes_through_yaml_unchanged(steps: list[str]) -> None:
    try:
        suite = suite_of("http://127.0.0.1:1/x?y=1", steps, {})
    except Failure:
        return  # what no suite may hold, such as control characters, is said
    assert [step.do for step in suite.suite.cases[0].steps] == steps


def test_the_suite_takes_from_the_environment_what_it_may() -> None:
    given_here = {"SHOP_PASSWORD": "x", "GUILDHALL_ROOT_SECRET": "y"}
    steps = ["Enter ${SHOP_PASSWORD} into Password", "Type ${GUILDHALL_ROOT_SECRET}"]
    suite = suite_of("https://shop.example/login", steps, given_here).suite
    assert (dict(suite.env), suite.retries) == ({"SHOP_PASSWORD": "${SHOP_PASSWORD}"}, 0)
    assert suite.base_url == "https://shop.example/login"
    for url in ("shop.example", "file:///etc/passwd", "http://"):
        with pytest.raises(Failure, match="http"):
            suite_of(url, ["Open /"], {})
    with pytest.raises(Failure, match="no instructions"):
        suite_of("http://shop.example", [], {})


async def test_the_page_comes_by_a_claim_that_no_rule_reads() -> None:
    assert parse_claim(LOOK) is None
    look = Look(None)
    question = {"claim": LOOK, "url": "http://x/", "title": "X", "text": "Hello"}
    assert (await look.answer("judge", question))["passed"] is True
    assert (look.url, look.title, look.text) == ("http://x/", "X", "Hello")
    with pytest.raises(ModelFailed, match="no model"):
        await look.answer("steps", {"step": "Do something"})

    async def ask(kind: str, asked: object) -> dict[str, object]:
        return {"kind": kind}

    assert await Look(ask).answer("judge", {"claim": "it is nice"}) == {"kind": "judge"}


def test_the_last_address_is_that_of_the_last_action() -> None:
    actions = [{"url": "http://x/1"}, {"url": None}]
    report = {"cases": [{"steps": [{"actions": actions}, {"actions": []}, {}]}]}
    assert (last_url(report), last_url({})) == ("http://x/1", "")
