"""Placeholders: ``${name}`` in a text (section 4.1)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

LONGEST_NAME: Final = 100

_PLACEHOLDER: Final = re.compile(r"\$\{([^{}$\n]{1,120})\}")


def references(template: str) -> tuple[str, ...]:
    """Give the names that a template mentions, each once, in order."""
    found = (match[1].strip() for match in _PLACEHOLDER.finditer(template))
    return tuple(dict.fromkeys(name for name in found if name))


def filled(template: str, value: Callable[[str], str]) -> str:
    """Put in what ``value`` gives for each name; values are not looked through for names."""

    def put(match: re.Match[str]) -> str:
        name = match[1].strip()
        return value(name) if name else match[0]

    return _PLACEHOLDER.sub(put, template)
