"""Cases out of what is known of an application: what is made, and what never is."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.runs.engine.generating.models import (
    Account,
    Case,
    NothingUsable,
    SeenField,
    SeenForm,
    SeenLink,
    SeenPage,
    SiteMap,
)
from services.runs.engine.generating.patterns import example_of
from services.runs.engine.generating.site import cases_of_site
from services.runs.engine.generating.words import is_dangerous
from services.runs.engine.generating.writing import write
from services.runs.engine.grammar.parsing import parse
from tests.services.runs.engine.generating_support import site_of, written
from tests.support.shop import EMAIL

URL = "http://shop.test"


def of_form(form: SeenForm, **page: Any) -> list[Case]:
    """Make the cases of a page with one form."""
    seen = SeenPage(path="/form", headings=("A form",), forms=(form,), **page)
    return cases_of_site(SiteMap(base_url=URL, pages=(seen,)))


def test_the_shop_has_cases_for_pages_links_and_forms() -> None:
    cases = cases_of_site(site_of(URL), account=Account(EMAIL, "/login"))
    text = written(cases)
    ids = [case.id for case in cases]
    assert len(ids) == len(set(ids))
    by_tag = {tag for case in cases for tag in case.tags}
    assert by_tag == {"smoke", "navigation", "negative", "edge", "happy-path"}
    assert "LOGIN_PASSWORD: ${LOGIN_PASSWORD}" in text
    log_in = ids.index("login-log-in-log-in")
    behind = [case for case in cases if case.depends_on]
    assert [case.id for case in behind][:2] == ["dashboard-opens", "settings-opens"]
    assert all(ids.index(case.id) > log_in for case in behind)
    assert ids[-1] == "signup-sign-up-sent"
    few = cases_of_site(site_of(URL), exhaustive=False, account=Account(EMAIL, "/login"))
    assert {tag for case in few for tag in case.tags} == {"smoke", "navigation", "happy-path"}
    without = written(cases_of_site(site_of(URL)))
    assert "/dashboard" not in without
    assert "LOGIN_PASSWORD" not in without


@pytest.mark.parametrize(
    "form",
    [
        SeenForm(method="post", submit="Delete account", fields=(SeenField(label="Reason"),)),
        SeenForm(method="post", submit="Pay now", action=f"{URL}/x"),
        SeenForm(method="post", submit="Go", action=f"{URL}/logout"),
        SeenForm(method="post", submit="Go", danger=True, fields=(SeenField(label="Name"),)),
        SeenForm(method="post", submit="Go", action=f"{URL}/x", fields=(SeenField(label="CVC"),)),
        SeenForm(
            method="post",
            submit="Go",
            action=f"{URL}/x",
            fields=(SeenField(label="Number", autocomplete="cc-number"),),
        ),
        SeenForm(method="post", submit="Place order", fields=(SeenField(label="Street"),)),
        SeenForm(method="post", submit="Unsubscribe", fields=(SeenField(label="Mail"),)),
    ],
)
def test_what_deletes_pays_or_ends_is_never_sent(form: SeenForm) -> None:
    cases = of_form(form, buttons=(form.submit,))
    assert [case.id for case in cases] == ["form-opens"]
    assert "Click" not in written(cases)


def test_dangerous_links_are_not_followed_and_words_are_whole() -> None:
    links = (
        SeenLink(name="Log out", url=f"{URL}/out"),
        SeenLink(name="Leave", url=f"{URL}/out", danger=True),
        SeenLink(name="Twice", url=f"{URL}/out"),
        SeenLink(name="Twice", url=f"{URL}/out"),
    )
    pages = (
        SeenPage(path="/", headings=("Home",), links=links),
        SeenPage(path="/out", headings=("Out",)),
        SeenPage(path="/broken", headings=("Oops",), status=500),
    )
    cases = cases_of_site(SiteMap(base_url=URL, pages=pages))
    assert [case.id for case in cases] == ["home-opens", "out-opens"]
    assert is_dangerous("Sign out", "x")
    assert is_dangerous("delete_account")
    assert not is_dangerous("Sign up", "Deleted items", "Payday news")


def test_forms_that_cannot_be_told_or_filled_are_left_alone() -> None:
    mail = SeenField(label="Email", type="email", required=True)
    twice = SeenForm(method="post", submit="Go", action=f"{URL}/x", fields=(mail, mail))
    assert len(of_form(twice, buttons=("Go",))) == 1
    unnamed = SeenForm(method="post", submit="Go", fields=(SeenField(name="q", required=True),))
    assert len(of_form(unnamed, buttons=("Go",))) == 1
    hostile = SeenField(label="${secret}", required=True)
    assert len(of_form(SeenForm(method="post", submit="Go", fields=(hostile,)))) == 1
    two = SeenForm(method="post", submit="Go", action=f"{URL}/x", fields=(mail,))
    assert len(of_form(two, buttons=("Go", "Go"))) == 1
    changes = SeenForm(
        method="post",
        submit="Save",
        action=f"{URL}/x",
        fields=(SeenField(label="New password", type="password"),),
    )
    page = SeenPage(path="/me", headings=("Me",), forms=(changes,), behind_login=True)
    log_in = next(one for one in site_of(URL).pages if one.path == "/login")
    made = cases_of_site(
        SiteMap(base_url=URL, pages=(log_in, page)), account=Account("a@b.test", "/login")
    )
    assert not [case for case in made if "Save" in str(case.steps)]


def test_every_sort_of_field_is_filled_with_what_fits() -> None:
    def seen(label: str, kind: str = "text", **more: Any) -> SeenField:
        return SeenField(label=label, type=kind, required=True, **more)

    form = SeenForm(
        method="post",
        submit="Go",
        action=f"{URL}/x",
        fields=(
            seen("Size", "select", options=("Choose", "Large")),
            seen("Plan", "radio", options=("Monthly", "Yearly")),
            seen("I agree", "checkbox"),
            seen("Picture", "file"),
            seen("Day", "date", min="2030-05-01"),
            seen("At", "time"),
            seen("Cups", "number", min="3"),
            seen("Code", pattern="[A-Z]{3}-\\d{2}"),
            seen("Phone", "tel"),
            seen("Zip", maxlength=5),
            seen("Story", "textarea", minlength=50),
        ),
    )
    cases = of_form(form, buttons=("Go",))
    text = written(cases)
    for line in (
        'Choose "Large" in "Size"',
        'Select the radio button "Monthly"',
        'Tick the "I agree" checkbox',
        'Upload a 1 KB PNG to "Picture"',
        'Enter "2030-05-01" into "Day"',
        'Enter "3" into "Cups"',
        'Enter "AAA-11" into "Code"',
        'Enter ${text_of_50} into "Story"',
    ):
        assert line in text, line


def test_only_plain_patterns_have_examples() -> None:
    for pattern, example in (
        ("[0-9]{5}", "00000"),
        ("^[A-Z]{2}-?\\d+$", "AA1"),
        ("\\+\\w{3,8}", "+aaa"),
        ("(a+)+", None),
        ("a|b", None),
        ("[^a]", None),
        ("a{500}", None),
        ("", None),
    ):
        assert example_of(pattern) == example, pattern


@given(st.text(alphabet="[]{}()\\dw+*?.,-0a9^$|", max_size=60))
def test_reading_a_pattern_never_fails_and_its_example_fits(pattern: str) -> None:
    made = example_of(pattern)
    if made is not None and len(pattern) < 20:
        with suppress(re.error):
            assert re.fullmatch(pattern, made)


WORD = st.text(max_size=40)
FIELD = st.builds(
    SeenField,
    label=WORD,
    name=WORD,
    type=st.sampled_from(["text", "email", "password", "number", "select", "radio", "x"]),
    required=st.booleans(),
    minlength=st.none() | st.integers(-5, 10**9),
    maxlength=st.none() | st.integers(-5, 10**9),
    min=st.none() | WORD,
    max=st.none() | WORD,
    pattern=st.none() | WORD,
    options=st.lists(WORD, max_size=3).map(tuple),
    value=WORD,
)  # fmt: skip
FORM = st.builds(
    SeenForm,
    name=WORD,
    method=st.sampled_from(["get", "post"]),
    action=WORD,
    submit=WORD,
    kind=st.sampled_from(["login", "signup", "search", "other"]),
    fields=st.lists(FIELD, max_size=4).map(tuple),
)
PAGE = st.builds(
    SeenPage,
    path=st.sampled_from(["/", "/a", "/b?x=1", "/ü", "//x", "/a b", "", "/c;d"]),
    title=WORD,
    headings=st.lists(WORD, max_size=2).map(tuple),
    buttons=st.lists(WORD, max_size=2).map(tuple),
    forms=st.lists(FORM, max_size=2).map(tuple),
    links=st.lists(st.builds(SeenLink, name=WORD, url=WORD), max_size=2).map(tuple),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(PAGE, max_size=3))
def test_whatever_a_page_says_what_is_written_is_a_suite(pages: list[SeenPage]) -> None:
    try:
        cases = cases_of_site(SiteMap(base_url=URL, pages=tuple(pages)))
        text = write("Any", URL, cases)
    except NothingUsable:
        return
    assert parse(text).suite is not None
