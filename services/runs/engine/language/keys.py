"""Keys: "Enter", "Ctrl+A", "the down arrow key" as Playwright names them."""

from __future__ import annotations

from services.runs.engine.language.tokens import Phrase
from services.runs.engine.language.words import (
    BUTTON_LIKE_KEYS,
    DETERMINERS,
    KEYS,
    LONG_KEYS,
    MODIFIERS,
)


def read_keys(phrase: Phrase, *, after_key: bool = False) -> tuple[str, int] | None:
    """Read the keys that begin a phrase.

    Args:
        phrase: What stands behind "press".
        after_key: The step has just pressed another key, so "Delete" is a key and no button.

    Returns:
        The keys and how many tokens name them, or None.
    """
    start = 1 if phrase.word(0) in DETERMINERS else 0
    found = _single(phrase, start)
    if found is None:
        return None
    keys, end = found
    if phrase.word(end) in ("key", "keys", "shortcut"):
        return keys, end + 1
    if (start and end == start + 1) or (keys in BUTTON_LIKE_KEYS and not after_key):
        return None
    return keys, end


def _single(phrase: Phrase, start: int) -> tuple[str, int] | None:
    long = LONG_KEYS.get(phrase.run(start, 2))
    if long is not None:
        return long, start + 2
    if start >= len(phrase):
        return None
    token = phrase[start]
    if token.slotted:
        return None
    keys = _chord(token.text)
    if keys is None and phrase.word(start) in MODIFIERS and phrase.word(start + 1) == "+":
        keys = _chord(token.text + "+" + phrase.word(start + 2))
        return None if keys is None else (keys, start + 3)
    return None if keys is None else (keys, start + 1)


def _chord(text: str) -> str | None:
    """`ctrl+shift+a` -> `Control+Shift+A`; a letter counts only with a modifier."""
    parts = text.replace("-", "+").split("+") if len(text) < 40 else []
    if not parts or any(part.lower() not in MODIFIERS for part in parts[:-1]):
        return None
    last = KEYS.get(parts[-1].lower())
    if last is None:
        if len(parts) == 1 or len(parts[-1]) != 1 or not parts[-1].isascii():
            return None
        last = parts[-1].upper() if parts[-1].isalpha() else parts[-1]
    return "+".join([*(MODIFIERS[part.lower()] for part in parts[:-1]), last])
