"""What a site's robots.txt asks of us (RFC 9309). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

LARGEST: Final = 512 * 1024
"""Characters that are read (RFC 9309, 2.5: at least 500 KiB)."""

MOST_RULES: Final = 2000


@dataclass(frozen=True, slots=True)
class Robots:
    """The rules for one crawler.

    Attributes:
        rules: path pattern and whether it may be opened.
    """

    rules: tuple[tuple[str, bool], ...] = ()

    def allows(self, path: str) -> bool:
        """Tell whether path and query may be opened: the longest rule counts, allow before not."""
        best, is_allowed = -1, True
        plain = unquote(path)
        for pattern, allowed in self.rules:
            if _matches(pattern, plain) and (
                len(pattern) > best or (len(pattern) == best and allowed)
            ):
                best, is_allowed = len(pattern), allowed
        return is_allowed


NOTHING: Final = Robots((("/", False),))
"""Of a site whose rules cannot be read: it may not be crawled."""


def read(text: str, agent: str) -> Robots:
    """Read a file: the groups that name us, else those for everybody."""
    ours: list[tuple[str, bool]] = []
    everybody: list[tuple[str, bool]] = []
    is_named, names, in_rules = False, set[str](), False
    for line in text[:LARGEST].lstrip("\ufeff").splitlines():
        key, colon, value = line.partition("#")[0].partition(":")
        if not colon:
            continue
        key, value = key.strip().lower(), value.strip()
        if key == "user-agent":
            names = set() if in_rules else names
            in_rules = False
            names.add(value.lower())
            is_named = is_named or value.lower() == agent
        elif key in ("allow", "disallow"):
            in_rules = True
            for name, rules in ((agent, ours), ("*", everybody)):
                if name in names and value and len(rules) < MOST_RULES:
                    rules.append((unquote(value), key == "allow"))
    return Robots(tuple(ours if is_named else everybody))


def _matches(pattern: str, path: str) -> bool:
    """Match from the beginning; ``*`` is anything, ``$`` at the end is the end."""
    is_whole = pattern.endswith("$")
    first, *rest = (pattern[:-1] if is_whole else pattern).split("*")
    if not path.startswith(first):
        return False
    if not rest:
        return not is_whole or path == first
    place = len(first)
    for piece in rest[:-1]:
        found = path.find(piece, place)
        if found < 0:
            return False
        place = found + len(piece)
    last = rest[-1]
    if is_whole:
        return path.endswith(last) and len(path) - len(last) >= place
    return path.find(last, place) >= 0
