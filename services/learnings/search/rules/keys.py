"""What a learning is to be found by, as numbers (learnings contract, section 6.4).

An index over all tenants' words would make a small organization pay for the large ones that use
the same words. So every key is a hash salted by the organization: its posting list holds rows of
one organization, chance collisions aside, which the statements sort out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final
from unicodedata import normalize
from zlib import crc32

SUMMARY_CUT: Final = 2000
"""Characters of a summary that trigrams are made of; full text reads on."""

TAGS_CUT: Final = 2000
"""Characters of all tags together that trigrams are made of; every tag has its own key."""

_WORD: Final = re.compile(r"[^\W_]+")
# Scripts that put no blanks between words: Thai to Khmer, kana, ideographs, Hangul.
_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+"
)


def words_of(text: str) -> list[str]:
    """Split a text into folded words of letters and digits, each once, in their order."""
    folded = text.lower() if text.isascii() else normalize("NFKC", text).casefold()
    return list(dict.fromkeys(_WORD.findall(folded)))


@lru_cache(maxsize=8192)
def pieces_of(word: str) -> tuple[bytes, ...]:
    """Give the trigrams of a folded word in UTF-8, its ends marked by blanks.

    A run of a script without blanks gives its pairs, because a word of it has few letters and
    may stand anywhere in the run.
    """
    if not word.isascii() and _UNSPACED.search(word):
        return tuple(_unspaced_pieces(word))
    padded = f"  {word} "
    return tuple(encoded(padded[at : at + 3]) for at in range(len(padded) - 2))


def _unspaced_pieces(word: str) -> Iterator[bytes]:
    at = 0
    for run in _UNSPACED.finditer(word):
        if run.start() > at:
            yield from pieces_of(word[at : run.start()])
        text = run.group()
        yield from (encoded(text[n : n + 2]) for n in range(max(1, len(text) - 1)))
        at = run.end()
    if at < len(word):
        yield from pieces_of(word[at:])


def encoded(text: str) -> bytes:
    """Give a text's bytes; what cannot be stored has some too, so that no query is an error."""
    return text.encode("utf-8", "surrogatepass")


def grams_of(org_id: str, summary: str, tags: Sequence[str]) -> list[int]:
    """Give what ``learning.grams`` holds: keys of the trigrams, and of each tag."""
    text = summary[:SUMMARY_CUT]
    if tags:
        text = f"{text} {' '.join(tags)[:TAGS_CUT]}"
    pieces = set(chain.from_iterable(map(pieces_of, words_of(text))))
    return list({*gram_keys(org_id, pieces), *tag_keys(org_id, tags)})


def gram_keys(org_id: str, pieces: Iterable[bytes]) -> list[int]:
    """Give the keys of trigrams, as PostgreSQL's ``integer`` counts."""
    salt = crc32(b"gram:" + org_id.encode())
    return [crc32(piece, salt) - 0x8000_0000 for piece in pieces]


def tag_keys(org_id: str, tags: Iterable[str]) -> list[int]:
    """Give the keys of whole tags, exactly as they are written."""
    salt = crc32(b"tag:" + org_id.encode())
    return [crc32(encoded(tag), salt) - 0x8000_0000 for tag in tags]
