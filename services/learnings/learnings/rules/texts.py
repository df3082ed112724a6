"""When two texts say the same, or nearly so (learnings contract, section 6.6).

Exactly the same is decided over a normal form. Nearly the same is the Jaccard likeness of the
trigrams of normal forms; candidates are found by keys that alike summaries share with high
probability (bottom-k sketches: what is least under a random order is likely in both of two alike
sets).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from bisect import bisect_left
from functools import lru_cache
from itertools import repeat
from struct import pack
from typing import Final
from zlib import crc32

SUMMARY_LOOKED_AT: Final = 1_000
"""Characters of a summary by which near duplicates are told."""

DETAIL_LOOKED_AT: Final = 2_000
"""Characters of a detail by which near duplicates are told."""

_TAKEN: Final = 8
_POINTS: Final = [number << 29 for number in range(8)]

# Between digits a mark has a meaning: 1.5 is not 15, and -1 is not 1.
_ASCII: Final = "-!\"#%&'()*,./:;?@[\\]_`{}"
_CLASS: Final = re.escape(_ASCII)
_BETWEEN: Final = re.compile(rf"[0-9][{_CLASS}]+[0-9]")
_MINUS: Final = re.compile(r"-[0-9]")
_UNMEANT: Final = re.compile(rf"-(?![0-9])|(?<![0-9])[{_CLASS[2:]}]+|[{_CLASS[2:]}]+(?![0-9])")
_DROPPED: Final = str.maketrans("", "", _ASCII)
_MARKS: Final = re.compile(r"[^\w\s\x00-\x7f]|_")


def _unless_punctuation(match: re.Match[str]) -> str:
    return "" if unicodedata.category(match[0]).startswith("P") else match[0]


@lru_cache(maxsize=16)  # of one summary it is needed twice
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
    has_meant = _BETWEEN.search(folded) or ("-" in folded and _MINUS.search(folded))
    bare = _UNMEANT.sub("", folded) if has_meant else folded.translate(_DROPPED)
    return " ".join(bare.split()) or " ".join(folded.split())


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

    The hashes of the trigrams lie on a ring; each of eight points, evenly spaced on it, takes the
    eight that follow it. Signed 32-bit numbers, salted by the organization.
    """
    data = f" {normal_form(summary[:SUMMARY_LOOKED_AT])} ".encode()
    salt = _salt(org_id)
    grams = {data[at : at + 3] for at in range(len(data) - 2)}
    ring = sorted(map(crc32, grams, repeat(salt)))
    around = ring + ring[:_TAKEN]
    keys = []
    for number, point in enumerate(_POINTS):
        at = bisect_left(ring, point)
        taken = around[at : at + _TAKEN]
        key = crc32(pack(f">{len(taken)}I", *taken), number)
        keys.append(key - (1 << 32) if key >= 1 << 31 else key)
    return keys
