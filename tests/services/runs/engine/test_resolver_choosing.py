from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.runs.engine.language.models import Relation, Target
from services.runs.engine.resolver.choosing import choose
from services.runs.engine.resolver.models import Absent, Ambiguous, Candidate, Choice, Wanted
from tests.services.runs.engine.resolver_support import click, field, seen


def chosen(candidates: list[Candidate], wanted: Wanted) -> Candidate:
    found = choose(candidates, wanted)
    assert isinstance(found, Choice), found
    return found.candidate


def test_an_exact_name_beats_one_that_only_begins_so() -> None:
    save, draft = seen("button", "Save"), seen("button", "Save draft")
    assert chosen([draft, save], click("Save")) is save


def test_a_button_beats_the_heading_of_its_name() -> None:
    heading, button = seen("heading", "Sign up"), seen("button", "Sign up")
    assert chosen([heading, button], click("Sign up")) is button


def test_a_renamed_button_is_found_by_its_synonym() -> None:
    button = seen("button", "Create account")
    assert chosen([button, seen("link", "Log in")], click("Sign up")) is button


def test_two_of_one_name_are_ambiguous() -> None:
    found = choose([seen("button", "Order"), seen("button", "Order")], click("Order"))
    assert isinstance(found, Ambiguous)
    assert [each.candidate.name for each in found.candidates] == ["Order", "Order"]


def test_an_explanation_shows_five_at_most() -> None:
    found = choose([seen("button", "Order") for _ in range(9)], click("Order"))
    assert isinstance(found, Ambiguous)
    assert len(found.candidates) == 5


def test_what_leads_by_less_than_ten_is_ambiguous() -> None:
    found = choose(
        [seen("button", "Order"), seen("button", "Order", in_viewport=True)], click("Order")
    )
    assert isinstance(found, Ambiguous)


def test_the_one_in_the_topmost_dialog_leads() -> None:
    inside = seen("button", "Delete", in_top_dialog=True)
    assert chosen([seen("button", "Delete"), inside], click("Delete")) is inside


def test_links_to_one_address_are_one() -> None:
    first, second = (seen("link", "Orders", href="http://shop/orders") for _ in range(2))
    assert chosen([second, first], click("Orders")) is first


def test_buttons_of_one_effect_are_one_and_others_are_not() -> None:
    first, second = (seen("button", "Search", effect="submit f /s q=") for _ in range(2))
    assert chosen([first, second], click("Search")) is first
    other = replace(second, effect="submit g /s q=")
    assert isinstance(choose([first, other], click("Search")), Ambiguous)


def test_a_card_around_a_link_of_its_name_is_no_rival() -> None:
    card = seen("clickable", "Teapot")
    link = seen("link", "Teapot", within=card.ref)
    assert chosen([card, link], click("Teapot")) is link


def test_hidden_ones_do_not_count() -> None:
    shown = seen("button", "Order")
    assert chosen([shown, seen("button", "Order", visible=False)], click("Order")) is shown


def test_a_disabled_one_explains_and_nothing_else_stands_in() -> None:
    closed = seen("button", "Save", enabled=False)
    found = choose([closed, seen("button", "Save draft")], click("Save"))
    assert isinstance(found, Absent)
    assert found.disabled is closed


def test_a_disabled_one_can_be_seen() -> None:
    closed = seen("button", "Save", enabled=False)
    assert chosen([closed], Wanted(Target("Save", True, "button"), "see")) is closed


def test_a_field_that_only_reads_is_not_filled() -> None:
    found = choose([field("Number", editable=False)], Wanted(Target("Number"), "fill"))
    assert isinstance(found, Absent)
    assert found.disabled is not None


def test_what_a_person_refused_is_not_taken_again() -> None:
    wanted = replace(click("Sign up"), refused=(("button", "Join"),))
    assert isinstance(choose([seen("button", "Join")], wanted), Absent)


def test_a_file_field_may_be_hidden() -> None:
    hidden = seen("file", "Picture", visible=False)
    assert chosen([hidden], Wanted(Target("Picture"), "upload")) is hidden


@pytest.mark.parametrize(("ordinal", "expected"), [(1, 0), (2, 1), (3, 2), (-1, 2), (-3, 0)])
def test_ordinals_count_in_page_order(ordinal: int, expected: int) -> None:
    rows = [seen("button", "Delete") for _ in range(3)]
    rows[1] = replace(rows[1], in_viewport=True, in_top_dialog=True)
    assert chosen(rows[::-1], click("Delete", ordinal=ordinal)) is rows[expected]


@pytest.mark.parametrize("ordinal", [0, 4, -4])
def test_an_ordinal_beyond_the_last_finds_nothing(ordinal: int) -> None:
    rows = [seen("button", "Delete") for _ in range(3)]
    assert isinstance(choose(rows, click("Delete", ordinal=ordinal)), Absent)


def test_an_ordinal_and_a_role_are_enough() -> None:
    rows = [seen("row", f"Order {number}") for number in range(3)]
    wanted = Wanted(Target("", role="row", ordinal=2), "click")
    assert chosen([*rows, seen("button", "x")], wanted) is rows[1]


