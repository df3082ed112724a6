"""What a suite's text becomes."""

from __future__ import annotations

import pytest

from services.runs.engine.grammar.models import (
    Capture,
    Check,
    Expectation,
    Login,
    Step,
    Suite,
    Viewport,
)
from tests.services.runs.engine.grammar_support import HEAD, case, good, one_case, warnings
from tests.services.runs.suite_texts import SUITE


def test_a_whole_suite_is_read() -> None:
    suite = good(SUITE)
    assert (suite.name, suite.id, suite.base_url) == ("Sign-up", "sign-up", "http://127.0.0.1:8400")
    assert {name: one.kind for name, one in suite.fixtures.items()} == {
        "email": "unique_email",
        "password": "password",
    }
    first, second = suite.cases
    assert first.steps == (
        Step("s1", "Open the sign-up page"),
        Step("s2", "Enter ${email} and ${password}", secret=True),
        Step("s3", 'Click "Create account"'),
    )
    assert first.expect == (
        Expectation("a1", '"Welcome" is shown', Check("visible_text", {"contains": "Welcome"})),
    )
    assert (second.depends_on, second.tags) == (("sign-up",), ("smoke",))
    assert second.expect[0].claim is None


def test_what_is_not_said_has_defaults() -> None:
    only = case("steps: [{do: x}]")
    assert (only.timeout_ms, only.retries, only.skip, only.login) == (10_000, 1, None, None)
    assert (only.expect, only.capture, only.tags, only.depends_on) == ((), (), (), ())
    suite = good(one_case("steps: [{do: x}]"))
    assert (suite.browser, suite.fixtures, suite.env) == ("chromium", {}, {})


def test_a_case_takes_what_the_suite_says_unless_it_says_otherwise() -> None:
    head = (
        "timeout_ms: 5000\nretries: 0\nviewport: {width: 390, height: 844}\nbrowser: firefox\n"
        "auth: {username: u, password: p, login_path: /in}\nskip: later\n"
    )
    suite = good(
        f"{HEAD}{head}cases:\n"
        "- {id: a, title: A, steps: [{do: x}]}\n"
        "- {id: b, title: B, steps: [{do: x}], timeout_ms: 1, retries: 2, skip: false,\n"
        "   viewport: {width: 1, height: 2}, auth: {username: v, password: q}}\n"
    )
    a, b = suite.cases
    assert (a.timeout_ms, a.retries, a.viewport, a.skip) == (5000, 0, Viewport(390, 844), "later")
    assert a.login == suite.login == Login("u", "p", "/in")
    assert (b.timeout_ms, b.retries, b.viewport, b.skip) == (1, 2, Viewport(1, 2), None)
    assert b.login == Login("v", "q")
    assert suite.browser == "firefox"
    assert "q" not in repr(b.login)


@pytest.mark.parametrize(
    ("written", "skip"),
    [("true", "skipped by the suite"), ("false", None), ("", None), ("no", None), ('"no"', "no")],
)
def test_skip_is_a_truth_value_or_a_reason(written: str, skip: str | None) -> None:
    assert case(f"steps: [{{do: x}}]\nskip: {written}").skip == skip


def test_scalars_are_taken_as_they_were_written() -> None:
    suite = good(
        "suite: 2024\nid: 007\nbase_url: http://x\nenv: {PORT: 08, ON: yes, EMPTY: '', NONE: }\n"
        "cases:\n- {id: 1.0, title: null and void, tags: [1, true], steps: [{do: on}]}\n"
    )
    assert (suite.name, suite.id) == ("2024", "007")
    assert suite.env == {"PORT": "08", "ON": "yes", "EMPTY": "", "NONE": ""}
    only = suite.cases[0]
    assert (only.id, only.tags, only.steps[0].do) == ("1.0", ("1", "true"), "on")


def test_steps_of_before_stand_first() -> None:
    only = case(
        "before: [{do: own before}]\nsteps: [{id: x, do: step}, {do: second}]",
        "before: [{do: suite before}, {id: b4, do: named}]\n",
    )
    assert [(step.id, step.do) for step in only.steps] == [
        ("b1", "suite before"),
        ("b4", "named"),
        ("b3", "own before"),
        ("x", "step"),
        ("s2", "second"),
    ]


def test_ids_of_steps_always_differ() -> None:
    text = "steps: [{do: a, id: s2}, {do: b}, {do: c, id: s2}, {do: d, id: b1}]"
    only = case(text, "before: [{do: x}]\n")
    assert [step.id for step in only.steps] == ["b1", "s2", "s2-2", "s2-3", "b1-2"]
    assert [one.split(" ", 1)[0] for one in warnings(one_case(text))] == ["cases[0].steps[2].id:7"]


