"""The small language in which an ``api`` check names a part of a JSON answer.

``$.items[0].name``: ``$`` is the whole (it may be left out), ``.name`` a member, ``[0]`` an element
(``[-1]`` the last), ``['a name']`` or ``["a name"]`` a member whose name holds anything, with
``\\`` before a quote. There are no wildcards and no filters: a path names one place.
"""

from __future__ import annotations

import re
from typing import Any, Final

LONGEST: Final = 1_000

_PART: Final = re.compile(
    r"""
      \.(?P<name>[^.\[\]\s'"*?()@,:]+)
    | \[\s*(?P<index>-?[0-9]{1,9})\s*\]
    | \[\s*'(?P<single>(?:[^'\\]|\\.)*+)'\s*\]
    | \[\s*"(?P<double>(?:[^"\\]|\\.)*+)"\s*\]
    """,
    re.VERBOSE | re.DOTALL,
)


def read_path(text: str) -> tuple[str | int, ...]:
    """Read a path.

    Raises:
        ValueError: it is none; the message says what is understood.
    """
    plain = text.strip()
    if plain.startswith("$"):
        plain = plain[1:]
    elif plain and not plain.startswith(("[", ".")):
        plain = f".{plain}"
    parts: list[str | int] = []
    at = 0
    while at < len(plain):
        found = _PART.match(plain, at)
        if found is None or len(text) > LONGEST:
            raise ValueError("must be a path such as $.items[0].name or $['a name']")
        parts.append(_part(found))
        at = found.end()
    return tuple(parts)


def look_up(document: Any, path: tuple[str | int, ...]) -> tuple[bool, Any]:
    """Tell whether there is something at that place, and what."""
    for part in path:
        if isinstance(part, str):
            if not isinstance(document, dict) or part not in document:
                return False, None
            document = document[part]
        else:
            if not isinstance(document, list) or not -len(document) <= part < len(document):
                return False, None
            document = document[part]
    return True, document


def is_same(one: Any, other: Any) -> bool:
    """Compare as JSON does: 1 is 1.0, but true is no number."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return bool(one == other)


def _part(found: re.Match[str]) -> str | int:
    if found["index"] is not None:
        return int(found["index"])
    if found["name"] is not None:
        return found["name"]
    quoted = found["single"] if found["single"] is not None else found["double"]
    return re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)
