"""Reading a suite: all problems at once, each with its place (sections 4 and 4.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from services.runs.engine.grammar.cases import (
    Shared,
    joined,
    read_captures,
    read_expectations,
    read_shared,
    read_steps,
    read_tags,
)
from services.runs.engine.grammar.environment import allowed_environment_name
from services.runs.engine.grammar.findings import Findings, quoted
from services.runs.engine.grammar.fixtures import read_fixture
from services.runs.engine.grammar.loading import MOST_CASES, MOST_STEPS, Listing, Table, load
from services.runs.engine.grammar.models import (
    CHROMIUM,
    Case,
    Fixture,
    Parsed,
    Sentence,
    Suite,
)
from services.runs.engine.grammar.reading import LONGEST_ID, Fields, words_of
from services.runs.engine.grammar.selection import used_names
from services.runs.engine.grammar.templates import filled, references

BROWSERS: Final = (CHROMIUM, "firefox", "webkit")

_SCHEME: Final = re.compile(r"https?://", re.IGNORECASE)
_LONGEST_URL: Final = 2000
_MOST_VARIABLES: Final = 1000
_MOST_TAGS: Final = 200
_MOST_LINKS: Final = 10_000


def parse(text: str) -> Parsed:
    """Read a suite's text. Never raises; costs little whatever the text is."""
    findings = Findings()
    node = load(text, findings)
    suite = None
    if isinstance(node, Table):
        suite = _suite(Fields(node, "", findings))
    elif node is not None:
        findings.problem("", node.line, "must be a mapping with suite, id, base_url and cases")
    problems = tuple(sorted(findings.problems, key=lambda one: one.line or 0))
    warnings = tuple(sorted(findings.warnings, key=lambda one: one.line or 0))
    return Parsed(None if problems else suite, problems, warnings, _in_order(findings.sentences))


def _in_order(sentences: list[Sentence]) -> tuple[Sentence, ...]:
    return tuple(sorted(sentences, key=lambda one: one.line))


@dataclass(slots=True)
class _Known:
    """What the cases read so far have said.

    Attributes:
        instances: by a case's own id, the ids of its rows; of an instance, itself.
        captured: names bound by earlier cases.
    """

    cases: list[Case] = field(default_factory=list)
    instances: dict[str, tuple[str, ...]] = field(default_factory=dict)
    captured: set[str] = field(default_factory=set)


def _suite(fields: Fields) -> Suite:
    name = fields.line_text("suite", required=True)
    suite_id = fields.line_text("id", LONGEST_ID, required=True)
    base_url = _base_url(fields)
    fixtures, env = _fixtures(fields), _env(fields)
    shared = read_shared(fields, Shared())
    browser = fields.line_text("browser") or CHROMIUM
    if browser not in BROWSERS:
        fields.problem("browser", f"must be one of {', '.join(BROWSERS)}")
    elif browser != CHROMIUM:
        fields.warn("browser", "cannot be run yet: a run of this suite is broken, not_supported")
    known = _cases(fields, shared, {*fixtures, *env})
    fields.finish()
    _warn_of_names(fields, base_url, fixtures, env)
    return Suite(
        name=name,
        id=suite_id,
        base_url=base_url,
        fixtures=fixtures,
        env=env,
        cases=tuple(known.cases),
        timeout_ms=shared.timeout_ms,
        retries=shared.retries,
        viewport=shared.viewport,
        browser=browser,
        login=shared.login,
    )


def _base_url(fields: Fields) -> str:
    text = fields.line_text("base_url", _LONGEST_URL, required=True)
    if text and not _is_web_address(text):
        fields.problem("base_url", "must be an address that begins with http:// or https://")
    return text


def _is_web_address(template: str) -> bool:
    if re.search(r"\s", template):
        return False
    if template.startswith("${"):
        return bool(references(template))
    if not _SCHEME.match(template):
        return False
    try:
        # A placeholder may stand anywhere behind the scheme, also for the port.
        parts = urlsplit(filled(template, lambda name: "1"))
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def _fixtures(fields: Fields) -> dict[str, Fixture]:
    found: dict[str, Fixture] = {}
    inner = fields.fields("fixtures")
    if inner is None:
        return found
    for name, node in inner.names():
        fixture = read_fixture(node, inner.at(name), fields.findings)
        if fixture is not None:
            found[name] = fixture
    _limit(inner, found)
    return found


def _env(fields: Fields) -> dict[str, str]:
    found: dict[str, str] = {}
    inner = fields.fields("env")
    if inner is None:
        return found
    for name, node in inner.names():
        text = words_of(node, inner.at(name), fields.findings, strip=False)
        if text is not None:
            found[name] = text
    _limit(inner, found)
    return found


def _limit(fields: Fields, found: dict[str, Fixture] | dict[str, str]) -> None:
    if len(found) > _MOST_VARIABLES:
        fields.problem("", f"must not hold more than {_MOST_VARIABLES} names")


