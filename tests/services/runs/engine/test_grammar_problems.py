"""What keeps a text from being a suite, with place and line."""

from __future__ import annotations

import pytest

from services.runs.engine.grammar import parse
from tests.services.runs.engine.grammar_support import HEAD, good, one_case, problems, shown
from tests.services.runs.suite_texts import SUITE

STEP = "steps: [{do: x}]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ":1 is empty"),
        ("# only this\n", ":1 is empty"),
        ("- a\n", ":1 must be a mapping"),
        ("text", ":1 must be a mapping"),
        ("a: [\n", ":2 is not YAML"),
        ("a: b: c\n", ":1 is not YAML"),
        ("\ta: b\n", ":1 is not YAML"),
        ("a: \x00\n", ":1 is not YAML"),
        ("a: 1\nb: \x07\n", ":2 is not YAML"),
        ("a: 1\nb: \ud800\n", ":2 holds half a character"),
        ("a: &x 1\nb: *y\n", 'b:2 the anchor "y" is not there'),
        ("a: &x [*x]\n", 'a[0]:1 the anchor "x" stands inside itself'),
        ("a: b\n---\nc: d\n", ":2 must be one document"),
        ("%YAML 9.9\n---\na: b", ":1 is not YAML"),
        ("#" * (1024 * 1024 + 1), ":None is longer than 1048576 bytes"),
    ],
)
def test_what_is_no_yaml_mapping(text: str, expected: str) -> None:
    (found,) = problems(text)
    assert found.startswith(expected)


def test_all_problems_come_at_once_in_order() -> None:
    text = """\
suite:
id: [a]
base_url: ftp://x
fixtures: {a: {gen: nonsense}, b: {}, "c}": 1}
cases:
  - title: A
    steps: [{secret: maybe}, do, {do: " "}]
    expect: [{id: x}, {check: {kind: psychic}}, {assert: [a]}]
    capture: [{name: a}, {from: b}]
  - id: b
    depends_on: [b, c]
    retries: many
  - id: b
    title: B
"""
    assert [one.split(" ", 1)[0] for one in problems(text)] == [
        "suite:1",
        "id:2",
        "base_url:3",
        "fixtures.a.gen:4",
        "fixtures.b.gen:4",
        "fixtures.c}:4",
        "cases[0].id:6",
        "cases[0].steps[0].do:7",
        "cases[0].steps[0].secret:7",
        "cases[0].steps[1]:7",
        "cases[0].steps[2].do:7",
        "cases[0].expect[0]:8",
        "cases[0].expect[1].check.kind:8",
        "cases[0].expect[2].assert:8",
        "cases[0].capture[0].from:9",
        "cases[0].capture[1].name:9",
        "cases[1].title:10",
        "cases[1].depends_on:11",
        "cases[1].depends_on:11",
        "cases[1].retries:12",
        "cases[2].id:13",
    ]


