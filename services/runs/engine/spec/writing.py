"""The whole file: what stands before the tests, and the tests (contract, section 12)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from services.runs.engine.grammar.models import CHROMIUM, Suite
from services.runs.engine.grammar.templates import references
from services.runs.engine.grammar.variables import is_secret_name
from services.runs.engine.language import parse_step
from services.runs.engine.spec import fixtures, helpers
from services.runs.engine.spec.cases import CaseWriter
from services.runs.engine.spec.secrets import MOST_SECRETS, find_secrets
from services.runs.engine.spec.texts import Texts, Unsaid
from services.runs.engine.spec.typescript import Names, comment, literal, variable_name

_LOCALS: Final = (
    "page",
    "baseUrl",
    "passed",
    "answered",
    "browser",
    "context",
    "url",
    "opened",
    "patience",
)
_TYPES: Final = ("Frame", "Locator", "Page")

_STEP_MS: Final = 60_000
"""For one step (contract, section 16); tests have that for each of theirs."""

_PAGE: Final = """\
  let page: Page;

  test.beforeAll(async ({{ browser }}) => {{
    baseUrl = {base_url};
    const context = await browser.newContext({{ viewport: {viewport} }});
    // As in the browser of a person, a new tab is looked at, and a closed one is left.
    context.on('page', (opened) => {{
      page = opened;
      opened.on('close', () => {{
        if (page === opened) page = context.pages().at(-1) ?? page;
      }});
    }});
    page = await context.newPage();
  }});

  test.afterAll(async () => {{
    await page?.context().close();
  }});
"""


def write(suite: Suite) -> str:
    """Write a suite as a Playwright test in TypeScript, for ``@playwright/test`` 1.51 and newer.

    What cannot be said is ``test.fixme`` with its English, so that nothing passes by omission; no
    secret stands in the text.
    """
    read = cache(parse_step)
    texts = Texts(Names((*helpers.NAMES, *_LOCALS)))
    texts.secrets = find_secrets(suite, read)
    _name_values(texts, suite)
    if len(texts.secrets) > MOST_SECRETS:
        return _nothing(suite)
    written = CaseWriter(suite, texts, read)
    tests = [line for case in suite.cases for line in ("", *written.lines(case))]
    viewport = f"{{ width: {suite.viewport.width}, height: {suite.viewport.height} }}"
    longest = max((len(case.steps) + len(case.expect) + 2 for case in suite.cases), default=1)
    described = [
        f"test.describe({texts.label(suite.name)}, () => {{",
        "  // One page for all tests, in their order: later ones go on where earlier ones ended.",
        f"  test.describe.configure({{ mode: 'serial', timeout: {longest * _STEP_MS} }});",
        "",
        *_PAGE.format(viewport=viewport, base_url=_base_url(texts, suite)).rstrip("\n").split("\n"),
        *tests,
        "});",
    ]
    captures = [f"let {name} = '';" for name in written.captured.values()]
    constants = _constants(texts, suite)
    used = helpers.sources(texts.helpers)
    if any("patience" in each for each in used):
        constants.insert(0, f"const patience = {suite.timeout_ms};")
    if suite.browser != CHROMIUM:
        constants.append(f"test.use({{ browserName: {literal(suite.browser)} }});")
    parts = [
        _header(texts, suite, "".join(used)),
        "\n".join([*constants, *_passed(suite)]),
        "\n".join(captures),
        "\n".join(used).rstrip("\n"),
        "\n".join(described),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _nothing(suite: Suite) -> str:
    """Write a spec of which no word is the suite's."""
    lines = [
        f"// More than {MOST_SECRETS} secret texts: too many to keep out of a spec.",
        "import { test } from '@playwright/test';",
        "",
    ]
    numbers = range(1, len(suite.cases) + 1)
    return "\n".join([*lines, *(f"test.fixme('case {n}', () => {{}});" for n in numbers)]) + "\n"


def _header(texts: Texts, suite: Suite, code: str) -> str:
    wanted = sorted({*texts.secrets.values(), *_asked(suite)})
    lines = [
        f"// {texts.hidden(suite.name)} ({texts.hidden(suite.id)})".rstrip(),
        "// Exported from a plain-English suite, which stays the source: changes here are not read",
        "// back. Every step and claim stands above its code; what could not be written as code is",
        "// test.fixme. Needs @playwright/test 1.51 or newer.",
    ]
    lines += [f"// Environment: {comment(name)}" for name in wanted]
    types = ", ".join(f"type {name}" for name in _TYPES if re.search(rf"\b{name}\b", code))
    names = f"expect, test, {types}" if types else "expect, test, type Page"
    lines.append(f"import {{ {names} }} from '@playwright/test';")
    return "\n".join(lines)


def _passed(suite: Suite) -> list[str]:
    if not any(case.depends_on for case in suite.cases):
        return []
    return ["const passed = new Set<string>();"]


def _asked(suite: Suite) -> set[str]:
    return {name for template in suite.env.values() for name in references(template)} - {
        *suite.fixtures
    }


def _name_values(texts: Texts, suite: Suite) -> None:
    """Give each variable of the suite its expression; a fixture wins over ``env``.

    What the environment gives is asked for where it is used: a spec must load without it.
    """
    for name in suite.env:
        if name not in suite.fixtures:
            texts.values[name] = f"{texts.names.give(name)}()"
    for name, fixture in suite.fixtures.items():
        if fixtures.is_hidden(name, fixture):
            texts.values[name] = fixtures.expression(texts, name, fixture)
        else:
            texts.values[name] = texts.names.give(name)


def _base_url(texts: Texts, suite: Suite) -> str:
    try:
        return texts.text(suite.base_url)
    except Unsaid:
        return texts.required("BASE_URL")


def _constants(texts: Texts, suite: Suite) -> list[str]:
    """Write what the tests use; what they do not, nobody has to provide."""
    env = [
        f"const {texts.values[name].removesuffix('()')} = (): string =>"
        f" {_environment(texts, suite, name, template)};"
        for name, template in suite.env.items()
        if name in texts.used and name not in suite.fixtures
    ]
    made = [
        f"const {texts.values[name]} = {fixtures.expression(texts, name, fixture)};"
        for name, fixture in suite.fixtures.items()
        if name in texts.used and not fixtures.is_hidden(name, fixture)
    ]
    return [*made, *env, "let baseUrl = '';"]


def _environment(texts: Texts, suite: Suite, name: str, template: str) -> str:
    """Write a value of ``env``: the environment's, or else what the suite says."""
    variable = variable_name(name)
    if is_secret_name(name) and not references(template):
        return texts.required(variable)
    inner: Mapping[str, str] = {
        each: texts.values[each] if each in suite.fixtures else texts.required(each)
        for each in references(template)
    }
    outer, texts.values = texts.values, dict(inner)
    try:
        value = texts.text(template)
    finally:
        texts.values = outer
    return (
        f"process.env[{literal(variable)}] ?? {value}"
        if " + " not in value
        else (f"process.env[{literal(variable)}] ?? ({value})")
    )
