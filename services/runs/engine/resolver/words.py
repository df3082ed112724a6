"""Comparing what a person wrote with what a page says."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

LONGEST: Final = 300
"""Characters of a text that are compared."""

_SETS: Final = (
    ("signup", ("sign up", "signup", "register", "create account", "create an account", "join")),
    ("login", ("log in", "login", "log on", "sign in", "signin", "log into", "sign into")),
    ("logout", ("log out", "logout", "sign out", "signout", "log off")),
    ("email", ("e mail", "email", "e mail address", "email address", "mail address")),
    ("continue", ("continue", "next")),
    ("save", ("save", "submit")),
    ("delete", ("delete", "remove")),
    ("cart", ("cart", "basket", "bag")),
    ("settings", ("settings", "preferences")),
)
"""Phrases that mean the same (contract section 5.3), by the word that stands for them."""

_SPLIT: Final = re.compile(
    r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Za-z])(?=[0-9])|[^0-9A-Za-z\u0080-\uffff]+"
)
_STOP: Final = frozenset(
    ("a", "an", "and", "the", "of", "to", "in", "on", "for", "with", "your", "my", "our", "by")
)

_MEANS: Final = {phrase: word for word, phrases in _SETS for phrase in phrases}
_SAYS: Final = dict(_SETS)
_PHRASES: Final = re.compile(r"\b(?:" + "|".join(sorted(_MEANS, key=len, reverse=True)) + r")\b")
_GAPS: Final = re.compile(r"[\W_]+")


def plain(text: str) -> str:
    """Give a text with its white space collapsed."""
    return " ".join(text[:LONGEST].split())


@lru_cache(maxsize=20_000)
def words(text: str) -> str:
    """Give a text in lower case, with one blank for all that is neither letter nor digit."""
    folded = text[:LONGEST]
    if not folded.isascii():
        folded = unicodedata.normalize("NFKC", folded)
    return _GAPS.sub(" ", folded.casefold().replace("'", "").replace("\u2019", "")).strip()


def packed(text: str) -> str:
    """Give the same without blanks: what is equal but for case, space and punctuation."""
    return words(text).replace(" ", "")


@lru_cache(maxsize=20_000)
def meaning(text: str) -> str:
    """Give the words with each phrase of a synonym set replaced by the one that stands for it."""
    return _PHRASES.sub(lambda found: _MEANS[found[0]], words(text))


def variants(text: str) -> frozenset[str]:
    """Give all that ``words`` may say for the same meaning, a hundred at most."""
    found = [""]
    for token in meaning(text).split():
        same = _SAYS.get(token, (token,))
        found = [f"{before} {after}".strip() for before in found for after in same][:100]
    return frozenset(found)


def hints(text: str) -> re.Pattern[str] | None:
    """Give a pattern without which a text in lower case has no word of this meaning."""
    said = {token for each in meaning(text).split() for token in _SAYS.get(each, (each,))}
    each_word = {word for phrase in said for word in phrase.split()} - _STOP
    if not each_word:
        return None
    return re.compile("|".join(re.escape(word) for word in sorted(each_word)))


@lru_cache(maxsize=20_000)
def tokens(text: str) -> frozenset[str]:
    """Give the words that carry meaning, synonyms unified; all of them where none does."""
    every = meaning(text).split()
    return frozenset(each for each in every if each not in _STOP) or frozenset(every)


@lru_cache(maxsize=20_000)
def parts(identifier: str) -> frozenset[str]:
    """Give the words of an identifier such as ``signUp-submit_2``."""
    split = " ".join(each for each in _SPLIT.split(identifier[:LONGEST]) if each)
    return frozenset(meaning(split).split())


def overlap(left: frozenset[str], right: frozenset[str]) -> float:
    """Give the share of words that two sets have in common."""
    if not left or not right:
        return 0.0
    return len(left & right) / len(left | right)


def is_similar(left: str, right: str, at_least: float = 0.85) -> bool:
    """Tell whether two words differ in few letters (edit distance over the longer length)."""
    longest = max(len(left), len(right))
    most = int((1 - at_least) * longest + 1e-9)
    if not most or longest > 80 or longest - min(len(left), len(right)) > most:
        return False
    if len(frozenset(left) ^ frozenset(right)) > 2 * most:
        return False
    return _is_within(left, right, most)


def _is_within(left: str, right: str, most: int) -> bool:
    before = list(range(len(right) + 1))
    for row, letter in enumerate(left, 1):
        here = [row]
        for column, other in enumerate(right, 1):
            here.append(
                min(
                    before[column] + 1,
                    here[-1] + 1,
                    before[column - 1] + (letter != other),
                )
            )
        if min(here) > most:
            return False
        before = here
    return before[-1] <= most
