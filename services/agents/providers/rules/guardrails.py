"""An agent's guardrails: what may not come in, what may not go out (agents contract, section 6).

The JSON is the agent's author's. A text is a phrase that is blocked both ways; an object may have
``blocked_phrases``, ``blocked_input_phrases``, ``blocked_output_phrases``, ``max_input_length``,
``max_output_length``; either may stand alone or in a list. Everything else is ignored.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from services.agents.providers.models import LONGEST_MESSAGE

MOST_PHRASES: Final = 100
LONGEST_PHRASE: Final = 200
"""Characters; longer ones are ignored, as are more phrases."""

MOST_ITEMS: Final = 500
"""Of a list, what comes after is ignored."""


_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f"
    "\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Characters that only control and format, fillers, and selectors of a variation."""


@dataclass(frozen=True, slots=True)
class Guardrails:
    """What guardrails amount to; phrases are folded."""

    blocked_input: frozenset[str]
    blocked_output: frozenset[str]
    longest_input: int
    longest_output: int


def read(guardrails: Any) -> Guardrails:
    """Read guardrails, whatever JSON they are; of several lengths the least counts."""
    incoming: set[str] = set()
    outgoing: set[str] = set()
    longest_input = longest_output = LONGEST_MESSAGE
    for item in _items(guardrails):
        both = [*_phrases(item.get("blocked_phrases"))]
        incoming.update(both, _phrases(item.get("blocked_input_phrases")))
        outgoing.update(both, _phrases(item.get("blocked_output_phrases")))
        longest_input = min(longest_input, _length(item.get("max_input_length")))
        longest_output = min(longest_output, _length(item.get("max_output_length")))
    return Guardrails(_some(incoming), _some(outgoing), longest_input, longest_output)


def folded(text: str) -> str:
    """Give the form in which texts and phrases are compared.

    Case, compatibility forms (NFKC), invisible characters and the kind of blanks do not count.
    """
    if text.isascii():
        return " ".join(_INVISIBLE.sub("", text).lower().split())
    visible = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    return " ".join(unicodedata.normalize("NFKC", visible.casefold()).split())


def is_blocked(text: str, phrases: frozenset[str]) -> bool:
    """Tell whether one of the folded phrases stands anywhere in the text."""
    if not phrases:
        return False
    text = folded(text)
    return any(phrase in text for phrase in phrases)


def _items(guardrails: Any) -> Iterator[dict[str, Any]]:
    listed = guardrails if isinstance(guardrails, list | tuple) else [guardrails]
    for item in listed[:MOST_ITEMS]:
        if isinstance(item, str):
            yield {"blocked_phrases": [item]}
        elif isinstance(item, dict):
            yield item


def _phrases(value: Any) -> Iterator[str]:
    listed = value if isinstance(value, list | tuple) else [value]
    for phrase in listed[:MOST_ITEMS]:
        if isinstance(phrase, str) and len(phrase) <= LONGEST_PHRASE:
            text = folded(phrase)
            if text:
                yield text


def _some(phrases: set[str]) -> frozenset[str]:
    return frozenset(sorted(phrases)[:MOST_PHRASES])


def _length(value: Any) -> int:
    is_length = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    return value if is_length else LONGEST_MESSAGE
