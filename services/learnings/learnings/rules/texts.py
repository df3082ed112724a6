"""When two texts say the same, or nearly so (learnings contract, section 6.6).

Exactly the same is decided over a normal form. Nearly the same is the Jaccard likeness of the
trigrams of normal forms; candidates are found by keys that alike summaries share with high
probability (MinHash: the least hash of a bin stands for the bin, eight bins make a key).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import lru_cache
from typing import Final
from zlib import crc32

SUMMARY_LOOKED_AT: Final = 1_000
"""Characters of a summary by which near duplicates are told."""

DETAIL_LOOKED_AT: Final = 2_000
"""Characters of a detail by which near duplicates are told."""

_BINS: Final = 64
_BAND: Final = 8

# Between digits a mark has a meaning: 1.5 is not 15, and -1 is not 1.
_ASCII: Final = r"!\"#%&'()*,./:;?@\[\\\]_`{}"
_ASCII_MARKS: Final = re.compile(rf"-(?![0-9])|(?<![0-9])[{_ASCII}]+|[{_ASCII}]+(?![0-9])")
_MARKS: Final = re.compile(r"[^\w\s\x00-\x7f]|_")


def _unless_punctuation(match: re.Match[str]) -> str:
    return "" if unicodedata.category(match[0]).startswith("P") else match[0]


def normal_form(text: str) -> str:
    """Give the text in lower case with single spaces and no punctuation.

    A text of nothing but punctuation keeps it: it says something, too.
    """
    if text.isascii():
        folded = text.lower()
    else:
        folded = unicodedata.normalize("NFKC", text).casefold()
        # Folding can take a text out of its normal form.
        folded = _MARKS.sub(_unless_punctuation, unicodedata.normalize("NFKC", folded))
    return " ".join(_ASCII_MARKS.sub("", folded).split()) or " ".join(folded.split())


def hash_of(summary: str, detail: str) -> bytes:
    """Give the SHA-256 of what two texts of the same meaning have in common."""
    return hashlib.sha256(f"{normal_form(summary)}\n{normal_form(detail)}".encode()).digest()


def trigrams(text: str, limit: int) -> frozenset[str]:
    """Give the runs of three characters in the normal form of a text's beginning."""
    padded = f" {normal_form(text[:limit])} "
    return frozenset(map("".join, zip(padded, padded[1:], padded[2:], strict=False)))


def likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """Give the Jaccard likeness of two sets, 0 to 1; two empty ones are the same."""
    if not one and not other:
        return 1.0
    common = len(one & other)
    return common / (len(one) + len(other) - common)


@lru_cache(maxsize=4096)
def _salt(org_id: str) -> int:
    return crc32(org_id.encode())


def bands(org_id: str, summary: str) -> list[int]:
    """Give the keys of which summaries share one that are alike, with high probability.

    Signed 32-bit numbers, salted by the organization. A bin that no trigram falls into takes the
    value of the next one that has some, marked with the distance.
    """
    data = f" {normal_form(summary[:SUMMARY_LOOKED_AT])} ".encode()
    salt = _salt(org_id)
    least: list[int | None] = [None] * _BINS
    for gram in {data[at : at + 3] for at in range(len(data) - 2)}:
        # A multiplication, because a check sum alone keeps too much order.
        value = crc32(gram, salt) * 0x9E3779B1 & 0xFFFFFFFF
        at = value & _BINS - 1
        kept = least[at]
        if kept is None or value < kept:
            least[at] = value
    return _keys(_filled(least), salt)


def _filled(least: list[int | None]) -> list[int]:
    """Fill each empty bin from the next that is not; how far that is goes in, too."""
    filled = [0] * _BINS
    following, distance = 0, 0
    for at in range(2 * _BINS - 1, -1, -1):
        value = least[at % _BINS]
        if value is not None:
            following, distance = value, 0
        else:
            distance += 1
        if at < _BINS:
            filled[at] = following + distance * 0x85EBCA6B & 0xFFFFFFFF
    return filled


def _keys(filled: list[int], salt: int) -> list[int]:
    keys = []
    for at in range(0, _BINS, _BAND):
        part = b"".join(value.to_bytes(4, "big") for value in filled[at : at + _BAND])
        key = crc32(part, salt + at & 0xFFFFFFFF)
        keys.append(key - (1 << 32) if key >= 1 << 31 else key)
    return keys
