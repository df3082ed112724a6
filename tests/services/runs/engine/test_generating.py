"""Cases out of what is known of an application: what is made, and what never is."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.runs.engine import language
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
from services.runs.engine.generating.openapi import cases_of_api
from services.runs.engine.generating.patterns import example_of
from services.runs.engine.generating.prose import cases_of_text
from services.runs.engine.generating.site import cases_of_site
from services.runs.engine.generating.words import is_dangerous
from services.runs.engine.generating.writing import write
from services.runs.engine.grammar.parsing import parse
from tests.services.runs.engine.generating_support import site_of
from tests.support.shop import EMAIL

URL = "http://shop.test"


def written(cases: list[Case]) -> str:
    """Write cases, and see that our own engine can do all of it without a model."""
    text = write("Made", URL, cases)
    parsed = parse(text)
    assert parsed.suite is not None, parsed.problems
    assert not parsed.warnings
    for case in parsed.suite.cases:
        assert case.expect
        assert all(language.parse_step(step.do) for step in case.steps)
        claims = [one.claim for one in case.expect if one.check is None]
        assert all(language.parse_claim(claim or "") for claim in claims)
    return text


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


def api(paths: dict[str, Any], **more: Any) -> list[Case]:
    """Make the cases of a description."""
    return cases_of_api(json.dumps({"openapi": "3.0.0", "paths": paths, **more}), URL)


def checks(cases: list[Case]) -> dict[str, dict[str, Any]]:
    """Give the checks by id."""
    written(cases)
    return {case.id: dict(case.expect[0]["check"]) for case in cases}


def test_an_operation_is_asked_as_its_description_says() -> None:
    pet = {
        "type": "object",
        "required": ["name", "tags"],
        "properties": {
            "name": {"type": "string", "minLength": 3},
            "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1},
            "parent": {"$ref": "#/components/schemas/Pet"},
        },
    }
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}}
    made = api(
        {
            "/pets/{id}": {
                "parameters": [{"in": "path", "name": "id", "schema": {"type": "integer"}}],
                "get": {"responses": {"404": {}, "200": {}}},
                "put": {"requestBody": body, "responses": {"200": {}, "400": {}}},
                "delete": {"responses": {"204": {}, "404": {}}},
            },
            "/pets/{id}/pay": {"post": {"operationId": "payPet", "responses": {"200": {}}}},
            "/find": {
                "get": {
                    "parameters": [
                        {"in": "query", "name": "q", "required": True, "example": "a b&c"},
                        {"in": "header", "name": "X-Who", "required": True, "example": "me"},
                    ],
                    "responses": {"2XX": {}, "401": {}},
                }
            },
        },
        components={
            "schemas": {"Pet": pet},
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}},
        },
        security=[{"key": []}],
        servers=[{"url": "https://elsewhere.test/v2/"}],
    )
    found = checks(made)
    answers = found["put-pets-id-answers"]
    assert json.loads(answers["body"]) == {"name": "teapot-t", "tags": ["teapot-t"]}
    assert answers["url"] == "/v2/pets/${E2E_ID}"
    assert answers["headers"]["X-Key"] == "${E2E_API_KEY}"
    assert found["put-pets-id-empty-body"]["status"] == 400
    assert found["get-pets-id-unknown"]["url"] == "/v2/pets/999999999"
    assert found["get-find-answers"] == {
        "kind": "api",
        "method": "GET",
        "url": "/v2/find?q=a%20b%26c",
        "headers": {"X-Who": "me", "X-Key": "${E2E_API_KEY}"},
    }
    assert found["get-find-anonymous"]["status"] == 401
    skipped = {case.id for case in made if case.skip}
    assert skipped == {"delete-pets-id-answers", "post-pets-id-pay-answers"}
    assert found["delete-pets-id-unknown"]["status"] == 404
    few = cases_of_api(
        json.dumps({"openapi": "3.0.0", "paths": {"/a": {"delete": {}, "get": {}}}}),
        URL,
        exhaustive=False,
    )
    assert [case.id for case in few] == ["get-a-answers", "delete-a-answers"]


def test_a_swagger_2_description_in_yaml_is_read() -> None:
    text = """
swagger: "2.0"
basePath: /v1
paths:
  /teas:
    post:
      parameters:
        - {in: body, name: tea, schema: {required: [n], properties: {n: {type: integer}}}}
      responses: {201: {description: made, schema: {type: object, required: [id]}}}
