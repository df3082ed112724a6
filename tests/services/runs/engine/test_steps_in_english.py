"""Each row of the step table (contract 5.1), and what splits a step."""

from __future__ import annotations

import pytest

from services.runs.engine.language import parse_step
from tests.services.runs.engine import reading_support as notation


def read(text: str) -> list[str] | None:
    """A step in the notation of the reading list."""
    intents = parse_step(text)
    return None if intents is None else [notation.intent(intent) for intent in intents]


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("open /x", "open /x"),
        ("Given I am on /login", "open /login"),
        ("When I click 'Save'", "click 'Save'"),
        ("go back to the previous page", "go back"),
        ("accept the terms and conditions", "toggle on terms and conditions"),
        ("choose 'Express' shipping", "click 'Express'"),
        ("choose 'Delete' from the menu", "click 'Delete' {in @menu}"),
        ("select 'Delete' from the menu", "click 'Delete' {in @menu}"),
        ("go to https://a.example/b?c=d", "open https://a.example/b?c=d"),
        ("visit ${link}", "open ${link}"),
        ("navigate to the pricing page", "open pricing @page"),
        ("click 'Save'", "click 'Save'"),
        ("press the Save button", "click Save @button"),
        ("tap 'Save'", "click 'Save'"),
        ("hit 'Save'", "click 'Save'"),
        ("choose 'Monthly'", "click 'Monthly'"),
        ("double-click 'a.txt'", "double-click 'a.txt'"),
        ("right-click 'a.txt'", "right-click 'a.txt'"),
        ("enter 'a'", 'fill "a"'),
        ("type 'a' into 'B'", "fill \"a\" -> 'B'"),
        ("fill 'B' with 'a' and 'C' with 'd'", "fill \"a\" -> 'B'; \"d\" -> 'C'"),
        ("set 'B' to 'a'", "fill \"a\" -> 'B'"),
        ("input 'a' for 'B'", "fill \"a\" -> 'B'"),
        ("enter 'a' in 'B' and 'c' in 'D'", "fill \"a\" -> 'B'; \"c\" -> 'D'"),
        ("enter 'a', 'b' and 'c'", 'fill "a"; "b"; "c"'),
        ("enter 'b' in 'B'", "fill \"b\" -> 'B'"),
        ("clear the 'B' field", "clear 'B' @field"),
        ("select 'a' from 'B'", "select \"a\" from 'B'"),
        ("pick 'a' in the B dropdown", 'select "a" from B @combobox'),
        ("choose 'a' from 'B'", "select \"a\" from 'B'"),
        ("check 'A'", "toggle on 'A'"),
        ("tick 'A'", "toggle on 'A'"),
        ("uncheck 'A'", "toggle off 'A'"),
        ("toggle 'A'", "toggle flip 'A'"),
        ("press Enter", "press Enter"),
        ("press Tab", "press Tab"),
        ("press Escape", "press Escape"),
        ("press Ctrl+A", "press Control+A"),
        ("press ctrl+shift+k in 'B'", "press Control+Shift+K on 'B'"),
        ("hover over 'A'", "hover 'A'"),
        ("focus 'A'", "focus 'A'"),
        ("scroll to 'A'", "scroll to 'A'"),
        ("scroll down", "scroll down"),
        ("scroll up", "scroll up"),
        ("scroll to the bottom", "scroll bottom"),
        ("drag 'A' to 'B'", "drag 'A' => 'B'"),
        ("upload a 1 KB PNG", "upload kind=png bytes=1024"),
        ("upload 'a.csv' to 'Users'", "upload name=a.csv kind=csv -> 'Users'"),
        ("wait for 'A'", "wait for 'A'"),
        ("wait until 'A' is gone", "wait gone 'A'"),
        ("wait 2 seconds", "wait 2s"),
        ("wait 1.5s", "wait 1.5s"),
        ("go back", "go back"),
        ("go forward", "go forward"),
        ("reload", "go reload"),
        ("accept the dialog", "dialog accept"),
        ("dismiss the dialog", "dialog dismiss"),
        ("accept the dialog with 'a'", 'dialog accept "a"'),
        ("switch to tab 'Docs'", "switch tab 'Docs' @tab"),
        ("switch to tab 2", "switch tab 2"),
        ("close the tab", "close tab"),
        ("close the 'Docs' tab", "close tab 'Docs' @tab"),
        ("submit", "submit"),
        ("submit the form", "submit @form"),
        ("log in with 'a' and 'b'", 'log in "a"; "b"'),
        ("sign in with 'a' and 'b'", 'log in "a"; "b"'),
        ("search for 'a'", 'search "a"'),
    ],
)
def test_a_row_of_the_table(text: str, means: str) -> None:
    """Every accepted form gives its intent, in any case of letters and with a full stop."""
    assert read(text) == [means]
    assert read(text[0].upper() + text[1:] + ".") == [means]


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("the first 'A' button", "'A' @button n:1"),
        ("the 2nd 'A' link", "'A' @link n:2"),
        ("the last row", "@row n:-1"),
        ("row 3", "@row n:3"),
        ("'A' in the 'B' table", "'A' {in 'B' @table}"),
        ("'A' inside 'B'", "'A' {in 'B'}"),
        ("'A' under 'B'", "'A' {under 'B'}"),
        ("'A' next to 'B'", "'A' {next_to 'B'}"),
        ("'A' below 'B'", "'A' {below 'B'}"),
        ("'A' above 'B'", "'A' {above 'B'}"),
        ("'A' in the row containing 'B'", "'A' {row 'B'}"),
        ("'A' in the row for ${b}", "'A' {row '${b}'}"),
        ("'A' in the 'B' row", "'A' {row 'B'}"),
        ("'A' in the row containing 'B' in the 'C' table", "'A' {row 'B'} {in 'C' @table}"),
        ("'A' in the header", "'A' in:header"),
        ("'A' in the footer", "'A' in:footer"),
        ("'A' in the sidebar", "'A' in:sidebar"),
        ("'A' in the dialog", "'A' in:dialog"),
        ("'A' on the page", "'A'"),
        ("the First name field", "First name @field"),
        ("the last 7 days option", "last 7 days @option"),
        ("the button labelled 'A'", "'A' @button"),
        ("the icon with the title 'A'", "'A' @icon"),
        ("Sign in with Google", "Sign in with Google"),
        ("the Terms of service link", "Terms of service @link"),
    ],
)
def test_what_a_target_may_carry(text: str, means: str) -> None:
    """Role nouns, ordinals, context and position are taken apart; names stay names."""
    assert read(f"click {text}") == [f"click {means}"]


