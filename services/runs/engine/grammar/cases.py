"""Reading cases: steps, expectations, captures, and the settings a case shares with its suite."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from services.runs.engine.grammar.checks import read_check
from services.runs.engine.grammar.findings import quoted
from services.runs.engine.grammar.loading import MOST_CASES, MOST_STEPS, Listing, Table
from services.runs.engine.grammar.models import (
    RETRIES,
    TIMEOUT_MS,
    VIEWPORT,
    Capture,
    Expectation,
    Login,
    Step,
    Viewport,
)
from services.runs.engine.grammar.reading import (
    LONGEST_ID,
    LONGEST_TAG,
    Fields,
    truth,
    words_of,
)

_MOST_TAGS: Final = 50
_MOST_MS: Final = 60_000
_MOST_RETRIES: Final = 10
_LARGEST_SIDE: Final = 10_000
_LARGEST: Final = 10**12
_ROW_VALUES: Final = 100


@dataclass(frozen=True, slots=True)
class Shared:
    """The extensions that a suite gives its cases, or a case itself."""

    timeout_ms: int = TIMEOUT_MS
    retries: int = RETRIES
    viewport: Viewport = VIEWPORT
    login: Login | None = None
    skip: str | None = None
    before: tuple[Step, ...] = ()
    data: tuple[dict[str, str], ...] | None = None


def read_shared(fields: Fields, above: Shared) -> Shared:
    """Read the extensions at one level; what is not said there is as ``above``.

    Steps of ``before`` come after those from above.
    """
    return Shared(
        timeout_ms=_at_most(fields, "timeout_ms", 1, _MOST_MS, above.timeout_ms),
        retries=_at_most(fields, "retries", 0, _MOST_RETRIES, above.retries),
        viewport=_viewport(fields) or above.viewport,
        login=_login(fields) or above.login,
        skip=_skip(fields, above.skip),
        before=(*above.before, *read_steps(fields, "before", "b", len(above.before))),
        data=above.data if not fields.has("data") else read_rows(fields),
    )


def _at_most(fields: Fields, key: str, least: int, most: int, default: int) -> int:
    value = fields.whole(key, least, _LARGEST)
    if value is None:
        return default
    if value > most:
        fields.warn(key, f"counts as {most}, which is the most")
    return min(value, most)


def _viewport(fields: Fields) -> Viewport | None:
    inner = fields.fields("viewport")
    if inner is None:
        return None
    sides = []
    for key in ("width", "height"):
        side = inner.whole(key, 1, _LARGEST_SIDE)
        if side is None and not inner.has(key):
            inner.problem(key, "is missing")
        sides.append(side)
    inner.finish()
    width, height = sides
    return None if width is None or height is None else Viewport(width, height)


def _login(fields: Fields) -> Login | None:
    inner = fields.fields("auth")
    if inner is None:
        return None
    username = inner.line_text("username", required=True)
    password = inner.words("password", strip=False)
    if not password and (password is not None or not inner.has("password")):
        inner.problem("password", "is missing")
    path = inner.line_text("login_path") or None
    inner.finish()
    return Login(username, password, path) if username and password else None


def _skip(fields: Fields, above: str | None) -> str | None:
    node = fields.node("skip")
    if node is None:
        return above
    if (said := truth(node)) is not None:
        return "skipped by the suite" if said else None
    return fields.line_text("skip") or None


def read_rows(fields: Fields) -> tuple[dict[str, str], ...]:
    """Read ``data``: rows of variables."""
    rows = []
    for inner in fields.each("data", "rows", MOST_CASES):
        row = {}
        for name, value in inner.names():
            text = words_of(value, inner.at(name), fields.findings, strip=False)
            if text is not None:
                row[name] = text
        if len(row) > _ROW_VALUES:
            inner.problem("", f"must not hold more than {_ROW_VALUES} values")
        rows.append(row)
    node = fields.node("data")
    if isinstance(node, Listing) and not node.items:
        fields.problem("data", "must not be empty")
    return tuple(rows)


def read_steps(fields: Fields, key: str, prefix: str, begun: int = 0) -> tuple[Step, ...]:
    """Read a list of steps; one without an id is called by its number."""
    found = []
    for inner in fields.each(key, "steps, like {do: Open /login}", MOST_STEPS):
        own = inner.line_text("id", LONGEST_ID)
        do = inner.required_words("do")
        inner.sentence("step", "do", do)
        found.append((own, inner, Step("", do, inner.flag("secret"))))
        inner.finish()
    names = _ids([(own, inner) for own, inner, _ in found], prefix, begun)
    return tuple(
        Step(id, step.do, step.secret) for id, (_, _, step) in zip(names, found, strict=True)
    )


def joined(before: tuple[Step, ...], steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Put the steps of ``before`` first; every id of the whole is made to differ."""
    taken: set[str] = set()
    found = []
    for step in (*before, *steps):
        id = _free(step.id, taken.__contains__)
        taken.add(id)
        found.append(step if id == step.id else Step(id, step.do, step.secret))
    return tuple(found)


