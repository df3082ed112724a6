"""A step into its clauses: at "then", ";", line ends and sentence ends, and before verbs."""

from __future__ import annotations

from services.runs.engine.language.tokens import NEWLINE, Phrase
from services.runs.engine.language.verbs import FILLERS, skip_subject, verb_at

_ALWAYS = frozenset({"then", ";", ".", NEWLINE})
_BEFORE_VERBS = frozenset({"and", ","})


def split(phrase: Phrase) -> tuple[Phrase, ...]:
    """Cut a step into clauses, in order; " and " and "," separate only before a verb."""
    clauses: list[Phrase] = []
    start = 0
    for position in range(len(phrase)):
        if position < start or not _separates(phrase, position):
            continue
        clauses.append(_trim(phrase.cut(start, position)))
        start = position + 1
    clauses.append(_trim(phrase.cut(start)))
    return tuple(clause for clause in clauses if not all(word in FILLERS for word in clause.words))


def _separates(phrase: Phrase, position: int) -> bool:
    word = phrase.word(position)
    if word in _ALWAYS:
        return True
    if word not in _BEFORE_VERBS:
        return False
    return verb_at(phrase, skip_subject(phrase, position + 1)) is not None


def _trim(phrase: Phrase) -> Phrase:
    """Without "and" and commas around it."""
    while phrase.word(0) in ("and", ","):
        phrase = phrase.cut(1)
    while phrase.word(-1) in ("and", ","):
        phrase = phrase.cut(0, len(phrase) - 1)
    return phrase
