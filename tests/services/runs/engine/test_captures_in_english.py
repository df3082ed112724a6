"""What a capture may take (contract 6.2), and intents said again in English."""

from __future__ import annotations

from typing import Any

import pytest

from services.runs.engine.language import (
    describe,
    describe_target,
    parse_capture,
    parse_step,
    parse_target,
)
from tests.services.runs.engine import reading_support as notation


def read(text: str) -> dict[str, Any] | None:
    """A capture phrase without what is empty."""
    phrase = parse_capture(text)
    return None if phrase is None else notation.capture(phrase)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("'Order ID'", {"kind": "beside", "label": "Order ID"}),
        ("the value of 'Order ID'", {"kind": "beside", "label": "Order ID"}),
        ("the text beside the label 'Order ID'", {"kind": "beside", "label": "Order ID"}),
        ("the order id", {"kind": "id", "words": ["order"]}),
        ("the order number shown on the page", {"kind": "number", "words": ["order"]}),
        ("the number of the order", {"kind": "number", "words": ["order"]}),
        ("the discount code", {"kind": "code", "words": ["discount"]}),
        ("the total", {"kind": "total"}),
        ("the price of '${product}'", {"kind": "price", "label": "${product}"}),
        ("the share url", {"kind": "url", "words": ["share"]}),
        ("the current url", {"kind": "page_url"}),
        ("the page title", {"kind": "page_title"}),
        ("the value of the 'Token' field", {"kind": "value", "target": "'Token' @field"}),
        ("the text of the first heading", {"kind": "text", "target": "@heading n:1"}),
    ],
)
def test_what_a_capture_takes(text: str, means: dict[str, Any]) -> None:
    """Labels, patterns near words, fields, elements, the page's address and title."""
    assert read(text) == means
    assert read(text.upper() if "'" not in text else text + ".") == means


@pytest.mark.parametrize(
    "text",
    [
        "",
        "everything",
        "the thing in the corner",
        "the new order number",
        "the second id",
        "the id of the first order in the list",
        "the name of the user",
        "''",
        "'A' and 'B'",
        "whatever is shown",
        "the best price",
        "the last order number",
    ],
)
def test_what_is_not_guessed(text: str) -> None:
    """Words that choose among several, or name nothing to be found by a pattern."""
    assert read(text) is None


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("open the pricing page", "Open pricing page"),
        (
            "click the 2nd 'A' button in the row with 'B' in the header",
            "Click 2nd 'A' button in the row with 'B' in the header",
        ),
        ("double-click 'A'", "Double-click 'A'"),
        ("enter ${a} in 'B' and 'c' in 'D'", "Enter \"${a}\" into 'B' and \"c\" into 'D'"),
        ("log in with ${a} and ${b}", 'Log in with "${a}" and "${b}"'),
        ("select 'a' from 'B'", "Pick \"a\" from 'B'"),
        ("tick 'A'", "Tick 'A'"),
        ("press ctrl+a in 'B'", "Press Control+A in 'B'"),
        ("scroll to the bottom", "Scroll to the bottom"),
        ("drag 'A' to 'B'", "Drag 'A' to 'B'"),
        ("upload a 1 KB PNG to 'B'", "Upload a 1 KB PNG to 'B'"),
        ("wait until 'A' disappears", "Wait until 'A' is gone"),
        ("wait 2 seconds", "Wait 2 seconds"),
        ("wait for the page to load", "Wait for the page"),
        ("go back", "Go back"),
        ("accept the dialog with 'a'", 'Accept the dialog with "a"'),
        ("switch to the new tab", "Switch to the newest tab"),
        ("close tab 2", "Close tab 2"),
        ("submit", "Submit the form"),
        ("search for 'a'", 'Search for "a"'),
    ],
)
def test_an_intent_is_said_again(step: str, said: str) -> None:
    """In one line, with the placeholders as they were."""
    intents = parse_step(step)
    assert intents is not None
    assert [describe(intent) for intent in intents] == [said]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("the 'Save' button", "'Save' button"),
        ("the header", "the header"),
        ("the 11th row", "11th row"),
        ("the last 'A'", "last 'A'"),
        ("'A' next to 'B'", "'A' next to 'B'"),
        ("some words ! that say nothing", "some words ! that say nothing"),
        ("an 'unmatched quote", "an 'unmatched quote"),
    ],
)
def test_a_hint_is_always_read(text: str, said: str) -> None:
    """What cannot be taken apart is a name in plain words."""
    assert describe_target(parse_target(text)) == said
