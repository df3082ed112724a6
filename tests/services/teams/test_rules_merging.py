from __future__ import annotations

import pytest
from hypothesis import given

from services.teams.teams.rules import merge
from services.teams.teams.rules.canonical import WHITESPACE
from tests.services.teams.rules_support import ask_client, knowledge, needs_node, property_test
from tests.services.teams.test_rules_canonical import examples


def lines_of(text: str) -> set[str]:
    return {line.strip(WHITESPACE) for line in text.split("\n")} - {""}


@pytest.mark.parametrize(
    ("existing", "incoming", "merged"),
    [
        (None, None, ""),
        ("", "", ""),
        ("a \n\n", None, "a \n\n"),
        (None, " a", " a"),
        ("", " a", " a"),
        ("a\nb", "b\nc", "a\nb\nc\n"),
        ("a\n\n \n", "b", "a\nb\n"),
        ("a \n\n", "\ta\r\n\n", "a \n\n"),
        ("a", "b\n\n  c \nb", "a\nb\n  c \nb\n"),
        ("a\ufeff", "a\u3000\nb", "a\nb\n"),
        ("a\x85", "a", "a\x85\na\n"),
        (" ", "a", "\na\n"),
        ("a\rb", "b", "a\rb\nb\n"),
    ],
)
def test_new_lines_are_appended(existing: str | None, incoming: str | None, merged: str) -> None:
    assert merge(existing, incoming) == merged


@property_test
@given(knowledge, knowledge)
def test_merging_twice_changes_nothing(existing: str, incoming: str) -> None:
    once = merge(existing, incoming)
    assert merge(once, incoming) == once
    assert merge(once, existing) == once
    assert merge(once, once) == once


@property_test
@given(knowledge, knowledge)
def test_what_stands_comes_first_and_stays(existing: str, incoming: str) -> None:
    merged = merge(existing, incoming)
    assert merged.startswith(existing.rstrip(WHITESPACE))
    assert lines_of(merged) == lines_of(existing) | lines_of(incoming)


@property_test
@given(knowledge, knowledge, knowledge)
def test_two_writers_in_any_order_end_with_the_same_lines(
    existing: str, one: str, other: str
) -> None:
    assert lines_of(merge(merge(existing, one), other)) == lines_of(
        merge(merge(existing, other), one)
    )


@needs_node
def test_the_client_merges_as_we_do() -> None:
    pairs = list(zip(examples(knowledge), examples(knowledge)[::-1], strict=False))
    assert ask_client("merged", pairs) == [merge(*pair) for pair in pairs]


def test_a_text_of_a_hundred_thousand_lines_is_merged() -> None:
    existing, incoming = "\n".join("ab" * 25_000), "\n".join("abc" * 30_000)
    assert merge(existing, incoming) == existing + "\n" + "c\n" * 30_000
