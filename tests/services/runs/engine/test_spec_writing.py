"""Exported suites as texts: what stands in them, and what never does."""

from __future__ import annotations

import json
import random
import subprocess

import pytest

from services.runs.engine.spec.typescript import Names, comment, literal, variable_name
from tests.services.runs.engine.spec_support import CHAIN, HONEST, exported, one_case


def test_each_step_and_claim_is_a_comment() -> None:
    spec = exported(CHAIN)
    for line in (
        "// Step s1: Open the sign-up page",
        '// Step s3: Click "Sign up"',
        '// Claim a1: "Your account is ready." is shown',
        "// Claim a2: {kind: url, path_is: /dashboard/}",
        '// Capture member: the text beside "Member number"',
    ):
        assert line in spec, line
    assert spec.startswith("// A chain of log-ins (chain)\n")
    assert spec.count("test.describe(") == 1
    assert "test.describe('A chain of log-ins'" in spec
    assert "mode: 'serial'" in spec
    for title in ("A visitor signs up", "They leave", "They log in again"):
        assert f"test('{title}', async () => {{" in spec
    assert spec.count("await page.goto(baseUrl);") == 4


@pytest.mark.parametrize(
    ("check", "code"),
    [
        ("{kind: url, path_is: /a}", ".toHaveURL((url) => bare(url.pathname) === bare('/a'))"),
        ("{kind: url, contains: b}", ".toHaveURL((url) => url.href.includes('b'))"),
        (
            "{kind: visible_text, contains: Hi}",
            "expect(page.locator('body')).toContainText('Hi', { useInnerText: true })",
        ),
        (
            "{kind: visible_text, contains: Hi, selector_hint: '#a'}",
            "at.locator('#a')))).toContainText('Hi'",
        ),
        ("{kind: visible_text, equals: Hi, selector_hint: '#a'}", ".toHaveText('Hi'"),
        ("{kind: element_visible, selector_hint: '#a'}", "at.locator('#a')))).toBeVisible()"),
        (
            "{kind: absent_text, any_of: [A, B]}",
            ".not.toContainText('B', { useInnerText: true, ignoreCase: true })",
        ),
        ("{kind: value, selector_hint: Name field, equals: x}", ".toHaveValue('x')"),
        ("{kind: title, equals: x}", "expect(page).toHaveTitle('x')"),
        ("{kind: api, url: /health}", "page.request.fetch(new URL('/health', baseUrl).href"),
    ],
)
def test_checks(check: str, code: str) -> None:
    assert code in one_case("", f"[{{check: {check}}}]")


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ('Click "Save"', "(await clickable(page, quoted('Save'))).click()"),
        ('Double-click "Save"', ".dblclick()"),
        ('Right-click "Save"', ".click({ button: 'right' })"),
        ('Click the "Save" button', "element(page, 'button', quoted('Save'))"),
        ('Enter "x" into "Name"', "enter(await field(page, quoted('Name')), 'x')"),
        ("Open /a?b", "page.goto(new URL('/a?b', baseUrl).href)"),
        ("Press Escape", "page.keyboard.press('Escape')"),
        ("Wait 2 seconds", "page.waitForTimeout(2000)"),
        ("Go back", "page.goBack()"),
        ("Reload the page", "page.reload()"),
        ('Uncheck "News"', ".setChecked(false)"),
        ('Hover over "Menu"', ".hover()"),
    ],
)
def test_steps(step: str, code: str) -> None:
    assert code in one_case(json.dumps([{"do": step}]))


@pytest.mark.parametrize(
    ("steps", "expect"),
    [
        ([{"do": "Make it nice"}], []),
        ([{"do": 'Click "Save" next to "Name"'}], []),
        ([{"do": 'Enter "${nobody}" into "Name"'}], []),
        ([{"do": 'Enter "just a word"'}], []),
        ([{"do": "Upload a 3 MB PDF"}], []),
        ([{"do": "Accept the dialog"}], []),
        ([], [{"assert": "It feels right"}]),
        ([], [{"check": {"kind": "request", "url": "/x"}}]),
        ([], [{"check": {"kind": "screenshot", "name": "x"}}]),
        ([], [{"check": {"kind": "no_console_errors"}}]),
    ],
)
def test_what_cannot_be_said_is_marked(
    steps: list[dict[str, str]], expect: list[dict[str, object]]
) -> None:
    spec = one_case(json.dumps(steps), json.dumps(expect))
    assert "test.fixme(true, " in spec


def test_who_depends_on_what_cannot_be_said_is_skipped() -> None:
    spec = exported(HONEST)
    assert "test.skip(!passed.has('step'), 'depends on step, which did not pass');" in spec
    assert "test.skip(true, 'not today');" in spec


SECRET, SHORT = "correct-horse-" + "battery", "abc"