def _cases(fields: Fields, shared: Shared, names: set[str]) -> _Known:
    known = _Known()
    node = fields.node("cases")
    if node is None:
        fields.problem("cases", "is missing")
    elif isinstance(node, Listing) and not node.items:
        fields.problem("cases", "must not be empty")
    for inner in fields.each("cases", "cases", MOST_CASES):
        for case in _case(inner, shared, known, names):
            if len(known.cases) == MOST_CASES:
                inner.problem("data", f"makes more than {MOST_CASES} cases of the suite")
                return known
            known.cases.append(case)
    _limit_what_rows_multiply(fields, known.cases)
    return known


def _limit_what_rows_multiply(fields: Fields, cases: list[Case]) -> None:
    """Refuse what would make much of a short text wherever cases are listed."""
    if sum(len(case.depends_on) for case in cases) > _MOST_LINKS:
        fields.problem("cases", f"must not depend on each other more than {_MOST_LINKS} times")
    if len({tag for case in cases for tag in case.tags}) > _MOST_TAGS:
        fields.problem("cases", f"must not have more than {_MOST_TAGS} different tags")


def _case(fields: Fields, above: Shared, known: _Known, names: set[str]) -> list[Case]:
    own_id = fields.line_text("id", LONGEST_ID, required=True)
    shared = read_shared(fields, above)
    steps = joined(shared.before, read_steps(fields, "steps", "s"))
    if len(steps) > MOST_STEPS:
        fields.problem("steps", f"must not be more than {MOST_STEPS}, those of before counted")
    plain = Case(
        id=own_id,
        title=fields.line_text("title", required=True),
        tags=read_tags(fields),
        depends_on=_depends_on(fields, own_id, known),
        steps=steps,
        expect=read_expectations(fields),
        capture=read_captures(fields),
        timeout_ms=shared.timeout_ms,
        retries=shared.retries,
        viewport=shared.viewport,
        login=shared.login,
        skip=shared.skip,
    )
    if fields.node("browser") is not None:
        fields.warn("browser", "counts for the whole suite only; a run has one browser")
    if not (fields.has("steps") or fields.has("expect")):
        fields.warn("", "has neither steps nor expect, so it proves nothing")
    fields.finish()
    _warn_of_unbound(fields, plain, shared, names | known.captured)
    known.captured.update(one.name for one in plain.capture)
    instances = _instances(plain, shared)
    _register(fields, own_id, instances, known)
    return instances


def _instances(plain: Case, shared: Shared) -> list[Case]:
    if shared.data is None:
        return [plain]
    return [
        Case(
            id=f"{plain.id}[{number}]",
            title=plain.title,
            tags=plain.tags,
            depends_on=plain.depends_on,
            steps=plain.steps,
            expect=plain.expect,
            capture=plain.capture,
            timeout_ms=plain.timeout_ms,
            retries=plain.retries,
            viewport=plain.viewport,
            login=plain.login,
            skip=plain.skip,
            row=row,
        )
        for number, row in enumerate(shared.data)
    ]


def _register(fields: Fields, own_id: str, instances: list[Case], known: _Known) -> None:
    if not own_id:
        return
    ids = tuple(case.id for case in instances)
    twice = next((one for one in (own_id, *ids) if one in known.instances), None)
    if twice is not None:
        fields.problem("id", f"{quoted(twice)} is the id of an earlier case already")
        return
    known.instances[own_id] = ids
    known.instances.update((one, (one,)) for one in ids)


def _depends_on(fields: Fields, own_id: str, known: _Known) -> tuple[str, ...]:
    found: list[str] = []
    for name in fields.texts("depends_on") or ():
        if name in known.instances:
            found += known.instances[name]
        elif name == own_id:
            fields.problem("depends_on", "must not name the case itself")
        else:
            fields.problem("depends_on", f"{quoted(name)} is no case that stands before this one")
    return tuple(dict.fromkeys(found))


def _warn_of_unbound(fields: Fields, case: Case, shared: Shared, names: set[str]) -> None:
    rows = shared.data or ({},)
    everywhere = set(rows[0]).intersection(*rows[1:]) if rows else set()
    for name in used_names(case):
        if name not in names and name not in everywhere:
            message = f"nothing before this case binds ${{{name}}}, unless the run is given it"
            fields.warn("", message)


def _warn_of_names(
    fields: Fields, base_url: str, fixtures: dict[str, Fixture], env: dict[str, str]
) -> None:
    line = fields.line_of("env")
    for name, template in env.items():
        if name in fixtures:
            fields.findings.warn(f"env.{name}", line, "is hidden by the fixture of that name")
        for inner in references(template):
            if inner not in fixtures and not allowed_environment_name(inner):
                message = f"${{{inner}}} of the process environment is not for suites to read"
                fields.findings.warn(f"env.{name}", line, message)
    for name in references(base_url):
        if name not in fixtures and name not in env:
            fields.warn("base_url", f"nothing binds ${{{name}}}, unless the run is given it")
