"""Names of elements, from the selectors by which recorders know them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from services.runs.engine.generating.words import clean
from services.runs.engine.recording.models import Name

LONGEST: Final = 2000
"""Characters of a selector that are read."""

_ROLED: Final = re.compile(r"""^(.*)\[role=["']?([\w-]+)["']?\]$""", re.S)
_ROLE: Final = re.compile(
    r"""^(?:internal:)?role=([\w-]+)(?:\[name=["'](.+?)["']\s*[is]?\])?""", re.S
)
_SAYS: Final = re.compile(
    r"""^(?:internal:)?(?:text|label|placeholder|title|alt)=["']?(.+?)["']?[is]?$""", re.S
)
_HAS_TEXT: Final = re.compile(r""":(?:has-text|text|text-is|contains)\(\s*["'](.+?)["']\s*\)""")
_ATTRIBUTE: Final = re.compile(
    r"""\[(aria-label|placeholder|alt|title|name|data-testid|data-test-id|data-test|data-cy"""
    r"""|data-qa|value|id)\s*[*^$~|]?=\s*["']?([^"'\]]+)["']?\]"""
)
_ID: Final = re.compile(r"#((?:[A-Za-z_]|\\[0-9a-fA-F]+ ?)[\w-]*)")
_XPATH_ID: Final = re.compile(r"""@(id|name|aria-label|placeholder)\s*=\s*["']([^"']+)["']""")
_XPATH_TEXT: Final = re.compile(r"""text\(\)\s*(?:=|,)\s*["']([^"']+)["']""")
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_TAG: Final = re.compile(r"(?:^|[\s>])(a|button|input|select|textarea)(?=$|[.#:\[])")
_ROLES: Final = {"a": "link", "button": "button", "select": "combobox", "textarea": "textbox"}
_WORDED: Final = ("aria-label", "placeholder", "alt", "title")
_SECRET: Final = re.compile(
    r"pass[\s_-]?(word|wd|phrase|code)|\bpass\b|passwor|passwd|\bpwd\b|passwort|kennwort"
    r"|contrase|mot de passe|\bsecret\b|\bpin\b|\bcvv\b|\bcvc\b|api[\s_-]?key|\btoken\b|\botp\b",
    re.IGNORECASE,
)


def is_secret(*texts: str) -> bool:
    """Tell whether words or selectors of a field say that what it takes is secret."""
    return any(_SECRET.search(_CAMEL.sub(" ", text).replace("_", " ")) for text in texts)


def words_of(identifier: str) -> str:
    """Make words of an id: ``addToCart-btn`` is ``add to cart btn``."""
    return clean(re.sub(r"[_\-.:\[\]]+", " ", _CAMEL.sub(" ", identifier))).lower()


def best(selectors: Iterable[str]) -> Name | None:
    """Give the best name that one of the selectors knows; the first among equals."""
    found: list[tuple[int, int, Name]] = []
    for at, selector in enumerate(selectors):
        read = _read(selector[:LONGEST].strip())
        if read is not None:
            found.append((read[0], at, read[1]))
    return min(found, key=lambda one: one[:2])[2] if found else None


def _read(selector: str) -> tuple[int, Name] | None:
    """Read one: how weak the name is, and the name."""
    if selector.startswith("aria/"):
        return _aria(selector[5:])
    if selector.startswith("text/"):
        return _named(1, selector[5:])
    if selector.startswith(("xpath/", "xpath=", "//")):
        return _xpath(selector)
    if selector.startswith("pierce/"):
        selector = selector[7:]
    if found := _ROLE.match(selector):
        return _named(0, (found[2] or "").replace('\\"', '"'), found[1])
    if found := _SAYS.match(selector):
        return _named(0, found[1])
    return _css(selector)


def _aria(text: str) -> tuple[int, Name] | None:
    if found := _ROLED.match(text):
        return _named(0, found[1], found[2])
    return _named(0, text)


def _xpath(selector: str) -> tuple[int, Name] | None:
    if found := _XPATH_TEXT.search(selector):
        return _named(2, found[1])
    if found := _XPATH_ID.search(selector):
        if found[1] in _WORDED:
            return _named(2, found[2])
        return _named(5, words_of(found[2]))
    return None


def _css(selector: str) -> tuple[int, Name] | None:
    tag = _TAG.search(selector)
    role = _ROLES.get(tag[1], "") if tag else ""
    if found := _HAS_TEXT.search(selector):
        return _named(1, found[1], role)
    attributes = dict(reversed(_ATTRIBUTE.findall(selector)))
    for key in _WORDED:
        if key in attributes:
            return _named(2, attributes[key], role)
    if "value" in attributes and role in ("", "button"):
        return _named(3, attributes["value"], role)
    if found := _ID.search(selector):
        return _named(4, words_of(found[1]), role)
    for key in ("id", "name", "data-testid", "data-test-id", "data-test", "data-cy", "data-qa"):
        if key in attributes:
            return _named(4, words_of(attributes[key]), role)
    return _rest(selector, role)


def _rest(selector: str, role: str) -> tuple[int, Name] | None:
    """A type or a class says something, too, where nothing else does."""
    if found := re.search(r"""\[?type\s*=\s*["']?(password|email|search|tel)["']?\]?""", selector):
        return _named(6, {"tel": "phone"}.get(found[1], found[1]), role)
    if found := re.search(r"\.([A-Za-z][\w-]{2,})(?![\w.#\[>-])", selector):
        return _named(7, words_of(found[1]), role)
    return None


def _named(weakness: int, text: str, role: str = "") -> tuple[int, Name] | None:
    text = clean(text)
    return (weakness, Name(text, role)) if text else None
