"""Any text may be read: nothing is raised, time is linear, values never change a meaning."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.runs.engine.language import (
    describe,
    fill_intent,
    fill_target,
    is_css,
    parse_capture,
    parse_claim,
    parse_step,
    parse_target,
)
from services.runs.engine.language.models import Click, Fill, Relation, Target, Value
from services.runs.engine.language.tokens import MOST_TOKENS, tokenize

READERS: tuple[Callable[[str], Any], ...] = (
    parse_step,
    parse_claim,
    parse_capture,
    parse_target,
    is_css,
)
WORDS = (
    "click enter type select open drag wait for the first row in to and then with not no is are "
    "visible 'A' \"B\" ${x} `c` “d” , ; . : button field table dialog header 3 two next error "
    "shown containing page url /x https://a.b I should see there by clicking scroll twice"
)
SENTENCES = st.lists(st.sampled_from(tuple(WORDS.split())), max_size=25).map(" ".join)


@given(st.one_of(st.text(max_size=300), SENTENCES))
@settings(max_examples=400, deadline=None)
def test_any_text_gives_an_answer(text: str) -> None:
    """No text raises, and what is read can be said again."""
    for reader in READERS:
        reader(text)
    for intent in parse_step(text) or ():
        assert describe(intent)


@given(SENTENCES)
@settings(max_examples=300, deadline=None)
def test_placeholders_survive(text: str) -> None:
    """A placeholder in a text that was read stands in what was read, unless it is left out."""
    intents = parse_step(text)
    if intents is None:
        return
    slots = set(re.findall(r"\$\{\w+\}", text))
    assert slots == set(re.findall(r"\$\{\w+\}", repr(intents)))


VALUES = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            "' and click 'Delete everything",
            'x"; then open /admin',
            "${other}",
            "not",
            "a in the row containing 'Bob'",
            "\n",
        ]
    ),
)


@given(VALUES)
@settings(max_examples=200, deadline=None)
def test_a_value_never_changes_a_meaning(value: str) -> None:
    """Filling puts the value into the texts and changes nothing else."""

    def fill(text: str) -> str:
        return text.replace("${v}", value)

    intents = parse_step("enter ${v} into '${v} name' then click '${v}' in the row with ${v}")
    assert intents is not None
    typed, clicked = (fill_intent(intent, fill) for intent in intents)
    assert typed == Fill(((Value(value, "v"), Target(f"{value} name", True)),))
    row = Relation("row", Target(value, True))
    assert clicked == Click(Target(value, True, relations=(row,)))
    link = fill_target(parse_target("the '${v}' link"), fill)
    assert link == Target(value, True, "link")


def test_a_filled_value_keeps_its_variable() -> None:
    """The origin of a value is known after it was put in."""
    intents = parse_step("enter ${email} and 'x${y}'")
    assert intents is not None
    filled = fill_intent(intents[0], lambda text: "filled")
    assert [value.variable for value, _ in filled.values] == ["email", None]  # type: ignore[union-attr]
    assert [value.template for value, _ in filled.values] == ["filled"] * 2  # type: ignore[union-attr]


def test_what_the_filler_raises_goes_through() -> None:
    """An unknown name is the caller's to report."""

    def unknown(text: str) -> str:
        raise LookupError(text)

    intents = parse_step("click '${a}'")
    assert intents is not None
    with pytest.raises(LookupError):
        fill_intent(intents[0], unknown)


PIECES = [
    "in the ",
    "x of the row ",
    "'a' in 'b' and ",
    "select x from ",
    "by clicking ",
    "row containing 'x' ",
    "set x to ",
]
NASTY = [
    "select " + "in the " * 500,
    "click " + "x of the row " * 500,
    "enter " + "'a' in 'b' and " * 500,
    "a and " * 5000,
    "'" * 100_000,
    '"a" ' * 25_000,
    "'a " * 33_000,
    "x'" * 50_000,
    "${" * 50_000,
    "${x}" * 25_000,
    "click '" + "a" * 100_000 + "'",
    "is not " * 14_000,
    "select x from " * 7_000,
    "by clicking " * 8_000,
    "\n" * 100_000,
    " " * 100_000,
    "a." * 50_000,
    "(" * 100_000,
]


@pytest.mark.parametrize("text", NASTY, ids=lambda text: text[:12])
def test_a_long_text_costs_in_proportion(text: str) -> None:
    """Counted in calls, not in seconds: a bounded number of them for each character."""
    part = text[:15_000]
    for reader in READERS:
        reader(text)
        assert _calls(reader, part) <= 12 * len(part) + 200_000


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("start", ["click ", "select ", "there is "])
def test_the_longest_readable_text_is_cheap(start: str, piece: str) -> None:
    """At the limit of tokens, where the rules do work, the work is bounded, too."""
    longest = start + piece * (MOST_TOKENS // len(piece.split()) - 2)
    for reader in READERS:
        assert _calls(reader, longest) <= 1_000_000


def _calls(reader: Callable[[str], Any], text: str) -> int:
    """How many calls a reader makes, of functions in Python and in C."""
    counted = 0

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        reader(text)
    finally:
        sys.setprofile(before)
    return counted


def test_the_tokenizer_loses_nothing() -> None:
    """Tokens know where they stood."""
    text = "Click “Save” in the row with ${email}, then wait."
    phrase = tokenize(text)
    assert phrase is not None
    assert [text[token.start : token.end] for token in phrase] == [
        *("Click", "“Save”", "in", "the", "row", "with", "${email}", ",", "then", "wait")
    ]


@pytest.mark.parametrize(
    ("hint", "css"),
    [
        ("#save", True),
        (".toast", True),
        ("[data-testid=x]", True),
        ("button.primary", True),
        ("input[name='x']", True),
        ("ul > li", True),
        ("my-widget.open", True),
        ("h1", True),
        ("tbody tr", True),
        ("footer a", True),
        ("table", False),
        ("the 'Save' button", False),
        ("report.pdf", False),
        ("cart", False),
        ("#1", False),
        ("", False),
    ],
)
def test_which_hints_are_css(hint: str, css: bool) -> None:
    """CSS begins with a class, an id, an attribute or a tag that one of them follows."""
    assert is_css(hint) is css