SECRETIVE = f"""
suite: Keeps {SECRET} to itself
id: secretive
base_url: http://shop.test
fixtures:
  api_token: {SECRET}-1
  code: {SECRET}-9
env: {{DOOR_PASSWORD: {SECRET}-2, PLAIN: "a {SECRET}-3 b"}}
auth: {{username: ada, password: {SECRET}-4}}
cases:
  - id: one
    title: With {SECRET}-3
    data: [{{pin_password: {SECRET}-5, name: Ada}}]
    steps:
      - do: Enter "{SECRET}-3" into "Password"
        secret: true
      - do: Enter "{SHORT}" into "Code of the door"
        secret: true
      - do: Whisper "{SECRET}" to {SECRET}-3
        secret: true
      - do: Mumble the secret {SECRET}-9
        secret: true
      - do: Enter "${{pin_password}}" into "Pin" and "${{DOOR_PASSWORD}}" into "Door"
    expect:
      - assert: '"{SECRET}-3" is shown'
      - check: {{kind: visible_text, contains: "say {SECRET}-3 twice"}}
      - assert: The secret {SECRET}-3 is well kept
    capture: [{{name: x, from: the feeling of {SECRET}-3}}]
"""


def test_no_secret_stands_in_the_text() -> None:
    spec = exported(SECRETIVE.replace(f"  code: {SECRET}-9\n", ""))
    assert SECRET not in spec
    assert f"'{SHORT}'" not in spec
    for name in ("SECRET_ONE_0_S1", "DOOR_PASSWORD", "LOGIN_PASSWORD", "ONE_0_PIN_PASSWORD"):
        assert f"required('{name}')" in spec, name
        assert f"// Environment: {name}" in spec
    assert "'say ' + required('SECRET_ONE_0_S1') + ' twice'" in spec
    assert "(a secret step)" in spec


def secret_steps(begin: str, number: int) -> str:
    steps = (f'{{do: \'Enter "{begin}{n}" into "Name"\', secret: true}}' for n in range(number))
    return f"[{', '.join(steps)}]"


def test_a_suite_of_nothing_but_secrets_is_no_burden() -> None:
    head = "suite: S\nid: s\nbase_url: http://a.test\ncases:\n"
    some = secret_steps("secret-", 100)
    cases = (f"- {{id: c{n}, title: T, steps: {some}}}\n" for n in range(30))
    spec = exported(head + "".join(cases))
    assert "secret-9" not in spec
    assert "test('T (c29)', " in spec
    many = (
        f"- {{id: c{n}, title: T, steps: {secret_steps(f'secret-{n}-', 180)}}}\n" for n in range(3)
    )
    spec = exported(head + "".join(many))
    assert "secret-" not in spec
    assert spec.count("test.fixme('case ") == 3


def test_data_rows_are_cases_of_their_own() -> None:
    spec = exported(
        "suite: Rows\nid: rows\nbase_url: http://a.test\ncases:\n- id: row\n  title: A row\n"
        "  data: [{name: Ada}, {name: Bob}]\n  steps: [{do: 'Click \"${name}\"'}]\n"
    )
    assert "quoted('Ada')" in spec
    assert "quoted('Bob')" in spec
    # The runner takes no title twice.
    assert "test('A row', " in spec
    assert "test('A row (row[1])', " in spec


HOSTILE = (
    "'); process.exit(3); ('",
    "`${process.exit(3)}`",
    "\nprocess.exit(3);//",
    "\rprocess.exit(3);//",
    "\u2028process.exit(3);//",
    "\u2029process.exit(3);//",
    "*/ process.exit(3); /*",
    "\\'); process.exit(3);//",
    "\\",
    "</script>",
    "\u202eoverridden\u2066",
    "\x00\x1b[2J\x7f",
    "\ud800 alone",
    "😀 é ß 你好",
)


def test_literals_are_read_back_as_they_were() -> None:
    chance = random.Random(8)
    texts = [*HOSTILE]
    for _ in range(300):
        texts.append("".join(chance.choices("'\"`\\$\n\r\u2028{}*/x é😀\u202e", k=12)))
    code = f"console.log(JSON.stringify([{', '.join(map(literal, texts))}]))"
    assert "\u202e" not in code
    assert code.isprintable()
    done = subprocess.run(
        ("node", "-e", code), capture_output=True, check=True, timeout=30, text=True
    )
    assert json.loads(done.stdout) == texts


@pytest.mark.parametrize("text", HOSTILE)
def test_a_comment_is_one_line(text: str) -> None:
    assert comment(text).isprintable()


def test_names_are_identifiers_and_unique() -> None:
    names = Names(("field",))
    given = [names.give(each) for each in ("order number", "order_number", "field", "", "1", "new")]
    assert given == ["orderNumber", "orderNumber2", "field2", "value", "value1", "new2"]
    assert variable_name("1 a", "b-c") == "V_1_A_B_C"