@pytest.mark.parametrize(
    "text",
    [
        "click 'A' then click 'B'",
        "click 'A', then click 'B'",
        "click 'A'; click 'B'",
        "click 'A' and click 'B'",
        "click 'A', click 'B'",
        "click 'A'. Click 'B'.",
        "click 'A'\nclick 'B'",
        "I click 'A' and then I click 'B'",
        "First, click 'A'. Finally, please click 'B'",
        "click 'A' and then 'B'",
        "click on 'A', then on 'B'",
    ],
)
def test_a_step_is_split(text: str) -> None:
    """At then, semicolons, sentence and line ends, and before verbs."""
    assert read(text) == ["click 'A'", "click 'B'"]


def test_and_splits_only_before_a_verb() -> None:
    """A name may hold "and", quoted or not."""
    assert read("click Terms and conditions") == ["click Terms and conditions"]
    assert read("click 'Save and close'") == ["click 'Save and close'"]
    assert read("click 'A then B; C'") == ["click 'A then B; C'"]


@pytest.mark.parametrize("quotes", ["''", '""', "``", "“”", "\u2018\u2019", "„“", "«»"])
def test_every_kind_of_quotes(quotes: str) -> None:
    """Straight and typographic quotes are the same."""
    assert read(f"click {quotes[0]}Save it{quotes[1]}") == ["click 'Save it'"]


def test_an_apostrophe_is_no_quote() -> None:
    """Inside words, quoted or not, and behind a plural."""
    assert read('click "Don\'t ask"') == ["click 'Don't ask'"]
    assert read("click 'Don't ask'") == ["click 'Don't ask'"]
    assert read("click Ada's profile") == ["click Ada's profile"]
    assert read("click 'A' in the users' table") == ["click 'A' {in users' @table}"]


@pytest.mark.parametrize(
    "text", ["click 'A", 'click "A', "click “A", "click 'A' 'B", 'say "a" b"c']
)
def test_quotes_that_do_not_match(text: str) -> None:
    """Nobody knows where the name ends: not read."""
    assert read(text) is None


def test_a_place_said_ahead_holds_for_what_follows() -> None:
    """In the dialog, ... is the place of every target behind it."""
    assert read("In the dialog, enter 'a' into 'B' and click 'C'") == [
        "fill \"a\" -> 'B' in:dialog",
        "click 'C' in:dialog",
    ]
    assert read("In the row with 'A', click 'B'") == ["click 'B' {row 'A'}"]
    assert read("In the dialog, enter 'a'") is None


@pytest.mark.parametrize(
    "text",
    [
        "Enter 'x' in 'A' and 'B'",
        "Click 'A' in a new tab",
        "Open the dashboard in a new tab",
        "Go to page 2",
        "Go to the next page",
        "Click the new project",
        "Click the Save and Cancel buttons",
        "Wait for 3 rows",
        "Select 'A' in the row containing 'B'",
        "Choose a file",
        "Enter colour in colour",
        "Press Delete",
        "Go to Settings → Billing",
        "Open the profile page via the avatar menu",
        "Open a new tab",
        "Open the email",
        "Click on the page",
        "Click the arrow on the right",
        "Drag file 'x.png' to the drop zone",
        "Choose file 'x.png'",
        "Select rows 1 and 2",
        "Select the text 'hello'",
        "Set quantity to two",
        "Clear cookies",
        "Clear the cart",
        "Turn on notifications for 'Bob'",
        "Choose between A and B",
        "Press k",
        "Upload a corrupt PDF",
        "Upload a file larger than 5 MB",
        "Log in by entering ${email} and ${password}",
        "Add the second product by clicking 'Add'",
        "Add 'Mug' to the cart by clicking 'Add'",
        "Click 'A' without saving",
        "Click 'A' while holding Shift",
        "Change 'Name' from 'A' to 'B'",
        "Click 'A' and verify 'B' is shown",
        "In the dialog",
        "",
        "   ",
    ],
)
def test_what_is_not_guessed(text: str) -> None:
    """More than one meaning, or a part that would be lost: not read."""
    assert read(text) is None


def test_a_key_that_may_be_a_button() -> None:
    """Delete is a key when the sentence says so, or behind another key."""
    assert read("press the Delete key") == ["press Delete"]
    assert read("press Ctrl+A and press Delete") == ["press Control+A", "press Delete"]


def test_several_times() -> None:
    """Twice and three times repeat the intent."""
    assert read("press the down arrow twice") == ["press ArrowDown"] * 2
    assert read("click '+' 3 times") == ["click '+'"] * 3


def test_a_purpose_is_no_part_of_a_quoted_name() -> None:
    """Behind a name in plain words it may be one."""
    assert read("click 'Save' to save the changes") == ["click 'Save'"]
    assert read("click Add to cart") == ["click Add to cart"]
