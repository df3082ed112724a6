"""Each row of the claim table (contract 6.1), and that no negation is ever lost."""

from __future__ import annotations

from typing import Any

import pytest

from services.runs.engine.language import parse_claim
from tests.services.runs.engine import reading_support as notation


def read(text: str) -> dict[str, Any] | None:
    """A claim as the mapping of its check, the hint in the notation of the reading list."""
    check = parse_claim(text)
    return None if check is None else notation.check(check)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("'A' is shown", {"kind": "visible_text", "contains": "A"}),
        ("'A' is listed", {"kind": "visible_text", "contains": "A"}),
        ("A toast appears with 'A'", {"kind": "visible_text", "contains": "A"}),
        ("The validation message 'A' is shown", {"kind": "visible_text", "contains": "A"}),
        (
            "The errors 'A' and 'B' are shown",
            {"kind": "visible_text", "all_of": ["A", "B"]},
        ),
        ("The 'A' tab is active", {"kind": "checked", "hint": "'A' @tab"}),
        (
            "'A' is selected in the 'B' dropdown",
            {"kind": "value", "hint": "'B' @combobox", "equals": "A"},
        ),
        ("The request to /a returned 201", {"kind": "request", "url": "/a", "status": 201}),
        ("'A' is visible", {"kind": "visible_text", "contains": "A"}),
        ("'A' is displayed", {"kind": "visible_text", "contains": "A"}),
        ("'A' appears", {"kind": "visible_text", "contains": "A"}),
        ("The page says 'A'", {"kind": "visible_text", "contains": "A"}),
        ("The page contains 'A'", {"kind": "visible_text", "contains": "A"}),
        ("I should see 'A'", {"kind": "visible_text", "contains": "A"}),
        ("A toast with 'A' appears", {"kind": "visible_text", "contains": "A"}),
        ("the error message says 'A'", {"kind": "visible_text", "contains": "A"}),
        ("'A' is in the 'B' list", {"kind": "visible_text", "contains": "A", "hint": "'B' @list"}),
        (
            "'A' is shown below the 'B' field",
            {"kind": "element_visible", "hint": "'A' {below 'B' @field}"},
        ),
        ("There is no error on the page", {"kind": "error_shown", "not": True}),
        (
            "'A' is shown in the user menu",
            {"kind": "visible_text", "contains": "A", "hint": "user @menu"},
        ),
        ("The url is /x", {"kind": "url", "path_is": "/x"}),
        ("The url contains 'x'", {"kind": "url", "contains": "x"}),
        ("I land on /x", {"kind": "url", "path_is": "/x"}),
        ("redirected to /x", {"kind": "url", "path_is": "/x"}),
        ("I land on /x?a=b", {"kind": "url", "path_is": "/x", "contains": "?a=b"}),
        ("The title is 'A'", {"kind": "title", "equals": "A"}),
        ("The heading 'A' is shown", {"kind": "element_visible", "hint": "'A' @heading"}),
        ("The button 'A' is enabled", {"kind": "enabled", "hint": "'A' @button"}),
        ("The button 'A' is disabled", {"kind": "disabled", "hint": "'A' @button"}),
        ("The field 'A' is 'b'", {"kind": "value", "equals": "b", "hint": "'A' @field"}),
        ("The field 'A' is empty", {"kind": "value", "equals": "", "hint": "'A' @field"}),
        ("The checkbox 'A' is checked", {"kind": "checked", "hint": "'A' @checkbox"}),
        (
            "The checkbox A is unchecked",
            {"kind": "checked", "hint": "A @checkbox", "not": True},
        ),
        ("There are 3 rows", {"kind": "count", "equals": 3, "hint": "@row"}),
        (
            "The list has at least 2 items",
            {"kind": "count", "at_least": 2, "hint": "@listitem {in @list}"},
        ),
        ("There are more than 2 rows", {"kind": "count", "at_least": 3, "hint": "@row"}),
        ("There are no more than 2 rows", {"kind": "count", "at_most": 2, "hint": "@row"}),
        ("logged in", {"kind": "logged_in"}),
        ("An error is shown", {"kind": "error_shown"}),
        ("The 'A' field shows an error", {"kind": "error_shown", "hint": "'A' @field"}),
        (
            "A POST request to /api/x is sent",
            {"kind": "request", "method": "POST", "url": "/api/x"},
        ),
        (
            "GET /health returns 200",
            {"kind": "api", "method": "GET", "url": "/health", "status": 200},
        ),
        ("The page matches the screenshot 'home'", {"kind": "screenshot", "name": "home"}),
        ("No console errors", {"kind": "no_console_errors"}),
        (
            "The image 'A' has the alt text 'B'",
            {"kind": "attribute", "name": "alt", "equals": "B", "hint": "'A' @image"},
        ),
    ],
)
def test_a_row_of_the_table(text: str, means: dict[str, Any]) -> None:
    """Every form gives its check, also behind "verify that" and with a full stop."""
    assert read(text) == means
    assert read(f"Verify that {text}.") == means


