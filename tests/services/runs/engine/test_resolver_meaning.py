"""What words for kinds of elements mean: a claim's are strict, and the inmost element is meant."""

from __future__ import annotations

import pytest

from services.runs.engine.language import parse_target
from services.runs.engine.resolver.choosing import choose
from services.runs.engine.resolver.models import Absent, Ambiguous, Candidate, Choice, Wanted
from tests.services.runs.engine.resolver_support import seen


def found(candidates: list[Candidate], text: str, verb: str = "see") -> Candidate:
    outcome = choose(candidates, Wanted(parse_target(text), verb))
    assert isinstance(outcome, Choice), outcome
    return outcome.candidate


@pytest.mark.parametrize(
    ("role", "words"),
    [
        ("button", "the 'New user' dialog"),
        ("heading", "the 'New user' dialog"),
        ("link", "the heading 'New user'"),
        ("text", "the 'New user' button"),
        ("heading", "the 'New user' link"),
        ("button", "the 'New user' checkbox"),
    ],
)
def test_what_a_claim_names_is_not_shown_by_something_else(role: str, words: str) -> None:
    outcome = choose([seen(role, "New user", in_viewport=True)], Wanted(parse_target(words), "see"))
    assert isinstance(outcome, Absent)


def test_a_dialog_may_be_called_by_its_heading() -> None:
    heading = seen("heading", "New user", in_top_dialog=True)
    assert found([seen("button", "New user"), heading], "the 'New user' dialog") is heading


def test_a_button_that_shares_a_word_is_no_menu() -> None:
    candidates = [seen("button", "+ New user", in_viewport=True)]
    outcome = choose(candidates, Wanted(parse_target("the user menu"), "click"))
    assert isinstance(outcome, Absent)
    actions = seen("button", "Actions", in_viewport=True)
    assert found([actions, *candidates], "the 'Actions' menu", "click") is actions
    opener = seen("button", "User options", expanded=False)
    assert found([*candidates, opener], "the user menu", "click") is opener


def test_what_stands_in_the_menu_stands_in_the_open_one() -> None:
    menu = seen("menu", "", x=0.0, y=500.0, width=100.0, height=100.0)
    inside = seen("menuitem", "Delete", x=10.0, y=520.0, width=50.0, height=20.0)
    outside = seen("menuitem", "Delete", x=500.0, y=20.0)
    buttons = [seen("button", f"B{n}", width=10.0, height=10.0) for n in range(8)]
    wanted = "'Delete' in the menu"
    assert found([*buttons, outside, menu, inside], wanted, "click") is inside


def test_the_row_of_headings_is_not_counted() -> None:
    head = seen("row", "Name", row="h")
    title = seen("columnheader", "Name", row="h")
    rows = [seen("row", f"User {n}", row=f"r{n}") for n in range(3)]
    cells = [seen("cell", f"User {n}", row=f"r{n}", row_text=f"User {n}") for n in range(3)]
    buttons = [seen("button", "Edit", row=f"r{n}", row_text=f"User {n}") for n in range(3)]
    page = [head, title, *rows, *cells, *buttons]
    assert found(page, "the first row") is rows[0]
    assert found(page, "the last row") is rows[2]
    assert found(page, "'Edit' in the second row", "click") is buttons[1]


def test_an_item_gives_way_to_what_is_called_so_in_it() -> None:
    item = seen("listitem", "Buy milk Details", row="r1", in_viewport=True)
    text = seen("text", "Buy milk", row="r1", in_viewport=True)
    assert found([item, text], "'Buy milk'", "click") is text
    again = seen("text", "Buy milk", row="r2", in_viewport=True)
    outcome = choose([item, text, again], Wanted(parse_target("'Buy milk'"), "click"))
    assert isinstance(outcome, Ambiguous)


def test_a_region_is_meant_before_the_heading_in_it() -> None:
    region = seen("complementary", "Order summary", y=100.0, width=300.0, height=200.0)
    heading = seen("heading", "Order summary", y=110.0)
    assert found([region, heading], "the order summary") is region
    elsewhere = seen("heading", "Order summary", y=700.0)
    outcome = choose([region, elsewhere], Wanted(parse_target("the order summary"), "see"))
    assert isinstance(outcome, Ambiguous)


def test_the_heading_of_a_page_is_its_only_one_of_the_first_level() -> None:
    main, others = seen("heading", "Results", level=1), [seen("heading", "Cup", level=2)]
    assert found([*others, main], "the heading") is main
    two = [main, seen("heading", "Cup", level=1)]
    assert isinstance(choose(two, Wanted(parse_target("the heading"), "see")), Ambiguous)
