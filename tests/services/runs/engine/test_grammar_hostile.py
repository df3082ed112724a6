"""No text costs much, and none raises."""

from __future__ import annotations

import random
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.runs.engine.grammar import parse
from services.runs.engine.grammar.findings import MOST_PROBLEMS, MOST_WARNINGS
from services.runs.engine.grammar.loading import DEEPEST
from tests.services.runs.engine.grammar_support import HEAD
from tests.services.runs.suite_texts import SUITE

MEGABYTE = 1024 * 1024


def laughs(levels: int) -> str:
    """The billion laughs: each list repeats the one before ten times."""
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


def merging(width: int, times: int) -> str:
    """Mappings that take over the same keys again and again."""
    keys = ", ".join(f"k{n}: 1" for n in range(width))
    return f"a: &a {{{keys}}}\n" + "".join(f"b{n}: {{<<: *a}}\n" for n in range(times))


BOMBS = {
    "laughs": laughs(30),
    "merging": merging(500, 2000),
    "aliases": "a: &a x\nb: [" + "*a, " * 200_000 + "]",
    "itself": "&a {b: [*a]}",
    "brackets": "[" * 500_000,
    "broken brackets": "[\n" * 300_000,
    "braces": "{a: " * 250_000,
    "dashes": "- " * 500_000,
    "keys in keys": "? " * 500_000,
    "directives": "%TAG !a! tag:x\n" * 60_000 + "--- a",
    "later directives": "a\n...\n" + "".join(f"%TAG !a{n}! t:x\n" for n in range(50_000)),
    "many values": "- a\n" * 250_000,
    "many keys": "".join(f"k{n}: 1\n" for n in range(90_000)),
    "the same key": "k: 1\n" * 200_000,
    "a long key": "? " + "k" * 500_000 + "\n: [" + "{a: {}}, " * 50_000 + "]",
    "a long text": "suite: '" + "x" * 1_000_000 + "'",
    "an open text": "suite: '" + "x" * 1_000_000,
    "a long anchor": "&" + "a" * 1_000_000 + " b",
    "a long tag": "!" + "a" * 1_000_000 + " b",
    "comments": "#\n" * 500_000,
    "blanks": " " * 1_000_000,
    "line ends": "\n" * 1_000_000,
    "documents": "---\na\n" * 150_000,
    "placeholders": f"{HEAD}cases:\n- id: a\n  title: t\n  steps:\n"
    + "".join(f"  - do: '{'${a ' * 4900}'\n" for _ in range(50)),
    "rows of steps": f"{HEAD}before: [{'{do: x}, ' * 100}]\ndata: [{'{v: 1}, ' * 500}]\ncases:\n"
    + "".join(f"- {{id: a{n}, title: t, steps: [{{do: x}}]}}\n" for n in range(500)),
    "equal ids": f"{HEAD}cases:\n"
    + f"- {{id: a, title: t, steps: [{'{do: x, id: s}, ' * 50}]}}\n" * 150,
    "keys of a step": f"{HEAD}cases:\n- id: a\n  title: t\n  steps:\n  - do: x\n"
    + "".join(f"    k{n}: 1\n" for n in range(60_000)),
    "dependencies": f"{HEAD}data: [{{}}, {{}}, {{}}, {{}}, {{}}]\ncases:\n"
    + "".join(
        f"- {{id: a{n}, title: t, depends_on: [{', '.join(f'a{m}' for m in range(n))}]}}\n"
        for n in range(100)
    ),
    "numbers": f"{HEAD}retries: {'9' * 900_000}\ncases: []",
    "too long": "#" * (MEGABYTE + 1),
    "nul": "a: \x00",
    "surrogate": "a: '\ud800'",
    "escapes": 'a: "\\0\\x07\\uFFFF\\U0001F600"',
    "bad escapes": 'a: "\\uD800\\U00110000"',
    "utf-16": "\ufeff\x00s",
}