POSITIVE_AND_NEGATIVE = [
    ("'A' is visible", "'A' is not visible"),
    ("'A' is visible", "'A' isn't visible"),
    ("'A' is visible", "'A' isn\u2019t visible"),
    ("'A' is visible", "'A' is NOT visible"),
    ("'A' is visible", "'A' is no longer visible"),
    ("'A' is visible", "'A' isn't visible anymore"),
    ("'A' is visible", "no 'A' is visible"),
    ("'A' is visible", "'A' is hidden"),
    ("'A' is visible", "'A' has been removed"),
    ("'A' is visible", "'A' must not be visible"),
    ("'A' is visible", "'A' won't be visible"),
    ("'A' appears", "'A' never appears"),
    ("'A' appears", "'A' does not appear"),
    ("'A' appears", "'A' disappears"),
    ("I see 'A'", "I don't see 'A'"),
    ("I can see 'A'", "I cannot see 'A'"),
    ("I see 'A'", "I see no 'A'"),
    ("the page shows 'A'", "the page doesn't show 'A'"),
    ("the page shows 'A'", "the page no longer shows 'A'"),
    ("the page shows 'A'", "the page shows no 'A'"),
    ("there is a 'A' button", "there is no 'A' button"),
    ("there is a 'A' button", "there isn't a 'A' button"),
    ("the 'A' button is shown", "the 'A' button is not shown"),
    ("the 'A' button is enabled", "the 'A' button is not enabled"),
    ("the 'A' button is disabled", "the 'A' button is no longer disabled"),
    ("the 'A' checkbox is checked", "the 'A' checkbox is not checked"),
    ("the 'A' field is empty", "the 'A' field isn't empty"),
    ("the 'A' field is 'b'", "the 'A' field is not 'b'"),
    ("the 'A' field contains 'b'", "the 'A' field does not contain 'b'"),
    ("the 'A' list shows 'b'", "the 'A' list does not show 'b'"),
    ("the url is /x", "the url is not /x"),
    ("the url contains 'x'", "the url doesn't contain 'x'"),
    ("I am on /x", "I am no longer on /x"),
    ("the user lands on /x", "the user does not land on /x"),
    ("the title is 'A'", "the title isn't 'A'"),
    ("I am logged in", "I am not logged in"),
    ("I am logged in", "I am logged out"),
    ("an error is shown", "no error is shown"),
    ("an error is shown", "an error is not shown"),
    ("the page matches the screenshot 'x'", "the page does not match the screenshot 'x'"),
    ("the table is empty", "the table is not empty"),
]


@pytest.mark.parametrize(("positive", "negative"), POSITIVE_AND_NEGATIVE)
def test_a_negation_is_kept(positive: str, negative: str) -> None:
    """Both are read, and they are not the same check."""
    assert read(positive) is not None
    assert read(negative) is not None
    assert read(positive) != read(negative)


@pytest.mark.parametrize(
    "text",
    [
        "'A' is not not visible",
        "no 'A' is not visible",
        "I don't see no 'A'",
        "the page does not show no 'A'",
        "'A' never doesn't appear",
        "nobody sees 'A'",
        "nothing shows 'A'",
        "'A' is hardly visible",
        "'A' isnt visible",
        "'A' is visible anymore",
        "'A' is visible and 'B' is not",
        "the page shows 'A' but not 'B'",
        "the page contains 'A', but no 'B'",
        "both 'A' and 'B' are not visible",
        "there are not 3 rows",
        "3 rows are not visible",
        "not all rows contain 'A'",
        "No row contains 'A'",
        "I do not see that 'A' is shown",
        "the heading is not 'A'",
        "No POST request to /x is sent",
        "GET /x does not return 200",
        "the console has errors",
    ],
)
def test_a_negation_that_cannot_be_kept_is_not_read(text: str) -> None:
    """Twice no, half no, or a no that no check can hold."""
    assert read(text) is None


