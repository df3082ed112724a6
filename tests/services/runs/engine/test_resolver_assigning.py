from __future__ import annotations

from services.runs.engine.language.models import Target
from services.runs.engine.resolver.assigning import assign_values
from services.runs.engine.resolver.models import Candidate, Entry, Unassignable
from tests.services.runs.engine.resolver_support import field, seen, value


def names(entries: list[Entry], page: list[Candidate]) -> list[tuple[int, str]]:
    found = assign_values(entries, page)
    assert not isinstance(found, Unassignable), found
    return [(entries.index(entry), candidate.name) for entry, candidate in found]


def refusal(entries: list[Entry], page: list[Candidate]) -> Unassignable:
    found = assign_values(entries, page)
    assert isinstance(found, Unassignable)
    return found


EMAIL = field("E-mail", input_type="email")
PASSWORD = field("Password", input_type="password")
AGAIN = field("Confirm password", input_type="password")
SUBMIT = seen("button", "Sign up", form="f")


def test_e_mail_and_password_by_their_generators() -> None:
    entries = [
        value("who", "a@b.example", generator="unique_email"),
        value("secret", generator="password"),
    ]
    assert names(entries, [PASSWORD, EMAIL, SUBMIT]) == [(0, "E-mail"), (1, "Password")]


def test_one_password_fills_its_repetition_too() -> None:
    entries = [value("email", "a@b.example"), value("password")]
    assert names(entries, [EMAIL, PASSWORD, AGAIN]) == [
        (0, "E-mail"),
        (1, "Password"),
        (1, "Confirm password"),
    ]


def test_two_password_fields_of_unclear_meaning_are_ambiguous() -> None:
    page = [PASSWORD, field("Old password", input_type="password")]
    assert refusal([value("secret", generator="password")], page).reason == "ambiguous"


def test_a_variable_finds_the_field_of_its_words() -> None:
    page = [field("Last name"), field("First name"), field("", name_sources={"id": "companyName"})]
    entries = [value("first_name"), value("company_name"), value("last_name")]
    found = assign_values(entries, page)
    assert not isinstance(found, Unassignable)
    assert [candidate for _, candidate in found] == [page[1], page[2], page[0]]


def test_a_named_field_comes_first() -> None:
    page = [field("Street"), field("City")]
    entries = [value(text="Lisbon", field=Target("City")), value(text="Main Street 1")]
    assert names(entries, page) == [(0, "City"), (1, "Street")]


def test_a_named_field_that_is_not_there() -> None:
    assert refusal([value(field=Target("Fax", True))], [field("City")]).reason == "not_found"


def test_shapes_speak_where_nothing_else_does() -> None:
    page = [
        field("Born", input_type="date"),
        field("Mail address"),
        field("Phone", input_type="tel"),
        seen("spinbutton", "Guests", input_type="number", form="f"),
    ]
    entries = [
        value(text="a@b.example"),
        value(text="3"),
        value(text="2024-02-29"),
        value(text="+351 210 000 000"),
    ]
    assert names(entries, page) == [(0, "Mail address"), (1, "Guests"), (2, "Born"), (3, "Phone")]


def test_left_overs_fill_the_empty_fields_in_order() -> None:
    page = [field("A"), field("B", value="full"), field("C")]
    assert names([value(text="one"), value(text="two")], page) == [(0, "A"), (1, "C")]


def test_counts_must_match() -> None:
    page = [field("A"), field("B"), field("C")]
    found = refusal([value(text="one"), value(text="two")], page)
    assert "2 values" in found.message
    assert "one" not in found.message


def test_nothing_to_fill() -> None:
    assert refusal([value(text="one")], [SUBMIT]).reason == "not_found"


def test_the_form_in_the_main_part_is_meant_and_not_the_search_above() -> None:
    search = seen("searchbox", "Search", form="s", landmark="search header")
    login = [
        field("User", form="l", landmark="main"),
        field("Password", form="l", landmark="main", input_type="password"),
    ]
    entries = [value(text="ann"), value(text="hunter")]
    assert names(entries, [search, *login]) == [(0, "User"), (1, "Password")]


def test_the_focused_form_is_meant() -> None:
    first = field("A", form="one")
    second = field("B", form="two", focused=True)
    assert names([value(text="x")], [first, second]) == [(0, "B")]


def test_the_form_of_the_action_before_is_meant() -> None:
    page = [field("A", form="one"), field("B", form="two")]
    found = assign_values([value(text="x")], page, "two")
    assert not isinstance(found, Unassignable)
    assert [candidate.name for _, candidate in found] == ["B"]


def test_disabled_hidden_and_read_only_fields_take_nothing() -> None:
    page = [
        field("A", enabled=False),
        field("B", visible=False),
        field("C", editable=False),
        field("D"),
    ]
    assert names([value(text="x")], page) == [(0, "D")]