@pytest.mark.parametrize("key", ["suite", "id", "base_url", "cases"])
def test_what_must_be_there(key: str) -> None:
    lines = SUITE.splitlines(keepends=True)
    start = next(number for number, line in enumerate(lines) if line.startswith(f"{key}:"))
    until = len(lines) if key == "cases" else start + 1
    missing = "".join(lines[:start] + lines[until:])
    assert f"{key}:1 is missing" in problems(missing)
    for empty in ("''", "[]", "~", "{}", "[1]"):
        spoilt = "".join([*lines[:start], f"{key}: {empty}\n", *lines[until:]])
        assert any(one.startswith(f"{key}") for one in problems(spoilt)), empty


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("steps: {do: x}", "cases[0].steps:7 must be a list"),
        ("steps: [{do: [x]}]", "cases[0].steps[0].do:7 must be a text"),
        ("steps: [{}]", "cases[0].steps[0].do:7 is missing"),
        ("steps: [{do: x, secret: 1}]", "cases[0].steps[0].secret:7 must be true or false"),
        ('steps: [{do: "a\\0b"}]', "cases[0].steps[0].do:7 must not hold the character"),
        ('steps: [{do: "\\e[0m"}]', "cases[0].steps[0].do:7 must not hold the character"),
        (f"steps: [{{do: {'x' * 20_001}}}]", "cases[0].steps[0].do:7 must not be longer"),
        (f"{STEP}\nexpect: [{{}}]", "cases[0].expect[0]:8 needs assert or check"),
        (f"{STEP}\nexpect: [{{check: url}}]", "cases[0].expect[0].check:8 must be a mapping"),
        (f"{STEP}\ncapture: [{{name: 'a b}}', from: x}}]", "cases[0].capture[0].name:8 must be a"),
        (f"{STEP}\ntags: [[x]]", "cases[0].tags[0]:8 must be a text"),
        (f"{STEP}\ntags: ['']", "cases[0].tags[0]:8 must not be empty"),
        (f"{STEP}\ndepends_on: a", "cases[0].depends_on:8 must not name the case itself"),
        (f"{STEP}\ndepends_on: b", 'cases[0].depends_on:8 "b" is no case that stands before'),
        (f"{STEP}\nviewport: {{width: 1}}", "cases[0].viewport.height:8 is missing"),
        (f"{STEP}\nviewport: {{width: 0, height: 1}}", "cases[0].viewport.width:8 must be between"),
        (f"{STEP}\nauth: {{username: u}}", "cases[0].auth.password:8 is missing"),
        (f"{STEP}\nretries: -1", "cases[0].retries:8 must be between"),
        (f"{STEP}\nretries: 1.5", "cases[0].retries:8 must be a whole number"),
        (f"{STEP}\nretries: {'9' * 400}", "cases[0].retries:8 must be a whole number"),
        (f"{STEP}\ntimeout_ms: .inf", "cases[0].timeout_ms:8 must be a whole number"),
        (f"{STEP}\ntimeout_ms: .nan", "cases[0].timeout_ms:8 must be a whole number"),
        (f"{STEP}\nskip: [a]", "cases[0].skip:8 must be a text"),
        (f"{STEP}\ndata: []", "cases[0].data:8 must not be empty"),
        (f"{STEP}\ndata: [a]", "cases[0].data[0]:8 must be a mapping"),
        (f"{STEP}\ndata: [{{v: [1]}}]", "cases[0].data[0].v:8 must be a text"),
        (f"{STEP}\nbefore: x", "cases[0].before:8 must be a list"),
        (f"{STEP}\ntitle: B", "cases[0].title:8 stands twice"),
        (f"{STEP}\nx: !!python/object:os.system y", "cases[0].x:8 must not carry a tag"),
        (f"{STEP}\nx: !!str y", "cases[0].x:8 must not carry a tag"),
        (f"{STEP}\n? [a]\n: b", "cases[0]:8 has a key that is no word"),
        (f"{STEP}\n<<: 3", "cases[0]:8 << must name mappings"),
    ],
)
def test_what_is_wrong_in_a_case(more: str, expected: str) -> None:
    (found,) = problems(one_case(more))
    assert found.startswith(expected)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("fixtures: [a]\n", "fixtures:4 must be a mapping"),
        ("fixtures: {a: [1]}\n", "fixtures.a:4 must be a mapping"),
        ("fixtures: {a: {gen: pick}}\n", "fixtures.a.from:4 is missing"),
        ("fixtures: {a: {gen: pick, from: []}}\n", "fixtures.a.from:4 must not be empty"),
        ("fixtures: {a: {gen: literal}}\n", "fixtures.a.value:4 is missing"),
        ("fixtures: {a: {gen: number, min: 5, max: 4}}\n", "fixtures.a.min:4 must not be above"),
        ("fixtures: {a: {gen: number, min: x}}\n", "fixtures.a.min:4 must be a whole number"),
        ("fixtures: {a: {gen: string, length: 0}}\n", "fixtures.a.length:4 must be between"),
        ("fixtures: {a: {gen: string, length: 10001}}\n", "fixtures.a.length:4 must be between"),
        ("fixtures: {a: {gen: date, offset_days: 99999}}\n", "fixtures.a.offset_days:4 must be"),
        ("fixtures: {'': 1}\n", "fixtures.:4 must be a name"),
        ("env: {A: {B: c}}\n", "env.A:4 must be a text"),
        ("env: {'a$b': c}\n", "env.a$b:4 must be a name"),
        ("browser: opera\n", "browser:4 must be one of chromium, firefox, webkit"),
        ("suite: again\n", "suite:4 stands twice"),
    ],
)
def test_what_is_wrong_in_a_suite(head: str, expected: str) -> None:
    (found,) = problems(one_case(STEP, head))
    assert found.startswith(expected)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "shop.test",
            "ftp://x",
            "javascript:alert(1)",
            "//x",
            "http://",
            "http:///x",
            "file:///x",
        ),
        *("http://x:port", "http://x:99999", "http://[::1", "http://a b", "${a} b", "${}"),
    ],
)
def test_base_urls_that_do_not_hold(address: str) -> None:
    text = one_case(STEP).replace("http://shop.test", f"'{address}'")
    (found,) = problems(text)
    assert found.startswith("base_url:3 must be an address")