def read_expectations(fields: Fields) -> tuple[Expectation, ...]:
    """Read ``expect``."""
    found = []
    for inner in fields.each("expect", "expectations, like {assert: ...}", MOST_STEPS):
        own = inner.line_text("id", LONGEST_ID)
        claim = inner.words("assert") or None
        node = inner.node("check")
        check = None
        if isinstance(node, Table):
            check = read_check(Fields(node, inner.at("check"), inner.findings))
        elif node is not None:
            inner.problem("check", "must be a mapping like {kind: visible_text, contains: ...}")
        if not inner.has("check") and claim is None and not _is_wrong_text(inner, "assert"):
            inner.problem("", "needs assert or check")
        if check is None:
            inner.sentence("claim", "assert", claim)
        inner.finish()
        found.append((own, inner, claim, check))
    names = _ids([(own, inner) for own, inner, _, _ in found], "a", 0)
    return tuple(
        Expectation(id, claim, check) for id, (_, _, claim, check) in zip(names, found, strict=True)
    )


def _is_wrong_text(fields: Fields, key: str) -> bool:
    return isinstance(fields.node(key), Listing | Table)


def _ids(found: Iterable[tuple[str, Fields]], prefix: str, begun: int) -> list[str]:
    """Name steps: by their own ids, else by number; a name that stands twice gets a number."""
    pairs = list(found)
    taken: set[str] = set()
    own = {given for given, _ in pairs if given}
    names = []
    for number, (given, inner) in enumerate(pairs, begun + 1):
        name = given
        if given in taken:
            inner.warn("id", f"{quoted(given)} stands twice in this list")
        if not given or given in taken:
            name = _free(given or f"{prefix}{number}", lambda one: one in taken or one in own)
        taken.add(name)
        names.append(name)
    return names


def _free(name: str, is_taken: Callable[[str], bool]) -> str:
    if not is_taken(name):
        return name
    number = 2
    while is_taken(f"{name}-{number}"):
        number += 1
    return f"{name}-{number}"


def read_captures(fields: Fields) -> tuple[Capture, ...]:
    """Read ``capture``."""
    found = []
    for inner in fields.each("capture", "captures, like {name: order, from: ...}", MOST_STEPS):
        name, source = inner.name("name"), inner.required_words("from")
        inner.sentence("capture", "from", source)
        inner.finish()
        if name and source:
            found.append(Capture(name, source))
    return tuple(found)


def read_tags(fields: Fields) -> tuple[str, ...]:
    """Read ``tags``, each once."""
    tags = fields.texts("tags", LONGEST_TAG) or ()
    if len(tags) > _MOST_TAGS:
        fields.problem("tags", f"must not hold more than {_MOST_TAGS}")
    for tag in tags:
        if "\n" in tag:
            fields.problem("tags", f"{quoted(tag)} must be on one line")
    return tuple(dict.fromkeys(tags))
