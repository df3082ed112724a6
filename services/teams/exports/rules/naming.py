"""Names of files that are safe on every file system, made from names that people chose.

What is refused on Windows stands at
https://learn.microsoft.com/windows/win32/fileio/naming-a-file.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from typing import Final

LONGEST_SLUG: Final = 56
"""Characters; with a number behind it a name stays within the 64 that Agent Skills allow."""

LONGEST_PATH: Final = 160
"""Characters: far below what any file system takes, whatever folder it is unpacked into."""

_RESERVED: Final = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
)
_NOT_SLUG: Final = re.compile(r"[^a-z0-9]+")
_PART: Final = re.compile(r"\.?[A-Za-z0-9][A-Za-z0-9._-]{0,95}")


def slug(text: str, otherwise: str) -> str:
    """Make a name of lower-case ASCII letters, digits and single dashes, never empty.

    Compatibility forms are folded (NFKD) and accents dropped, so ``Ämy`` gives ``amy``. A text
    without such letters gives ``otherwise`` and a digest, hence the same whoever stands beside it.

    Args:
        text: any text.
        otherwise: a slug that says what is named, such as ``member``.
    """
    folded = unicodedata.normalize("NFKD", text).lower()
    bare = "".join(letter for letter in folded if not unicodedata.combining(letter))
    name = _NOT_SLUG.sub("-", bare).strip("-")[:LONGEST_SLUG].rstrip("-")
    if not name:
        return f"{otherwise}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    return f"{otherwise}-{name}" if name in _RESERVED else name


class Names:
    """Gives each thing in a folder a name of its own."""

    def __init__(self, otherwise: str, taken: Iterable[str] = ()) -> None:
        self._otherwise = otherwise
        self._taken = set(taken)

    def give(self, text: str) -> str:
        """Give a slug that nothing else here has, by a number behind it from 2."""
        first = name = slug(text, self._otherwise)
        number = 1
        while name in self._taken:
            number += 1
            name = f"{first}-{number}"
        self._taken.add(name)
        return name


class UnsafePath(ValueError):
    """A bundle would have held a path that is not safe: a fault of ours."""


def check_paths(paths: Iterable[str]) -> None:
    """Make sure that files stay in the folder they are unpacked into and do not hide each other.

    Raises:
        UnsafePath: a path is absolute, climbs, is too long or has a character, a part or an ending
            that some file system reads otherwise; or two are the same to one that ignores case; or
            one is the folder of another.
    """
    seen: set[str] = set()
    folders: set[str] = set()
    for path in paths:
        parts = path.split("/")
        if len(path) > LONGEST_PATH or not all(map(_is_safe, parts)):
            raise UnsafePath(ascii(path))
        lowered = path.lower()
        if lowered in seen:
            raise UnsafePath(f"{path!a} stands twice")
        seen.add(lowered)
        steps = lowered.split("/")
        folders.update("/".join(steps[:depth]) for depth in range(1, len(steps)))
    if not seen.isdisjoint(folders):
        raise UnsafePath("a file has the name of a folder")


def _is_safe(part: str) -> bool:
    stem = part.lstrip(".").partition(".")[0].lower()
    return bool(_PART.fullmatch(part)) and part[-1] != "." and stem not in _RESERVED
