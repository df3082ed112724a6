"""Reading a ``check``: its kind, and the parameters that kind knows (section 4.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from services.runs.engine.grammar.findings import quoted
from services.runs.engine.grammar.loading import Scalar
from services.runs.engine.grammar.models import Check
from services.runs.engine.grammar.reading import Fields, is_null, words_of

_MOST_COUNTED: Final = 10**9

_Reader: TypeAlias = Callable[[Fields, str], Any]


def _exact(fields: Fields, key: str) -> str | None:
    return fields.words(key, strip=False)


def _filled_text(fields: Fields, key: str) -> str | None:
    """A text of which something is left when the blanks around it are gone."""
    text = fields.words(key, strip=False)
    if text is not None and not text.strip():
        fields.problem(key, "must not be empty")
        return None
    return text


def _one(fields: Fields, key: str) -> str | None:
    text = fields.line_text(key)
    if not text and fields.has(key):
        fields.problem(key, "must not be empty")
    return text or None


def _texts(fields: Fields, key: str) -> tuple[str, ...] | None:
    found = fields.texts(key)
    if found == ():
        fields.problem(key, "must not be empty")
        return None
    return found


def _count(fields: Fields, key: str) -> int | str | None:
    return fields.whole_or_template(key, 0, _MOST_COUNTED)


def _status(fields: Fields, key: str) -> int | str | None:
    return fields.whole_or_template(key, 100, 599)


def _flag(fields: Fields, key: str) -> bool | None:
    return fields.flag(key) or None


def _share(fields: Fields, key: str) -> float | None:
    return fields.number(key, 0, 1)


def _headers(fields: Fields, key: str) -> dict[str, str] | None:
    inner = fields.fields(key)
    if inner is None:
        return None
    found = {}
    for name, node in inner.names():
        text = words_of(node, inner.at(name), fields.findings)
        if text is not None:
            found[name] = text
    return found


def _body(fields: Fields, key: str) -> str | None:
    node = fields.node(key)
    if node is not None and not isinstance(node, Scalar):
        fields.problem(key, "must be a text, as it is to be sent")
        return None
    return fields.words(key, strip=False)


_HINT: Final[Mapping[str, _Reader]] = {"selector_hint": _one}
_TEXT: Final[Mapping[str, _Reader]] = {
    name: _filled_text for name in ("contains", "starts_with", "ends_with")
} | {"equals": _exact}

_KINDS: Final[Mapping[str, Mapping[str, _Reader]]] = {
    "url": {"path_is": _one, **_TEXT},
    "visible_text": {
        "contains": _filled_text,
        "equals": _filled_text,
        "all_of": _texts,
        "any_of": _texts,
        **_HINT,
        "ignore_case": _flag,
    },
    "absent_text": {"any_of": _texts, **_HINT},
    "element_visible": _HINT,
    "value": {**_TEXT, **_HINT},
    "count": {"equals": _count, "at_least": _count, "at_most": _count, **_HINT},
    "enabled": _HINT,
    "disabled": _HINT,
    "checked": _HINT,
    "title": _TEXT,
    "attribute": {"name": _one, **_TEXT, **_HINT},
    "request": {"url": _one, "method": _one, "status": _status},
    "api": {
        "url": _one,
        "method": _one,
        "status": _status,
        "json_path": _one,
        "equals": _exact,
        "headers": _headers,
        "body": _body,
    },
    "screenshot": {"name": _one, "tol": _share},
    "no_console_errors": {},
    "logged_in": {},
    "error_shown": _HINT,
}

# For each kind: all of these groups must have one that is given.
_NEEDED: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "url": (("path_is", *_TEXT),),
    "visible_text": (("contains", "equals", "all_of", "any_of"),),
    "absent_text": (("any_of",),),
    "element_visible": (("selector_hint",),),
    "value": (("selector_hint",), tuple(_TEXT)),
    "count": (("selector_hint",), ("equals", "at_least", "at_most")),
    "enabled": (("selector_hint",),),
    "disabled": (("selector_hint",),),
    "checked": (("selector_hint",),),
    "title": (tuple(_TEXT),),
    "attribute": (("selector_hint",), ("name",)),
    "request": (("url",),),
    "api": (("url",),),
    "screenshot": (("name",),),
}

KINDS: Final = tuple(_KINDS)
"""The kinds of checks that a suite may hold."""


def read_check(fields: Fields) -> Check | None:
    """Read a check; None, and problems, if it is none."""
    before = len(fields.findings.problems)
    kind = fields.line_text("kind", required=True)
    if kind and kind not in _KINDS:
        message = f"{quoted(kind)} is no kind of check; there are {', '.join(KINDS)}"
        fields.problem("kind", message)
    if kind not in _KINDS:
        return None
    given = {}
    for name, read in _KINDS[kind].items():
        value = read(fields, name)
        if value is not None:
            given[name] = value
    if kind != "absent_text" and fields.flag("not"):
        given["not"] = True
    _check_needed(kind, fields)
    fields.finish()
    return Check(kind, given) if len(fields.findings.problems) == before else None


def _check_needed(kind: str, fields: Fields) -> None:
    for group in _NEEDED.get(kind, ()):
        if not any(_is_given(fields, name) for name in group):
            message = f"needs {' or '.join(group)}"
            fields.problem("", f"a check of kind {kind} {message}")
    if kind == "visible_text" and fields.has("equals") and not fields.has("selector_hint"):
        fields.problem("equals", "needs selector_hint: the text of which element")


def _is_given(fields: Fields, name: str) -> bool:
    """Whether a field is there; an empty text in quotes is, too."""
    return not is_null(fields.node(name))
