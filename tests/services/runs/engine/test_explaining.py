"""Why a sentence is not read, for its author: the part that is meant and the nearest form."""

from __future__ import annotations

import pytest

from services.runs.engine.language import explain_claim, explain_step


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Place the order", "begins with no verb"),
        ('Click "A" and then delete it', "“delete it” begins with no verb"),
        ('Click "Save', "quotes do not match"),
        ('The "Save" button is visible', "put it under expect"),
        ('Click "Save" unless it is disabled', "condition"),
        ("Do not tick the terms", "leave it out"),
        ("Dismiss the toast", "in quotes"),
        ('Select the rows "A" and "B"', "say one thing"),
    ],
)
def test_a_step_is_told_what_it_lacks(text: str, said: str) -> None:
    assert said in explain_step(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('"A" is shown and "B" is not shown', "two claims"),
        ("The cart is empty", "in quotes"),
        ("The page shows Welcome back", "in quotes"),
        ('If the user is an admin, "Delete" is visible', "condition"),
        ("Nothing happens", "its verb is none"),
        ('"Total" is "$5.00"', "The total is"),
        ('A file "users.csv" is downloaded', "no element"),
    ],
)
def test_a_claim_is_told_what_it_lacks(text: str, said: str) -> None:
    assert said in explain_claim(text)


def test_what_is_read_needs_no_explanation() -> None:
    assert explain_step('Click "Save"') == ""
    assert explain_claim('"Saved" is shown') == ""


@pytest.mark.parametrize("text", ["", ",", "and", "\x00", '""', "." * 20_000, "a " * 10_000])
def test_any_text_is_explained(text: str) -> None:
    assert explain_step(text)
    assert explain_claim(text)
