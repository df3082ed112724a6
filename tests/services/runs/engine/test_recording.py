"""Recordings of three kinds, made into suites that our own engine reads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.runs.engine import language
from services.runs.engine.grammar.parsing import parse
from services.runs.engine.recording import convert
from services.runs.engine.recording.models import MASK, MOST, Converted, NothingRecorded
from services.runs.engine.recording.naming import best

SECRET = "Hunter22-horse"
HOME = "https://shop.test"


def steps_of(made: Converted) -> list[str]:
    suite = parse(made.yaml).suite
    assert suite is not None
    (case,) = suite.cases
    for step in case.steps:
        assert language.parse_step(step.do), step.do
    assert case.expect
    return [step.do for step in case.steps]


POSTED = [
    {"type": "goto", "url": "/signup"},
    {"type": "click", "selector": "#email"},
    {"type": "fill", "selector": "#email", "value": "a"},
    {"type": "fill", "selector": "#email", "value": "a@b.test"},
    {"type": "fill", "selector": "input[type=password]", "value": SECRET},
    {"type": "fill", "selector": "#confirmPassword", "value": SECRET},
    {"type": "select", "selector": "select[name=color]", "value": "Red"},
    {"type": "check", "selector": "#agree", "text": "I agree"},
    {"type": "click", "selector": "button.primary", "text": "Sign up"},
    {"type": "navigate", "url": f"{HOME}/welcome?p={SECRET}"},
    {"type": "wobble"},
    3,
]


def test_posted_actions_are_steps_and_the_password_is_nowhere() -> None:
    made = convert(POSTED, f"{HOME}/deep?x=1", "Signing up")
    assert steps_of(made) == [
        "Open /signup",
        'Enter "a@b.test" into "email"',
        'Enter "${password}" into "password"',
        'Enter "${password}" into "confirm password"',
        'Select "Red" from "color"',
        'Check "I agree"',
        'Click "Sign up"',
    ]
    suite = parse(made.yaml).suite
    assert suite is not None
    assert (suite.name, suite.base_url) == ("Signing up", HOME)
    assert made.yaml.count("secret: true") == 2
    assert "path_is: /welcome" in made.yaml
    assert SECRET not in repr(made)
    assert MASK in [one.get("value") for one in made.actions]
    assert [one for one in made.warnings if "actions[10]" in one]


def test_recordings_of_chrome_are_read() -> None:
    def on(*names: str, **more: Any) -> dict[str, Any]:
        return {"selectors": [[name] for name in names], **more}

    recording = {
        "title": "Log in",
        "steps": [
            {"type": "setViewport", "width": 1},
            {"type": "navigate", "url": f"{HOME}/login"},
            on("aria/E-mail", "#e", type="click"),
            on("aria/E-mail", "#e", type="change", value="a@b.test"),
            {"type": "keyDown", "key": "Tab"},
            on("pierce/#pw", 'xpath///*[@id="password"]', type="change", value=SECRET),
            on('aria/Log in[role="button"]', "text/Log in", type="click")
            | {"assertedEvents": [{"type": "navigation", "url": f"{HOME}/orders/4711"}]},
            {"type": "keyDown", "key": "Escape"},
            {"type": "customStep"},
        ],
    }
    for given_as in (recording, json.dumps(recording)):
        made = convert(given_as)
        assert steps_of(made) == [
            "Open /login",
            'Enter "a@b.test" into "E-mail"',
            'Enter "${password}" into "pw"',
            'Click "Log in"',
            "Press Escape",
        ]
        assert "contains: /orders/" in made.yaml
        assert "suite: Log in" in made.yaml
        assert SECRET not in repr(made)


JAVASCRIPT = f"""
import {{ test, expect }} from '@playwright/test';
test('buys a mug', async ({{ page }}) => {{
  await page.goto('{HOME}/');
  await page.getByRole('link', {{ name: 'Mugs' }}).click();
  await page.getByLabel('Password', {{ exact: true }}).fill('{SECRET}');
  await page.getByTestId('size-select').selectOption('L');
  await page.locator('#qty').fill('3');
  await page.getByRole('textbox', {{ name: 'It\\'s' }}).press('Enter');
  await page.locator('iframe').contentFrame().getByPlaceholder('Card').fill('4');
  await page.getByText(/terms/i).check();
  await page.getByRole('checkbox').check();
  // await page.getByText('not done').click();
  await expect(page.getByRole('heading', {{ name: 'Thanks' }})).toBeVisible();
  await expect(page).toHaveURL('{HOME}/done');
}});
"""
PYTHON = f"""
def run(playwright):
    page.goto("{HOME}/a")
    page.get_by_role("button", name="Go").click()
    page.get_by_label("Name").fill("x \\"y\\" 'z' `q`")
    page.get_by_placeholder("City").press_sequentially("Rome")
    page.get_by_label("Secret", exact=True).fill("{SECRET}")
    expect(page.get_by_text("Done")).to_be_visible()
    expect(page.locator("h1")).to_have_text("Hi")
    page.close()
"""


def test_programs_of_codegen_are_read_and_not_executed() -> None:
    made = convert(JAVASCRIPT)
    assert steps_of(made) == [
        "Open /",
        'Click "Mugs"',
        'Enter "${password}" into "Password"',
        'Select "L" from "size select"',
        'Enter "3" into "qty"',
        'Press Enter in "It\'s"',
        'Enter "4" into "Card"',
        'Check "terms"',
    ]
    assert "contains: Thanks" in made.yaml
    assert "path_is: /done" in made.yaml
    assert SECRET not in repr(made)
    made = convert(PYTHON)
    assert steps_of(made) == [
        "Open /a",
        'Click "Go"',
        'Enter "${text}" into "Name"',
        'Enter "Rome" into "City"',
        'Enter "${password}" into "Secret"',
    ]
    assert "contains: Done" in made.yaml
    assert "contains: Hi" in made.yaml
    assert SECRET not in repr(made)


@pytest.mark.parametrize(
    ("selector", "name"),
    [
        ('aria/Save[role="button"]', "Save"),
        ("text/Save it", "Save it"),
        ("pierce/#save-all", "save all"),
        ('xpath///*[@id="saveAll"]', "save all"),
        ('[aria-label="Close"]', "Close"),
        ('input[placeholder="Your name"]', "Your name"),
        ('[data-testid="add_to_cart"]', "add to cart"),
        ('button:has-text("Go on")', "Go on"),
        ('role=button[name="OK"]', "OK"),
        ('internal:label="E-mail"i', "E-mail"),
        ("form > input#userName.wide", "user name"),
        ('input[type="password"]', "password"),
        ("div > div:nth-child(2)", None),
    ],
)
def test_names_come_of_selectors(selector: str, name: str | None) -> None:
    found = best([selector])
    assert (found.text if found else None) == name


@pytest.mark.parametrize(
    "actions", [[], {}, "", "print(1)", [{"type": "click"}], [1], {"steps": []}, "{", 5, None]
)
def test_what_holds_nothing_is_refused(actions: Any) -> None:
    with pytest.raises(NothingRecorded):
        convert(actions, HOME)


def test_the_longest_recordings_are_bounded() -> None:
    many = [{"type": "click", "selector": f"#b{at}x"} for at in range(MOST + 5)]
    made = convert(many, HOME)
    assert len(steps_of(made)) == 200
    assert len(made.warnings) <= 3


_TEXT = st.text(max_size=40)
_VALUE = st.one_of(_TEXT, st.none(), st.integers(), st.booleans(), st.lists(_TEXT, max_size=2))
_TYPE = st.sampled_from(
    ["goto", "click", "fill", "select", "check", "press", "navigate", "heading", "assert", "hover"]
)
_ACTION = st.fixed_dictionaries(
    {"type": _TYPE},
    optional={key: _VALUE for key in ("selector", "value", "url", "text", "name", "secret")},
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(_ACTION, _VALUE), max_size=8))
def test_whatever_is_posted_is_a_suite_or_is_refused(actions: list[Any]) -> None:
    try:
        made = convert(actions, HOME)
    except NothingRecorded:
        return
    steps_of(made)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "page.",
                "getByRole(",
                "'",
                '"',
                ")",
                "click()",
                "\n",
                "{",
                "\\",
                "name: 'x'",
                "expect(",
                "fill('v')",
                "/",
                "`",
            ]
        ),
        max_size=25,
    )
)
def test_broken_programs_are_a_suite_or_are_refused(pieces: list[str]) -> None:
    try:
        made = convert("".join(pieces), HOME)
    except NothingRecorded:
        return
    steps_of(made)