@pytest.mark.parametrize("name", ["laughs", "many keys", "rows of steps", "placeholders"])
def test_a_bomb_takes_little_memory(name: str) -> None:
    tracemalloc.start()
    try:
        parse(BOMBS[name][:300_000])
        assert tracemalloc.get_traced_memory()[1] < 40 * MEGABYTE
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_a_bomb_gets_an_answer_that_can_be_shown(text: str) -> None:
    parsed = parse(text)
    assert (parsed.suite is None) == bool(parsed.problems)
    assert len(parsed.problems) <= MOST_PROBLEMS + 1
    assert len(parsed.warnings) <= MOST_WARNINGS + 1
    lines = text.count("\n") + 1 + text.count("\r")
    for one in (*parsed.problems, *parsed.warnings):
        assert one.line is None or 1 <= one.line <= lines
        assert (one.path + one.message).isprintable()
        assert len(one.path) < 300
        assert len(one.message) < 1000


def test_as_many_steps_as_are_allowed_are_read() -> None:
    steps = "{do: x}, " * 200
    text = f"{HEAD}cases:\n" + "".join(
        f"- {{id: a{n}, title: t, steps: [{steps}]}}\n" for n in range(180)
    )
    parsed = parse(text)
    assert parsed.suite is not None, parsed.problems
    assert sum(len(case.steps) for case in parsed.suite.cases) == 36_000
    beyond = parse(text.replace("{do: x}, ", "{do: x, a: [1, 2, 3, 4]}, "))
    assert [one.message for one in beyond.problems] == ["holds more than 100000 values"]


def test_depth_up_to_the_bound_is_read() -> None:
    deep = "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1)
    assert parse(SUITE + f"ours: {deep}\n").suite is not None
    assert parse(SUITE + f"ours: [{deep}]\n").suite is None


_PIECES = st.sampled_from(
    [
        *("suite", "id", "base_url", "cases", "steps", "do", "expect", "check", "kind", "data"),
        *("fixtures", "gen", "env", "before", "auth", "skip", "depends_on", "viewport", "<<"),
        *(": ", "- ", "\n", "\n  ", "\n    ", "[", "]", "{", "}", ", ", "&a ", "*a", "!!x ", "? "),
        *("|\n", ">-\n", "'", '"', "#", "---\n", "...\n", "%YAML 1.2\n", "\t", "${a}", "~", "\\x"),
        *("url", "count", "equals", "1", "-1", "1e400", ".nan", "true", "http://x", "é", "\u2028"),
    ]
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_PIECES, max_size=60).map("".join))
def test_no_mixture_of_its_own_pieces_raises(text: str) -> None:
    parsed = parse(text)
    assert (parsed.suite is None) == bool(parsed.problems)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=[]), max_size=300))
def test_no_text_at_all_raises(text: str) -> None:
    parse(text)
    parse(SUITE.replace("Sign-up", text))


_VALUES = st.recursive(
    st.sampled_from(
        ["", "~", "x", "1", "-5", "true", "'a b'", "${f}", "[]", "{}", "1.5", "sign-up"]
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(
            st.sampled_from(
                ["id", "do", "gen", "kind", "assert", "check", "name", "from", "width"]
            ),
            inner,
            max_size=3,
        ).map(lambda one: "{" + ", ".join(f"{key}: {value}" for key, value in one.items()) + "}"),
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), _VALUES)
def test_any_value_in_any_place_is_read_or_refused(seed: int, value: str) -> None:
    lines = SUITE.splitlines()
    chosen = random.Random(seed).randrange(len(lines))
    key, colon, _ = lines[chosen].partition(": ")
    lines[chosen] = f"{key}: {value}" if colon else lines[chosen] + f" {value}"
    parsed = parse("\n".join(lines))
    assert (parsed.suite is None) == bool(parsed.problems)


def test_a_text_cut_anywhere_is_read_or_refused() -> None:
    for end in range(len(SUITE)):
        parsed = parse(SUITE[:end])
        assert (parsed.suite is None) == bool(parsed.problems)
