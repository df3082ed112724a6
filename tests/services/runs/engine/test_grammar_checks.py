"""Checks of suites: kinds, parameters, types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from services.runs.engine.grammar.models import Check
from tests.services.runs.engine.grammar_support import case, one_case, problems, warnings


def text_of(check: str) -> str:
    return one_case(f"expect: [{{check: {check}}}]")


def read(check: str) -> Check:
    found = case(f"expect: [{{check: {check}}}]").expect[0].check
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("written", "kind", "parameters"),
    [
        ("{kind: url, path_is: /a}", "url", {"path_is": "/a"}),
        (
            "{kind: url, path_is: '${p}', contains: q=1}",
            "url",
            {"path_is": "${p}", "contains": "q=1"},
        ),
        ("{kind: visible_text, contains: 42}", "visible_text", {"contains": "42"}),
        (
            "{kind: visible_text, equals: ' a ', selector_hint: '#x', ignore_case: true}",
            "visible_text",
            {"equals": " a ", "selector_hint": "#x", "ignore_case": True},
        ),
        (
            "{kind: visible_text, contains: a, ignore_case: no}",
            "visible_text",
            {"contains": "a"},
        ),
        ("{kind: absent_text, any_of: [a, b]}", "absent_text", {"any_of": ("a", "b")}),
        ("{kind: absent_text, any_of: a}", "absent_text", {"any_of": ("a",)}),
        ("{kind: element_visible, selector_hint: x}", "element_visible", {"selector_hint": "x"}),
        (
            "{kind: element_visible, selector_hint: x, not: true}",
            "element_visible",
            {"selector_hint": "x", "not": True},
        ),
        (
            "{kind: value, selector_hint: x, equals: ''}",
            "value",
            {"selector_hint": "x", "equals": ""},
        ),
        (
            "{kind: count, selector_hint: r, equals: 3}",
            "count",
            {"selector_hint": "r", "equals": 3},
        ),
        (
            "{kind: count, selector_hint: r, at_least: '${n}', at_most: 0}",
            "count",
            {"selector_hint": "r", "at_least": "${n}", "at_most": 0},
        ),
        ("{kind: checked, selector_hint: x}", "checked", {"selector_hint": "x"}),
        ("{kind: title, starts_with: x}", "title", {"starts_with": "x"}),
        (
            "{kind: attribute, selector_hint: x, name: href}",
            "attribute",
            {"selector_hint": "x", "name": "href"},
        ),
        ("{kind: request, url: /api, status: 201}", "request", {"url": "/api", "status": 201}),
        (
            "{kind: api, url: /api, headers: {A: 1}, json_path: $.a, equals: 1, body: '{}'}",
            "api",
            {
                "url": "/api",
                "headers": {"A": "1"},
                "json_path": "$.a",
                "equals": "1",
                "body": "{}",
            },
        ),
        ("{kind: screenshot, name: home, tol: 0.5}", "screenshot", {"name": "home", "tol": 0.5}),
        ("{kind: no_console_errors}", "no_console_errors", {}),
        ("{kind: logged_in, not: yes}", "logged_in", {"not": True}),
        ("{kind: error_shown}", "error_shown", {}),
    ],
)
def test_checks_that_hold(written: str, kind: str, parameters: Mapping[str, Any]) -> None:
    check = read(written)
    assert (check.kind, check.parameters) == (kind, parameters)
    assert check.as_dict() == {"kind": kind, **parameters}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{}", ".kind:7 is missing"),
        ("{kind: ''}", ".kind:7 must not be empty"),
        ("{kind: [url]}", ".kind:7 must be a text"),
        ("{kind: URL, path_is: x}", '.kind:7 "URL" is no kind of check; there are url, '),
        ("{kind: url}", ":7 a check of kind url needs path_is or contains"),
        ("{kind: url, path_is: }", ":7 a check of kind url needs"),
        ("{kind: url, path_is: ''}", ".path_is:7 must not be empty"),
        ("{kind: visible_text, selector_hint: x}", ":7 a check of kind visible_text needs"),
        ("{kind: visible_text, contains: ' '}", ".contains:7 must not be empty"),
        ("{kind: visible_text, equals: x}", ".equals:7 needs selector_hint"),
        ("{kind: visible_text, contains: [x]}", ".contains:7 must be a text"),
        ("{kind: visible_text, contains: x, ignore_case: 1}", ".ignore_case:7 must be true or"),
        ("{kind: absent_text, any_of: []}", ".any_of:7 must not be empty"),
        ("{kind: absent_text, any_of: [a, '']}", ".any_of[1]:7 must not be empty"),
        ("{kind: absent_text, any_of: [a, [b]]}", ".any_of[1]:7 must be a text"),
        ("{kind: element_visible}", ":7 a check of kind element_visible needs selector_hint"),
        ("{kind: count, selector_hint: x}", ":7 a check of kind count needs equals or at_least"),
        ("{kind: count, selector_hint: x, equals: two}", ".equals:7 must be a whole number"),
        ("{kind: count, selector_hint: x, equals: -1}", ".equals:7 must be between"),
        ("{kind: value, equals: x}", ":7 a check of kind value needs selector_hint"),
        ("{kind: request, url: x, status: 99}", ".status:7 must be between 100 and 599"),
        ("{kind: api, url: x, headers: [a]}", ".headers:7 must be a mapping"),
        ("{kind: api, url: x, body: {a: b}}", ".body:7 must be a text"),
        ("{kind: screenshot, name: x, tol: 1.5}", ".tol:7 must be between 0 and 1"),
        ("{kind: screenshot, name: x, tol: .nan}", ".tol:7 must be a number"),
    ],
)
def test_checks_that_do_not_hold(written: str, expected: str) -> None:
    (found,) = problems(text_of(written))
    assert found.startswith(f"cases[0].expect[0].check{expected}")


def test_a_parameter_of_another_kind_is_warned_about() -> None:
    (found,) = warnings(text_of("{kind: title, contains: a, selector_hint: b}"))
    assert found.startswith("cases[0].expect[0].check.selector_hint:7 is not known here")
    (found,) = warnings(text_of("{kind: absent_text, any_of: [a], not: true}"))
    assert found.startswith("cases[0].expect[0].check.not:7 is not known here")
