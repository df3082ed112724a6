"""Choosing cases, and splitting them."""

from __future__ import annotations

import pytest

from services.runs.engine.grammar import components, select
from services.runs.engine.grammar.models import NothingSelected, UnknownCases
from tests.services.runs.engine.grammar_support import HEAD, good

SUITE = good(
    f"{HEAD}cases:\n"
    "- {id: a, title: A, tags: [p0], steps: [{do: x}]}\n"
    "- {id: b, title: B, tags: [p1], depends_on: a, data: [{v: 1}, {v: 2}], steps: [{do: x}]}\n"
    "- {id: c, title: C, tags: [p1, slow], depends_on: 'b[0]', steps: [{do: x}]}\n"
    "- {id: d, title: D, steps: [{do: x}], capture: [{name: order, from: number}]}\n"
    "- {id: e, title: E, tags: [p0], expect: [{check: {kind: url, contains: '${order}'}}]}\n"
    "- {id: f, title: F, steps: [{do: x}]}\n"
)
ALL = tuple(case.id for case in SUITE.cases)


def test_all_is_chosen_unless_something_is_named() -> None:
    assert select(SUITE) == ALL == ("a", "b[0]", "b[1]", "c", "d", "e", "f")


@pytest.mark.parametrize(
    ("cases", "tags", "chosen"),
    [
        (["f"], [], ("f",)),
        (["f", "a", "f"], [], ("a", "f")),
        (["c"], [], ("a", "b[0]", "c")),
        (["b"], [], ("a", "b[0]", "b[1]")),
        (["b[1]"], [], ("a", "b[1]")),
        (None, ["p0"], ("a", "e")),
        (None, ["slow"], ("a", "b[0]", "c")),
        (None, ["slow", "p0"], ("a", "b[0]", "c", "e")),
        (["a", "c", "f"], ["p0"], ("a",)),
    ],
)
def test_what_is_chosen_brings_its_dependencies(
    cases: list[str] | None, tags: list[str], chosen: tuple[str, ...]
) -> None:
    assert select(SUITE, cases, tags) == chosen


def test_unknown_cases_are_named() -> None:
    with pytest.raises(UnknownCases) as error:
        select(SUITE, ["x", "a", "b[2]", "x"])
    assert error.value.ids == ("x", "b[2]")


@pytest.mark.parametrize(("cases", "tags"), [(None, ["none"]), ([], []), (["f"], ["p0"])])
def test_nothing_is_no_choice(cases: list[str] | None, tags: list[str]) -> None:
    with pytest.raises(NothingSelected):
        select(SUITE, cases, tags)


def test_what_hangs_together_stays_together() -> None:
    assert components(SUITE, ALL) == (("a", "b[0]", "b[1]", "c"), ("d", "e"), ("f",))
    assert components(SUITE, ["e", "f"]) == (("e",), ("f",))
    assert components(SUITE, ["f", "c", "d"]) == (("c",), ("d",), ("f",))
    assert components(SUITE, []) == ()


def test_a_name_in_a_list_or_a_login_binds_too() -> None:
    suite = good(
        f"{HEAD}cases:\n"
        "- {id: a, title: A, steps: [{do: x}], capture: [{name: n, from: x}, {name: m, from: x}]}\n"
        "- {id: b, title: B, expect: [{check: {kind: absent_text, any_of: ['x ${n}']}}]}\n"
        "- {id: c, title: C, steps: [{do: x}], auth: {username: '${m}', password: p}}\n"
        "- {id: d, title: D, steps: [{do: x}], capture: [{name: k, from: 'near ${n}'}]}\n"
        "- {id: e, title: E, steps: [{do: x}], capture: [{name: k, from: y}]}\n"
        "- {id: f, title: F, steps: [{do: '${unbound}'}]}\n"
    )
    ids = [case.id for case in suite.cases]
    assert components(suite, ids) == (("a", "b", "c", "d", "e"), ("f",))
