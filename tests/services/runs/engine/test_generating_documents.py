"""Cases out of descriptions of APIs and out of words: what is made, and what never is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.runs.engine.generating.models import (
    Case,
    NothingUsable,
)
from services.runs.engine.generating.openapi import cases_of_api
from services.runs.engine.generating.prose import cases_of_text
from services.runs.engine.generating.writing import write
from services.runs.engine.grammar.parsing import parse
from tests.services.runs.engine.generating_support import written

URL = "http://shop.test"


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