def test_ids_of_cases_are_unique_with_their_rows() -> None:
    text = (
        f"{HEAD}cases:\n- {{id: a, title: A, {STEP}, data: [{{}}, {{}}]}}\n"
        f"- {{id: 'a[1]', title: B, {STEP}}}\n"
    )
    assert problems(text) == ['cases[1].id:6 "a[1]" is the id of an earlier case already']


def test_limits_of_a_suite() -> None:
    cases = "".join(f"- {{id: c{n}, title: C, {STEP}}}\n" for n in range(500))
    assert len(good(f"{HEAD}cases:\n{cases}").cases) == 500
    (found,) = problems(f"{HEAD}cases:\n{cases}- {{id: x, title: X, {STEP}}}\n")
    assert found == "cases:4 must not hold more than 500"
    rows = ", ".join(["{v: 1}"] * 251)
    two = "".join(f"- {{id: {n}, title: C, {STEP}, data: [{rows}]}}\n" for n in "ab")
    (found,) = problems(f"{HEAD}cases:\n{two}")
    assert found.startswith("cases[1].data:6 makes more than 500 cases")
    steps = "[" + ", ".join(["{do: x}"] * 150) + "]"
    (found,) = problems(one_case(f"steps: {steps}", f"before: {steps}\n"))
    assert found.startswith("cases[0].steps:8 must not be more than 200")
    assert problems(one_case("steps: [" + "{do: x}, " * 201 + "]"))[0].endswith("more than 200")


def test_rows_multiply_only_so_much() -> None:
    rows = ", ".join(["{}"] * 100)
    two = f"- {{id: a, title: A, {STEP}}}\n- {{id: b, title: B, depends_on: a, {STEP}}}\n"
    assert len(good(f"{HEAD}data: [{rows}]\ncases:\n{two}").cases[-1].depends_on) == 100
    three = two + f"- {{id: c, title: C, depends_on: [a], {STEP}}}\n"
    (found,) = problems(f"{HEAD}data: [{rows}]\ncases:\n{three}")
    assert found == "cases:5 must not depend on each other more than 10000 times"
    tagged = "".join(
        f"- {{id: c{n}, title: C, tags: [{', '.join(f't{n}-{m}' for m in range(50))}], {STEP}}}\n"
        for n in range(5)
    )
    assert problems(f"{HEAD}cases:\n{tagged}") == [
        "cases:4 must not have more than 200 different tags"
    ]
    assert problems(one_case(f"{STEP}\ntags: [{', '.join(map(str, range(51)))}]")) == [
        "cases[0].tags:8 must not hold more than 50"
    ]


def test_no_end_of_problems_is_listed_to_an_end() -> None:
    text = one_case("steps: [" + "{}, " * 200 + "]", "a: 1\n" * 2000)
    parsed = parse(text)
    assert 1000 < len(parsed.problems) < 1100
    assert any("there is more of this kind" in shown(one) for one in parsed.problems)
