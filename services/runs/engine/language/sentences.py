"""A claim into subject, verb and rest, with every negation counted."""

from __future__ import annotations

from dataclasses import dataclass

from services.runs.engine.language.claim_words import (
    ADVERBS,
    BASE_VERBS,
    BE,
    EXPECTING,
    HELPER_STARTS,
    HELPERS,
    LEADS,
    MOVED,
    PERFECT,
    VERBS,
)
from services.runs.engine.language.heads import strip_determiners
from services.runs.engine.language.tokens import NEWLINE, Phrase
from services.runs.engine.language.words import RELATIONS

_BARE_STARTS = MOVED | {"land", "lands", "logged", "signed"}
_EVER = (("anymore",), ("any", "more"), ("any", "longer"))


@dataclass(frozen=True, slots=True)
class Sentence:
    """A claim in parts.

    Attributes:
        subject: What it speaks of; empty when the claim begins with its verb.
        verb: The main verb's meaning, or `be`.
        rest: What stands behind the verb.
        negative: The verb is negated.
        place: A place said ahead of the sentence, or empty.
    """

    subject: Phrase
    verb: str
    rest: Phrase
    negative: bool
    place: Phrase


def read_sentence(phrase: Phrase) -> Sentence | None:
    """Take a claim apart; None when it has no verb, or is negated more than once."""
    place, phrase = _place_ahead(phrase)
    for words in EXPECTING:
        if phrase.has(words):
            rest = phrase.cut(len(words))
            return Sentence(phrase.cut(0, 0), "see", rest, False, place)
    if phrase.word(0) in _BARE_STARTS:
        return _verb_group(phrase, 0, place)
    for position in range(1, len(phrase)):
        if _starts_verb(phrase, position):
            return _verb_group(phrase, position, place)
    return None


def without_leads(phrase: Phrase) -> Phrase:
    """Without line ends and without "verify that" and the like ahead."""
    phrase = phrase.without(frozenset({NEWLINE}))
    found = True
    while found:
        found = False
        for words in LEADS:
            if phrase.has(words) and len(phrase) > len(words):
                phrase, found = phrase.cut(len(words)), True
                break
    return phrase


def _place_ahead(phrase: Phrase) -> tuple[Phrase, Phrase]:
    """`Within the dialog, ...`: the place and the sentence behind it."""
    nothing = phrase.cut(0, 0)
    if phrase.run(0, 1) not in RELATIONS and phrase.run(0, 2) not in RELATIONS:
        return nothing, phrase
    for position, word in enumerate(phrase.words):
        if word == ",":
            return phrase.cut(0, position), phrase.cut(position + 1)
    return nothing, phrase


def _starts_verb(phrase: Phrase, position: int) -> bool:
    word = phrase.word(position)
    if phrase.word(position - 1) in ("that", "which") and position > 1:
        return False
    if word in ("no", "not"):
        return phrase.word(position + 1) == "longer"
    if word not in HELPER_STARTS and word not in VERBS:
        return False
    return len(strip_determiners(phrase.cut(0, position))) > 0


def _verb_group(phrase: Phrase, start: int, place: Phrase) -> Sentence | None:
    """Read helpers, negations and the main verb that begin at `start`."""
    position, negations = start, 0
    said: set[str] = set()
    while position < len(phrase):
        kind, length = _helper(phrase, position)
        if not length:
            break
        negations += kind == "not"
        said.add(kind)
        if kind == "help":
            said.discard("be")
        position += length
    rest, negations_behind = _without_ever(phrase.cut(position), negations)
    if negations > 1 or negations_behind is None:
        return None
    word = rest.word(0)
    if "be" in said or word in ("logged", "signed", *MOVED):
        verb: str | None = "be"
    else:
        verb = VERBS.get(word) or (BASE_VERBS.get(word) if said & {"help", "not"} else None)
        rest = rest.cut(1)
    if verb is None:
        return None
    while phrase.word(start - 1) in ADVERBS and start > 1:
        start -= 1
    return Sentence(phrase.cut(0, start), verb, rest, negations == 1, place)


def _helper(phrase: Phrase, position: int) -> tuple[str, int]:
    """The helper at a position, as kind and number of words: `be`, `help`, `not`, `adverb`."""
    word = phrase.word(position)
    if word in ("not", "never"):
        return "not", 1
    if word == "no" and phrase.word(position + 1) == "longer":
        return "not", 2
    if word in PERFECT and "been" in phrase.run(position + 1, 3):
        return "help", 1
    if word in BE:
        return "be", 1
    if word in HELPERS:
        return "help", 1
    return ("adverb", 1) if word in ADVERBS else ("", 0)


def _without_ever(rest: Phrase, negations: int) -> tuple[Phrase, int | None]:
    """Take "anymore" off the end; it needs a negation."""
    for words in _EVER:
        if len(rest) >= len(words) and rest.words[-len(words) :] == words:
            return rest.cut(0, len(rest) - len(words)), negations or None
    return rest, negations