@pytest.mark.parametrize(
    ("text", "parameter", "texts"),
    [
        ("'A' and 'B' are visible", "all_of", ["A", "B"]),
        ("'A', 'B' and 'C' are shown", "all_of", ["A", "B", "C"]),
        ("both 'A' and 'B' are visible", "all_of", ["A", "B"]),
        ("'A' or 'B' is visible", "any_of", ["A", "B"]),
        ("either 'A' or 'B' is visible", "any_of", ["A", "B"]),
        ("'A' and 'B' are not visible", "any_of", ["A", "B"]),
        ("neither 'A' nor 'B' is visible", "any_of", ["A", "B"]),
    ],
)
def test_several_texts(text: str, parameter: str, texts: list[str]) -> None:
    """One check holds them all; of absent texts none may be there."""
    check = read(text)
    assert check is not None
    assert check[parameter] == texts
    assert (check["kind"] == "absent_text") == ("not" in text or "neither" in text)


@pytest.mark.parametrize(
    "text",
    [
        "'' is visible",
        "' ' is visible",
        'the page shows ""',
        "the url contains ''",
        "'A' is 'B'",
        "'A' is open",
        "'Dark mode' is enabled",
        "the 'Dark mode' switch is enabled",
        "'A' nor 'B' is shown",
        "Order ${x} is visible",
        "I see the login page",
        "a confirmation dialog with the text 'A' appears",
        "the page hardly shows 'A'",
        "the spinner is gone",
        "the title 'A' is shown",
        "the 'A' error is shown",
        "'A' is visible within 2 seconds",
        "'A' is visible in the email",
        "'A' and 'B' are visible in the right order",
        "the email contains 'A'",
        "the response contains 'A'",
        "there is a table with 3 rows",
        "there are between 3 and 5 rows",
        "there are 3 rows and 2 columns",
        "the list contains only 'A'",
        "'A' appears twice",
        "'A', 'B' or 'C' and 'D' are visible",
        "the 'A' button is visible and enabled",
        "the user is on the dashboard",
        "the url is /x or /y",
        "I am logged in as 'Bob'",
        "click 'A'",
        "",
    ],
)
def test_what_is_not_guessed(text: str) -> None:
    """Empty texts, more than one meaning, or a part that no check can hold."""
    assert read(text) is None


def test_a_place_may_stand_anywhere() -> None:
    """Ahead, behind the verb or beside the element: the same hint's meaning."""
    hint = "'A' @button in:header"
    for text in (
        "In the header, the 'A' button is visible",
        "The 'A' button in the header is visible",
        "The 'A' button is visible in the header",
        "There is an 'A' button in the header",
        "The header has an 'A' button",
    ):
        assert read(text) == {"kind": "element_visible", "hint": hint}


@pytest.mark.parametrize(
    ("text", "label", "equals"),
    [
        ("The total is '$5.00'", "total", "$5.00"),
        ("The order total is ${order}", "order total", "${order}"),
        ("The shipping cost equals '$0.00'", "shipping cost", "$0.00"),
        ("The total is still '$5.00'", "total", "$5.00"),
    ],
)
def test_a_label_is_followed_by_its_text(text: str, label: str, equals: str) -> None:
    check = parse_claim(text)
    assert check is not None
    assert check.as_dict() == {
        "kind": "visible_text",
        "selector_hint": f'the text next to "{label}"',
        "equals": equals,
    }


@pytest.mark.parametrize(
    "text",
    [
        "The total is correct",
        "The status of 'Bob' is 'Open'",
        "The 'Total' is '$5.00'",
        "No total is '$5.00'",
        "'A' is active",
        "'A' is selected in the 'B' list",
        "The email is 'a@b.c'",
        "A toast appears with an error",
    ],
)
def test_a_label_is_not_made_of_anything(text: str) -> None:
    assert read(text) is None
