"""Reading ``fixtures``: the kinds there are, and what each may be told (section 4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from services.runs.engine.grammar.findings import Findings, quoted
from services.runs.engine.grammar.loading import Node, Scalar, Table
from services.runs.engine.grammar.models import Fixture
from services.runs.engine.grammar.reading import Fields, words_of

_LARGEST: Final = 10**15 - 1
_LONGEST_STRING: Final = 10_000
_MOST_DAYS: Final = 36_500

_Reader: TypeAlias = Callable[[Fields, str], Any]


def _whole(fields: Fields, key: str) -> int | None:
    return fields.whole(key, -_LARGEST, _LARGEST)


def _length(fields: Fields, key: str) -> int | None:
    return fields.whole(key, 1, _LONGEST_STRING)


def _days(fields: Fields, key: str) -> int | None:
    return fields.whole(key, -_MOST_DAYS, _MOST_DAYS)


def _exact(fields: Fields, key: str) -> str | None:
    return fields.words(key, strip=False)


def _choices(fields: Fields, key: str) -> tuple[str, ...] | None:
    found = fields.texts(key)
    if found == ():
        fields.problem(key, "must not be empty")
    return found or None


def _format(fields: Fields, key: str) -> str | None:
    return fields.line_text(key, 100) or None


_KINDS: Final[Mapping[str, Mapping[str, _Reader]]] = {
    "unique_email": {},
    "password": {},
    "unique_name": {},
    "name": {},
    "first_name": {},
    "last_name": {},
    "username": {},
    "phone": {},
    "number": {"min": _whole, "max": _whole},
    "string": {"length": _length},
    "uuid": {},
    "date": {"format": _format, "offset_days": _days},
    "timestamp": {},
    "company": {},
    "address": {},
    "sentence": {},
    "literal": {"value": _exact},
    "pick": {"from": _choices},
}

_NEEDED: Final = {"literal": "value", "pick": "from"}

KINDS: Final = tuple(_KINDS)
"""The kinds of fixtures that a suite may hold."""

_SMALLEST: Final = 1
_MOST: Final = 9999


def bounds(given: Mapping[str, Any]) -> tuple[int, int]:
    """Give the bounds of a ``number``; the one that is not given makes room for the other."""
    if "min" in given:
        least = int(given["min"])
        return least, int(given.get("max", max(_MOST, least)))
    most = int(given.get("max", _MOST))
    return min(_SMALLEST, most), most


def read_fixture(node: Node, path: str, findings: Findings) -> Fixture | None:
    """Read one fixture; None, and a problem, if it is none. A bare scalar is a literal."""
    if isinstance(node, Scalar):
        text = words_of(node, path, findings, strip=False)
        if text is not None and text in _KINDS:
            message = f"is the literal {quoted(text)}; write {{gen: {text}}} to have one made"
            findings.warn(path, node.line, message)
        return None if text is None else Fixture("literal", {"value": text})
    if not isinstance(node, Table):
        findings.problem(path, node.line, "must be a mapping like {gen: unique_email}, or a value")
        return None
    return _read(Fields(node, path, findings))


def _read(fields: Fields) -> Fixture | None:
    kind = fields.line_text("gen", required=True)
    if kind and kind not in _KINDS:
        message = f"{quoted(kind)} is no kind of fixture; there are {', '.join(KINDS)}"
        fields.problem("gen", message)
    if kind not in _KINDS:
        return None
    given = {}
    for name, read in _KINDS[kind].items():
        value = read(fields, name)
        if value is not None:
            given[name] = value
    needed = _NEEDED.get(kind)
    if needed is not None and needed not in given and not fields.has(needed):
        fields.problem(needed, "is missing")
    if kind == "number":
        least, most = bounds(given)
        if least > most:
            fields.problem("min", "must not be above max")
    fields.finish()
    return Fixture(kind, given)
