from __future__ import annotations

import pytest

from services.runs.engine.language.models import Target
from services.runs.engine.resolver import scoring
from services.runs.engine.resolver.choosing import rank
from services.runs.engine.resolver.models import Candidate, Wanted
from services.runs.engine.resolver.scoring import Wording
from tests.services.runs.engine.resolver_support import click, seen


def points(candidate: Candidate, wanted: Wanted) -> float:
    found = rank([candidate], wanted)
    return found[0].score if found else 0


@pytest.mark.parametrize(
    ("wanted", "quoted", "name", "expected"),
    [
        ("Sign up", True, "Sign up", 100),
        ("Sign up", True, "SIGN-UP!", 95),
        ("Sign up", True, "Create account", 85),
        ("Sign up", True, "Create an account", 85),
        ("e-mail", False, "Email address", 85),
        ("Log out", True, "Sign out", 85),
        ("Basket", True, "Cart", 85),
        ("Save", True, "Save draft", 75),
        ("draft", True, "Save draft now", 65),
        ("raft", True, "Save draft now", 0),
        ("draft save", False, "Save draft", 60),
        ("blue save draft", False, "Save draft", 40),
        ("delivery adress", False, "Delivery address", 50),
        ("delivery adress", True, "Delivery address", 0),
        ("Save", True, "Cancel", 0),
        ("+", True, "+", 100),
        ("+", True, "-", 0),
    ],
)
def test_the_name_gives_what_the_table_says(
    wanted: str, quoted: bool, name: str, expected: int
) -> None:
    wording = Wording.of(Target(wanted, quoted), "click")
    assert scoring.name_points(wording, name)[0] == expected


def test_identifiers_count_least() -> None:
    button = seen("button", "", name_sources={"test_id": "signUp-submit", "id": "x1"})
    assert points(button, click("Sign up submit")) == 45 + 20
    assert points(button, click("Sign up")) == 0


def test_the_name_counts_once_by_its_best_source() -> None:
    icon = seen("button", "Close dialog", name_sources={"content": "Close", "title": "Close it"})
    assert points(icon, click("Close")) == 120


@pytest.mark.parametrize(
    ("role", "verb", "expected"),
    [
        ("button", "click", 20),
        ("text", "click", -30),
        ("heading", "click", -30),
        ("textbox", "fill", 20),
        ("button", "fill", -30),
        ("checkbox", "toggle", 20),
        ("combobox", "select", 20),
        ("file", "upload", 20),
        ("text", "see", 0),
    ],
)
def test_the_role_must_fit_the_verb(role: str, verb: str, expected: int) -> None:
    assert points(seen(role, "Name"), Wanted(Target("Name", True), verb)) == 100 + expected


def test_a_word_for_the_role_decides_alone() -> None:
    wanted = click("Orders", role="link")
    assert points(seen("link", "Orders"), wanted) == 120
    assert points(seen("button", "Orders"), wanted) == 100
    assert points(seen("heading", "Orders"), wanted) == 70


def test_bonuses_add() -> None:
    button = seen("button", "Save", in_top_dialog=True, form="f", in_viewport=True, primary=True)
    wanted = Wanted(Target("Save", True), "click", last_form="f")
    assert points(button, wanted) == 100 + 20 + 15 + 8 + 5 + 3


def test_an_expectation_is_not_stretched() -> None:
    page = [seen("heading", "Create account")]
    assert rank(page, Wanted(Target("Sign up", True), "see")) == ()
    assert rank(page, Wanted(Target("Sign up", True), "click"))


def test_an_unlabelled_field_is_known_by_the_text_before_it() -> None:
    street = seen("textbox", "", neighbour="Street:")
    assert points(street, Wanted(Target("street"), "fill")) == 65 + 20


def test_a_long_text_of_a_page_is_compared_in_bounds() -> None:
    assert points(seen("button", "a " * 200_000), click("b")) == 0