"""
    found = checks(cases_of_api(text, URL))
    made = found["post-teas-answers"]
    assert (made["url"], made["status"], made["body"]) == ("/v1/teas", 201, '{"n":1}')
    assert made["json_path"] == "$.id"
    assert found["post-teas-empty-body"]["not"] is True
    assert checks(cases_of_api(text, f"{URL}/api/"))["post-teas-answers"]["url"] == "/api/teas"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "openapi: 3",
        "just words",
        '{"openapi": "3.0.0", "paths": {}}',
        '{"openapi": "3.0.0", "paths": []}',
        '{"openapi": "3.0.0", "paths": {"/a": {"$ref": "#/paths/~1a"}}}',
        '{"openapi": "3.0.0", "paths": {"/a": {"$ref": "http://169.254.169.254/"}}}',
        "a: &a [x, x]\nb: *a\nopenapi: 3\npaths: {}",
        "openapi: !!python/object/apply:os.system [ls]\npaths: {}",
        "openapi: 3\npaths: " + "[" * 2000,
        "{" * 100_000,
        "openapi: " + "9" * 10_000 + "\npaths: {}",
        "? [a]\n: b\nopenapi: 3\npaths: {}",
        "openapi: 2020-99-99\npaths: {}",
    ],
)
def test_what_is_no_description_is_nothing_usable(text: str) -> None:
    with pytest.raises(NothingUsable):
        cases_of_api(text, URL)


_ODD = {"in": "query", "name": "${q}", "required": True, "default": "${z}"}


def test_hostile_descriptions_cost_little_and_stay_suites() -> None:
    loop = {"oneOf": [{"$ref": "#/x"}]}
    wide: dict[str, Any] = {"type": "object", "required": [f"p{n}" for n in range(3000)]}
    wide["properties"] = {f"p{n}": {"$ref": "#/x"} for n in range(3000)}
    content = {"content": {"application/json": {"schema": {"$ref": "#/x"}}}}
    paths: dict[str, Any] = {
        f"/{n}": {"post": {"requestBody": content, "responses": {"200": {}}}} for n in range(400)
    }
    for schema in (loop, wide, {"type": "array", "minItems": 10**9, "items": {"$ref": "#/x"}}):
        cases = api(paths, x=schema)
        assert len(cases) == 150
    odd: dict[str, Any] = {
        "/${x}/{a}\n{b}": {
            "get": {
                "summary": "${y}\x00\n: - {",
                "tags": ["${t}"],
                "parameters": [_ODD],
                "responses": {"200": {"content": {"application/json": {"schema": 5}}}},
            },
            "post": {"requestBody": {"content": {"application/json": {"example": "${v}"}}}},
        },
        "/b": {"get": 5, "parameters": {"a": 1}},
    }  # fmt: skip
    cases = api(odd)
    suite = parse(write("Odd", URL, cases)).suite
    assert suite is not None
    assert {case.id for case in suite.cases} == {case.id for case in cases}
    assert "${v}" not in str([case.expect for case in cases])


def test_sentences_become_steps_and_claims() -> None:
    text = """\
# **Checking out**
Our shop is nice. You can pay in many ways.
1. Open /products
2. Click the [Blue Teapot](/products/teapot) link. "Add to cart" is shown.
3. Click "Add to cart"
- [ ] The user should see "Blue Teapot is in your cart."
- It must look good.

```
Click "not me"
```
Scenario: Log in
  Given I am on /login
  When I enter ${email} into "Email"
  And I enter ${password} into "Password"
  Then an error is shown
## Nothing to do
Tea is a plant.
"""
    cases = cases_of_text(text)
    text = written(cases)
    assert [case.title for case in cases] == ["Checking out", "Log in"]
    assert [step["do"] for step in cases[0].steps] == [
        "Open /products",
        'Click the "Blue Teapot" link',
        'Wait for "Add to cart"',
        'Click "Add to cart"',
    ]
    assert [one["assert"] for one in cases[0].expect] == [
        'The user should see "Blue Teapot is in your cart."'
    ]
    assert cases[1].steps[-1] == {"do": 'I enter ${password} into "Password"', "secret": True}
    assert cases[1].fixtures == {"email": {"gen": "unique_email"}, "password": {"gen": "password"}}
    assert "not me" not in text


def test_a_page_of_documentation_is_read_without_its_scripts() -> None:
    page = (
        "<!DOCTYPE html><html><head><title>x</title></head><body><nav>Open /nav</nav>"
        '<script>Click "evil"</script><h2>Find &amp; buy</h2><ul><li>Open <code>/products</code>'
        '<li>Click <b>"Blue Teapot"</b>.</ul><p>The heading "Thanks" is visible.</p>'
        '<h2>Leave</h2><p>Click "Delete account". "Gone" is shown.</p><style>' + "<svg>" * 50_000
    )
    cases = cases_of_text(page)
    assert [case.title for case in cases] == ["Find & buy", "Leave"]
    assert len(cases[0].steps) == 2
    assert [case.title for case in cases_of_text(page, spare=True)] == ["Find & buy"]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300) | st.text(alphabet="#-1. Open/\"'`${}<>clk\n", max_size=200))
def test_no_words_break_the_reader(text: str) -> None:
    try:
        cases = cases_of_text(text)
        made = write("Any", URL, cases)
    except NothingUsable:
        return
    assert parse(made).suite is not None