def test_rows_make_instances() -> None:
    suite = good(
        f"{HEAD}cases:\n"
        "- id: in\n  title: In\n  data: [{user: ann, n: 1}, {user: bob, n: 02}]\n"
        "  steps: [{do: 'Enter ${user}'}]\n"
        "- {id: out, title: Out, depends_on: in, steps: [{do: x}]}\n"
        "- {id: one, title: One, depends_on: ['in[1]', out], steps: [{do: x}]}\n"
    )
    assert [one.id for one in suite.cases] == ["in[0]", "in[1]", "out", "one"]
    assert [one.row for one in suite.cases[:2]] == [
        {"user": "ann", "n": "1"},
        {"user": "bob", "n": "02"},
    ]
    assert suite.cases[2].depends_on == ("in[0]", "in[1]")
    assert suite.cases[3].depends_on == ("in[1]", "out")


def test_rows_of_the_suite_count_for_every_case_without_its_own() -> None:
    suite = good(
        f"{HEAD}data: [{{v: 1}}, {{v: 2}}]\ncases:\n"
        "- {id: a, title: A, steps: [{do: x}]}\n"
        "- {id: b, title: B, steps: [{do: x}], data: [{v: 3}]}\n"
    )
    assert [(one.id, one.row["v"]) for one in suite.cases] == [
        ("a[0]", "1"),
        ("a[1]", "2"),
        ("b[0]", "3"),
    ]


def test_captures_are_read() -> None:
    only = case("steps: [{do: x}]\ncapture: [{name: order no, from: the order number}]")
    assert only.capture == (Capture("order no", "the order number"),)


def test_anchors_and_merges_are_followed() -> None:
    suite = good(
        f"{HEAD}env: &env {{A: 1, B: 2}}\nours: {{<<: *env}}\n"
        "cases:\n"
        "- &first\n  id: a\n  title: A\n  steps: &steps [{do: x}, {do: y}]\n"
        "- {<<: *first, id: b}\n"
        "- {id: c, title: C, steps: *steps}\n"
    )
    assert [(one.id, one.title, len(one.steps)) for one in suite.cases] == [
        ("a", "A", 2),
        ("b", "A", 2),
        ("c", "C", 2),
    ]


@pytest.mark.parametrize(
    ("more", "head", "expected"),
    [
        ("steps: [{do: x, dou: y}]", "", "cases[0].steps[0].dou:7 is not known"),
        ("steps: [{do: x}]\nowner: me", "", "cases[0].owner:8 is not known"),
        ("steps: [{do: x}]", "ours: {a: [1]}\n", "ours:4 is not known"),
        ("steps: [{do: x}]", "fixtures: {e: password}\n", "fixtures.e:4 is the literal"),
        (
            "steps: [{do: x}]",
            "fixtures: {e: {gen: uuid, len: 3}}\n",
            "fixtures.e.len:4 is not known",
        ),
        ("steps: [{do: 'Enter ${nobody}'}]", "", "cases[0]:5 nothing before this case binds"),
        ("expect: [{check: {kind: url, contains: '${u}'}}]", "", "cases[0]:5 nothing before"),
        ("steps: [{do: x}]\ntimeout_ms: 999999", "", "cases[0].timeout_ms:8 counts as 60000"),
        ("steps: [{do: x}]\nbrowser: webkit", "", "cases[0].browser:8 counts for the whole suite"),
        ("steps: [{do: x}]", "browser: firefox\n", "browser:4 cannot be run yet"),
        ("steps: [{do: x}]", "browser: webkit\n", "browser:4 cannot be run yet"),
        ("tags: [x]", "", "cases[0]:5 has neither steps nor expect"),
        (
            "steps: [{do: x}]",
            "env: {A: '${GUILDHALL_ROOT_SECRET}'}\n",
            "env.A:4 ${GUILDHALL_ROOT_SECRET} of the process environment is not for suites",
        ),
        (
            "steps: [{do: x}]",
            "fixtures: {A: 1}\nenv: {A: 2}\n",
            "env.A:5 is hidden by the fixture of that name",
        ),
    ],
)
def test_what_is_odd_is_warned_about(more: str, head: str, expected: str) -> None:
    (found,) = warnings(one_case(more, head))
    assert found.startswith(expected)


def test_names_that_something_binds_are_no_oddity() -> None:
    suite = (
        f"{HEAD}fixtures: {{f: 1}}\nenv: {{E: 2}}\ncases:\n"
        "- {id: a, title: A, steps: [{do: '${f} ${E} ${ f }'}], capture: [{name: c, from: x}]}\n"
        "- {id: b, title: B, steps: [{do: '${c} ${r}'}], data: [{r: 1}, {r: 2}]}\n"
    )
    assert warnings(suite) == []


def test_a_capture_binds_for_later_cases_only() -> None:
    (found,) = warnings(one_case("steps: [{do: '${c}'}]\ncapture: [{name: c, from: x}]"))
    assert found.startswith("cases[0]:5 nothing before this case binds ${c}")


@pytest.mark.parametrize(
    "address",
    [
        "http://x",
        "HTTPS://shop.test:8443/a?b#c",
        "${BASE}",
        "${BASE}/path",
        "http://${HOST}:${PORT}/",
        "http://[::1]:80",
    ],
)
def test_base_urls_that_hold(address: str) -> None:
    text = one_case("steps: [{do: x}]").replace("http://shop.test", f"'{address}'")
    suite: Suite = good(text)
    assert suite.base_url == address
