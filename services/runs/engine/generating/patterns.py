"""A value that fits a field's ``pattern``, for the plain patterns that most fields have.

A pattern comes from a page, so it is never run: it is read here, and what is not plain is given up.
"""

from __future__ import annotations

import re
from typing import Final

_ATOM: Final = re.compile(
    r"(?P<set>\[(?P<inner>[^\]\\^[]{1,60}|(?:\\.|[^\]\\^[]){1,60})\])|(?P<class>\\[dw])"
    r"|\\(?P<escaped>[^a-zA-Z0-9])|(?P<plain>[A-Za-z0-9 @_:/#%,;=!<>&~'\"-])|(?P<any>\.)"
)
_TIMES: Final = re.compile(r"\{(\d{1,3})(?:,(\d{0,3}))?\}|[+*?]")
_LONGEST: Final = 200


def example_of(pattern: str) -> str | None:
    """Give the shortest value that fits; None if the pattern is not a plain one.

    Args:
        pattern: sets, classes, characters, each with a quantifier.
    """
    rest = pattern.removeprefix("^").removesuffix("$")
    made = ""
    while rest and len(made) <= _LONGEST:
        atom = _ATOM.match(rest)
        sample = _sample(atom) if atom else None
        if atom is None or sample is None:
            return None
        rest = rest[atom.end() :]
        times = _TIMES.match(rest)
        count = 1
        if times:
            rest = rest[times.end() :]
            count = int(times[1]) if times[1] else (1 if times[0] == "+" else 0)
        made += sample * count
    return made if made and len(made) <= _LONGEST else None


def _sample(atom: re.Match[str]) -> str | None:
    if atom["set"]:
        inner = atom["inner"]
        if inner.startswith("\\"):
            return {"\\d": "1", "\\w": "a"}.get(inner[:2], inner[1])
        return inner[0]
    if atom["class"]:
        return "1" if atom["class"] == "\\d" else "a"
    if atom["any"]:
        return "a"
    return atom["escaped"] or atom["plain"]
