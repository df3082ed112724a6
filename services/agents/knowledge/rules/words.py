"""The words of a text, and which of several texts fit a question best."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from services.agents.providers.models import Passage

_WORD: Final = re.compile(r"[^\W_]+")
_UNSPACED: Final = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
"""Scripts without blanks between words; there, pairs of letters stand for words."""

_SUFFIXES: Final = ("ing", "ed", "s")
_SHORTEST_STEM: Final = 3
_LONGEST_STEM: Final = 6

_IN_TITLE: Final = 2.0
"""By how much more a word counts that stands in a title, too."""

_LEAST: Final = 0.25
"""Part of the best text's score that another one must have."""

_COMMON: Final = frozenset(
    """
    about after all also an and any are as at be because been before but by can could did do does
    for from get had has have how if in into is it its just may me more most my no not now of off
    on one only or other our out over please should so some such than that the their them then
    there these they this those to under up us use was we were what when where which while who why
    will with would you your
    """.split()  # noqa: SIM905 - a list of words reads as one
)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The words of a question; ``heads`` are the beginnings of ``stems``."""

    stems: frozenset[str]
    pairs: frozenset[str]
    heads: frozenset[str]

    def found_in(self, text: str) -> set[str]:
        """Give those that a text has. Few words of it are looked at closely: texts are long."""
        text = text.casefold()
        pairs = set[str]()
        if not text.isascii():
            pairs = {pair for pair in self.pairs if pair in text}
            text = _UNSPACED.sub(" ", text)
        near = {word for word in _WORD.findall(text) if word[:2] in self.heads}
        return pairs | {_stem(word) for word in near} & self.stems


def words_of(text: str) -> set[str]:
    """Give the words of a text in the form in which they are compared.

    Without the most common ones, endings cut off: six letters are enough to tell words apart.
    """
    asked = _asked(text)
    return {*asked.stems, *asked.pairs}


def _asked(question: str) -> _Asked:
    question = question.casefold()
    pairs = {
        run[at : at + 2]
        for run in _UNSPACED.findall(question)
        for at in range(max(1, len(run) - 1))
    }
    words = _WORD.findall(_UNSPACED.sub(" ", question))
    stems = {_stem(word) for word in words if len(word) > 1 and word not in _COMMON}
    return _Asked(frozenset(stems), frozenset(pairs), frozenset(stem[:2] for stem in stems))


def _stem(word: str) -> str:
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _SHORTEST_STEM:
            word = word.removesuffix(suffix)
            break
    if len(word) > _SHORTEST_STEM:
        word = word.removesuffix("e")
    return word[:_LONGEST_STEM]


def fitting(question: str, texts: Iterable[Passage], most: int) -> list[Passage]:
    """Give the texts that share words with a question, best first; rare words count more.

    Takes time in proportion to the texts.

    Args:
        question: what they are to fit.
        texts: to choose from; of two that fit alike, the earlier one wins.
        most: of the answer.
    """
    asked = _asked(question)
    if not (asked.stems or asked.pairs):
        return []
    shared: list[tuple[Passage, set[str], set[str]]] = []
    count = 0
    for text in texts:
        count += 1
        title = asked.found_in(text.title)
        words = title | asked.found_in(text.text)
        if words:
            shared.append((text, words, title))
    if not shared:
        return []
    times = Counter(word for _, words, _ in shared for word in words)
    weights = {word: math.log(1 + count / times[word]) for word in times}
    scores = [
        sum(weights[word] * (_IN_TITLE if word in title else 1) for word in words)
        for _, words, title in shared
    ]
    return [shared[place][0] for place in _best(scores, most)]


def _best(scores: Sequence[float], most: int) -> list[int]:
    places = sorted(range(len(scores)), key=lambda place: (-scores[place], place))[:most]
    return [place for place in places if scores[place] >= _LEAST * scores[places[0]]]
