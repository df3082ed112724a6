"""Which sentences of a text have to do with a question: those that share its words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

LONGEST_TEXT: Final = 20_000
"""Characters of one text that are looked through."""

LONGEST_SENTENCE: Final = 400
MOST_SENTENCES: Final = 1_000

_WORD: Final = re.compile(r"\w{2,40}")
_END: Final = re.compile(r"(?<=[.!?\u3002\uff01\uff1f])\s+|[\r\n]+")
_COMMON: Final = frozenset(
    _WORD.findall(
        "about after again all also an and any are as at be because been before but by can could"
        " did do does for from had has have he her here him his how if in into is it its just me"
        " more most my no not now of on one or our out over please she should so some such than"
        " that the their them then there these they this those to too up us was we were what when"
        " where which who why will with would you your"
    )
)


def words(text: str) -> frozenset[str]:
    """Give the words of a text that tell what it is about."""
    return frozenset(_WORD.findall(text[:LONGEST_TEXT].casefold())) - _COMMON


def overlap(text: str, wanted: frozenset[str]) -> int:
    """Count the wanted words that a text has."""
    return len(words(text) & wanted)


def sentences(text: str) -> list[str]:
    """Give the sentences and lines of a text; long ones are cut."""
    found = (each.strip() for each in _END.split(text[:LONGEST_TEXT], MOST_SENTENCES))
    return [each[:LONGEST_SENTENCE] for each in found if each]


def best(texts: Iterable[str], wanted: frozenset[str], most: int) -> list[str]:
    """Give the texts that share most words with what is wanted, the best first; none that has none.

    Of equals the earlier one comes first.
    """
    scored = [(overlap(text, wanted), text) for text in texts]
    ranked = sorted((pair for pair in scored if pair[0]), key=lambda pair: -pair[0])
    return list(dict.fromkeys(text for _, text in ranked))[:most]
