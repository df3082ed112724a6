"""TypeScript from anybody's texts: nothing in a text can end a literal, a comment or a line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_ESCAPES: Final = {"'": "\\'", "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}

_RESERVED: Final = """
abstract any arguments as async await boolean break case catch class const continue debugger declare
default delete do else enum eval export extends false finally for from function get if implements
import in infer instanceof interface is keyof let module namespace never new null number object of
package private protected public readonly require return satisfies set static string super switch
symbol this throw true try type typeof undefined unique unknown using var void while with yield NaN
Infinity Array Buffer Date Error Frame Locator Map Math Number Object Page Promise RegExp Set String
URL console document globalThis process window
"""
"""Words of the language, and names that stand for something already."""


def literal(text: str) -> str:
    """Write a text as a literal in single quotes; what cannot be seen is written as a number."""
    return f"'{''.join(map(_escaped, text))}'"


def comment(text: str) -> str:
    """Give a text as it may follow ``// ``: one line, and no sign that turns others around."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


class Names:
    """Identifiers that are given out once each.

    Args:
        taken: by our own functions.
    """

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = {*_RESERVED.split(), *taken}

    def give(self, name: str) -> str:
        """Make an identifier of a name: ``order number`` becomes ``orderNumber``."""
        parts = re.findall(r"[A-Za-z0-9]+", name)[:8]
        made = "".join(part if number == 0 else _upper(part) for number, part in enumerate(parts))
        made = (made[:1].lower() + made[1:])[:40] if not name.isupper() else "_".join(parts)[:40]
        if not made or made[0].isdigit():
            made = f"value{_upper(made)}"
        found, number = made, 2
        while found in self._taken:
            found, number = f"{made}{number}", number + 1
        self._taken.add(found)
        return found


def variable_name(*parts: str) -> str:
    """Make a name for a variable of the process environment."""
    words = re.findall(r"[A-Za-z0-9]+", " ".join(parts))
    made = "_".join(words).upper()[:80]
    return made if made and not made[0].isdigit() else f"V_{made}"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\u{{{code:x}}}"