def test_a_role_alone_must_be_the_only_one() -> None:
    box = seen("checkbox", "I agree")
    wanted = Wanted(Target("", role="checkbox"), "toggle")
    assert chosen([box, seen("button", "x")], wanted) is box
    assert isinstance(choose([box, seen("checkbox", "News")], wanted), Ambiguous)


def related(kind: str, text: str, **values: Any) -> Wanted:
    return Wanted(
        Target("Delete", True, relations=(Relation(kind, Target(text, **values)),)), "click"
    )


def test_the_row_that_contains_a_text() -> None:
    rows = [
        seen("button", "Delete", row=f"w{who}", row_text=f"{who} Smith Delete")
        for who in ("Ann", "Bob", "Bobby")
    ]
    assert chosen(rows, related("row", "Bob", quoted=True)) is rows[1]
    found = choose(rows, related("row", "Carl", quoted=True))
    assert isinstance(found, Absent)
    assert found.missing == "Carl"


def test_in_a_group_and_under_a_heading() -> None:
    billing = seen("button", "Delete", groups=("Billing",), heading="Address")
    shipping = seen("button", "Delete", groups=("Shipping",), heading="Parcel")
    assert chosen([shipping, billing], related("in", "billing")) is billing
    assert chosen([shipping, billing], related("under", "Parcel", quoted=True)) is shipping


def test_next_to_takes_the_nearest() -> None:
    label = seen("text", "Teapot", x=0, y=100)
    near = seen("button", "Delete", x=120, y=100)
    far = seen("button", "Delete", x=330, y=100)
    away = seen("button", "Delete", x=120, y=900)
    assert chosen([far, away, near, label], related("next_to", "Teapot")) is near


def test_below_and_above() -> None:
    over = seen("button", "Delete", y=50.0)
    label = seen("text", "Teapot", y=100.0)
    under = seen("button", "Delete", y=150.0)
    assert chosen([over, label, under], related("below", "Teapot")) is under
    assert chosen([over, label, under], related("above", "Teapot")) is over


def test_regions() -> None:
    top = seen("link", "Cart", landmark="nav header")
    bottom = seen("link", "Cart", landmark="footer")
    assert chosen([top, bottom], click("Cart", region="header")) is top
    assert chosen([top, bottom], click("Cart", region="navigation")) is top
    assert chosen([top, bottom], click("Cart", region="footer")) is bottom
    found = choose([top, bottom], click("Cart", region="sidebar"))
    assert isinstance(found, Absent)
    assert found.missing == "sidebar"


_NAMES = ("Save", "save!", "Save draft", "Delete", "Remove", "Sign up", "Join", "Cart", "Next step")
_ROLES = ("button", "link", "text", "heading", "textbox", "clickable", "row")


@st.composite
def pages(draw: st.DrawFn) -> list[Candidate]:
    size = draw(st.integers(0, 7))
    return [
        seen(
            draw(st.sampled_from(_ROLES)),
            draw(st.sampled_from(_NAMES)),
            order=number,
            enabled=draw(st.booleans()),
            in_viewport=draw(st.booleans()),
            in_top_dialog=draw(st.booleans()),
            href=draw(st.sampled_from(["", "http://shop/a"])),
            x=draw(st.integers(0, 3)) * 110.0,
            y=draw(st.integers(0, 3)) * 40.0,
        )
        for number in range(size)
    ]


WANTED = st.builds(
    Wanted,
    st.builds(
        Target,
        st.sampled_from(_NAMES),
        st.booleans(),
        st.sampled_from([None, "button", "link"]),
        st.sampled_from([None, 1, -1, 2]),
        st.sampled_from([(), (Relation("next_to", Target("Cart")),)]),
    ),
    st.sampled_from(["click", "fill", "see"]),
)


@settings(max_examples=150, deadline=None)
@given(pages(), WANTED, st.randoms())
def test_the_order_of_candidates_does_not_matter(
    page: list[Candidate], wanted: Wanted, chance: Random
) -> None:
    mixed = list(page)
    chance.shuffle(mixed)
    assert choose(mixed, wanted) == choose(page, wanted)


@settings(max_examples=150, deadline=None)
@given(pages(), WANTED, st.sampled_from(_ROLES), st.booleans())
def test_an_unrelated_candidate_never_changes_the_choice(
    page: list[Candidate], wanted: Wanted, role: str, on_top: bool
) -> None:
    stranger = seen(role, "Zwölf Boxkämpfer", in_top_dialog=on_top, in_viewport=True, order=3)
    before, after = choose(page, wanted), choose([*page, stranger], wanted)
    assert type(before) is type(after)
    if isinstance(before, Choice) and isinstance(after, Choice):
        assert before.candidate is after.candidate


@settings(max_examples=100, deadline=None)
@given(pages(), st.sampled_from(_NAMES))
def test_equals_are_ambiguous_whatever_else_is_there(page: list[Candidate], name: str) -> None:
    twins = [
        seen("button", name, in_top_dialog=True, in_viewport=True, order=number, href="")
        for number in (90, 91)
    ]
    found = choose([*page, *twins], click(name))
    assert not isinstance(found, Choice)
